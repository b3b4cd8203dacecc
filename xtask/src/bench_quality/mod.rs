//! `cargo xtask bench-quality`: fits tables, draws from the models, judges what was drawn.
//!
//! The work is done by programs: `echoflow` fits, samples and scores, `measured` of `benches` says what that took,
//! `benches/quality/score.py` judges, `tables` of `benches` compares log-densities with plain models'. Every run is a
//! JSON line, appended to a file as soon as it is there; the tables are printed from that file. `docs/quality.md`
//! defines every figure. Nothing is chosen here: test files are read to report, and `--validate` never opens them.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::Value;
use xshell::Shell;

use crate::folder::{Table, tables_of};
use crate::json_lines::{Lines, read_lines};
use crate::programs::Programs;

mod breadth;
mod report;
mod run;

/// What to fit and how.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Folder with NAME.train.csv and NAME.test.csv, also in folders below it
    #[arg(long, required_unless_present_any = ["breadth", "report"])]
    data: Option<PathBuf>,
    /// Names of tables, such as adult,sim/ring; all if left out
    #[arg(long, value_delimiter = ',')]
    tables: Vec<String>,
    /// Fits of each table, with the seeds 0, 1, ..
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The column that utility is measured on, as NAME=COLUMN or NAME=none; a table's last column if left out
    #[arg(long = "target", value_delimiter = ',')]
    targets: Vec<String>,
    /// Leave the test files alone: split each training file 80 to 20, another way for each seed, fit the larger part and
    /// judge by the other. For choosing settings
    #[arg(long)]
    validate: bool,
    /// Fit generated tables instead: many columns, few rows, many rows, many levels, many missing cells. Reports peak
    /// memory, and the log-density beside that of independent columns and of a Gaussian copula
    #[arg(long, conflicts_with_all = ["data", "validate"])]
    breadth: bool,
    /// More options of `echoflow fit`, such as "--epochs 3"
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    fit_args: String,
    /// Threads of every program; 0: all cores
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Where the JSON lines go (added to what is there); `bench-quality.jsonl` in the target directory if left out
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the Markdown tables to this file too
    #[arg(long)]
    out_md: Option<PathBuf>,
    /// Fit nothing: print the tables of the JSON lines in these files
    #[arg(long, value_delimiter = ',')]
    report: Vec<PathBuf>,
}

impl Options {
    /// The options of `echoflow fit` that were asked for.
    fn fit_args(&self) -> Vec<&str> {
        self.fit_args.split_whitespace().collect()
    }

    /// The target column that was named for a table.
    fn target(&self, table: &str) -> Option<&str> {
        let pairs = self.targets.iter().filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(name, _)| *name == table)
            .map(|(_, column)| column)
            .next()
    }
}

/// Fits and judges, or reads what was judged, and prints the tables.
pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    if options.report.is_empty() {
        ensure!(options.seeds > 0, "--seeds 0 fits nothing");
        let programs = Programs::build(sh, options.threads, "bench-quality", &["tables"])?;
        let out = options
            .out
            .clone()
            .unwrap_or_else(|| programs.target.join("bench-quality.jsonl"));
        let out = Lines(out);
        let mut record = |what: String, line: Result<Value>| -> Result<()> {
            match line {
                Ok(line) => lines.push(out.append(line)?),
                Err(error) => {
                    eprintln!("{what} failed: {error:#}");
                    failed.push(what);
                }
            }
            Ok(())
        };
        if options.breadth {
            breadth::run(sh, &programs, options, &mut record)?;
        } else if let Some(data) = &options.data {
            let tables: Vec<Table> = tables_of(sh, data, &options.tables, !options.validate)?;
            run::run(sh, &programs, options, &tables, &mut record)?;
        }
        println!("JSON lines: {}", out.0.display());
    }
    for file in &options.report {
        lines.extend(read_lines(sh, file)?);
    }
    let text = report::tables(&lines);
    println!("\n{text}");
    if let Some(file) = &options.out_md {
        sh.write_file(file, &text)?;
    }
    ensure!(failed.is_empty(), "these runs failed: {}", failed.join(", "));
    Ok(())
}
