//! Cells removed from test rows, and what a model says of them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use echoflow::{EchoFlow, Impute, Prediction, Table};
use ef_random::{Key, uniform};
use ef_tabular::{ColumnMarginal, Kind, Value};
use serde_json::json;

use super::plain::{cell, pick, write_plain};
use crate::process::cpu_seconds;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Imputing {
    /// Test rows, at random where there are more.
    pub rows: usize,
    /// Chance of a known cell to be removed.
    pub share: f64,
    /// Imputed tables that a point estimate is made of.
    pub draws: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

/// Removes cells, and writes into `folder`: `train.csv` and `test.csv` as the scorer's other methods read them, and
/// `cells.csv`, a line for each removed cell: its row in `test.csv`, its column, whether it is a number or a category, the
/// step of its rounding grid (empty if it has a density), our point estimates and our log-score. Returns what that took.
///
/// With `K` the known cells of the row, the log-score of cell `c` is
///
/// ```text
/// log p(c | K) = log p(K, c) - log p(K)
/// ```
///
/// One point is the mean of the draws for a number, the label drawn most often for a category. The other is the mean,
/// or the likeliest label, of the cell's predicted distribution; of columns that are derived from others it is the
/// first.
///
/// # Errors
/// A model of other columns, files that cannot be written.
pub fn impute(
    model: &EchoFlow,
    train: &Table,
    test: &Table,
    settings: Imputing,
    folder: &Path,
) -> Result<serde_json::Value> {
    let key = Key::new(settings.seed).purpose("impute");
    let rows = some_rows(test.num_rows(), settings.rows, key);
    let whole = pick(test, &rows, |_, _| true)?;
    let mut removed = vec![vec![false; test.num_columns()]; rows.len()];
    for (i, removed) in removed.iter_mut().enumerate() {
        let mut rng = key.purpose("cells").row(i as u64);
        for (j, removed) in removed.iter_mut().enumerate() {
            *removed = uniform(&mut rng) < settings.share && whole.value(i, j) != Value::Missing;
        }
    }
    let cells = removed.iter().enumerate();
    let cells =
        cells.flat_map(|(i, removed)| (0..removed.len()).filter(|j| removed[*j]).map(move |j| (i, j)));
    let cells: Vec<(usize, usize)> = cells.collect();
    ensure!(!cells.is_empty(), "no cell was removed");
    let all: Vec<usize> = (0..rows.len()).collect();
    let holed = pick(&whole, &all, |i, j| !removed[i][j])?;

    let started = cpu_seconds()?;
    let imputed = Impute::new()
        .draws(settings.draws)
        .run(model, &holed, key.purpose("draws"))?;
    let drawn = cpu_seconds()?;
    let points = points(&imputed.tables, &cells);
    let predicted = predicted(model, &whole, &holed, &cells)?;
    let told = cpu_seconds()?;
    let of_row: Vec<usize> = cells.iter().map(|(i, _)| *i).collect();
    let restored = pick(&whole, &of_row, |at, j| {
        !removed[cells[at].0][j] || cells[at].1 == j
    })?;
    let without = model.score_observed(&holed)?;
    let with = model.score_observed(&restored)?;
    let scored = cpu_seconds()?;

    write_plain(train, &folder.join("train.csv"))?;
    write_plain(&whole, &folder.join("test.csv"))?;
    let path = folder.join("cells.csv");
    let what = || format!("{} cannot be written", path.display());
    let mut out = csv::Writer::from_path(&path).with_context(what)?;
    out.write_record(HEADER).with_context(what)?;
    let (schema, marginals) = (whole.schema(), marginals(model));
    let (mut errors, mut bias) = (0.0, 0.0);
    for (at, (i, j)) in cells.iter().enumerate() {
        let column = &schema.columns[*j];
        let number = column.kind.is_number() || column.kind == Kind::Date;
        let marginal = marginals.get(column.name.as_str());
        let step = marginal.and_then(|marginal| step(marginal, whole.value(*i, *j)));
        let score = with.log_prob[at] - without.log_prob[*i];
        let (above, below) = (with.standard_error[at], without.standard_error[*i]);
        errors += above.hypot(below);
        // the logarithm of a mean is too low by about half its variance
        bias += 0.5 * (below.powi(2) - above.powi(2));
        out.write_record([
            i.to_string(),
            column.name.clone(),
            if number { "number" } else { "category" }.to_owned(),
            step.map_or_else(String::new, |step| step.to_string()),
            points[at].clone(),
            predicted[at].point.clone().unwrap_or_else(|| points[at].clone()),
            score.to_string(),
            predicted[at].log_score.unwrap_or(score).to_string(),
        ])
        .with_context(what)?;
    }
    out.flush().with_context(what)?;
    Ok(json!({
        "rows": rows.len(),
        "cells": cells.len(),
        "draws": settings.draws,
        "poor_rows": imputed.low_ess.len(),
        "draw_cpu_s": drawn - started,
        "predict_cpu_s": told - drawn,
        "score_cpu_s": scored - told,
        "score_error": errors / cells.len() as f64,
        "score_bias": bias / cells.len() as f64,
    }))
}

/// The columns of `cells.csv`.
const HEADER: [&str; 8] = [
    "row",
    "column",
    "kind",
    "step",
    "point",
    "predicted",
    "log_score",
    "predicted_score",
];

fn some_rows(rows: usize, most: usize, key: Key) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = (0..rows)
        .map(|row| (uniform(&mut key.purpose("rows").row(row as u64)), row))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    order.truncate(most);
    order.into_iter().map(|(_, row)| row).collect()
}

/// A point estimate of each cell, from completed tables.
fn points(tables: &[Table], cells: &[(usize, usize)]) -> Vec<String> {
    let mut sums = vec![0.0; cells.len()];
    let mut votes: Vec<BTreeMap<String, usize>> = vec![BTreeMap::new(); cells.len()];
    for table in tables {
        for (at, (i, j)) in cells.iter().enumerate() {
            match table.value(*i, *j) {
                Value::Number(number) => sums[at] += number / tables.len() as f64,
                Value::Date(date) => sums[at] += f64::from(date.day_number()) / tables.len() as f64,
                label => *votes[at].entry(cell(label)).or_default() += 1,
            }
        }
    }
    let point = |(sum, votes): (f64, BTreeMap<String, usize>)| {
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        most.map_or_else(|| sum.to_string(), |(label, _)| label)
    };
    sums.into_iter().zip(votes).map(point).collect()
}

/// What the predicted distribution of a cell says.
#[derive(Debug, Clone, Default)]
struct Predicted {
    /// Its mean, or its likeliest label.
    point: Option<String>,
    /// Of a label, the log-probability of the right one among those that are not missing.
    log_score: Option<f64>,
}

/// The predicted distribution of each cell; nothing for columns that the model derives from others.
fn predicted(
    model: &EchoFlow,
    whole: &Table,
    holed: &Table,
    cells: &[(usize, usize)],
) -> Result<Vec<Predicted>> {
    let schema = holed.schema();
    let mut found = vec![Predicted::default(); cells.len()];
    for (j, column) in schema.columns.iter().enumerate() {
        let at: Vec<usize> = (0..cells.len()).filter(|at| cells[*at].1 == j).collect();
        if at.is_empty() || model.schema().index(&column.name).is_none() {
            continue;
        }
        let rows: Vec<usize> = at.iter().map(|at| cells[*at].0).collect();
        let asked = pick(holed, &rows, |_, _| true)?;
        match model.predict(&asked, &column.name)? {
            Prediction::Labels {
                labels,
                probabilities,
            } => {
                let plain = |label: &String| match column.kind {
                    Kind::Boolean if !label.is_empty() => (label == column.boolean.text(true)).to_string(),
                    _ => label.clone(),
                };
                let labels: Vec<String> = labels.iter().map(plain).collect();
                for (at, chances) in at.iter().zip(&probabilities) {
                    let known = labels.iter().zip(chances).filter(|(label, _)| !label.is_empty());
                    let total: f64 = known.clone().map(|(_, chance)| chance).sum();
                    let truth = cell(whole.value(cells[*at].0, j));
                    let right = known.clone().find(|(label, _)| **label == truth);
                    let likeliest = known.max_by(|a, b| a.1.total_cmp(b.1));
                    found[*at] = Predicted {
                        point: likeliest.map(|(label, _)| label.clone()),
                        log_score: right.map(|(_, chance)| (chance / total).ln()),
                    };
                }
            }
            Prediction::Numbers { rows } | Prediction::Dates { rows } => {
                for (at, row) in at.iter().zip(&rows) {
                    found[*at].point = Some(row.mean.to_string());
                }
            }
            other => anyhow::bail!("a prediction of a kind that is not known here: {other:?}"),
        }
    }
    Ok(found)
}

/// The marginal of every column, those derived from others included.
fn marginals(model: &EchoFlow) -> BTreeMap<&str, &ColumnMarginal> {
    let modelled = model.schema().columns.iter().zip(model.marginals());
    let derived = model
        .derived_columns()
        .map(|column| (column.schema, column.marginal));
    modelled
        .chain(derived)
        .map(|(column, marginal)| (column.name.as_str(), marginal))
        .collect()
}

/// The step that a value's mass is that of; none if it has a density.
fn step(marginal: &ColumnMarginal, value: Value<'_>) -> Option<f64> {
    if marginal.has_density(value) {
        return None;
    }
    match marginal {
        ColumnMarginal::Number(marginal) => marginal
            .decimals()
            .map(|decimals| 0.1f64.powi(i32::from(decimals))),
        _ => Some(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_means_and_the_commonest_labels() {
        let read = |text: &str| echoflow::read_csv_from(text.as_bytes(), "t").expect("a table");
        let tables = [
            read("n,who\n1,a\n5,b\n"),
            read("n,who\n2,b\n5,b\n"),
            read("n,who\n6,b\n5,a\n"),
        ];
        let found = points(&tables, &[(0, 0), (0, 1), (1, 1)]);
        assert_eq!(found, ["3", "b", "b"]);
    }

    #[test]
    fn rows_are_some_of_all() {
        let mut some = some_rows(50, 20, Key::new(1));
        assert_eq!(some_rows(5, 20, Key::new(1)).len(), 5);
        some.sort_unstable();
        some.dedup();
        assert_eq!(some.len(), 20);
    }
}
