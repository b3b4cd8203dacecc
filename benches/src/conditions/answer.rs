//! A model's answer to a condition, and its cost.

use anyhow::{Context, Result};
use echoflow::{Drawn, EchoFlow, Estimate, Probability, SampleWhere};
use ef_random::Key;
use ef_tabular::Condition;

use super::case::Case;
use super::pool::Pool;
use crate::process::cpu_seconds;

/// Rows that meet a condition, and the CPU seconds they took, or the model's refusal.
///
/// # Errors
/// A case whose text is no condition; without the process's clock.
pub(super) fn rows_where(
    model: &EchoFlow,
    case: &Case,
    pool: &Pool,
    rows: usize,
    key: Key,
) -> Result<Result<(Drawn, f64), String>> {
    let condition = read(case, pool)?;
    let started = cpu_seconds()?;
    let drawn = SampleWhere::new(&condition, rows).run(model, key.purpose("rows"));
    let took = cpu_seconds()? - started;
    Ok(drawn
        .map(|drawn| (drawn, took))
        .map_err(|refusal| refusal.to_string()))
}

/// The probability of a condition, or the model's refusal.
///
/// # Errors
/// A case whose text is no condition.
pub(super) fn probability(
    model: &EchoFlow,
    case: &Case,
    pool: &Pool,
    key: Key,
) -> Result<Result<Estimate, String>> {
    let condition = read(case, pool)?;
    let found = Probability::of(&condition).run(model, key);
    Ok(found.map_err(|refusal| refusal.to_string()))
}

fn read(case: &Case, pool: &Pool) -> Result<Condition> {
    let text = case.text(pool);
    text.parse().with_context(|| format!("the condition {text}"))
}
