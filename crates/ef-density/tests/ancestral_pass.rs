//! Laws of passes of the autoregressive model: sums are log-probabilities, sets share the mass, draws follow the law
//! within a set, and weights average to the probability of a condition.

mod common;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_density::autoregressive::{AncestralPass, Step, TableMade};
use ef_density::rows::{RowScratch, Rows};
use ef_density::{Density, Key, LevelSet, Marginal};
use ef_tensor::simd::{Level, with_level};
use ef_tensor::{Real, SparseLinear};
use ndarray::{Array2, s};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use common::autoregressive::{
    all_tables, assert_average, assert_distributed, assert_follow, blank, chain, densities, every_row,
    every_value, listed_tables, log_probs, params, pass, position, rows_among, rows_of, seeded, some_values,
    values_in,
};
use common::{TestMarginal, draw_rows, gridded, marginal};

/// Sets that share a column out: parts of each level, and in turn the intervals between random ranks.
fn partition(marginal: &TestMarginal, parts: usize, rng: &mut ChaCha8Rng) -> Vec<LevelSet> {
    let mut sets = vec![LevelSet::new(Vec::new(), Vec::new()); parts];
    for _ in 0..marginal.levels() {
        let mut shares: Vec<f64> = (0..parts).map(|_| rng.random::<f64>().powi(4)).collect();
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        for (set, share) in sets.iter_mut().zip(shares) {
            set.shares.push(share);
        }
    }
    if marginal.continuous {
        let mut cuts: Vec<f64> = (0..5 * parts).map(|_| rng.random()).collect();
        cuts.extend([0.0, 1e-12, 0.5, 0.5 + 1e-13, 1.0 - 1e-9, 1.0]);
        cuts.sort_by(f64::total_cmp);
        for (i, ends) in cuts.windows(2).enumerate() {
            sets[i % parts].ranks.push((ends[0], ends[1]));
        }
    }
    sets
}

fn all(marginal: &TestMarginal) -> LevelSet {
    LevelSet::new(vec![1.0; marginal.levels()], vec![(0.0, 1.0)])
}

fn narrow(params: &[f64]) -> Vec<f32> {
    params.iter().map(|&p| p as f32).collect()
}

fn wide(params: &[f32]) -> Vec<f64> {
    params.iter().map(|&p| f64::from(p)).collect()
}

#[test]
fn observed_columns_add_up_to_log_prob() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = seeded(i as u64);
        let (layout, chain) = chain(marginals, 2, 0.0);
        let params = params(&chain, 1.0, &mut rng);
        let mut rows = draw_rows(&layout, marginals, 30, 2, &mut rng);
        if rows.levels.ncols() > 0 {
            rows.levels[[0, 0]] = SparseLinear::NONE;
        }
        let log_probs = log_probs(&chain, &params, &rows);
        let before = rows.clone();
        let sums = pass(&chain, &params, &mut rows, |_, _| Step::Observe);
        assert_eq!(rows, before);
        for (row, log_prob) in log_probs.iter().enumerate() {
            let expected = log_prob - rows.log_measure[row];
            assert_relative_eq!(sums.observed[row], expected, epsilon = 1e-9, max_relative = 1e-9);
            assert_relative_eq!(sums.by_column.column(row).sum(), expected, epsilon = 1e-9);
        }
        assert!(sums.proposed.iter().chain(&sums.set_mass).all(|sum| *sum == 0.0));
    }
}

#[test]
fn drawing_every_column_is_sampling() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let (layout, chain) = chain(marginals, 1, 0.0);
        let params = params(&chain, 1.0, &mut seeded(i as u64));
        let given = Rows::of_context(Array2::from_elem((20, 1), 0.2));
        let mut scratch = RowScratch::default();
        let sample = chain.sample(&params, &given, 0..20, Key::new(31), &mut scratch);
        for steps in [Step::Draw(None), Step::Fill] {
            let mut rows = blank(&layout, 20, 0.2);
            let sums = pass(&chain, &params, &mut rows, |_, _| steps);
            assert_eq!(rows, sample);
            let log_probs = match steps {
                Step::Fill => vec![0.0; 20],
                _ => log_probs(&chain, &params, &rows),
            };
            for (drawn, expected) in sums.proposed.iter().zip(&log_probs) {
                assert_relative_eq!(drawn, expected, epsilon = 1e-9, max_relative = 1e-9);
            }
        }
    }
}

/// Whatever is drawn lies in its set, and scored afterwards it gives the same sums, column by column; in far tails too.
#[test]
fn draws_lie_in_their_sets_and_can_be_scored() {
    for (i, marginals) in all_tables().into_iter().enumerate() {
        for scale in [2.0, 30.0] {
            draws_lie_in_sets(&marginals, scale, &mut seeded(20 + i as u64));
        }
    }
}

fn draws_lie_in_sets(marginals: &[TestMarginal], scale: f64, rng: &mut ChaCha8Rng) {
    let (layout, chain) = chain(marginals, 1, 0.0);
    let params = params(&chain, scale, rng);
    let n = 200;
    let sets: Vec<Vec<LevelSet>> = marginals
        .iter()
        .map(|marginal| partition(marginal, 7, rng))
        .collect();
    let set = |row: usize, j: usize| (row + j) % 9;
    let of = |row: usize, j: usize| sets[j].get(set(row, j));
    let mut rows = blank(&layout, n, 0.4);
    let drawn = pass(&chain, &params, &mut rows, |row, j| Step::Draw(of(row, j)));
    for row in 0..n {
        for (j, marginal) in marginals.iter().enumerate() {
            let (level, rank) = layout.level_and_rank(&rows, row, j);
            assert!((level as usize) < marginal.levels());
            let rank = marginal.continuous.then_some(rank);
            assert!(of(row, j).is_none_or(|set| set.contains(level, rank)));
        }
        assert!(drawn.set_mass[row].is_finite() && drawn.proposed[row].is_finite());
        let sum = drawn.by_column.column(row).sum();
        assert_relative_eq!(sum, drawn.proposed[row], epsilon = 1e-9, max_relative = 1e-9);
    }
    let mut again = rows.clone();
    let replayed = pass(&chain, &params, &mut again, |row, j| Step::Score(of(row, j)));
    assert_eq!((again, &replayed), (rows.clone(), &drawn));
    // some columns observed, the others scored
    let given = pass(&chain, &params, &mut rows, |row, j| match j % 2 {
        0 => Step::Observe,
        _ => Step::Score(of(row, j)),
    });
    for row in 0..n {
        let sum = given.observed[row] + given.proposed[row];
        assert_relative_eq!(sum, drawn.proposed[row], epsilon = 1e-9, max_relative = 1e-9);
    }
    assert_eq!(given.by_column, drawn.by_column);
}

/// Given any columns before it, the sets that share a column out have mass 1 together; all of it has mass 1 alone.
#[test]
fn sets_share_the_mass_of_a_column() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = seeded(30 + i as u64);
        let (layout, chain) = chain(marginals, 1, 0.0);
        let params = params(&chain, 2.0, &mut rng);
        let values = draw_rows(&layout, marginals, 10, 1, &mut rng);
        for (j, marginal) in marginals.iter().enumerate() {
            let mut total = [0.0; 10];
            let mass = |set: &LevelSet| {
                pass(&chain, &params, &mut values.clone(), |_, column| {
                    if column == j {
                        Step::Draw(Some(set))
                    } else {
                        Step::Observe
                    }
                })
                .set_mass
            };
            for set in partition(marginal, 6, &mut rng) {
                for (total, mass) in total.iter_mut().zip(mass(&set)) {
                    *total += mass.exp();
                }
            }
            for (total, whole) in total.iter().zip(mass(&all(marginal))) {
                assert_relative_eq!(*total, 1.0, max_relative = 1e-9);
                assert_abs_diff_eq!(whole, 0.0, epsilon = 1e-14);
            }
        }
    }
}

/// The set that holds one value has the value's probability; an interval of ranks that of a value of this extent.
#[test]
fn the_set_of_a_value_has_its_probability() {
    let marginals = [marginal(true, 2), marginal(false, 3), marginal(true, 0)];
    let mut rng = seeded(50);
    let (layout, chain) = chain(&marginals, 1, 0.0);
    let params = params(&chain, 2.0, &mut rng);
    let wide_params = wide(&narrow(&params));
    let intervals = [
        (0.0, 1.0),
        (0.2, 0.7),
        (0.3, 0.3 + 1e-7),
        (1e-9, 2e-9),
        (0.0, 1e-14),
        (1.0 - 1e-9, 1.0),
    ];
    for j in [0, 2] {
        for ends in intervals {
            let mut rows = draw_rows(&layout, &marginals, 8, 1, &mut rng);
            rows.levels.column_mut(0).fill(0);
            let r = j / 2;
            rows.low.column_mut(r).fill(ends.0);
            rows.high.column_mut(r).fill(ends.1);
            let set = LevelSet::new(Vec::new(), vec![ends]);
            let step = |_, column| {
                if column == j {
                    Step::Score(Some(&set))
                } else {
                    Step::Observe
                }
            };
            let sums = pass(&chain, &wide_params, &mut rows.clone(), step);
            let narrow = pass(&chain, &narrow(&params), &mut rows, step);
            for row in 0..8 {
                let expected = sums.by_column[[j, row]] + (ends.1 - ends.0).ln();
                assert_relative_eq!(sums.set_mass[row], expected, epsilon = 1e-6);
                assert_relative_eq!(
                    narrow.set_mass[row],
                    expected,
                    epsilon = 1e-4,
                    max_relative = 1e-5
                );
            }
        }
    }
    for level in 0..3 {
        let mut rows = draw_rows(&layout, &marginals, 8, 1, &mut rng);
        rows.levels.column_mut(1).fill(level);
        let mut set = LevelSet::new(vec![0.0; 3], Vec::new());
        set.shares[level as usize] = 1.0;
        let sums = pass(&chain, &params, &mut rows, |_, column| match column {
            1 => Step::Score(Some(&set)),
            _ => Step::Observe,
        });
        for row in 0..8 {
            assert_relative_eq!(sums.set_mass[row], sums.by_column[[1, row]], epsilon = 1e-9);
        }
    }
}

/// Chi-squared over all rows within sets, against `exp(drawn - mass)` of each, which add up to 1.
#[test]
fn draws_within_sets_follow_the_truncated_law() {
    for (i, marginals) in listed_tables().iter().enumerate() {
        for seed in 0..6 {
            let mut rng = seeded(100 * i as u64 + seed);
            let (layout, chain) = chain(marginals, 1, 0.0);
            let params = params(&chain, 2.0, &mut rng);
            let sets: Vec<LevelSet> = marginals
                .iter()
                .map(|marginal| some_values(marginal, &mut rng))
                .collect();
            let held = marginals
                .iter()
                .zip(&sets)
                .all(|(marginal, set)| !values_in(marginal, set, 0).is_empty());
            if !held {
                continue;
            }
            let n = 10_000;
            let mut drawn = blank(&layout, n, 0.3);
            pass(&chain, &params, &mut drawn, |_, j| Step::Draw(Some(&sets[j])));
            let (every, _) = every_row(marginals, 0);
            let mut counts = vec![0.0; every.len()];
            (0..n).for_each(|row| counts[position(&layout, marginals, &drawn, row)] += 1.0);

            let mut rows = rows_of(&layout, marginals, &every, 0.3);
            let sums = pass(&chain, &params, &mut rows, |_, j| Step::Score(Some(&sets[j])));
            let shares = every.iter().map(|row| {
                let columns = row.iter().zip(marginals).zip(&sets);
                columns
                    .map(|((&(level, rank), marginal), set)| {
                        if marginal.continuous && level == 0 {
                            f64::from(u8::from(set.contains(level, Some(rank))))
                        } else {
                            set.shares[level as usize]
                        }
                    })
                    .product::<f64>()
            });
            let expected: Vec<f64> = shares
                .enumerate()
                .map(|(k, share)| share * (sums.proposed[k] - sums.set_mass[k] + rows.log_measure[k]).exp())
                .map(|density| if density.is_nan() { 0.0 } else { density * n as f64 })
                .collect();
            assert_relative_eq!(expected.iter().sum::<f64>(), n as f64, max_relative = 1e-9);
            assert_follow(&counts, &expected);
            for (count, expected) in counts.iter().zip(&expected) {
                assert!(*expected > 0.0 || *count == 0.0);
            }
        }
    }
}

/// Kolmogorov, against the scored density between the ends of intervals.
#[test]
fn ranks_within_intervals_follow_the_scored_density() {
    let marginals = [marginal(true, 1)];
    for seed in 0..4 {
        let mut rng = seeded(seed);
        let (layout, chain) = chain(&marginals, 0, 0.0);
        let params = params(&chain, 2.0, &mut rng);
        let mut set = some_values(&marginals[0], &mut rng);
        set.shares[1] = 0.3;
        let n = 40_000;
        let mut drawn = blank(&layout, n, 0.0);
        pass(&chain, &params, &mut drawn, |_, _| Step::Draw(Some(&set)));
        let mut ranks: Vec<f64> = (0..n)
            .filter(|&row| drawn.levels[[row, 0]] == 0)
            .map(|row| drawn.low[[row, 0]])
            .collect();
        ranks.sort_by(f64::total_cmp);
        assert!(ranks.len() > 1000);
        let mut edges = vec![0.0];
        let mut masses = Vec::new();
        for &(low, high) in &set.ranks {
            edges.push(low);
            masses.push(0.0);
            let step = (high - low) / 4000.0;
            let middles: Vec<Vec<(u32, f64)>> = (0..4000)
                .map(|k| vec![(0, low + step * (f64::from(k) + 0.5))])
                .collect();
            for (k, log_prob) in log_probs(&chain, &params, &rows_of(&layout, &marginals, &middles, 0.0))
                .iter()
                .enumerate()
            {
                edges.push(low + step * (k + 1) as f64);
                masses.push(step * log_prob.exp());
            }
        }
        assert_distributed(&ranks, &edges, &masses);
    }
}

/// What a condition asks of a column.
enum Asked {
    Nothing,
    Value((u32, f64)),
    Set(LevelSet),
}

/// The mean of `exp(observed + set_mass)` over rows drawn by passes is the probability of the condition: sums over
/// rows, integrals over ranks.
#[test]
fn likelihood_weights_average_to_the_probability_of_a_condition() {
    let mut tables = listed_tables();
    tables.push(vec![marginal(true, 1), marginal(true, 0)]);
    for (i, marginals) in tables.iter().enumerate() {
        for seed in 0..8 {
            let mut rng = seeded(1000 + 10 * i as u64 + seed);
            let (layout, chain) = chain(marginals, 1, 0.0);
            // moderate where midpoints have to see every peak, and the ranks beyond them have no mass
            let scale = if densities(marginals) > 0 { 0.15 } else { 2.0 };
            let params = params(&chain, scale, &mut rng);
            let asked: Vec<Asked> = marginals
                .iter()
                .map(|marginal| match rng.random_range(0..4) {
                    0 => Asked::Nothing,
                    1 => Asked::Value((
                        rng.random_range(0..marginal.levels() as u32),
                        rng.random_range(0.01..0.99),
                    )),
                    _ => Asked::Set(some_values(marginal, &mut rng)),
                })
                .collect();
            let n = 10_000;
            let value = |asked: &Asked| match asked {
                Asked::Value(value) => *value,
                _ => (0, 0.5),
            };
            let values: Vec<(u32, f64)> = asked.iter().map(value).collect();
            let mut rows = rows_of(&layout, marginals, &vec![values; n], -0.2);
            let measure: f64 = marginals
                .iter()
                .zip(&asked)
                .map(|(marginal, asked)| match asked {
                    Asked::Value(value) => marginal.place(value).log_measure,
                    _ => 0.0,
                })
                .sum();
            let sums = pass(&chain, &params, &mut rows, |_, j| match &asked[j] {
                Asked::Nothing => Step::Draw(None),
                Asked::Value(_) => Step::Observe,
                Asked::Set(set) => Step::Draw(Some(set)),
            });
            let weights: Vec<f64> = (0..n)
                .map(|row| (sums.observed[row] + sums.set_mass[row] + measure).exp())
                .collect();
            let columns = marginals.iter().zip(&asked).map(|(marginal, asked)| match asked {
                Asked::Nothing => every_value(marginal, 384),
                Asked::Value(value) => vec![(*value, 1.0)],
                Asked::Set(set) => values_in(marginal, set, 384),
            });
            let (every, shares) = rows_among(columns);
            let log_probs = log_probs(&chain, &params, &rows_of(&layout, marginals, &every, -0.2));
            let probability: f64 = log_probs.iter().zip(&shares).map(|(l, w)| w * l.exp()).sum();
            assert_average(&weights, probability);
        }
    }
}

/// `-inf`, with all other numbers finite, valid levels, and no row beside it touched.
fn sets_without_mass<T: Real>(chain: &TableMade, marginals: &[TestMarginal], params: &[T], blank: &Rows) {
    let mut free = blank.clone();
    let untouched = pass(chain, params, &mut free, |_, _| Step::Draw(None));
    let none = |levels: usize, ranks: Vec<(f64, f64)>| LevelSet::new(vec![0.0; levels], ranks);
    for (j, marginal) in marginals.iter().enumerate() {
        let mut sets = vec![none(0, vec![]), none(marginal.levels(), vec![])];
        if !marginal.continuous {
            sets.push(none(0, vec![(0.1, 0.4)]));
        } else {
            // beyond the ranks, reversed, and of no length
            let ends = vec![(-2.0, -1.0), (1.0, 2.0), (0.6, 0.5), (0.5, 0.5)];
            sets.push(none(marginal.levels(), ends));
        }
        for set in &sets {
            let mut rows = blank.clone();
            let sums = pass(chain, params, &mut rows, |row, column| {
                match (row % 2, column == j) {
                    (0, true) => Step::Draw(Some(set)),
                    _ => Step::Draw(None),
                }
            });
            for row in 0..rows.log_measure.len() {
                assert!(sums.proposed[row].is_finite());
                if row % 2 == 0 {
                    assert_eq!(sums.set_mass[row], f64::NEG_INFINITY, "column {j}, {set:?}");
                } else {
                    assert_eq!(sums.set_mass[row], 0.0);
                    assert_eq!(sums.proposed[row], untouched.proposed[row]);
                    assert_eq!(rows.levels.row(row), free.levels.row(row));
                    assert_eq!(rows.low.row(row), free.low.row(row));
                }
            }
            assert!(rows.low.iter().chain(&rows.high).all(|r| (0.0..=1.0).contains(r)));
            let replayed = pass(chain, params, &mut rows, |_, column| {
                if column == j {
                    Step::Score(Some(set))
                } else {
                    Step::Observe
                }
            });
            assert!(replayed.set_mass.iter().all(|mass| *mass == f64::NEG_INFINITY));
            assert!(
                replayed
                    .observed
                    .iter()
                    .chain(&replayed.proposed)
                    .all(|sum| sum.is_finite())
            );
        }
    }
}

#[test]
fn a_set_without_mass_says_so() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let (layout, chain) = chain(marginals, 1, 0.0);
        let params = params(&chain, 1.0, &mut seeded(i as u64));
        let blank = blank(&layout, 10, 0.1);
        sets_without_mass(&chain, marginals, &params, &blank);
        sets_without_mass(&chain, marginals, &narrow(&params), &blank);
    }
}

/// What a row draws depends on its stream and its steps, not on its neighbours; a pass of fewer columns is the start
/// of the whole.
#[test]
fn a_row_of_a_pass_is_addressable() {
    let marginals = [marginal(true, 2), marginal(false, 3), gridded(6, 0)];
    let mut rng = seeded(60);
    let (layout, chain) = chain(&marginals, 1, 0.0);
    let params = params(&chain, 1.0, &mut rng);
    let sets: Vec<LevelSet> = marginals
        .iter()
        .map(|marginal| partition(marginal, 2, &mut rng).remove(0))
        .collect();
    let steps = |row: u64, j: usize| match (row + j as u64) % 3 {
        0 => Step::Draw(None),
        1 => Step::Draw(Some(&sets[j])),
        _ => Step::Observe,
    };
    let pass = |rows: &mut Rows, streams: &[u64], columns: usize| {
        let pass = AncestralPass {
            steps: &|row, j| steps(streams[row], j),
            streams,
            key: Key::new(8),
            scored: true,
            by_column: false,
        };
        chain.pass(&params, rows, columns, pass, &mut RowScratch::default())
    };
    let start = draw_rows(&layout, &marginals, 40, 1, &mut rng);
    let mut whole = start.clone();
    let every: Vec<u64> = (0..40).collect();
    let sums = pass(&mut whole, &every, 3);

    let some = [31_usize, 7, 8, 2];
    let mut alone = common::autoregressive::chosen(&start, &some);
    let own = pass(&mut alone, &some.map(|row| row as u64), 3);
    for (i, &row) in some.iter().enumerate() {
        assert_eq!(alone.levels.row(i), whole.levels.row(row));
        assert_abs_diff_eq!(
            alone.low.row(i).to_owned(),
            whole.low.row(row).to_owned(),
            epsilon = 1e-12
        );
        assert_relative_eq!(own.proposed[i], sums.proposed[row], epsilon = 1e-9);
        assert_relative_eq!(own.observed[i], sums.observed[row], epsilon = 1e-9);
        assert_relative_eq!(own.set_mass[i], sums.set_mass[row], epsilon = 1e-9);
    }

    let mut first = start.clone();
    pass(&mut first, &every, 2);
    assert_eq!(first.levels, whole.levels.slice(s![.., ..2]));
    assert_eq!(first.low.column(0), whole.low.column(0));
    assert_eq!(first.low.column(1), start.low.column(1));
}

/// In `f32`, at every level the machine has: draws lie in their sets, and sums are those of `f64` at the same weights. Of
/// weights far out only the first is asked.
#[test]
fn narrow_passes_agree_at_every_level() {
    for (i, marginals) in all_tables().iter().enumerate() {
        let mut rng = seeded(80 + i as u64);
        let (layout, chain) = chain(marginals, 2, 0.0);
        let sets: Vec<LevelSet> = marginals
            .iter()
            .map(|marginal| partition(marginal, 5, &mut rng).remove(0))
            .collect();
        for (scale, level) in [1.0, 30.0].iter().flat_map(|s| Level::ALL.map(|l| (*s, l))) {
            let narrow = narrow(&params(&chain, scale, &mut rng));
            let mut rows = draw_rows(&layout, marginals, 60, 2, &mut rng);
            let drawn = with_level(level, || {
                pass(&chain, &narrow, &mut rows, |_, j| Step::Draw(Some(&sets[j])))
            });
            for row in 0..60 {
                for (j, marginal) in marginals.iter().enumerate() {
                    let (level, rank) = layout.level_and_rank(&rows, row, j);
                    assert!(sets[j].contains(level, marginal.continuous.then_some(rank)));
                }
                assert!(drawn.proposed[row].is_finite() && drawn.set_mass[row].is_finite());
            }
            if scale > 1.0 {
                continue;
            }
            let replayed = pass(&chain, &wide(&narrow), &mut rows, |_, j| {
                Step::Score(Some(&sets[j]))
            });
            for (found, expected) in [
                (&drawn.proposed, &replayed.proposed),
                (&drawn.set_mass, &replayed.set_mass),
            ] {
                for (found, expected) in found.iter().zip(expected) {
                    assert_relative_eq!(found, expected, epsilon = 1e-4, max_relative = 1e-5);
                }
            }
        }
    }
}
