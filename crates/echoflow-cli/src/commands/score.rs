//! `echoflow score`: a table with its log-densities.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::{EchoFlow, Scores, with_threads};

use super::Job;
use crate::args;
use crate::files::Files;
use crate::output::{count, note, read_table_for, refuse_taken, write_table};

/// Where the scores go.
pub(super) const LOG_PROB: &str = "log_prob";

#[derive(Debug, clap::Args)]
pub(crate) struct Score {
    /// Model file
    model: PathBuf,
    /// CSV file with the model's columns, in any order; - is standard input
    table: PathBuf,
    /// CSV file to write, which may be the table that is read; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Number of the table's first row, counted from 0: a part of a larger table gets what it gets in the whole
    #[arg(long, value_name = "ROW", default_value = "0", value_parser = args::first_row, allow_negative_numbers = true)]
    first_row: u64,
    /// Threads (0: all); any number gives the same scores
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    threads: usize,
}

impl Job for Score {
    fn files(&self) -> Result<Files<'_>> {
        Ok(Files::default()
            .reads("model", &self.model)
            .reads_table("table", &self.table)
            .writes_more_of("table", "-o", &*self.output))
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Score) -> Result<ExitCode> {
    let model = EchoFlow::load(&args.model)?;
    let table = read_table_for(&model, &args.table)?;
    refuse_taken(&table, &args.table, &[LOG_PROB], "the scores would go")?;
    let request = echoflow::Score::new().from_row(args.first_row);
    let scores = with_threads(args.threads, || request.run(&model, &table, model.key()))??;
    write_table(&table.with_column(LOG_PROB, &scores.log_prob)?, &args.output)?;
    note(&summary(&scores));
    Ok(ExitCode::SUCCESS)
}

/// The mean log-density in words.
pub(super) fn summary(scores: &Scores) -> String {
    let rows = scores.log_prob.len();
    if rows == 0 {
        return "no rows to score".to_owned();
    }
    let over = count(rows, "row");
    let (mean, error) = scores.mean();
    let estimated = scores.standard_error.iter().filter(|e| **e > 0.0).count();
    if estimated == 0 {
        format!("mean log_prob {mean:.4} nats over {over} (exact)")
    } else {
        format!(
            "mean log_prob {mean:.4} nats over {over} (an estimate for {estimated} of them; standard error of the \
             mean from it {error:.4})"
        )
    }
}
