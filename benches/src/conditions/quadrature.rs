//! The law of one number given the exact value of another, by the trapezoidal rule over the model's density.

use anyhow::{Result, ensure};
use echoflow::{EchoFlow, Table};
use ef_tabular::{ColumnData, Value};

use super::distance::Bins;
use super::pool::{Column, Pool};

/// Points of the rule.
const POINTS: usize = 8_192;
/// How far beyond the range seen they reach, in ranges.
const BEYOND: f64 = 0.1;

/// Whether a model is one of two numbers that have densities.
pub(super) fn is_plane(model: &EchoFlow, pool: &Pool) -> bool {
    let density = |j: usize| match pool.column(j) {
        Column::Numbers(cells) => model.marginals()[j].has_density(Value::Number(cells[0])),
        Column::Labels(_) => false,
    };
    model.marginals().len() == 2 && pool.names().len() == 2 && density(0) && density(1)
}

/// Bins of column `1 - given` where column `given` is `value`: `p(y | x) = p(x, y) / int p(x, y) dy`.
///
/// # Errors
/// A model that scores no point, or those of [`EchoFlow::log_prob`].
pub(super) fn across(model: &EchoFlow, pool: &Pool, given: usize, value: f64) -> Result<Bins> {
    let other = 1 - given;
    let Column::Numbers(seen) = pool.column(other) else {
        anyhow::bail!("column '{}' is none of numbers", pool.names()[other]);
    };
    let known = seen.iter().copied();
    let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| {
        (low.min(y), high.max(y))
    });
    let margin = BEYOND * (high - low);
    let (low, high) = (low - margin, high + margin);
    let step = (high - low) / (POINTS - 1) as f64;
    let y: Vec<f64> = (0..POINTS).map(|i| low + step * i as f64).collect();
    let mut columns = vec![
        (
            pool.names()[given].clone(),
            ColumnData::Decimal(vec![Some(value); POINTS]),
        ),
        (
            pool.names()[other].clone(),
            ColumnData::Decimal(y.iter().copied().map(Some).collect()),
        ),
    ];
    if given == 1 {
        columns.reverse();
    }
    let scores = model.score(&Table::from_columns(columns)?)?.log_prob;
    let peak = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    ensure!(
        peak.is_finite(),
        "the model has no density where {} is {value}",
        pool.names()[given]
    );
    let density: Vec<f64> = scores.iter().map(|score| (score - peak).exp()).collect();
    let mut cumulated = vec![0.0; POINTS];
    for i in 1..POINTS {
        cumulated[i] = cumulated[i - 1] + 0.5 * (density[i - 1] + density[i]);
    }
    let total = cumulated[POINTS - 1];
    cumulated.iter_mut().for_each(|mass| *mass /= total);
    Ok(Bins::of_law(&y, &cumulated))
}
