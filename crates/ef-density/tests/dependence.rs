//! Which columns each column's distribution depends on: on every column before it, and the first one on nothing.

mod common;

use approx::assert_relative_eq;
use ef_density::autoregressive::{AncestralPass, PassSums, Step, TableMade, TableMadeConfig};
use ef_density::rows::{Layout, RowScratch, Rows};
use ef_density::two_part::{DiscreteConfig, DiscreteMade};
use ef_density::{Density, Key, LevelSet, Marginal};
use ef_tensor::MlpConfig;
use ndarray::{Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use common::autoregressive::{log_probs, params, rows_of};
use common::{TestMarginal, gridded, marginal};

/// Columns of every kind, `n` of them.
fn columns(n: usize) -> Vec<TestMarginal> {
    let kinds = [
        marginal(false, 3),
        gridded(5, 1),
        marginal(true, 1),
        marginal(false, 2),
    ];
    (0..n).map(|j| kinds[j % kinds.len()]).collect()
}

/// A network with fewer units than `n` columns.
fn narrow() -> MlpConfig {
    MlpConfig {
        hidden: 3,
        blocks: 1,
        ..MlpConfig::default()
    }
}

/// A random value of each column, in the continuous level where there is one.
fn values(marginals: &[TestMarginal], rng: &mut ChaCha8Rng) -> Vec<(u32, f64)> {
    marginals
        .iter()
        .map(|marginal| {
            if marginal.continuous {
                let step = 1.0 / marginal.steps.max(1) as f64;
                let rank = rng.random::<f64>();
                (
                    0,
                    if marginal.steps > 0 {
                        ((rank / step).floor() + 0.5) * step
                    } else {
                        rank
                    },
                )
            } else {
                (rng.random_range(0..marginal.levels() as u32), 0.5)
            }
        })
        .collect()
}

/// Each column's log-probability in each row: `(columns, rows)`.
fn by_column(chain: &TableMade, params: &[f64], rows: &Rows) -> Array2<f64> {
    let streams: Vec<u64> = (0..rows.log_measure.len() as u64).collect();
    let pass = AncestralPass {
        steps: &|_, _| Step::Observe,
        streams: &streams,
        key: Key::new(1),
        scored: true,
        by_column: true,
    };
    let mut rows = rows.clone();
    let columns = chain.columns();
    chain
        .pass(params, &mut rows, columns, pass, &mut RowScratch::default())
        .by_column
}

/// With fewer units asked for than columns, too, a change in any column changes the distribution of every later one, and of
/// none before it.
#[test]
fn every_column_sees_every_column_before_it() {
    for (n, context) in [(3, 0), (14, 0), (33, 1)] {
        let marginals = columns(n);
        let layout = Layout::new(&marginals, context);
        let config = TableMadeConfig {
            net: narrow(),
            dropout: 0.0,
            components: 2,
        };
        let chain = TableMade::new(&layout, &config).unwrap();
        let mut seen = Array2::from_elem((n, n), false);
        for seed in 0..4 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let params = params(&chain, 1.0, &mut rng);
            let base = values(&marginals, &mut rng);
            // row i + 1 differs from row 0 in column i
            let mut all = vec![base.clone()];
            for i in 0..n {
                let mut row = base.clone();
                while row[i] == base[i] {
                    row[i] = values(&marginals, &mut rng)[i];
                }
                all.push(row);
            }
            let log_prob = by_column(&chain, &params, &rows_of(&layout, &marginals, &all, 0.3));
            for i in 0..n {
                for j in 0..n {
                    let changed = log_prob[[j, i + 1]] != log_prob[[j, 0]];
                    assert!(j >= i || !changed, "column {j} sees column {i} of {n}");
                    seen[[j, i]] |= changed;
                }
            }
        }
        for i in 0..n {
            for j in i + 1..n {
                assert!(seen[[j, i]], "column {j} does not see column {i} of {n}");
            }
        }
    }
}

/// The same of the network over levels. Its columns cannot be told apart from outside, so only the last one is looked
/// at: it depends on column `i` if and only if the joint log-probability is no sum of a part without it and a part
/// without `i`.
#[test]
fn the_last_variable_sees_every_variable_before_it() {
    for (n, context) in [(2, 0), (9, 0), (24, 2)] {
        let marginals: Vec<TestMarginal> = (0..n).map(|_| marginal(false, 2)).collect();
        let layout = Layout::new(&marginals, context);
        let config = DiscreteConfig {
            net: narrow(),
            dropout: 0.0,
        };
        let made = DiscreteMade::new(&layout, &config).unwrap();
        let params = params(&made, 1.0, &mut ChaCha8Rng::seed_from_u64(3));
        for i in 0..n - 1 {
            let row = |a: u32, b: u32| {
                let mut row = vec![(0, 0.5); n];
                (row[i].0, row[n - 1].0) = (a, b);
                row
            };
            let rows = rows_of(
                &layout,
                &marginals,
                &[row(0, 0), row(0, 1), row(1, 0), row(1, 1)],
                0.2,
            );
            let l = log_probs(&made, &params, &rows);
            let interaction = l[0] - l[1] - l[2] + l[3];
            assert!(interaction.abs() > 1e-9, "the last of {n} does not see {i}");
        }
    }
}

/// Whatever the parameters, without a context the first column has its shares, its ranks are uniform, and so are drawn.
#[test]
fn the_first_column_keeps_its_marginal() {
    for first in [
        marginal(false, 4),
        gridded(6, 1),
        marginal(true, 2),
        marginal(true, 0),
    ] {
        let marginals = [first, marginal(false, 3), marginal(true, 1)];
        let layout = Layout::new(&marginals, 0);
        let config = TableMadeConfig {
            net: narrow(),
            dropout: 0.0,
            components: 3,
        };
        let chain = TableMade::new(&layout, &config).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let params: Vec<f64> = (0..Density::<f64>::num_params(&chain))
            .map(|_| 20.0 * (rng.random::<f64>() - 0.5))
            .collect();
        let shares = first.level_shares();
        for (level, &share) in shares.iter().enumerate() {
            let rows = rows_of(
                &layout,
                &marginals,
                &[vec![(level as u32, 0.3), (0, 0.5), (0, 0.5)]],
                0.0,
            );
            let found = by_column(&chain, &params, &rows)[[0, 0]];
            assert_relative_eq!(found.exp(), share, max_relative = 1e-9);
        }
        // a set: half of level 0 if it has no ranks, else two intervals of them, and the last level
        let mut levels = vec![0.0; shares.len()];
        levels[shares.len() - 1] = 1.0;
        let expected = if first.continuous {
            let last = if shares.len() > 1 {
                shares[shares.len() - 1]
            } else {
                0.0
            };
            0.45 * shares[0] + last
        } else {
            levels[0] = 0.5;
            0.5 * shares[0] + shares[shares.len() - 1]
        };
        let ranks = if first.continuous {
            vec![(0.1, 0.3), (0.5, 0.75)]
        } else {
            Vec::new()
        };
        let set = LevelSet::new(levels, ranks);
        let n = 4000;
        let mut rows = layout.blank(Array2::zeros((n, 0)));
        let streams: Vec<u64> = (0..n as u64).collect();
        let pass = AncestralPass {
            steps: &|_, column| Step::Draw((column == 0).then_some(&set)),
            streams: &streams,
            key: Key::new(5),
            scored: true,
            by_column: false,
        };
        let PassSums { set_mass: mass, .. } =
            chain.pass(&params, &mut rows, 1, pass, &mut RowScratch::default());
        for mass in mass {
            assert_relative_eq!(mass.exp(), expected, max_relative = 1e-6);
        }
        let sampled = chain.sample(
            &params,
            &Rows::of_context(Array2::zeros((n, 0))),
            0..n as u64,
            Key::new(6),
            &mut RowScratch::default(),
        );
        if shares.len() > 1 {
            for (level, &share) in shares.iter().enumerate() {
                let drawn = sampled
                    .levels
                    .column(0)
                    .iter()
                    .filter(|&&c| c == level as u32)
                    .count();
                let error = (share * (1.0 - share) / n as f64).sqrt();
                assert!(
                    (drawn as f64 / n as f64 - share).abs() < 5.0 * error,
                    "level {level}"
                );
            }
        }
        if first.continuous {
            let ranks: Vec<f64> = sampled.low.index_axis(Axis(1), 0).to_vec();
            let inside: Vec<f64> = (0..n)
                .filter(|&i| shares.len() == 1 || sampled.levels[[i, 0]] == 0)
                .map(|i| ranks[i])
                .collect();
            let mut sorted = inside.clone();
            sorted.sort_by(f64::total_cmp);
            let farthest = (0..sorted.len())
                .map(|i| (sorted[i] - (i as f64 + 0.5) / sorted.len() as f64).abs())
                .fold(0.0, f64::max);
            assert!(farthest < 1.9 / (sorted.len() as f64).sqrt(), "{farthest}");
        }
    }
}
