//! Laws of the table model: gradients and those of `ef-check`, mass 1, sampling agrees with scoring, rows are
//! addressable.

mod common;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_check::{DensityConfig, assert_density};
use ef_density::chain::{ChainConfig, ColumnChain};
use ef_density::mixed::{Layout, MixedRows, MixedScratch};
use ef_density::{ColumnLaw, Density, Key, Place, ScoreKey, StepKey};
use ef_tensor::simd::{Level, with_level};
use ef_tensor::{Activation, MlpConfig, SparseLinear};
use ndarray::{Array2, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use common::{TestLaw, draw_rows, gridded, law, tables};

fn chain(laws: &[TestLaw], context: usize, dropout: f64) -> (Layout, ColumnChain) {
    let layout = Layout::new(laws, context);
    let net = MlpConfig {
        hidden: 11,
        blocks: 1,
        residual: true,
        activation: Activation::Silu,
    };
    let config = ChainConfig {
        net,
        dropout,
        components: 3,
    };
    let chain = ColumnChain::new(&layout, &config).unwrap();
    (layout, chain)
}

/// Those of flows, and numbers on grids.
fn all_tables() -> Vec<Vec<TestLaw>> {
    let mut all = tables();
    all.push(vec![gridded(5, 0), law(false, 3), gridded(4, 2)]);
    all.push(vec![law(false, 1), gridded(3, 1), law(true, 1)]);
    all
}

fn params(chain: &ColumnChain, scale: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut params = vec![0.0; Density::<f64>::num_params(chain)];
    chain.init(rng, &mut params);
    params
        .iter_mut()
        .for_each(|p| *p += scale * (rng.random::<f64>() - 0.5));
    Density::<f64>::project(chain, &mut params);
    params
}

fn log_probs(chain: &ColumnChain, params: &[f64], rows: &MixedRows) -> Vec<f64> {
    let index: Vec<usize> = (0..rows.log_measure.len()).collect();
    let mut out = vec![0.0; index.len()];
    let mut scratch = MixedScratch::default();
    chain.log_prob(params, rows, &index, ScoreKey::new(1), &mut scratch, &mut out);
    out
}

/// Rows of these values, all with the same context.
fn rows_of(layout: &Layout, laws: &[TestLaw], values: &[Vec<(u32, f64)>], context: f32) -> MixedRows {
    let places: Vec<Vec<Place>> = laws
        .iter()
        .enumerate()
        .map(|(j, law)| values.iter().map(|v| law.place(&v[j])).collect())
        .collect();
    let context = Array2::from_elem((values.len(), layout.context_dim()), context);
    layout.rows(places.iter().map(Vec::as_slice), context)
}

#[test]
fn of_densities() {
    for (i, laws) in all_tables().iter().enumerate() {
        for (context, dropout) in [(0, 0.0), (2, 0.0), (2, 0.3)] {
            let mut rng = ChaCha8Rng::seed_from_u64(i as u64);
            let (layout, chain) = chain(laws, context, dropout);
            let mut rows = draw_rows(&layout, laws, 12, context, &mut rng);
            if rows.codes.ncols() > 0 {
                rows.codes[[0, 0]] = SparseLinear::NONE;
            }
            let config = DensityConfig {
                cases: 4,
                exact_loss: dropout == 0.0,
                ..DensityConfig::default()
            };
            println!("table {i}: {}", assert_density(&chain, &rows, &config));
        }
    }
}

/// Exact for cells and grids; midpoints where a column has a density.
#[test]
fn mass_is_one() {
    for (i, laws) in all_tables().iter().enumerate() {
        let densities = laws.iter().filter(|l| l.continuous && l.steps == 0).count();
        if densities > 2 {
            continue; // beyond a grid's patience; two dimensions cover it
        }
        let mut rng = ChaCha8Rng::seed_from_u64(40 + i as u64);
        let (layout, chain) = chain(laws, 1, 0.0);
        // Moderate where midpoints have to see every peak.
        let params = params(&chain, if densities > 0 { 0.3 } else { 1.0 }, &mut rng);
        let points = if densities > 1 { 400 } else { 4000 };
        let mut combos: Vec<(Vec<(u32, f64)>, f64)> = vec![(Vec::new(), 1.0)];
        for law in laws {
            let first = u32::from(law.continuous);
            let mut options: Vec<((u32, f64), f64)> =
                (first..law.cells() as u32).map(|c| ((c, 0.5), 1.0)).collect();
            if law.steps > 0 {
                let middles = (0..law.steps).map(|k| (k as f64 + 0.5) / law.steps as f64);
                options.extend(middles.map(|x| ((0, x), 1.0)));
            } else if law.continuous {
                // In the logit, where the logistics live.
                let dw = 48.0 / f64::from(points);
                options.extend((0..points).map(|k| {
                    let w = -24.0 + dw * (f64::from(k) + 0.5);
                    let rank = 1.0 / (1.0 + (-w).exp());
                    ((0, rank), dw * rank * (1.0 - rank))
                }));
            }
            combos = combos
                .into_iter()
                .flat_map(|(head, w)| {
                    options.iter().map(move |&(o, v)| {
                        let mut next = head.clone();
                        next.push(o);
                        (next, w * v)
                    })
                })
                .collect();
        }
        let (values, weights): (Vec<_>, Vec<f64>) = combos.into_iter().unzip();
        let rows = rows_of(&layout, laws, &values, 0.3);
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
    let laws = [gridded(3, 2), law(false, 2), gridded(4, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (layout, chain) = chain(&laws, 1, 0.0);
    let params = params(&chain, 2.0, &mut rng);
    let n = 60_000;
    let given = MixedRows::of_context(Array2::from_elem((n, 1), -0.4));
    let drawn = chain.sample(
        &params,
        &given,
        0..n as u64,
        Key::new(11),
        &mut MixedScratch::default(),
    );
    let value = |row: usize, j: usize| {
        let (cell, rank) = layout.cell_and_rank(&drawn, row, j);
        if laws[j].continuous && cell == 0 {
            (rank * laws[j].steps as f64) as usize
        } else {
            laws[j].steps + cell as usize - usize::from(laws[j].continuous)
        }
    };
    let sizes = laws.map(|l| l.steps + l.atoms);
    let mut counts = vec![0.0; sizes.iter().product()];
    for row in 0..n {
        counts[(value(row, 0) * sizes[1] + value(row, 1)) * sizes[2] + value(row, 2)] += 1.0;
    }
    let mut values = Vec::new();
    for k in 0..counts.len() {
        let at = [k / (sizes[1] * sizes[2]), k / sizes[2] % sizes[1], k % sizes[2]];
        let value = |j: usize| {
            let steps = laws[j].steps;
            if at[j] < steps {
                (0, (at[j] as f64 + 0.5) / steps as f64)
            } else {
                ((at[j] - steps + usize::from(laws[j].continuous)) as u32, 0.5)
            }
        };
        values.push((0..3).map(value).collect());
    }
    let log_probs = log_probs(&chain, &params, &rows_of(&layout, &laws, &values, -0.4));
    let expected: Vec<f64> = log_probs.iter().map(|l| n as f64 * l.exp()).collect();
    assert_relative_eq!(expected.iter().sum::<f64>(), n as f64, max_relative = 1e-9);
    let terms = counts.iter().zip(&expected).filter(|(_, e)| **e >= 5.0);
    let chi2: f64 = terms.clone().map(|(c, e)| (c - e).powi(2) / e).sum();
    let freedom = terms.count() as f64 - 1.0;
    // Mean and four standard deviations.
    assert!(
        chi2 < freedom + 4.0 * (2.0 * freedom).sqrt() + 8.0,
        "chi-squared {chi2} of {freedom}"
    );
}

/// Kolmogorov: the second column's ranks given the first's atom, against the scored distribution function.
#[test]
fn sampled_ranks_follow_the_scored_density() {
    let laws = [law(true, 1), law(true, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (layout, chain) = chain(&laws, 0, 0.0);
    let params = params(&chain, 0.5, &mut rng);
    let n = 40_000;
    let given = MixedRows::of_context(Array2::zeros((n, 0)));
    let drawn = chain.sample(
        &params,
        &given,
        0..n as u64,
        Key::new(2),
        &mut MixedScratch::default(),
    );
    let mut ranks: Vec<f64> = (0..n)
        .filter(|&i| drawn.codes[[i, 0]] == 1)
        .map(|i| drawn.low[[i, 1]])
        .collect();
    ranks.sort_by(f64::total_cmp);
    assert!(ranks.len() > 1000);
    let steps = 4000;
    let grid: Vec<f64> = (0..steps)
        .map(|k| (f64::from(k) + 0.5) / f64::from(steps))
        .collect();
    let values: Vec<Vec<(u32, f64)>> = grid.iter().map(|&r| vec![(1, 0.5), (0, r)]).collect();
    let log_probs = log_probs(&chain, &params, &rows_of(&layout, &laws, &values, 0.0));
    let densities: Vec<f64> = log_probs.iter().map(|l| l.exp()).collect();
    let total: f64 = densities.iter().sum();
    let mut cumulated = 0.0;
    let mut largest = 0.0_f64;
    for (k, d) in densities.iter().enumerate() {
        cumulated += d / total;
        let below = ranks.partition_point(|&r| r <= (k + 1) as f64 / f64::from(steps));
        largest = largest.max((below as f64 / ranks.len() as f64 - cumulated).abs());
    }
    // The 99.99 % quantile of Kolmogorov's statistic, and the grid's own error.
    assert!(
        largest < 2.2 / (ranks.len() as f64).sqrt() + 1e-3,
        "distance {largest}"
    );
}

#[test]
fn a_row_is_addressable() {
    let laws = [law(true, 2), law(false, 3), gridded(6, 0)];
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (layout, chain) = chain(&laws, 1, 0.0);
    let params = params(&chain, 1.0, &mut rng);
    let given = |n| MixedRows::of_context(Array2::from_elem((n, 1), 0.1));
    let mut scratch = MixedScratch::default();
    let all = chain.sample(&params, &given(20), 0..20, Key::new(6), &mut scratch);
    let some = chain.sample(&params, &given(5), 7..12, Key::new(6), &mut scratch);
    assert_eq!(all.codes.slice(s![7..12, ..]), some.codes);
    assert_abs_diff_eq!(all.low.slice(s![7..12, ..]).to_owned(), some.low, epsilon = 1e-12);

    let rows = draw_rows(&layout, &laws, 20, 1, &mut rng);
    let whole = log_probs(&chain, &params, &rows);
    for i in 0..20 {
        let mut out = [0.0];
        chain.log_prob(&params, &rows, &[i], ScoreKey::new(3), &mut scratch, &mut out);
        assert_relative_eq!(out[0], whole[i], max_relative = 1e-9);
    }
}

/// At the start columns are independent: their order changes nothing, and cells have their shares.
#[test]
fn the_start_is_independent_columns() {
    let laws = [law(false, 4), law(false, 3)];
    let (layout, chain) = chain(&laws, 0, 0.0);
    let params = params(&chain, 0.0, &mut ChaCha8Rng::seed_from_u64(1));
    let rows = draw_rows(&layout, &laws, 10, 0, &mut ChaCha8Rng::seed_from_u64(2));
    for l in log_probs(&chain, &params, &rows) {
        assert_relative_eq!(l, -(12.0_f64.ln()), max_relative = 1e-9);
    }
}

/// The generic code in `f32`, at every level the machine has, against `f64` at the same weights.
#[test]
fn narrow_numbers_agree_at_every_level() {
    for (i, laws) in all_tables().iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(70 + i as u64);
        let (layout, chain) = chain(laws, 2, 0.0);
        let narrow: Vec<f32> = params(&chain, 1.0, &mut rng).iter().map(|&p| p as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|&p| f64::from(p)).collect();
        let rows = draw_rows(&layout, laws, 40, 2, &mut rng);
        let index: Vec<usize> = (0..40).collect();
        let key = StepKey {
            key: Key::new(1),
            step: 0,
            row: 0,
        };
        let mut grads = vec![0.0; wide.len()];
        let nll = chain.nll_backward(
            &wide,
            &rows,
            &index,
            key,
            &mut MixedScratch::default(),
            &mut grads,
        );
        let size = grads.iter().map(|g| g * g).sum::<f64>().sqrt();
        for level in Level::ALL {
            let (found, own) = with_level(level, || {
                let mut own = vec![0.0_f32; narrow.len()];
                let mut scratch = MixedScratch::default();
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
