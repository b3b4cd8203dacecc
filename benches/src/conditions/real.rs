//! Rows drawn under conditions beside the real test rows that meet them: what the scorer needs to compare pairs.

use std::path::Path;

use anyhow::{Context, Result};
use echoflow::{EchoFlow, Table};
use ef_random::{Key, uniform};
use serde_json::{Value, json};

use super::answer::rows_where;
use super::draw::Maker;
use super::plain::write_plain;
use super::pool::Pool;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Real {
    /// Conditions that enough test rows meet.
    pub conditions: usize,
    /// Test rows that are enough.
    pub least: usize,
    /// Samples drawn for each condition, each as large as there are test rows that meet it.
    pub repeats: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

/// Columns of a condition at most.
const MOST_COLUMNS: usize = 2;
/// How often a condition is widened before another takes its place.
const MOST_TRIES: u32 = 4;
/// Conditions that are looked at for one that enough rows meet.
const LOOKED_AT: u64 = 20;

/// Makes conditions around training rows and records an object each: the test rows that meet it, as many training rows
/// that do, drawn at random several times, and the file of as many rows of the model.
///
/// # Errors
/// A model of other columns, too few conditions that enough rows meet, files that cannot be written.
pub fn real(
    model: &EchoFlow,
    train: &Table,
    test: &Table,
    settings: Real,
    folder: &Path,
    record: &mut dyn FnMut(Value) -> Result<()>,
) -> Result<()> {
    let learned = Pool::of(train)?;
    let tested = learned.like(test)?;
    let maker = Maker::new(&learned);
    let key = Key::new(settings.seed).purpose("real");
    let mut made = 0;
    for number in 0..LOOKED_AT * settings.conditions as u64 {
        if made == settings.conditions {
            break;
        }
        let mut rng = key.purpose("row").row(number);
        let row = (uniform(&mut rng) * learned.rows() as f64) as usize;
        let cases = (0..=MOST_TRIES).map(|tries| maker.case(&learned, row, MOST_COLUMNS, key, number, tries));
        let found = cases.map(|case| (case.hits(&tested), case.hits(&learned), case));
        let enough = |(tested, learned, _): &(Vec<u32>, Vec<u32>, _)| {
            tested.len() >= settings.least && learned.len() >= tested.len()
        };
        let Some((test_rows, train_rows, case)) = found.into_iter().find(enough) else {
            continue;
        };
        let rows = test_rows.len();
        let mut line = json!({"case": made, "condition": case.text(&learned), "rows": rows});
        match rows_where(model, &case, &learned, rows * settings.repeats, key.index(number))? {
            Ok((answer, _)) => {
                let file = folder.join(format!("drawn-{made}.csv"));
                write_plain(&answer.table, &file)?;
                let samples: Vec<Vec<u32>> = (0..settings.repeats)
                    .map(|_| sample(&train_rows, rows, &mut rng))
                    .collect();
                line["violations"] =
                    json!(answer.table.num_rows() - case.hits(&learned.like(&answer.table)?).len());
                line["effective"] = json!(answer.diagnostics.ess);
                line["draws"] = json!(answer.diagnostics.draws);
                line["drawn"] = json!(file);
                line["test_rows"] = json!(test_rows);
                line["train_rows"] = json!(samples);
            }
            Err(refusal) => line["refused"] = json!(refusal),
        }
        record(line)?;
        made += 1;
    }
    (made == settings.conditions)
        .then_some(())
        .with_context(|| format!("only {made} conditions are met by {} test rows", settings.least))
}

/// So many different ones of these rows.
fn sample(rows: &[u32], many: usize, rng: &mut impl rand::RngCore) -> Vec<u32> {
    let mut rows = rows.to_vec();
    for i in 0..many {
        let other = i + (uniform(rng) * (rows.len() - i) as f64) as usize;
        let last = rows.len() - 1;
        rows.swap(i, other.min(last));
    }
    rows.truncate(many);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_different_rows_and_every_row_is_as_likely() {
        let rows: Vec<u32> = (10..30).collect();
        let mut counts = [0; 20];
        for seed in 0..2_000 {
            let mut some = sample(&rows, 5, &mut Key::new(seed).row(0));
            some.iter().for_each(|row| counts[*row as usize - 10] += 1);
            some.sort_unstable();
            some.dedup();
            assert_eq!(some.len(), 5);
        }
        // 500 each, with a standard deviation of 19
        assert!(
            counts.iter().all(|count| (410..590).contains(count)),
            "{counts:?}"
        );
    }
}
