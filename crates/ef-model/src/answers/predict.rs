//! The distribution of one column in each row, given the others.

use ef_density::infer::{ColumnEvidence, Evidence};
use ef_density::{Key, Place};
use ef_tabular::{ColumnMarginal, ColumnSchema, Kind, Table, Value};

use super::known_rows::KnownRows;
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::row_key::RowKey;

/// Draws a row where a column's values are drawn: enough that a dozen lie beyond the outer quantiles.
const DRAWS: usize = 256;
/// Draws a row and level, where other levels are missing: by hand, for a column of a few levels as many in all as above.
const LEVEL_DRAWS: usize = 128;
/// A column of at most this many levels is asked level by level: more would take more than 8192 draws a row.
const MOST_CELLS: usize = 64;
/// Which quantiles of a number a prediction has.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// The conditional distribution of one column in each row of a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Prediction {
    /// Of a column of categories or booleans.
    Labels {
        /// The values it may have; empty for a missing level.
        labels: Vec<String>,
        /// For each row, the probability of each value.
        probabilities: Vec<Vec<f64>>,
    },
    /// Of a column of numbers.
    Numbers {
        /// For each row, what its distribution is like.
        rows: Vec<NumberPrediction>,
    },
    /// Of a column of dates.
    Dates {
        /// For each row, what its distribution is like, in days since 1970-01-01.
        rows: Vec<NumberPrediction>,
    },
}

/// A distribution of numbers in figures. Those of a missing level are left out of all but its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberPrediction {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// The 5, 25, 50, 75 and 95 % quantiles.
    pub quantiles: [f64; 5],
    /// Probability of a missing level.
    pub missing: f64,
}

/// The distribution of a column in each row of a table, given the row's other levels: a request. Missing levels are
/// integrated out, and what the table says of the column itself is not read.
///
/// Categories and numbers of few values are asked value by value, exactly where no other level is missing; other numbers
/// are averages over 256 weighted draws a row.
#[derive(Debug, Clone, Copy)]
pub struct Predict<'a> {
    column: &'a str,
    first_row: u64,
}

impl<'a> Predict<'a> {
    /// Of a modelled column.
    pub fn column(name: &'a str) -> Self {
        Self {
            column: name,
            first_row: 0,
        }
    }

    /// The number of the table's first row, 0 if it is not said: for a part of a larger table.
    #[must_use]
    pub fn from_row(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// Predicts the column in each row; [`EchoFlow::key`] is the key of [`EchoFlow::predict`].
    ///
    /// # Errors
    /// A column that is not modelled; levels of the wrong kind; a model that cannot be asked for this.
    pub fn run(&self, model: &EchoFlow, table: &Table, key: Key) -> Result<Prediction, ModelError> {
        let column = self.column;
        let Some(at) = model.schema().index(column) else {
            let known: Vec<&str> = model.schema().columns.iter().map(|c| c.name.as_str()).collect();
            return Err(ModelError::NotModelled {
                column: column.to_owned(),
                known: known.join(", "),
            });
        };
        let blank = if table.column_index(column).is_ok() {
            table.drop(&[column])?
        } else {
            table.clone()
        };
        let key = RowKey::new(key.purpose("predict"), self.first_row);
        let (marginal, schema) = (&model.marginals()[at], &model.schema().columns[at]);
        let known = KnownRows::new(model, &blank, true, false)?;
        let rows = if marginal.levels() <= MOST_CELLS && !marginal.is_continuous() {
            by_cell(model, known, at, key)?
        } else {
            by_draws(model, known, at, key)?
        };
        Ok(distribution(marginal, schema, &rows))
    }
}

impl EchoFlow {
    /// The distribution of `column` in each row of a table, given the row's other levels: [`Predict`], by the seed of the
    /// fit.
    ///
    /// # Errors
    /// As of [`Predict::run`].
    pub fn predict(&self, table: &Table, column: &str) -> Result<Prediction, ModelError> {
        Predict::column(column).run(self, table, self.key())
    }
}

/// Values of a column with their weights, for each row.
type Weighted<'a> = Vec<Vec<(Value<'a>, f64)>>;

/// Values of column `at` by weighted draws.
fn by_draws(model: &EchoFlow, known: KnownRows, at: usize, key: RowKey) -> Result<Weighted<'_>, ModelError> {
    let marginal = &model.marginals()[at];
    let mut rows: Weighted<'_> = vec![Vec::new(); known.evidence.len()];
    // the column is drawn with weights, whether or not it comes after all that is known
    let known = known.up_to(at);
    known.weigh(model, DRAWS, key, &mut |index, particles, _, _| {
        for (own, &row) in index.iter().enumerate() {
            let own = own * particles.each..(own + 1) * particles.each;
            let weights = weights(&particles.log_weights[own.clone()]);
            let values = own.map(|p| {
                let (level, rank) = model.layout.level_and_rank(&particles.rows, p, at);
                marginal.draw(level, rank)
            });
            rows[row] = values.zip(weights).collect();
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Every level of column `at` in turn.
fn by_cell(model: &EchoFlow, known: KnownRows, at: usize, key: RowKey) -> Result<Weighted<'_>, ModelError> {
    let marginal = &model.marginals()[at];
    let (rows, levels) = (known.evidence.len(), marginal.levels());
    let mut branches = Vec::with_capacity(rows * levels);
    let mut log = Vec::with_capacity(rows * levels);
    for evidence in &known.evidence {
        for level in 0..levels {
            let mut columns = evidence.columns.clone();
            let place = Place {
                level: Some(level as u32),
                low: 0.0,
                high: 1.0,
                log_measure: 0.0,
            };
            // what derived columns that are known say of the level
            log.push(columns[at].share_of_level(level as u32).ln());
            columns[at] = ColumnEvidence::Value(place);
            branches.push(Evidence::new(
                columns,
                evidence.leading.clone(),
                evidence.context.clone(),
            ));
        }
    }
    let shares = log.clone();
    known
        .in_branches(levels, branches)
        .weigh(model, LEVEL_DRAWS, key, &mut |index, _, summaries, _| {
            for (&at, summary) in index.iter().zip(summaries) {
                log[at] = summary.log_mean + shares[at];
            }
            Ok(())
        })?;
    let values = |log: &[f64]| {
        let drawn = (0..levels).map(|level| marginal.draw(level as u32, 0.5));
        drawn.zip(weights(log)).collect()
    };
    Ok(log.chunks(levels).map(values).collect())
}

/// Weights from their logarithms, the largest 1; all 1 if none counts.
fn weights(log: &[f64]) -> Vec<f64> {
    let top = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return vec![1.0; log.len()];
    }
    log.iter().map(|log| (log - top).exp()).collect()
}

/// Weighted values as a distribution.
fn distribution(
    marginal: &ColumnMarginal,
    schema: &ColumnSchema,
    rows: &[Vec<(Value<'_>, f64)>],
) -> Prediction {
    if matches!(schema.kind, Kind::Category | Kind::Boolean) {
        let mut labels: Vec<String> = Vec::new();
        let text = |value: &Value<'_>| match value {
            Value::Text(text) => (*text).to_owned(),
            Value::Boolean(flag) => schema.boolean.text(*flag).to_owned(),
            _ => String::new(),
        };
        let mut position = std::collections::HashMap::new();
        for level in 0..marginal.levels() as u32 {
            let label = text(&marginal.draw(level, 0.5));
            position.entry(label.clone()).or_insert_with(|| {
                labels.push(label);
                labels.len() - 1
            });
        }
        for (value, _) in rows.iter().flatten() {
            let label = text(value);
            position.entry(label.clone()).or_insert_with(|| {
                labels.push(label);
                labels.len() - 1
            });
        }
        let probabilities = rows.iter().map(|row| {
            let mut all = vec![0.0; labels.len()];
            let total: f64 = row.iter().map(|(_, weight)| weight).sum();
            for (value, weight) in row {
                all[position[&text(value)]] += weight / total;
            }
            all
        });
        let probabilities = probabilities.collect();
        return Prediction::Labels {
            labels,
            probabilities,
        };
    }
    let number = |value: &Value<'_>| match value {
        Value::Number(x) => Some(*x),
        Value::Date(date) => Some(f64::from(date.day_number())),
        _ => None,
    };
    let rows = rows.iter().map(|row| {
        let total: f64 = row.iter().map(|(_, weight)| weight).sum();
        let mut known: Vec<(f64, f64)> = row.iter().filter_map(|(v, w)| Some((number(v)?, *w))).collect();
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        let weight: f64 = known.iter().map(|(_, w)| w).sum();
        let mean = known.iter().map(|(x, w)| x * w).sum::<f64>() / weight;
        let mean = match (known.first(), known.last()) {
            // the sums' roundings do not take it out of the values' range
            (Some((least, _)), Some((greatest, _))) => mean.max(*least).min(*greatest),
            _ => mean,
        };
        let variance = known.iter().map(|(x, w)| (x - mean).powi(2) * w).sum::<f64>() / weight;
        let quantile = |q: f64| {
            let mut below = 0.0;
            for (x, w) in &known {
                below += w;
                if below >= q * weight {
                    return *x;
                }
            }
            known.last().map_or(f64::NAN, |(x, _)| *x)
        };
        NumberPrediction {
            mean,
            deviation: variance.sqrt(),
            quantiles: QUANTILES.map(quantile),
            missing: 1.0 - weight / total,
        }
    });
    let rows = rows.collect();
    if schema.kind == Kind::Date {
        Prediction::Dates { rows }
    } else {
        Prediction::Numbers { rows }
    }
}
