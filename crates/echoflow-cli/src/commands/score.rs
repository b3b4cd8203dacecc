//! `echoflow score`: a table with its log-densities.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::{EchoFlow, Scores, with_threads};

use crate::output::{note, read_table, write_table};

pub(super) fn run(model: &Path, table: &Path, output: &Path, threads: usize) -> Result<ExitCode> {
    let model = EchoFlow::load(model)?;
    let table = read_table(table)?;
    let scores = with_threads(threads, || model.log_prob(&table))??;
    write_table(&table.with_column("log_prob", &scores.log_prob)?, output)?;
    note(&summary(&scores));
    Ok(ExitCode::SUCCESS)
}

/// The mean log-density in words.
pub(super) fn summary(scores: &Scores) -> String {
    let rows = scores.log_prob.len();
    if rows == 0 {
        return "no rows to score".to_owned();
    }
    let (mean, error) = scores.mean();
    let estimated = scores.standard_error.iter().filter(|e| **e > 0.0).count();
    if estimated == 0 {
        format!("mean log_prob {mean:.4} nats over {rows} rows (exact)")
    } else {
        format!(
            "mean log_prob {mean:.4} nats over {rows} rows (an estimate for {estimated} of them; standard error of the \
             mean from it {error:.4})"
        )
    }
}
