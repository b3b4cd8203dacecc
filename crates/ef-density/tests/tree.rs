//! What a table model starts from beside its numbers' regressions: tables given one column before.

mod common;

use approx::assert_abs_diff_eq;
use ef_density::autoregressive::TableMade;
use ef_density::rows::{Layout, Rows};
use ef_density::{Density, Marginal, Place};
use ef_tensor::params::ParamLayout;
use ndarray::Array2;
use rand::Rng;

use common::autoregressive::{log_probs, seeded, started};
use common::{TestMarginal, marginal};

/// A model that has seen all rows and is not trained: its parameters, and the parent of each column.
fn with_parents(marginals: &[TestMarginal], rows: &Rows) -> (TableMade, Vec<f64>, Vec<Option<usize>>) {
    let index: Vec<usize> = (0..rows.log_measure.len()).collect();
    let (model, _, params) = started(marginals, rows, &index);
    let entries = ParamLayout::of(|v| Density::<f64>::visit_params(&model, v));
    let tree = entries
        .entries()
        .iter()
        .find(|e| e.name == "tree.parent")
        .unwrap();
    let parents = params[tree.offset..tree.offset + tree.len()]
        .iter()
        .map(|&parent| (parent > 0.0).then(|| parent as usize - 1))
        .collect();
    (model, params, parents)
}

fn rows(marginals: &[TestMarginal], columns: &[Vec<(u32, f64)>]) -> Rows {
    let places: Vec<Vec<Place>> = columns
        .iter()
        .zip(marginals)
        .map(|(column, marginal)| column.iter().map(|value| marginal.place(value)).collect())
        .collect();
    let n = columns[0].len();
    Layout::new(marginals, 0).rows(places.iter().map(Vec::as_slice), Array2::zeros((n, 0)))
}

fn mean(model: &TableMade, params: &[f64], rows: &Rows) -> f64 {
    let all = log_probs(model, params, rows);
    all.iter().sum::<f64>() / all.len() as f64
}

/// A level by its share.
fn level(marginal: &TestMarginal, rng: &mut impl Rng) -> u32 {
    let mut left: f64 = rng.random();
    let shares = marginal.level_shares();
    let taken = shares.iter().position(|share| {
        left -= share;
        left < 0.0
    });
    taken.unwrap_or(0) as u32
}

/// Six columns of four levels: the third is a copy of the first with a tenth drawn anew, the fifth one of the second, the
/// others stand alone. The untrained model knows which, and its log-density is the law's.
#[test]
fn copies_find_what_they_copy() {
    let marginals: Vec<TestMarginal> = (0..6).map(|_| marginal(false, 4)).collect();
    let shares = marginals[0].level_shares();
    let mut rng = seeded(3);
    // rows, and the mean of their log-probabilities
    let mut draw = |n: usize| {
        let mut columns = vec![Vec::new(); 6];
        let mut total = 0.0;
        for _ in 0..n {
            let mut row: Vec<u32> = marginals.iter().map(|m| level(m, &mut rng)).collect();
            for (copy, of) in [(2, 0), (4, 1)] {
                if rng.random::<f64>() > 0.1 {
                    row[copy] = row[of];
                }
                let kept = if row[copy] == row[of] { 0.9 } else { 0.0 };
                total += (kept + 0.1 * shares[row[copy] as usize]).ln();
            }
            total += [0, 1, 3, 5]
                .map(|j| shares[row[j] as usize].ln())
                .iter()
                .sum::<f64>();
            columns
                .iter_mut()
                .zip(row)
                .for_each(|(column, level)| column.push((level, 0.5)));
        }
        (rows(&marginals, &columns), total / n as f64)
    };
    let ((seen, _), (unseen, truth)) = (draw(4000), draw(4000));
    let (model, params, parents) = with_parents(&marginals, &seen);
    assert_eq!(parents, [None, None, Some(0), None, Some(1), None]);
    assert_abs_diff_eq!(mean(&model, &params, &unseen), truth, epsilon = 0.01);
}

/// Columns that have nothing to do with each other have no parents, but for chance.
#[test]
fn few_independent_rows_stay_independent() {
    let marginals: Vec<TestMarginal> = (0..12).map(|_| marginal(false, 3)).collect();
    let mut dependent = 0;
    for seed in 0..20 {
        let mut rng = seeded(100 + seed);
        let columns: Vec<Vec<(u32, f64)>> = marginals
            .iter()
            .map(|marginal| (0..80).map(|_| (level(marginal, &mut rng), 0.5)).collect())
            .collect();
        let (_, _, parents) = with_parents(&marginals, &rows(&marginals, &columns));
        dependent += parents.iter().flatten().count();
    }
    println!("{dependent} of 220 columns have a parent");
    assert!(dependent <= 6, "{dependent} of 220");
}

/// Numbers whose location and scale a category settles.
#[test]
fn categories_move_numbers() {
    let marginals = [marginal(false, 2), marginal(true, 0)];
    let mut rng = seeded(9);
    let (mut kinds, mut numbers) = (Vec::new(), Vec::new());
    for _ in 0..4000 {
        let kind = rng.random_range(0..2u32);
        // the lower half of the ranks for one kind, the upper half for the other
        let u: f64 = rng.random();
        let rank = if kind == 0 { 0.5 * u } else { 0.5 + 0.5 * u };
        kinds.push((kind, 0.5));
        numbers.push((0, rank));
    }
    let rows = rows(&marginals, &[kinds, numbers]);
    let (model, params, parents) = with_parents(&marginals, &rows);
    assert_eq!(parents, [None, Some(0)]);
    // the truth gains ln 2 a row over independent columns; two normals come near half of it
    let gain = mean(&model, &params, &rows) - 0.5_f64.ln();
    assert!(gain > 0.25, "{gain}");
}
