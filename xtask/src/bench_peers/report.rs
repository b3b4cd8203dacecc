//! The tables: from JSON lines to Markdown.

use std::fmt::Write;

use serde_json::Value;

use super::cases::Case;
use super::peers::JUDGE;

/// The three kinds of work and where their rates and FLOP stand in a line.
const WORKS: [(&str, &str, &str); 3] = [
    ("training", "train_rows_cpu_s", "step_flop"),
    ("log_prob", "logprob_rows_cpu_s", "pass_flop"),
    ("sampling", "sample_rows_cpu_s", "pass_flop"),
];
/// A loss that is worse than the judge's by more than this voids the figures.
const LOSS_MARGIN: f64 = 0.1;
/// A case at this share of the peak is met whatever the ratio.
const SHARE: f64 = 0.8;

/// Both tables and a line on the machine.
pub(super) fn tables(cases: &[Case], lines: &[Value]) -> String {
    let all = Lines(lines);
    let mut text = String::new();
    if let Some(machine) = lines.iter().find_map(|line| line["machine"].as_str()) {
        let _ = writeln!(text, "Machine: {machine}.");
    }
    if let Some(peak) = all.peak() {
        let _ = writeln!(
            text,
            "Peak: {peak:.1} GFLOP/s a core (multiply-add in f32). Threads: {}.",
            all.threads()
        );
    }
    text += "\n| case | work | echoflow | with `gemm` | fastest peer | ratio | bar | | useful GFLOP/s | of peak |\n";
    text += "| --- | --- | --: | --: | --- | --: | --: | --- | --: | --: |\n";
    for case in cases.iter().filter(|case| all.ours(case, "").next().is_some()) {
        for work in 0..3 {
            text += &all.speed(case, work);
        }
    }
    text += "\n| case | parameters | NLL | NLL of zuko | at step | | MiB | MiB of peers | first step, CPU s | of peers |\n";
    text += "| --- | --: | --: | --: | --: | --- | --: | --: | --: | --: |\n";
    for case in cases.iter().filter(|case| all.ours(case, "").next().is_some()) {
        text += &all.rest(case);
    }
    text
}

struct Lines<'a>(&'a [Value]);

impl<'a> Lines<'a> {
    fn of(&self, case: &Case) -> impl Iterator<Item = &'a Value> {
        let (lines, name, threads) = (self.0, case.name, self.threads());
        lines
            .iter()
            .filter(move |line| line["case"] == name && line["threads"].as_u64().unwrap_or(1) == threads)
    }

    fn ours(&self, case: &Case, features: &'static str) -> impl Iterator<Item = &'a Value> {
        self.of(case)
            .filter(move |line| line["lib"] == "echoflow" && line["features"] == features)
    }

    fn peers(&self, case: &Case) -> impl Iterator<Item = &'a Value> {
        self.of(case).filter(|line| line["lib"] != "echoflow")
    }

    /// Threads of the last run; runs with other numbers are left out.
    fn threads(&self) -> u64 {
        let mut runs = self.0.iter().rev().filter(|line| line["case"].is_string());
        runs.find_map(|line| line["threads"].as_u64()).unwrap_or(1)
    }

    /// GFLOP/s of one core at the best level.
    fn peak(&self) -> Option<f64> {
        let peaks = self.0.iter().filter_map(|line| line["gflops_cpu_core"].as_f64());
        peaks.reduce(f64::max)
    }

    /// A line of the first table.
    fn speed(&self, case: &Case, work: usize) -> String {
        // Only training uses the threads; wall-clock time shows their effect.
        let (name, rate, flop) = match WORKS[work] {
            (name, _, flop) if work == 0 && self.threads() > 1 => {
                (format!("{name}, rows a second"), "train_rows_s", flop)
            }
            (name, rate, flop) => (name.to_owned(), rate, flop),
        };
        let plain = fastest(self.ours(case, ""), rate);
        let gemm = fastest(self.ours(case, "gemm"), rate);
        let peer = fastest(self.peers(case), rate);
        let best = [plain, gemm]
            .into_iter()
            .flatten()
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let ratio = best.zip(peer).map(|(own, peer)| own.0 / peer.0);
        let gflops = best.and_then(|(rate, line)| Some(rate * line[flop].as_f64()? / 1e9));
        let cores = if rate == "train_rows_s" { self.threads() } else { 1 };
        let peak = self.peak().map(|peak| peak * cores as f64);
        let share = gflops.zip(peak).map(|(gflops, peak)| gflops / peak);
        let bar = case.bars.map(|bars| bars[work]);
        let verdict = match (ratio, bar) {
            _ if self.void(case) => "void",
            (Some(ratio), Some(bar)) if ratio >= bar => "met",
            (Some(_), Some(_)) if share.is_some_and(|share| share >= SHARE) => "met by the peak",
            (Some(_), Some(_)) => "missed",
            _ => "",
        };
        let compared = self.losses(case).1.is_some() || !verdict.starts_with("met");
        let verdict = if compared {
            verdict.to_owned()
        } else {
            format!("{verdict}, loss not compared")
        };
        let cell =
            |value: Option<f64>, decimals: usize| value.map_or("-".to_owned(), |v| number(v, decimals));
        format!(
            "| {} | {name} | {} | {} | {} | {} | {} | {verdict} | {} | {} |\n",
            case.name,
            cell(plain.map(|p| p.0), 0),
            cell(gemm.map(|p| p.0), 0),
            peer.map_or("-".to_owned(), |(rate, line)| {
                format!("{} {}", line["lib"].as_str().unwrap_or("?"), number(rate, 0))
            }),
            cell(ratio, 2),
            cell(bar, 1),
            cell(gflops, 1),
            share.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share)),
        )
    }

    /// Loss of ours (the worst of its runs) and of the judge, and the step of both. Only losses of one step on the same
    /// rows are compared: without such a pair the judge's is left out.
    fn losses(&self, case: &Case) -> (Option<f64>, Option<f64>, Option<u64>) {
        let own: Vec<&Value> = self.of(case).filter(|line| line["lib"] == "echoflow").collect();
        let alike = |a: &Value, b: &Value| a["nll_steps"] == b["nll_steps"] && a["rows"] == b["rows"];
        let loss = |line: &Value| line["nll_last"].as_f64();
        let judge = self
            .peers(case)
            .find(|line| line["lib"] == JUDGE && own.iter().any(|own| alike(own, line)));
        let Some(like) = judge.or_else(|| own.first().copied()) else {
            return (None, None, None);
        };
        let own = own
            .iter()
            .filter(|line| alike(line, like))
            .filter_map(|line| loss(line));
        (
            own.reduce(f64::max),
            judge.and_then(loss),
            like["nll_steps"].as_u64(),
        )
    }

    fn void(&self, case: &Case) -> bool {
        let (own, judge, _) = self.losses(case);
        let worse = own
            .zip(judge)
            .is_some_and(|(own, judge)| own > judge + LOSS_MARGIN);
        worse || self.diverged(case) || !self.has_params(case)
    }

    /// Whether a run of ours ended without a finite loss, which JSON writes as `null`.
    fn diverged(&self, case: &Case) -> bool {
        let mut own = self.of(case).filter(|line| line["lib"] == "echoflow");
        own.any(|line| line["nll_last"].as_f64().is_none())
    }

    fn has_params(&self, case: &Case) -> bool {
        let mut counts = self.ours(case, "").filter_map(|line| line["params"].as_u64());
        counts.all(|count| case.params.contains(&count))
    }

    /// A line of the second table.
    fn rest(&self, case: &Case) -> String {
        let (own, judge, step) = self.losses(case);
        let loss = |loss: Option<f64>| loss.map_or("-".to_owned(), |loss| format!("{loss:.3}"));
        let verdict = if !self.has_params(case) {
            "void: other parameters than asked for"
        } else if self.diverged(case) {
            "void: no finite loss"
        } else if self.void(case) {
            "void: the loss is worse"
        } else if judge.is_some() {
            "equal or better"
        } else {
            ""
        };
        let params = self
            .ours(case, "")
            .find_map(|line| line["params"].as_u64())
            .unwrap_or(0);
        let range = |lines: &mut dyn Iterator<Item = &Value>, key: &str, decimals: usize| {
            let values: Vec<f64> = lines.filter_map(|line| line[key].as_f64()).collect();
            let low = values.iter().copied().reduce(f64::min);
            let high = values.iter().copied().reduce(f64::max);
            match low.zip(high) {
                None => "-".to_owned(),
                Some((low, high)) if low == high => number(low, decimals),
                Some((low, high)) => format!("{} to {}", number(low, decimals), number(high, decimals)),
            }
        };
        format!(
            "| {} | {} | {} | {} | {} | {verdict} | {} | {} | {} | {} |\n",
            case.name,
            number(params as f64, 0),
            loss(own),
            loss(judge),
            step.map_or("-".to_owned(), |step| number(step as f64, 0)),
            range(&mut self.ours(case, ""), "rss_mib", 0),
            range(&mut self.peers(case), "rss_mib", 0),
            range(&mut self.ours(case, ""), "first_step_cpu_s", 2),
            range(&mut self.peers(case), "first_step_cpu_s", 1),
        )
    }
}

/// The highest rate among lines, and its line.
fn fastest<'a>(lines: impl Iterator<Item = &'a Value>, key: &str) -> Option<(f64, &'a Value)> {
    lines
        .filter_map(|line| Some((line[key].as_f64()?, line)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
}

/// A positive number with commas between thousands.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() {
        grouped
    } else {
        format!("{grouped}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(lib: &str, rate: f64, nll: f64) -> Value {
        json!({"case": "maf-8", "features": "", "lib": lib, "params": 28_880, "train_rows_cpu_s": rate,
               "nll_last": nll, "nll_steps": 100, "rows": 7, "step_flop": 1_000_000})
    }

    fn training_row(lines: &[Value]) -> String {
        let case = Case::named(&["maf-8".to_owned()]).expect("a case");
        let tables = tables(&case, lines);
        let row = tables.lines().find(|line| line.starts_with("| maf-8 | training"));
        row.expect("a row of training").to_owned()
    }

    #[test]
    fn the_fastest_of_each_side_is_compared() {
        let lines = [
            json!({"gflops_cpu_core": 100.0}),
            line("echoflow", 20_000.0, 5.0),
            line("echoflow", 30_000.0, 5.0),
            line("zuko", 7_000.0, 4.95),
            line("flowjax", 10_000.0, 4.0),
        ];
        let row = training_row(&lines);
        let expected = "| maf-8 | training | 30,000 | - | flowjax 10,000 | 3.00 | 3.0 | met | 30.0 | 30 % |";
        assert_eq!(row, expected);
    }

    #[test]
    fn a_worse_loss_or_another_model_voids_a_figure() {
        let judge = line("zuko", 1_000.0, 4.8);
        assert!(training_row(&[line("echoflow", 9_000.0, 4.95), judge.clone()]).contains("| void |"));
        assert!(training_row(&[line("echoflow", 9_000.0, 4.85), judge.clone()]).contains("| met |"));
        // a loss at another step, or on other rows, says nothing
        for key in ["nll_steps", "rows"] {
            let mut other = line("echoflow", 9_000.0, 9.0);
            other[key] = json!(50);
            assert!(training_row(&[other, judge.clone()]).contains("| met, loss not compared |"));
        }
        // a loss that is no number reads as none
        let mut diverged = line("echoflow", 9_000.0, 4.8);
        diverged["nll_last"] = Value::Null;
        assert!(training_row(&[diverged, judge.clone()]).contains("| void |"));
        let mut other_size = line("echoflow", 9_000.0, 4.8);
        other_size["params"] = json!(28_881);
        assert!(training_row(&[other_size, judge]).contains("| void |"));
    }

    #[test]
    fn near_the_peak_a_case_is_met_whatever_the_ratio() {
        let lines = |peak: f64| {
            let peak = json!({"gflops_cpu_core": peak});
            [
                peak,
                line("echoflow", 10_000.0, 5.0),
                line("flowjax", 9_000.0, 5.0),
                line("zuko", 1_000.0, 5.0),
            ]
        };
        assert!(training_row(&lines(12.0)).contains("| met by the peak |"));
        assert!(training_row(&lines(13.0)).contains("| missed |"));
    }

    #[test]
    fn what_threads_bring_is_counted_on_the_wall() {
        let mut own = line("echoflow", 20_000.0, 5.0);
        own["threads"] = json!(2);
        own["train_rows_s"] = json!(36_000.0);
        let row = training_row(&[json!({"gflops_cpu_core": 100.0, "threads": 2}), own]);
        let expected = "| maf-8 | training, rows a second | 36,000 | - | - | - | 3.0 |  | 36.0 | 18 % |";
        assert_eq!(row, expected);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(number(1_234_567.0, 0), "1,234,567");
        assert_eq!(number(999.96, 1), "1,000.0");
        assert_eq!(number(0.04, 2), "0.04");
    }
}
