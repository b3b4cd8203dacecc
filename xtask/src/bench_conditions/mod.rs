//! `cargo xtask bench-conditions`: conditions on any columns of fitted models, measured.
//!
//! Four parts. `own`: rows under random conditions against the model's own law. `truth`: the same, and probabilities,
//! against the law that the training rows came from. `real`: the same beside the real test rows that meet them. `impute`:
//! removed cells, beside plain methods. `echoflow` fits, `conditions` of `benches` asks and measures,
//! `benches/quality/conditional.py` scores what needs Python. Every condition is a JSON line, appended to a file as soon as
//! it is there; the tables are printed from that file. Nothing is chosen here: test files are read to report.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;
use xshell::Shell;

use crate::json_lines::{Lines, read_lines};
use crate::programs::Programs;

mod report;
mod run;

/// A kind of measurement.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Rows under conditions against the model's own law
    Own,
    /// Rows under conditions, and probabilities, against the law of the training rows
    Truth,
    /// Rows under conditions beside real rows that meet them
    Real,
    /// Removed cells beside plain methods
    Impute,
}

impl Part {
    /// The tables it is measured on, unless others are asked for.
    fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Own | Self::Truth => &["loans", "sim/asia", "sim/child", "sim/ring", "sim/grid"],
            Self::Real => &["adult", "housing", "bank", "bike_hour"],
            Self::Impute => &["housing", "adult"],
        }
    }
}

/// What to measure.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Folder with NAME.train.csv and NAME.test.csv, also in folders below it; the table `loans` is made here
    #[arg(long, required_unless_present = "report")]
    data: Option<PathBuf>,
    /// Parts to measure; all if left out
    #[arg(long = "part", value_delimiter = ',')]
    parts: Vec<Part>,
    /// Names of tables, such as loans,sim/ring; those of each part if left out. With --part also other tables of the folder
    #[arg(long, value_delimiter = ',')]
    tables: Vec<String>,
    /// Seed of fits, conditions and draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Conditions of a table; 50 if left out, and 10 on real tables
    #[arg(long)]
    conditions: Option<usize>,
    /// Rows drawn under each condition where the law is known
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// Rows of the references that conditions are counted on
    #[arg(long, default_value_t = 4_000_000)]
    pool: usize,
    /// More options of `echoflow fit`, such as "--model autoregressive"
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    fit_args: String,
    /// Threads of fits; 0: all cores
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Where the JSON lines go (added to what is there); `bench-conditions.jsonl` in the target directory if left out
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the Markdown tables to this file too
    #[arg(long)]
    out_md: Option<PathBuf>,
    /// Measure nothing: print the tables of the JSON lines in these files
    #[arg(long, value_delimiter = ',')]
    report: Vec<PathBuf>,
}

/// Measures, or reads what was measured, and prints the tables.
pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    if let Some(data) = options.data.as_ref().filter(|_| options.report.is_empty()) {
        let programs = Programs::build(sh, options.threads, "bench-conditions", &["conditions"])?;
        let out = options
            .out
            .clone()
            .unwrap_or_else(|| programs.target.join("bench-conditions.jsonl"));
        let out = Lines(out);
        let mut record = |line: Value| -> Result<()> {
            lines.push(out.append(line)?);
            Ok(())
        };
        failed = run::run(sh, &programs, options, data, &mut record)?;
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
