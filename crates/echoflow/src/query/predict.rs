//! The distribution of one column in each row, given the others.

use ef_density::{Key, Place};
use ef_tabular::{ColumnMarginal, ColumnSchema, Kind, Table, Value};

use super::complete::Given;
use super::limit::{Limit, Problem};
use super::particles::Weighed;
use crate::error::Error;
use crate::model::EchoFlow;

/// Draws a row where a column's values are drawn.
const DRAWS: usize = 256;
/// Draws a row and cell, where other cells are missing.
const CELL_DRAWS: usize = 128;
/// A column of at most this many levels is asked level by level.
const MOST_LEVELS: usize = 64;
/// Which quantiles of a number are told.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// The conditional distribution of one column in each row of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction {
    /// Of a column of categories or booleans.
    Labels {
        /// The values it may have; empty for a missing cell.
        labels: Vec<String>,
        /// For each row, the probability of each value.
        probabilities: Vec<Vec<f64>>,
    },
    /// Of a column of numbers.
    Numbers {
        /// For each row, what its distribution is like.
        rows: Vec<NumberPrediction>,
    },
}

/// A distribution of numbers in figures. Those of a missing cell are left out of all but its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberPrediction {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// The 5, 25, 50, 75 and 95 % quantiles.
    pub quantiles: [f64; 5],
    /// Probability of a missing cell.
    pub missing: f64,
}

impl EchoFlow {
    /// The distribution of `column` in each row of a table, given the row's other cells; missing ones are integrated out,
    /// and what the table says of the column itself is not read.
    ///
    /// Categories and numbers of few values are asked value by value, exactly where no other cell is missing; other numbers
    /// are told by 256 weighted draws a row. Dates are told as numbers of days since 1970-01-01.
    ///
    /// # Errors
    /// A column that is not modelled; cells of the wrong kind; a model that cannot be asked for this.
    pub fn conditional(&self, table: &Table, column: &str) -> Result<Prediction, Error> {
        let Some(at) = self.schema().index(column) else {
            return Err(Error::NotModelled {
                column: column.to_owned(),
                known: self
                    .schema()
                    .columns
                    .iter()
                    .map(|c| c.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        };
        let blank = match table.column_index(column) {
            Ok(_) => table.drop(&[column])?,
            Err(_) => table.clone(),
        };
        let key = Key::new(self.training.seed).purpose("predict");
        let marginal = &self.marginals()[at];
        let schema = &self.schema().columns[at];
        let given = Given::new(self, &blank, true)?;
        if marginal.levels() <= MOST_LEVELS && !marginal.is_continuous() {
            return self.by_cell(given, at, key);
        }
        let mut rows: Vec<Vec<(Value<'_>, f64)>> = vec![Vec::new(); table.num_rows()];
        // the column is drawn with weights, whether or not it comes after all that is known
        let given = given.up_to(at);
        given.weigh(self, DRAWS, key, &mut |index, particles, weighed, _| {
            for (i, (&row, _)) in index.iter().zip(weighed).enumerate() {
                let own = i * particles.each..(i + 1) * particles.each;
                let top = particles.log_weights[own.clone()]
                    .iter()
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max);
                rows[row] = own
                    .map(|p| {
                        let (level, rank) = self.layout.level_and_rank(&particles.rows, p, at);
                        let weight = match top == f64::NEG_INFINITY {
                            true => 1.0,
                            false => (particles.log_weights[p] - top).exp(),
                        };
                        (marginal.draw(level, rank), weight)
                    })
                    .collect();
            }
            Ok(())
        })?;
        Ok(told(marginal, schema, &rows))
    }

    /// Every level of the column in turn.
    fn by_cell(&self, given: Given, at: usize, key: Key) -> Result<Prediction, Error> {
        let marginal = &self.marginals()[at];
        let rows = given.problems.len();
        let levels = marginal.levels();
        let problems: Vec<Problem> = given
            .problems
            .iter()
            .flat_map(|problem| {
                (0..levels).map(|level| {
                    let mut limits = problem.limits.clone();
                    limits[at] = Limit::Value(Place {
                        level: Some(level as u32),
                        low: 0.0,
                        high: 1.0,
                        log_measure: 0.0,
                    });
                    Problem::new(limits, problem.leading.clone(), problem.context.clone())
                })
            })
            .collect();
        // what derived columns that are known say of the cell
        let told_of = |limit: &Limit, level: usize| match limit {
            Limit::Free | Limit::Certain => 1.0,
            Limit::Value(place) => f64::from(u8::from(place.level == Some(level as u32))),
            Limit::Within(within) => within.share(level as u32),
        };
        let shares: Vec<f64> = given
            .problems
            .iter()
            .flat_map(|problem| (0..levels).map(move |level| told_of(&problem.limits[at], level)))
            .collect();
        let mut log = vec![f64::NEG_INFINITY; rows * levels];
        given.with_problems(problems).weigh(
            self,
            CELL_DRAWS,
            key,
            &mut |index, _, weighed: &[Weighed], _| {
                for (&row, weighed) in index.iter().zip(weighed) {
                    log[row] = weighed.log_mean + shares[row].ln();
                }
                Ok(())
            },
        )?;
        let rows: Vec<Vec<(Value<'_>, f64)>> = log
            .chunks(levels)
            .map(|log| {
                let top = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weight = |log: f64| {
                    if top == f64::NEG_INFINITY {
                        1.0
                    } else {
                        (log - top).exp()
                    }
                };
                (0..levels)
                    .map(|level| (marginal.draw(level as u32, 0.5), weight(log[level])))
                    .collect()
            })
            .collect();
        Ok(told(marginal, &self.schema().columns[at], &rows))
    }
}

/// Weighted values as a distribution.
fn told(marginal: &ColumnMarginal, schema: &ColumnSchema, rows: &[Vec<(Value<'_>, f64)>]) -> Prediction {
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
    Prediction::Numbers { rows: rows.collect() }
}
