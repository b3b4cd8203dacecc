//! The tables: from JSON lines to Markdown.

use std::fmt::Write;

use serde_json::Value;

/// A column of a table: its heading and what it says of a group of lines.
type Column = (&'static str, fn(&[&Value]) -> String);

/// How far beyond chance the worst column of a condition may be.
const BAR: f64 = 0.01;

const OWN: [Column; 14] = [
    ("conditions", |lines| answered(lines).len().to_string()),
    ("refused", |lines| with(lines, "refused").len().to_string()),
    ("left out", |lines| with(lines, "skipped").len().to_string()),
    ("TV", |lines| mean(lines, "tv_mean", 4)),
    ("of it noise", |lines| mean(lines, "noise_mean", 4)),
    ("excess", |lines| mean(lines, "excess_mean", 4)),
    ("largest", |lines| most(lines, "excess_worst", 4)),
    ("by chance", |lines| most(lines, "null_worst", 4)),
    ("over .01", |lines| share_over(lines, "excess_worst", BAR)),
    ("effective of drawn", |lines| {
        quantiles(&ratios(lines, "effective", "draws"), 3)
    }),
    ("effective", |lines| quantiles(&figures(lines, "effective"), 0)),
    ("rows that break it", |lines| sum(lines, "violations")),
    ("P off, relative", |lines| mean(lines, "probability_off", 4)),
    ("CPU s", |lines| quantiles(&figures(lines, "cpu_s"), 1)),
];
const TRUTH: [Column; 10] = [
    ("conditions", |lines| answered(lines).len().to_string()),
    ("refused", |lines| with(lines, "refused").len().to_string()),
    ("left out", |lines| with(lines, "skipped").len().to_string()),
    ("TV", |lines| mean(lines, "tv_mean", 4)),
    ("largest", |lines| most(lines, "tv_mean", 4)),
    ("of it noise", |lines| mean(lines, "noise_mean", 4)),
    ("TV by rejection", |lines| mean(lines, "rejection_tv_mean", 4)),
    ("P off, relative", |lines| mean(lines, "probability_off", 4)),
    ("largest", |lines| most(lines, "probability_off", 4)),
    ("rows that break it", |lines| sum(lines, "violations")),
];
const UNCONDITIONAL: [Column; 3] = [
    ("TV of all rows", |lines| mean(lines, "tv_mean", 4)),
    ("largest", |lines| mean(lines, "tv_worst", 4)),
    ("of it noise", |lines| mean(lines, "noise_mean", 4)),
];
const REAL: [Column; 8] = [
    ("conditions", |lines| with(lines, "trend").len().to_string()),
    ("refused", |lines| with(lines, "refused").len().to_string()),
    ("test rows", |lines| quantiles(&figures(lines, "rows"), 0)),
    ("trend, drawn", |lines| mean(lines, "trend", 4)),
    ("trend, training", |lines| mean(lines, "trend_train", 4)),
    ("training - drawn", |lines| {
        average(&differences(lines, "trend_train", "trend"), 4)
    }),
    ("largest", |lines| {
        largest(&differences(lines, "trend_train", "trend"), 4)
    }),
    ("rows that break it", |lines| sum(lines, "violations")),
];
const IMPUTE: [Column; 7] = [
    ("numbers", |lines| sum(lines, "numbers")),
    ("RMSE", |lines| mean(lines, "rmse", 4)),
    ("log-score", |lines| mean(lines, "score_numbers", 4)),
    ("categories", |lines| sum(lines, "labels")),
    ("accuracy", |lines| mean(lines, "accuracy", 4)),
    ("log-score", |lines| mean(lines, "score_labels", 4)),
    ("log-score of all", |lines| mean(lines, "score", 4)),
];

/// All tables of these lines.
pub(super) fn tables(lines: &[Value]) -> String {
    let mut text = String::new();
    table(&mut text, lines, "own", "Rows against the model's own law", &OWN);
    table(
        &mut text,
        lines,
        "truth",
        "Rows and probabilities against the truth",
        &TRUTH,
    );
    table(
        &mut text,
        lines,
        "unconditional",
        "Without a condition",
        &UNCONDITIONAL,
    );
    table(&mut text, lines, "real", "Rows beside real ones", &REAL);
    table(&mut text, lines, "impute", "Removed cells", &IMPUTE);
    text
}

fn table(text: &mut String, lines: &[Value], part: &str, title: &str, columns: &[Column]) {
    let mut groups: Vec<(String, Vec<&Value>)> = Vec::new();
    for line in lines.iter().filter(|line| line["part"] == part) {
        let mut label = line["table"].as_str().unwrap_or("?").to_owned();
        if let Some(arguments) = line["fit_args"].as_str().filter(|text| !text.is_empty()) {
            let _ = write!(label, " `{arguments}`");
        }
        if let Some(method) = line["method"].as_str() {
            let _ = write!(label, ", {method}");
        }
        match groups.iter_mut().find(|(known, _)| *known == label) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((label, vec![line])),
        }
    }
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}:\n");
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let _ = writeln!(text, "| table | {} |", headings.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --: |".repeat(columns.len()));
    for (label, lines) in groups {
        let cells: Vec<String> = columns.iter().map(|(_, cell)| cell(&lines)).collect();
        let _ = writeln!(text, "| {label} | {} |", cells.join(" | "));
    }
    text.push('\n');
}

fn with<'v>(lines: &[&'v Value], key: &str) -> Vec<&'v Value> {
    let has = |line: &&&Value| !line[key].is_null();
    lines.iter().filter(has).copied().collect()
}

fn answered<'v>(lines: &[&'v Value]) -> Vec<&'v Value> {
    with(lines, "tv_mean")
}

fn figures(lines: &[&Value], key: &str) -> Vec<f64> {
    lines.iter().filter_map(|line| line[key].as_f64()).collect()
}

fn ratios(lines: &[&Value], above: &str, below: &str) -> Vec<f64> {
    let ratio = |line: &&Value| Some(line[above].as_f64()? / line[below].as_f64()?);
    lines.iter().filter_map(ratio).collect()
}

fn differences(lines: &[&Value], one: &str, other: &str) -> Vec<f64> {
    let difference = |line: &&Value| Some(line[one].as_f64()? - line[other].as_f64()?);
    lines.iter().filter_map(difference).collect()
}

fn mean(lines: &[&Value], key: &str, decimals: usize) -> String {
    average(&figures(lines, key), decimals)
}

fn most(lines: &[&Value], key: &str, decimals: usize) -> String {
    largest(&figures(lines, key), decimals)
}

fn sum(lines: &[&Value], key: &str) -> String {
    let figures = figures(lines, key);
    if figures.is_empty() {
        return "-".to_owned();
    }
    format!("{}", figures.iter().sum::<f64>())
}

fn share_over(lines: &[&Value], key: &str, bar: f64) -> String {
    let figures = figures(lines, key);
    let over = figures.iter().filter(|value| **value > bar).count();
    average(&[over as f64 / figures.len() as f64], 2)
}

fn average(figures: &[f64], decimals: usize) -> String {
    let mean = figures.iter().sum::<f64>() / figures.len() as f64;
    if mean.is_nan() {
        return "-".to_owned();
    }
    format!("{mean:.decimals$}")
}

fn largest(figures: &[f64], decimals: usize) -> String {
    match figures.iter().copied().reduce(f64::max) {
        Some(value) => format!("{value:.decimals$}"),
        None => "-".to_owned(),
    }
}

/// The median, and the ends.
fn quantiles(figures: &[f64], decimals: usize) -> String {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (sorted.first(), sorted.last()) else {
        return "-".to_owned();
    };
    let median = sorted[sorted.len() / 2];
    format!("{median:.decimals$} ({low:.decimals$}..{high:.decimals$})")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_of_a_table_are_put_together() {
        let own = |worst: f64, draws: u32| {
            json!({"part": "own", "table": "loans", "fit_args": "", "tv_mean": worst / 2.0, "excess_worst": worst,
                   "effective": 100.0, "draws": draws, "violations": 1})
        };
        let lines = [
            own(0.005, 100),
            own(0.02, 200),
            json!({"part": "own", "table": "loans", "refused": "too rare"}),
            json!({"part": "own", "table": "loans", "skipped": true, "hits": 3}),
            json!({"part": "impute", "table": "adult", "method": "model", "rmse": 0.5, "numbers": 7}),
        ];
        let text = tables(&lines);
        let row = text.lines().find(|line| line.starts_with("| loans |"));
        assert_eq!(
            row.expect("a row"),
            "| loans | 2 | 1 | 1 | 0.0063 | - | - | 0.0200 | - | 0.50 | 1.000 (0.500..1.000) | 100 (100..100) | 2 | - | - |"
        );
        assert!(
            text.contains("| adult, model | 7 | 0.5000 | - | - | - | - | - |"),
            "{text}"
        );
        assert!(!text.contains("real ones"));
    }
}
