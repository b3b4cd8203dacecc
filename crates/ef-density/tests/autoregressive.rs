//! Laws of the table model: gradients and those of `ef-check`, mass 1, sampling agrees with scoring, rows are
//! addressable.

mod common;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_check::{DensityConfig, assert_density};
use ef_density::rows::{RowScratch, Rows};
use ef_density::{Density, Key, Marginal, ScoreKey, StepKey};
use ef_tensor::SparseLinear;
use ef_tensor::simd::{Level, with_level};
use ndarray::{Array2, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use common::autoregressive::{
    all_tables, assert_distributed, assert_follow, chain, densities, every_row, log_probs, params, position,
    rows_of,
};
use common::{draw_rows, gridded, marginal};

#[test]
fn of_densities() {
    for (i, marginals) in all_tables().iter().enumerate() {
        for (context, dropout) in [(0, 0.0), (2, 0.0), (2, 0.3)] {
            let mut rng = ChaCha8Rng::seed_from_u64(i as u64);
            let (layout, chain) = chain(marginals, context, dropout);
            let mut rows = draw_rows(&layout, marginals, 12, context, &mut rng);
            if rows.levels.ncols() > 0 {
                rows.levels[[0, 0]] = SparseLinear::NONE;
            }
            let config = DensityConfig {
                cases: 4,
                exact_loss: dropout == 0.0,
                untrained: &["start.", "tree."],
                ..DensityConfig::default()
            };
            println!("table {i}: {}", assert_density(&chain, &rows, &config));
        }
    }
}

/// Exact for levels and grids; midpoints where a column has a density.
#[test]
fn mass_is_one() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let densities = densities(marginals);
        if densities > 2 {
            continue; // beyond a grid's patience; two dimensions cover it
        }
        let mut rng = ChaCha8Rng::seed_from_u64(40 + i as u64);
        let (layout, chain) = chain(marginals, 1, 0.0);
        // Moderate where midpoints have to see every peak.
        let params = params(&chain, if densities > 0 { 0.3 } else { 1.0 }, &mut rng);
        let (values, weights) = every_row(marginals, if densities > 1 { 400 } else { 4000 });
        let rows = rows_of(&layout, marginals, &values, 0.3);
        let log_probs = log_probs(&chain, &params, &rows);
        let mass: f64 = log_probs.iter().zip(&weights).map(|(l, w)| w * l.exp()).sum();
        println!("table {i}: mass {mass}");
        let epsilon = if densities == 0 { 1e-12 } else { 1e-6 };
        assert_abs_diff_eq!(mass, 1.0, epsilon = epsilon);
    }
}

/// Chi-squared over all values of a row.
#[test]
fn sampled_values_follow_the_scored_probabilities() {
    let marginals = [gridded(3, 2), marginal(false, 2), gridded(4, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (layout, chain) = chain(&marginals, 1, 0.0);
    let params = params(&chain, 2.0, &mut rng);
    let n = 60_000;
    let given = Rows::of_context(Array2::from_elem((n, 1), -0.4));
    let drawn = chain.sample(
        &params,
        &given,
        0..n as u64,
        Key::new(11),
        &mut RowScratch::default(),
    );
    let (values, _) = every_row(&marginals, 0);
    let mut counts = vec![0.0; values.len()];
    for row in 0..n {
        counts[position(&layout, &marginals, &drawn, row)] += 1.0;
    }
    let log_probs = log_probs(&chain, &params, &rows_of(&layout, &marginals, &values, -0.4));
    let expected: Vec<f64> = log_probs.iter().map(|l| n as f64 * l.exp()).collect();
    assert_relative_eq!(expected.iter().sum::<f64>(), n as f64, max_relative = 1e-9);
    assert_follow(&counts, &expected);
}

/// Kolmogorov: the second column's ranks given the first's atom, against the scored distribution function.
#[test]
fn sampled_ranks_follow_the_scored_density() {
    let marginals = [marginal(true, 1), marginal(true, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (layout, chain) = chain(&marginals, 0, 0.0);
    let params = params(&chain, 0.5, &mut rng);
    let n = 40_000;
    let given = Rows::of_context(Array2::zeros((n, 0)));
    let drawn = chain.sample(
        &params,
        &given,
        0..n as u64,
        Key::new(2),
        &mut RowScratch::default(),
    );
    let mut ranks: Vec<f64> = (0..n)
        .filter(|&i| drawn.levels[[i, 0]] == 1)
        .map(|i| drawn.low[[i, 1]])
        .collect();
    ranks.sort_by(f64::total_cmp);
    assert!(ranks.len() > 1000);
    let edges: Vec<f64> = (0..=4000).map(|k| f64::from(k) / 4000.0).collect();
    let middles = edges.windows(2).map(|e| vec![(1, 0.5), (0, 0.5 * (e[0] + e[1]))]);
    let values: Vec<Vec<(u32, f64)>> = middles.collect();
    let log_probs = log_probs(&chain, &params, &rows_of(&layout, &marginals, &values, 0.0));
    let masses: Vec<f64> = log_probs.iter().map(|l| l.exp()).collect();
    assert_distributed(&ranks, &edges, &masses);
}

#[test]
fn a_row_is_addressable() {
    let marginals = [marginal(true, 2), marginal(false, 3), gridded(6, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (layout, chain) = chain(&marginals, 1, 0.0);
    let params = params(&chain, 1.0, &mut rng);
    let given = |n| Rows::of_context(Array2::from_elem((n, 1), 0.1));
    let mut scratch = RowScratch::default();
    let all = chain.sample(&params, &given(20), 0..20, Key::new(6), &mut scratch);
    let some = chain.sample(&params, &given(5), 7..12, Key::new(6), &mut scratch);
    assert_eq!(all.levels.slice(s![7..12, ..]), some.levels);
    assert_abs_diff_eq!(all.low.slice(s![7..12, ..]).to_owned(), some.low, epsilon = 1e-12);

    let rows = draw_rows(&layout, &marginals, 20, 1, &mut rng);
    let whole = log_probs(&chain, &params, &rows);
    for i in 0..20 {
        let mut out = [0.0];
        chain.log_prob(&params, &rows, &[i], ScoreKey::new(3), &mut scratch, &mut out);
        assert_relative_eq!(out[0], whole[i], max_relative = 1e-9);
    }
}

/// At the start columns are independent: their order changes nothing, and levels have their shares.
#[test]
fn the_start_is_independent_columns() {
    let marginals = [marginal(false, 4), marginal(false, 3)];
    let (layout, chain) = chain(&marginals, 0, 0.0);
    let params = params(&chain, 0.0, &mut ChaCha8Rng::seed_from_u64(1));
    let rows = draw_rows(&layout, &marginals, 10, 0, &mut ChaCha8Rng::seed_from_u64(2));
    for (r, l) in log_probs(&chain, &params, &rows).into_iter().enumerate() {
        let log_share = |v: usize| marginals[v].level_shares()[rows.levels[[r, v]] as usize].ln();
        assert_relative_eq!(l, log_share(0) + log_share(1), max_relative = 1e-9);
    }
}

/// The generic code in `f32`, at every level the machine has, against `f64` at the same weights.
#[test]
fn narrow_numbers_agree_at_every_level() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(70 + i as u64);
        let (layout, chain) = chain(marginals, 2, 0.0);
        let narrow: Vec<f32> = params(&chain, 1.0, &mut rng).iter().map(|&p| p as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|&p| f64::from(p)).collect();
        let rows = draw_rows(&layout, marginals, 40, 2, &mut rng);
        let index: Vec<usize> = (0..40).collect();
        let key = StepKey {
            key: Key::new(1),
            step: 0,
            row: 0,
        };
        let mut grads = vec![0.0; wide.len()];
        let nll = chain.nll_backward(&wide, &rows, &index, key, &mut RowScratch::default(), &mut grads);
        let size = grads.iter().map(|g| g * g).sum::<f64>().sqrt();
        for level in Level::ALL {
            let (found, own) = with_level(level, || {
                let mut own = vec![0.0_f32; narrow.len()];
                let mut scratch = RowScratch::default();
                let nll = chain.nll_backward(&narrow, &rows, &index, key, &mut scratch, &mut own);
                (nll, own)
            });
            assert_relative_eq!(found, nll, epsilon = 1e-4 * 40.0, max_relative = 1e-5);
            let error = own
                .iter()
                .zip(&grads)
                .map(|(o, g)| (f64::from(*o) - g).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(
                error <= 1e-4 * (1.0 + size),
                "table {i}, {level:?}: {error} of {size}"
            );
        }
    }
}
