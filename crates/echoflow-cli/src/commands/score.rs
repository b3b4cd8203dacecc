//! `echoflow score`: a table with its log-densities.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use echoflow::{EchoFlow, Scores, with_threads};

use crate::output::{check_table_output, count, note, read_table_for, write_table};

/// Where the scores go.
const COLUMN: &str = "log_prob";

pub(super) fn run(model: &Path, table: &Path, output: &Path, threads: usize) -> Result<ExitCode> {
    check_table_output(output)?;
    let model = EchoFlow::load(model)?;
    let path = table;
    let table = read_table_for(&model, path)?;
    if table.column_index(COLUMN).is_ok() {
        bail!(
            "{} already has a column \"{COLUMN}\", where the scores would go; rename it or take it out first",
            path.display()
        );
    }
    let scores = with_threads(threads, || model.log_prob(&table))??;
    write_table(&table.with_column(COLUMN, &scores.log_prob)?, output)?;
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
