//! What a table model starts from: the Gaussian copula of its numbers, computed from training rows.

mod common;

use approx::assert_abs_diff_eq;
use ef_density::normal::{log_phi, ndtri};
use ef_density::rows::{Layout, Rows};
use ef_density::{Marginal, Place};
use ndarray::{Array1, Array2, Axis};
use rand::Rng;

use common::autoregressive::{all_tables, log_probs, seeded, started};
use common::{TestMarginal, draw_rows, gridded, listed, marginal};

/// Normal numbers: two factors and noise of this deviation.
fn normal_numbers(n: usize, columns: usize, noise: f64, seed: u64) -> Array2<f64> {
    let mut rng = seeded(seed);
    let mut normals =
        |rows, columns| Array2::from_shape_simple_fn((rows, columns), || ndtri(rng.random_range(1e-12..1.0)));
    let weights = normals(2, columns);
    normals(n, 2).dot(&weights) + normals(n, columns) * noise
}

/// The ranks of each column among its own numbers, as places on the marginal's grid.
fn ranked(marginals: &[TestMarginal], x: &Array2<f64>) -> Rows {
    let n = x.nrows();
    let places: Vec<Vec<Place>> = x
        .columns()
        .into_iter()
        .zip(marginals)
        .map(|(x, marginal)| {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
            let mut rank = vec![0.0; n];
            for (at, row) in order.into_iter().enumerate() {
                rank[row] = (at as f64 + 0.5) / n as f64;
            }
            rank.into_iter().map(|rank| marginal.place(&(0, rank))).collect()
        })
        .collect();
    let layout = Layout::new(marginals, 0);
    layout.rows(places.iter().map(Vec::as_slice), Array2::zeros((n, 0)))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The log-density of each row under the Gaussian copula of the shrunk correlation matrix, which is computed here once
/// more: eliminating column after column.
fn copula(z: &Array2<f64>) -> Vec<f64> {
    let (n, columns) = z.dim();
    let standardized = |mut z: Array1<f64>| {
        z -= z.mean().unwrap();
        let scale = (z.dot(&z) / n as f64).sqrt();
        z / scale
    };
    let x: Vec<Array1<f64>> = z
        .columns()
        .into_iter()
        .map(|z| standardized(z.to_owned()))
        .collect();
    let mut correlation = Array2::<f64>::eye(columns);
    let (mut noise, mut signal) = (0.0, 0.0);
    for i in 0..columns {
        for j in (0..columns).filter(|&j| j != i) {
            let products = &x[i] * &x[j];
            let r = products.mean().unwrap();
            let spread: f64 = products.iter().map(|w| (w - r).powi(2)).sum();
            noise += n as f64 / (n as f64 - 1.0).powi(3) * spread;
            signal += r * r;
            correlation[[i, j]] = r;
        }
    }
    let intensity = (noise / signal).min(1.0);
    assert!(intensity < 0.01, "{intensity} for {n} rows");
    for ((i, j), r) in correlation.indexed_iter_mut() {
        *r *= if i == j { 1.0 } else { 1.0 - intensity };
    }
    let mut left = z.clone();
    let mut covariance = correlation;
    let mut log_density: Vec<f64> = z.rows().into_iter().map(|z| -z.mapv(log_phi).sum()).collect();
    for k in 0..columns {
        let variance = covariance[[k, k]];
        for (log_density, left) in log_density.iter_mut().zip(left.column(k)) {
            *log_density += log_phi(left / variance.sqrt()) - 0.5 * variance.ln();
        }
        let weights = &covariance.row(k) / variance;
        for mut row in left.rows_mut() {
            let of_k = row[k];
            row.scaled_add(-of_k, &weights);
        }
        let pivot = covariance.row(k).to_owned();
        for (mut row, &weight) in covariance.rows_mut().into_iter().zip(&weights) {
            row.scaled_add(-weight, &pivot);
        }
    }
    log_density
}

#[test]
fn an_untrained_model_of_numbers_is_the_gaussian_copula() {
    let (n, columns) = (3000, 12);
    let marginals = vec![marginal(true, 0); columns];
    let rows = ranked(&marginals, &normal_numbers(n, columns, 0.4, 3));
    let (model, before, after) = started(&marginals, &rows, &(0..n).collect::<Vec<_>>());
    let expected = copula(&rows.low.mapv(ndtri));
    let found = log_probs(&model, &after, &rows);
    println!("copula {}, found {}", mean(&expected), mean(&found));
    assert_abs_diff_eq!(mean(&found), mean(&expected), epsilon = 0.004 * columns as f64);
    // Heads are nearly uniform, less so in the tails of twelve columns.
    let apart = |distance: f64| {
        let rows = found.iter().zip(&expected);
        rows.filter(|(found, expected)| (*found - *expected).abs() > distance)
            .count()
    };
    assert!(apart(0.1) < n / 10 && apart(1.2) < n / 100);
    let independent = mean(&log_probs(&model, &before, &rows));
    assert!(independent.abs() < 0.003 * columns as f64 && mean(&found) > independent + 5.0);
}

/// The regression of grid points and of a column with atoms is that of the numbers behind them.
#[test]
fn grids_and_atoms_start_from_a_regression_too() {
    let n = 3000;
    let marginals = [gridded(12, 0), marginal(true, 1), gridded(60, 0), gridded(5, 1)];
    let x = normal_numbers(n, 4, 0.3, 5);
    let mut rows = ranked(&marginals, &x);
    // a fifth of the rows at the atom, whatever the other columns say
    for row in (0..n).step_by(5) {
        rows.levels[[row, 0]] = 1;
        (rows.low[[row, 1]], rows.high[[row, 1]]) = (0.0, 1.0);
    }
    let train: Vec<usize> = (0..n / 2).collect();
    let (model, before, after) = started(&marginals, &rows, &train);
    let unseen: Vec<usize> = (n / 2..n).collect();
    let unseen = rows.select(&unseen);
    let (start, independent) = (
        log_probs(&model, &after, &unseen),
        log_probs(&model, &before, &unseen),
    );
    println!("start {}, independent {}", mean(&start), mean(&independent));
    assert!(mean(&start) > mean(&independent) + 1.0);
}

/// Levels in an order start from the regression of the numbers behind them, whatever their numbers; a level beside the order
/// keeps its share.
#[test]
fn ordered_levels_start_from_a_regression_too() {
    let n = 4000;
    let marginals = [listed(6), marginal(true, 0), listed(9), listed(4)];
    let x = normal_numbers(n, 4, 0.3, 5);
    let mut rows = ranked(&[marginal(true, 0); 4], &x);
    let layout = Layout::new(&marginals, 0);
    let places: Vec<Vec<Place>> = (0..4)
        .map(|j| {
            let order = ordered(&marginals[j]);
            let place = |row: usize| match order {
                Some(ref levels) if row % 10 == 3 => (levels.len() as u32, 0.5),
                Some(ref levels) => {
                    // in the column's own shares
                    let shares = marginals[j].level_shares();
                    let known: f64 = levels.iter().map(|&c| shares[c]).sum();
                    let mut left = rows.low[[row, j]] * known;
                    let mut chosen = levels[levels.len() - 1];
                    for &level in levels {
                        if left < shares[level] {
                            chosen = level;
                            break;
                        }
                        left -= shares[level];
                    }
                    (chosen as u32, 0.5)
                }
                None => (0, rows.low[[row, j]]),
            };
            (0..n).map(|row| marginals[j].place(&place(row))).collect()
        })
        .collect();
    rows = layout.rows(places.iter().map(Vec::as_slice), Array2::zeros((n, 0)));
    let (model, before, after) = started(&marginals, &rows, &(0..n / 2).collect::<Vec<_>>());
    let unseen = rows.select(&(n / 2..n).collect::<Vec<_>>());
    let (start, independent) = (
        log_probs(&model, &after, &unseen),
        log_probs(&model, &before, &unseen),
    );
    println!("start {}, independent {}", mean(&start), mean(&independent));
    assert!(mean(&start) > mean(&independent) + 1.0);
}

/// The levels of a column that have an order, ascending.
fn ordered(marginal: &TestMarginal) -> Option<Vec<usize>> {
    let mut levels: Vec<usize> = (0..marginal.levels())
        .filter(|&c| marginal.level_rank(c as u32).is_some())
        .collect();
    levels.sort_by(|&a, &b| {
        let at = |c: usize| marginal.level_rank(c as u32).unwrap_or(0.0);
        at(a).total_cmp(&at(b))
    });
    marginal.ordered.then_some(levels)
}

/// Whatever the rows, the start is no worse on them than independent columns, and finite; with few rows of many columns
/// it is no worse on others either.
#[test]
fn a_start_is_no_worse_than_independent_columns() {
    for (i, marginals) in all_tables().iter().enumerate() {
        for n in [0, 1, 3, 40] {
            let layout = Layout::new(marginals, 1);
            let mut rng = seeded(i as u64);
            let rows = draw_rows(&layout, marginals, n, 1, &mut rng);
            let (model, before, after) = started(marginals, &rows, &(0..n).collect::<Vec<_>>());
            assert!(after.iter().all(|p| p.is_finite()));
            if n > 0 {
                let gain = mean(&log_probs(&model, &after, &rows)) - mean(&log_probs(&model, &before, &rows));
                assert!(gain >= -1e-9, "table {i}, {n} rows: {gain}");
            }
        }
    }
    // numbers that have nothing to do with each other, and some that do
    for (noise, least) in [(1e3, -0.5), (0.5, 3.0)] {
        let marginals = vec![marginal(true, 0); 37];
        let x = normal_numbers(1100, 37, noise, 7);
        let rows = ranked(&marginals, &x);
        let (model, before, after) = started(&marginals, &rows, &(0..100).collect::<Vec<_>>());
        let unseen = rows.select(&(100..1100).collect::<Vec<_>>());
        let gain = mean(&log_probs(&model, &after, &unseen)) - mean(&log_probs(&model, &before, &unseen));
        println!("noise {noise}: gain {gain}");
        assert!(gain > least, "noise {noise}: {gain}");
    }
}

/// A column that repeats another one, and a constant one, leave a start that can be used.
#[test]
fn repeated_columns_have_a_start() {
    let n = 500;
    let mut x = normal_numbers(n, 3, 0.4, 9);
    let first = x.column(0).to_owned();
    x.push(Axis(1), first.view()).unwrap();
    let marginals = [
        marginal(true, 0),
        gridded(1, 0),
        marginal(true, 0),
        marginal(true, 0),
    ];
    let rows = ranked(&marginals, &x);
    let (model, before, after) = started(&marginals, &rows, &(0..n).collect::<Vec<_>>());
    let gain = mean(&log_probs(&model, &after, &rows)) - mean(&log_probs(&model, &before, &rows));
    // the scale of the copy is at its bound, e^-3
    assert!(gain > 2.5 && gain.is_finite(), "{gain}");
}
