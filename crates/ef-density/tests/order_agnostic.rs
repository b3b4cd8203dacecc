//! Laws of the order-agnostic network: gradients and those of `ef-check`, one mass 1 for each order, a score that is
//! the mean over orders, no influence of what is hidden, and proposals that weights correct.

mod common;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_check::{DensityConfig, assert_density};
use ef_density::autoregressive::{AncestralPass, Step};
use ef_density::rows::{RowScratch, Rows};
use ef_density::{Density, Key, LevelSet, Marginal, ScoreKey, StepKey};
use ef_tensor::SparseLinear;
use ef_tensor::simd::{Level, with_level};
use ndarray::Array2;
use rand::Rng;
use rand::seq::SliceRandom;

use common::autoregressive::{
    all_tables, assert_average, assert_distributed, assert_follow, blank, chain, chosen, densities,
    every_row, listed_tables, log_probs, order_agnostic, orders, params, pass, pass_in, position, rows_among,
    rows_of, seeded, some_values, values_in,
};
use common::{TestMarginal, draw_rows, gridded, marginal};

#[test]
fn of_densities() {
    for (i, marginals) in all_tables().iter().enumerate() {
        for (context, dropout) in [(0, 0.0), (2, 0.3)] {
            let mut rng = seeded(i as u64);
            let (layout, any) = order_agnostic(marginals, context, dropout);
            let mut rows = draw_rows(&layout, marginals, 12, context, &mut rng);
            if rows.levels.ncols() > 0 {
                rows.levels[[0, 0]] = SparseLinear::NONE;
            }
            let config = DensityConfig {
                cases: 4,
                exact_loss: false,
                exact_score: false,
                ..DensityConfig::default()
            };
            println!("table {i}: {}", assert_density(&any, &rows, &config));
        }
    }
}

/// Sums over all rows, in every order; midpoints where a column has a density.
#[test]
fn each_order_has_mass_one() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let densities = densities(marginals);
        if densities > 2 {
            continue; // beyond a grid's patience; two dimensions cover it
        }
        let (layout, any) = order_agnostic(marginals, 1, 0.0);
        // Moderate where midpoints have to see every peak.
        let params = params(
            &any,
            if densities > 0 { 0.3 } else { 1.0 },
            &mut seeded(40 + i as u64),
        );
        let (values, weights) = every_row(marginals, if densities > 1 { 120 } else { 1000 });
        let mut rows = rows_of(&layout, marginals, &values, 0.3);
        for order in orders(marginals.len()) {
            let sums = pass_in(&any, &params, &mut rows, &order, |_, _| Step::Score(None));
            let mass: f64 = (0..weights.len())
                .map(|k| weights[k] * (sums.proposed[k] + rows.log_measure[k]).exp())
                .sum();
            let epsilon = if densities == 0 { 1e-12 } else { 1e-6 };
            assert_abs_diff_eq!(mass, 1.0, epsilon = epsilon);
            assert!(sums.observed.iter().chain(&sums.set_mass).all(|sum| *sum == 0.0));
        }
    }
}

/// Of each row, `log_prob` and the loss are unbiased for the mean of its log-density over all orders.
#[test]
fn the_score_is_the_mean_over_orders() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = seeded(60 + i as u64);
        let (layout, any) = order_agnostic(marginals, 1, 0.0);
        let params = params(&any, 2.0, &mut rng);
        let mut rows = draw_rows(&layout, marginals, 3, 1, &mut rng);
        if rows.levels.ncols() > 0 {
            rows.levels[[0, 0]] = SparseLinear::NONE;
        }
        let orders = orders(marginals.len());
        let mut expected = rows.log_measure.clone();
        for order in &orders {
            let sums = pass_in(&any, &params, &mut rows, order, |_, _| Step::Score(None));
            for (expected, drawn) in expected.iter_mut().zip(&sums.proposed) {
                *expected += drawn / orders.len() as f64;
            }
        }
        let mut scratch = RowScratch::default();
        let (mut scores, mut grads) = (vec![Vec::new(); 3], vec![0.0; params.len()]);
        let mut losses = scores.clone();
        for seed in 0..2000 {
            let key = ScoreKey {
                key: Key::new(seed),
                // sizes are spread evenly over the draws
                draws: 1 + seed as usize % 5,
                first_row: 0,
            };
            let mut out = [0.0; 3];
            any.log_prob(&params, &rows, &[0, 1, 2], key, &mut scratch, &mut out);
            for (scores, score) in scores.iter_mut().zip(out) {
                scores.push(score);
            }
            for (row, losses) in losses.iter_mut().enumerate() {
                let key = StepKey {
                    key: Key::new(1),
                    step: seed,
                    row: row as u64,
                };
                let nll = any.nll_backward(&params, &rows, &[row], key, &mut scratch, &mut grads);
                losses.push(-nll);
            }
        }
        for row in 0..3 {
            // 2,000 estimates each, of few values: within five standard errors of the mean
            let shifted = |v: &[f64]| v.iter().map(|v| v - expected[row] + 1.0).collect::<Vec<_>>();
            assert_average(&shifted(&scores[row]), 1.0);
            assert_average(&shifted(&losses[row]), 1.0);
        }
    }
}

/// The same rows with a column's values exchanged for others.
fn exchanged(rows: &Rows, others: &Rows, marginals: &[TestMarginal], column: usize) -> Rows {
    let mut rows = rows.clone();
    let before = |column: usize| {
        let variables = marginals[..column].iter().filter(|l| l.levels() > 1).count();
        let ranks = marginals[..column].iter().filter(|l| l.continuous).count();
        (variables, ranks)
    };
    let (from, to) = (before(column), before(column + 1));
    for v in from.0..to.0 {
        rows.levels.column_mut(v).assign(&others.levels.column(v));
    }
    for r in from.1..to.1 {
        rows.low.column_mut(r).assign(&others.low.column(r));
        rows.high.column_mut(r).assign(&others.high.column(r));
    }
    rows
}

/// A column's conditional depends on what is shown, and on nothing else that a row holds.
#[test]
fn only_what_is_shown_has_influence() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = seeded(70 + i as u64);
        let (layout, any) = order_agnostic(marginals, 1, 0.0);
        let params = params(&any, 2.0, &mut rng);
        let rows = draw_rows(&layout, marginals, 20, 1, &mut rng);
        let others = draw_rows(&layout, marginals, 20, 1, &mut rng);
        for target in 0..marginals.len() {
            for subset in 0..1_u32 << marginals.len() {
                let shown = |j: usize| j != target && subset >> j & 1 == 1;
                let score = |rows: &Rows| {
                    let mut rows = rows.clone();
                    let before = rows.clone();
                    let sums = pass_in(&any, &params, &mut rows, &[target], |_, j| {
                        if j == target {
                            Step::Score(None)
                        } else if shown(j) {
                            Step::Observe
                        } else {
                            Step::Skip
                        }
                    });
                    assert_eq!(rows, before);
                    sums.proposed
                };
                let before = score(&rows);
                for column in (0..marginals.len()).filter(|&j| j != target) {
                    let after = score(&exchanged(&rows, &others, marginals, column));
                    if shown(column) && marginals[column].levels() > 1 && marginals[target].levels() > 1 {
                        assert_ne!(after, before, "column {column} is shown");
                    }
                    if !shown(column) {
                        assert_eq!(after, before, "column {column} is hidden");
                    }
                }
            }
        }
    }
}

/// Columns left out change nothing of those drawn, and keep what they hold.
#[test]
fn free_columns_are_left_out() {
    let marginals = [
        marginal(false, 3),
        gridded(4, 1),
        marginal(true, 2),
        marginal(false, 2),
    ];
    let mut rng = seeded(90);
    let (layout, any) = order_agnostic(&marginals, 1, 0.0);
    let params = params(&any, 2.0, &mut rng);
    let start = draw_rows(&layout, &marginals, 30, 1, &mut rng);
    let steps = |_: usize, j: usize| match j {
        0 => Step::Observe,
        2 => Step::Skip,
        _ => Step::Draw(None),
    };
    let mut with = start.clone();
    let sums = pass_in(&any, &params, &mut with, &[3, 2, 1], steps);
    let mut without = start.clone();
    let expected = pass_in(&any, &params, &mut without, &[3, 1], steps);
    assert_eq!((&with, &sums), (&without, &expected));
    assert_eq!(with.levels.column(0), start.levels.column(0));
    assert_eq!(with.low.column(1), start.low.column(1));
    assert!(sums.by_column.row(2).iter().all(|term| *term == 0.0));
}

/// Whatever is drawn lies in its set, and scored afterwards in the same order it gives the same sums, whichever columns
/// a row keeps.
#[test]
fn draws_lie_in_their_sets_and_can_be_scored() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = seeded(20 + i as u64);
        let (layout, any) = order_agnostic(marginals, 1, 0.0);
        let params = params(&any, 2.0, &mut rng);
        let sets: Vec<LevelSet> = marginals
            .iter()
            .map(|marginal| some_values(marginal, &mut rng))
            .collect();
        let set = |j: usize| (!values_in(&marginals[j], &sets[j], 1).is_empty()).then_some(&sets[j]);
        let kept = |row: usize, j: usize| (row >> j) & 1 == 1;
        for order in orders(marginals.len()) {
            let mut rows = draw_rows(&layout, marginals, 64, 1, &mut rng);
            let start = rows.clone();
            let drawn = pass_in(&any, &params, &mut rows, &order, |row, j| {
                if kept(row, j) {
                    Step::Observe
                } else {
                    Step::Draw(set(j))
                }
            });
            for row in 0..64 {
                for (j, marginal) in marginals.iter().enumerate() {
                    let (level, rank) = layout.level_and_rank(&rows, row, j);
                    if kept(row, j) {
                        assert_eq!((level, rank), layout.level_and_rank(&start, row, j));
                    } else {
                        let rank = marginal.continuous.then_some(rank);
                        assert!(set(j).is_none_or(|set| set.contains(level, rank)));
                    }
                }
                assert!(drawn.proposed[row].is_finite() && drawn.set_mass[row].is_finite());
                assert_relative_eq!(
                    drawn.by_column.column(row).sum(),
                    drawn.proposed[row],
                    epsilon = 1e-9
                );
            }
            let mut again = rows.clone();
            let replayed = pass_in(&any, &params, &mut again, &order, |row, j| {
                if kept(row, j) {
                    Step::Observe
                } else {
                    Step::Score(set(j))
                }
            });
            assert_eq!((again, replayed), (rows, drawn));
        }
    }
}

/// Chi-squared over all rows, in an order that is not the layout's; a sample is the pass in the layout's order.
#[test]
fn drawn_values_follow_the_scored_probabilities() {
    for (i, marginals) in listed_tables().iter().enumerate() {
        let mut rng = seeded(110 + i as u64);
        let (layout, any) = order_agnostic(marginals, 1, 0.0);
        let params = params(&any, 2.0, &mut rng);
        let (every, _) = every_row(marginals, 0);
        let n = 20_000;
        let mut order: Vec<usize> = (0..marginals.len()).collect();
        for shuffled in [false, true] {
            let drawn = if shuffled {
                order.shuffle(&mut rng);
                let mut drawn = blank(&layout, n, 0.3);
                pass_in(&any, &params, &mut drawn, &order, |_, _| Step::Draw(None));
                drawn
            } else {
                let given = Rows::of_context(Array2::from_elem((n, 1), 0.3));
                let mut scratch = RowScratch::default();
                any.sample(&params, &given, 0..n as u64, Key::new(5), &mut scratch)
            };
            let mut counts = vec![0.0; every.len()];
            (0..n).for_each(|row| counts[position(&layout, marginals, &drawn, row)] += 1.0);
            let mut rows = rows_of(&layout, marginals, &every, 0.3);
            let sums = pass_in(&any, &params, &mut rows, &order, |_, _| Step::Score(None));
            let expected: Vec<f64> = (0..every.len())
                .map(|k| n as f64 * (sums.proposed[k] + rows.log_measure[k]).exp())
                .collect();
            assert_follow(&counts, &expected);
        }
    }
}

/// Kolmogorov: the first column's ranks given the second's level.
#[test]
fn drawn_ranks_follow_the_scored_density() {
    let marginals = [marginal(true, 1), marginal(false, 3)];
    let mut rng = seeded(120);
    let (layout, any) = order_agnostic(&marginals, 0, 0.0);
    let params = params(&any, 1.0, &mut rng);
    let n = 20_000;
    let steps = |_: usize, j: usize| match j {
        0 => Step::Draw(None),
        _ => Step::Observe,
    };
    for level in 0..3 {
        let mut drawn = rows_of(&layout, &marginals, &vec![vec![(0, 0.5), (level, 0.5)]; n], 0.0);
        pass_in(&any, &params, &mut drawn, &[0], steps);
        let mut ranks: Vec<f64> = (0..n)
            .filter(|&row| drawn.levels[[row, 0]] == 0)
            .map(|row| drawn.low[[row, 0]])
            .collect();
        ranks.sort_by(f64::total_cmp);
        assert!(ranks.len() > 1000);
        let edges: Vec<f64> = (0..=4000).map(|k| f64::from(k) / 4000.0).collect();
        let middles = edges
            .windows(2)
            .map(|e| vec![(0, 0.5 * (e[0] + e[1])), (level, 0.5)]);
        let mut rows = rows_of(&layout, &marginals, &middles.collect::<Vec<_>>(), 0.0);
        let sums = pass_in(&any, &params, &mut rows, &[0], |_, j| match j {
            0 => Step::Score(None),
            _ => Step::Observe,
        });
        let masses: Vec<f64> = sums.proposed.iter().map(|l| l.exp()).collect();
        assert_distributed(&ranks, &edges, &masses);
    }
}

/// Rows proposed given values and within sets, in any order: `p / q` averages to the autoregressive model's probability
/// of the condition.
#[test]
fn proposals_are_corrected_by_their_weights() {
    let mut tables = listed_tables();
    tables.push(vec![marginal(true, 1), marginal(true, 0)]);
    for (i, marginals) in tables.iter().enumerate() {
        for seed in 0..6 {
            let mut rng = seeded(2000 + 10 * i as u64 + seed);
            let (layout, chain) = chain(marginals, 1, 0.0);
            let (_, any) = order_agnostic(marginals, 1, 0.0);
            let of_chain = params(&chain, 0.5, &mut rng);
            let of_any = params(&any, 0.5, &mut rng);
            // the last column is given, sets are asked of the others
            let last = marginals.len() - 1;
            let value = (rng.random_range(0..marginals[last].levels() as u32), 0.3);
            let mut sets: Vec<LevelSet> = marginals
                .iter()
                .map(|marginal| some_values(marginal, &mut rng))
                .collect();
            // a weight corrects no share of a level that sets hold in part
            let whole = |share: &mut f64| *share = share.ceil();
            sets.iter_mut()
                .for_each(|set| set.shares.iter_mut().for_each(whole));
            let mut order: Vec<usize> = (0..last).collect();
            order.shuffle(&mut rng);

            let n = 10_000;
            let mut given = vec![(0, 0.5); marginals.len()];
            given[last] = value;
            let mut rows = rows_of(&layout, marginals, &vec![given; n], -0.2);
            let proposed = pass_in(&any, &of_any, &mut rows, &order, |_, j| {
                if j == last {
                    Step::Observe
                } else {
                    Step::Draw(Some(&sets[j]))
                }
            });
            let scored = pass(&chain, &of_chain, &mut rows, |_, j| {
                if j == last {
                    Step::Observe
                } else {
                    Step::Score(None)
                }
            });
            let measure = marginals[last].place(&value).log_measure;
            let weights: Vec<f64> = (0..n)
                .map(|row| {
                    let p = scored.observed[row] + scored.proposed[row] + measure;
                    (p - proposed.proposed[row] + proposed.set_mass[row]).exp()
                })
                .collect();
            let columns = marginals.iter().zip(&sets).enumerate();
            let (every, shares) = rows_among(columns.map(|(j, (marginal, set))| {
                if j == last {
                    vec![(value, 1.0)]
                } else {
                    values_in(marginal, set, 400)
                }
            }));
            let log_probs = log_probs(&chain, &of_chain, &rows_of(&layout, marginals, &every, -0.2));
            let probability: f64 = log_probs.iter().zip(&shares).map(|(l, w)| w * l.exp()).sum();
            assert_average(&weights, probability);
        }
    }
}

/// Rows that stand alone, in other batches and with other neighbours, draw the same; a set without mass is said.
#[test]
fn a_row_of_a_pass_is_addressable() {
    let marginals = [marginal(true, 2), marginal(false, 3), gridded(6, 0)];
    let mut rng = seeded(130);
    let (layout, any) = order_agnostic(&marginals, 1, 0.0);
    let params = params(&any, 1.0, &mut rng);
    let nothing = LevelSet::new(vec![0.0; 3], Vec::new());
    let steps = |row: u64, j: usize| match (row + j as u64) % 4 {
        0 => Step::Draw(None),
        1 => Step::Draw(Some(&nothing)),
        2 => Step::Skip,
        _ => Step::Observe,
    };
    let pass = |rows: &mut Rows, streams: &[u64]| {
        let pass = AncestralPass {
            steps: &|row, j| steps(streams[row], j),
            streams,
            key: Key::new(8),
            scored: true,
            by_column: false,
        };
        any.pass(&params, rows, &[2, 0, 1], pass, &mut RowScratch::default())
    };
    let start = draw_rows(&layout, &marginals, 40, 1, &mut rng);
    let mut whole = start.clone();
    let sums = pass(&mut whole, &(0..40).collect::<Vec<_>>());
    let some = [31_usize, 7, 8, 2];
    let mut alone = chosen(&start, &some);
    let own = pass(&mut alone, &some.map(|row| row as u64));
    for (i, &row) in some.iter().enumerate() {
        assert_eq!(alone.levels.row(i), whole.levels.row(row));
        assert_abs_diff_eq!(
            alone.low.row(i).to_owned(),
            whole.low.row(row).to_owned(),
            epsilon = 1e-12
        );
        assert_relative_eq!(own.proposed[i], sums.proposed[row], epsilon = 1e-9);
        let asks_nothing = (0..3).any(|j| (row + j) % 4 == 1);
        let expected = if asks_nothing { f64::NEG_INFINITY } else { 0.0 };
        assert_eq!((own.set_mass[i], sums.set_mass[row]), (expected, expected));
    }
}

/// A table of certain columns has no parameters to speak of, and one row.
#[test]
fn certain_columns_are_certain() {
    let marginals = [marginal(false, 1), marginal(false, 1)];
    let (layout, any) = order_agnostic(&marginals, 1, 0.2);
    let params = params(&any, 1.0, &mut seeded(1));
    let rows = blank(&layout, 4, 0.2);
    assert_eq!(log_probs(&any, &params, &rows), [0.0; 4]);
    let key = StepKey {
        key: Key::new(1),
        step: 0,
        row: 0,
    };
    let mut scratch = RowScratch::default();
    let nll = any.nll_backward(&params, &rows, &[0, 1], key, &mut scratch, &mut params.clone());
    assert_eq!(nll, 0.0);
    assert_eq!(any.sample(&params, &rows, 0..4, Key::new(1), &mut scratch), rows);
    let half = LevelSet::new(vec![0.5], Vec::new());
    let sums = pass_in(&any, &params, &mut rows.clone(), &[1, 0], |_, _| {
        Step::Draw(Some(&half))
    });
    for mass in sums.set_mass {
        assert_relative_eq!(mass, 0.25_f64.ln(), max_relative = 1e-12);
    }
}

/// The generic code in `f32`, at every level the machine has, against `f64` at the same weights.
#[test]
fn narrow_numbers_agree_at_every_level() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = seeded(70 + i as u64);
        let (layout, any) = order_agnostic(marginals, 2, 0.0);
        let narrow: Vec<f32> = params(&any, 1.0, &mut rng).iter().map(|&p| p as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|&p| f64::from(p)).collect();
        let rows = draw_rows(&layout, marginals, 40, 2, &mut rng);
        let index: Vec<usize> = (0..40).collect();
        let key = StepKey {
            key: Key::new(1),
            step: 0,
            row: 0,
        };
        let mut grads = vec![0.0; wide.len()];
        let nll = any.nll_backward(&wide, &rows, &index, key, &mut RowScratch::default(), &mut grads);
        let size = grads.iter().map(|g| g * g).sum::<f64>().sqrt();
        let order: Vec<usize> = (0..marginals.len()).rev().collect();
        let set = &marginals
            .iter()
            .map(|marginal| some_values(marginal, &mut rng))
            .collect::<Vec<_>>();
        for level in Level::ALL {
            let (found, own) = with_level(level, || {
                let mut own = vec![0.0_f32; narrow.len()];
                let mut scratch = RowScratch::default();
                let nll = any.nll_backward(&narrow, &rows, &index, key, &mut scratch, &mut own);
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
            let steps = |row: usize, j: usize| match (row + j) % 3 {
                0 => Step::Observe,
                1 => Step::Draw(None),
                _ => Step::Draw(Some(&set[j])),
            };
            let mut drawn = rows.clone();
            let sums = with_level(level, || pass_in(&any, &narrow, &mut drawn, &order, steps));
            let replayed = pass_in(&any, &wide, &mut drawn, &order, |row, j| match steps(row, j) {
                Step::Draw(set) => Step::Score(set),
                step => step,
            });
            let same = |narrow: &[f64], wide: &[f64]| {
                for (narrow, wide) in narrow.iter().zip(wide) {
                    assert_relative_eq!(narrow, wide, epsilon = 1e-4, max_relative = 1e-5);
                }
            };
            same(&sums.proposed, &replayed.proposed);
            same(&sums.set_mass, &replayed.set_mass);
        }
    }
}
