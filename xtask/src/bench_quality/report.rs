//! The tables: from JSON lines to Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

/// A column of a table: its heading, the key in a line, decimals.
type Column = (&'static str, &'static str, usize);

const QUALITY: [Column; 11] = [
    ("NLL", "nll", 3),
    ("NLL, independent", "nll_independent", 3),
    ("C2ST train", "c2st_train", 3),
    ("sub", "c2st_sub", 3),
    ("test", "c2st_test", 3),
    ("floor", "c2st_floor", 3),
    ("sub - test", "c2st_gap", 3),
    ("shape", "shape", 3),
    ("trend", "trend", 3),
    ("TSTR", "tstr", 3),
    ("TRTR", "trtr", 3),
];
const PRIVACY: [Column; 5] = [
    ("copies", "copies", 5),
    ("copies, test rows", "copies_test", 5),
    ("DCR share", "dcr_share", 3),
    ("membership AUC", "membership_auc", 3),
    ("NLL test - train", "nll_gap", 3),
];
const COST: [Column; 8] = [
    ("fit wall s", "fit_wall_s", 1),
    ("fit CPU s", "fit_cpu_s", 1),
    ("fit peak MiB", "fit_peak_mib", 0),
    ("rows drawn", "rows", 0),
    ("sampling CPU s", "sample_cpu_s", 2),
    ("100,000 rows: sampling wall s", "sample_100k", 2),
    ("scoring wall s", "score_100k", 2),
    ("sampling peak MiB", "sample_peak_mib", 0),
];
const BREADTH: [Column; 7] = [
    ("NLL", "nll_compared", 3),
    ("independent columns", "nll_independent", 3),
    ("Gaussian copula", "nll_copula", 3),
    ("test rows", "compared_rows", 0),
    ("fit wall s", "fit_wall_s", 1),
    ("fit CPU s", "fit_cpu_s", 1),
    ("fit peak MiB", "fit_peak_mib", 0),
];
/// Columns named in the list of training values that come back.
const MOST_COLUMNS: usize = 4;

/// All tables of these lines.
pub(super) fn tables(lines: &[Value]) -> String {
    let mut text = String::new();
    if let Some(machine) = lines.iter().find_map(|line| line["machine"].as_str()) {
        let _ = writeln!(text, "Machine: {machine}.");
    }
    text += "Figures are the mean over runs and, in brackets, the smallest and the largest.\n";
    let real = grouped(lines, "table");
    let generated = grouped(lines, "breadth");
    if !real.is_empty() {
        table(&mut text, &real, &QUALITY, None);
        table(
            &mut text,
            &real,
            &PRIVACY,
            Some(("unique training values: drawn / test rows", unique)),
        );
        table(&mut text, &real, &COST, None);
    }
    if !generated.is_empty() {
        table(&mut text, &generated, &BREADTH, Some(("", verdict)));
        let _ = writeln!(
            text,
            "\nThe copula is simulated where columns have intervals: standard error at most {}, too high by about {} at most.",
            number(most(&generated, "copula_error"), 5),
            number(most(&generated, "copula_bias"), 5)
        );
    }
    text
}

type Group<'a> = (String, Vec<&'a Value>);

/// The lines that have `key`, by its value and the settings of the run, in the order of their first line.
fn grouped<'a>(lines: &'a [Value], key: &str) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for line in lines {
        let Some(name) = line[key].as_str() else { continue };
        let mut label = name.to_owned();
        if let Some(arguments) = line["fit_args"].as_str().filter(|text| !text.is_empty()) {
            let _ = write!(label, " `{arguments}`");
        }
        if line["validate"] == true {
            label += " (validation)";
        }
        match groups.iter_mut().find(|(known, _)| *known == label) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((label, vec![line])),
        }
    }
    groups
}

/// A cell of a table, from the lines of one row.
type Cell = fn(&[&Value]) -> String;

fn table(text: &mut String, groups: &[Group<'_>], columns: &[Column], last: Option<(&str, Cell)>) {
    let mut heading = "\n| table | runs |".to_owned();
    let mut rule = "| --- | --: |".to_owned();
    for (name, ..) in columns {
        let _ = write!(heading, " {name} |");
        rule += " --: |";
    }
    if let Some((name, _)) = last {
        let _ = write!(heading, " {name} |");
        rule += " --- |";
    }
    let _ = writeln!(text, "{heading}\n{rule}");
    for (label, lines) in groups {
        let _ = write!(text, "| {label} | {} |", lines.len());
        for (_, key, decimals) in columns {
            let values: Vec<f64> = lines.iter().filter_map(|line| figure(line, key)).collect();
            let _ = write!(text, " {} |", spread(&values, *decimals));
        }
        if let Some((_, cell)) = last {
            let _ = write!(text, " {} |", cell(lines));
        }
        text.push('\n');
    }
}

/// A figure of a line: one it holds, or one that two of them make.
fn figure(line: &Value, key: &str) -> Option<f64> {
    let held = |key: &str| line[key].as_f64();
    let per_100k = |key: &str| Some(held(key)? / held("rows")? * 1e5);
    match key {
        "c2st_gap" => Some(held("c2st_sub")? - held("c2st_test")?),
        "nll_gap" => Some(held("nll")? - held("nll_train")?),
        "sample_100k" => per_100k("sample_wall_s"),
        "score_100k" => per_100k("score_wall_s"),
        _ => held(key),
    }
}

/// Mean, and the ends if there are several values.
fn spread(values: &[f64], decimals: usize) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    match values.len() {
        0 => "-".to_owned(),
        1 => number(mean, decimals),
        _ if low == high => number(mean, decimals),
        _ => format!(
            "{} ({}..{})",
            number(mean, decimals),
            number(low, decimals),
            number(high, decimals)
        ),
    }
}

fn number(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

fn mean_of(lines: &[&Value], key: &str) -> f64 {
    let values: Vec<f64> = lines.iter().filter_map(|line| figure(line, key)).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn most(groups: &[Group<'_>], key: &str) -> f64 {
    let lines = groups.iter().flat_map(|(_, lines)| lines);
    lines.filter_map(|line| figure(line, key)).fold(0.0, f64::max)
}

/// The columns whose unique training values come back most, beyond the rate of test rows.
fn unique(lines: &[&Value]) -> String {
    let mut shares: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for line in lines {
        for (column, share) in line["unique"].as_object().into_iter().flatten() {
            let sums = shares.entry(column).or_default();
            sums.0 += share.as_f64().unwrap_or(0.0) / lines.len() as f64;
            sums.1 += line["unique_test"][column].as_f64().unwrap_or(0.0) / lines.len() as f64;
        }
    }
    let mut shares: Vec<_> = shares
        .into_iter()
        .filter(|(_, (drawn, _))| *drawn >= 0.0005)
        .collect();
    shares.sort_by(|a, b| (b.1.0 - b.1.1).total_cmp(&(a.1.0 - a.1.1)));
    let cells = shares.iter().take(MOST_COLUMNS);
    let cells: Vec<String> = cells
        .map(|(column, (drawn, test))| format!("{column} {drawn:.3} / {test:.3}"))
        .collect();
    if cells.is_empty() {
        "-".to_owned()
    } else {
        cells.join(", ")
    }
}

/// Whether the model is behind a plain one.
fn verdict(lines: &[&Value]) -> String {
    let own = mean_of(lines, "nll_compared");
    let behind = [
        ("independent columns", "nll_independent"),
        ("the copula", "nll_copula"),
    ]
    .into_iter()
    .filter(|(_, key)| own > mean_of(lines, key))
    .map(|(name, _)| name)
    .collect::<Vec<_>>();
    if behind.is_empty() {
        "ahead of both".to_owned()
    } else {
        format!("behind {}", behind.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn runs_of_a_table_are_averaged_and_settings_kept_apart() {
        let line = |seed: u64, sub: f64, arguments: &str| {
            json!({"table": "adult", "seed": seed, "fit_args": arguments, "c2st_sub": sub, "c2st_test": 0.5,
                   "nll": 2.0, "nll_train": 1.5, "unique": {"age": 0.25, "height": 0.01 * sub}, "unique_test": {"age": 0.2}})
        };
        let text = tables(&[line(0, 0.6, ""), line(1, 0.8, ""), line(0, 0.9, "--epochs 3")]);
        let rows = |start: &str| {
            text.lines()
                .filter(|row| row.starts_with(start))
                .collect::<Vec<_>>()
        };
        let both = rows("| adult | 2 |");
        assert!(
            both[0].contains("| 0.700 (0.600..0.800) | 0.500 |"),
            "{}",
            both[0]
        );
        assert!(both[0].contains("| 0.200 (0.100..0.300) |"), "{}", both[0]);
        assert!(
            both[1].ends_with("| 0.500 | age 0.250 / 0.200, height 0.007 / 0.000 |"),
            "{}",
            both[1]
        );
        assert_eq!(rows("| adult `--epochs 3` | 1 |").len(), 3);
        // what was not measured is a dash
        assert!(both[2].starts_with("| adult | 2 | - | - |"));
    }

    #[test]
    fn a_model_behind_a_plain_one_is_named() {
        let line = |nll: f64| json!({"breadth": "wide", "seed": 0, "nll_compared": nll, "nll_independent": 3.0, "nll_copula": 2.0});
        assert!(tables(&[line(1.9)]).contains("| ahead of both |"));
        assert!(tables(&[line(2.1)]).contains("| behind the copula |"));
        assert!(tables(&[line(3.1)]).contains("| behind independent columns and the copula |"));
    }
}
