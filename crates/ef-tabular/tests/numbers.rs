//! What must hold for every marginal of numbers: mass 1, ranks that invert, ranges that agree with sums.

use std::sync::Arc;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_tabular::{Asinh, ColumnMarginal, Place, Transformer, Value};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// w = ln(1 + x): a map with a domain that ends.
#[derive(Debug)]
struct Log1p;

impl Transformer for Log1p {
    fn kind(&self) -> &str {
        "log1p"
    }
    fn forward(&self, x: f64) -> f64 {
        x.ln_1p()
    }
    fn inverse(&self, w: f64) -> f64 {
        w.exp_m1()
    }
    fn log_derivative(&self, x: f64) -> f64 {
        -x.ln_1p()
    }
    fn domain(&self) -> (f64, f64) {
        (-1.0, f64::INFINITY)
    }
}

/// w = -x: a map that decreases.
#[derive(Debug)]
struct Negate;

impl Transformer for Negate {
    fn kind(&self) -> &str {
        "negate"
    }
    fn forward(&self, x: f64) -> f64 {
        -x
    }
    fn inverse(&self, w: f64) -> f64 {
        -w
    }
    fn log_derivative(&self, _x: f64) -> f64 {
        0.0
    }
}

fn rounded(x: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (x * scale).round() / scale
}

/// A name, the marginal, and its grid step (0 without one).
struct Case {
    name: &'static str,
    marginal: ColumnMarginal,
    step: f64,
}

fn case(name: &'static str, step: f64, values: &[f64], map: Option<Arc<dyn Transformer>>) -> Case {
    Case {
        name,
        marginal: ColumnMarginal::fit_numbers(values, map).expect(name),
        step,
    }
}

/// One marginal of every sort.
fn cases() -> Vec<Case> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut normal = |n: usize| -> Vec<f64> {
        let one = |rng: &mut ChaCha8Rng| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        (0..n).map(|_| one(&mut rng)).collect()
    };
    let base = normal(3000);
    let map = |f: &dyn Fn(f64) -> f64| base.iter().map(|x| f(*x)).collect::<Vec<f64>>();
    let with = |mut values: Vec<f64>, more: &[f64], times: usize| {
        more.iter().for_each(|x| values.extend(vec![*x; times]));
        values
    };
    let whole = map(&|x| rounded(400.0 * x, 0));
    let positive = map(&|x| rounded(300.0 * x.abs(), 0));
    let spending = map(&|x| rounded((1.5 * x).exp() * 20.0, 1));
    let heaped = base
        .iter()
        .enumerate()
        .map(|(i, x)| rounded(*x, if i % 3 == 0 { 3 } else { 1 }))
        .collect::<Vec<_>>();
    let to = |x: f64, multiple: f64| (x / multiple).round() * multiple;
    let mixed = |fine: f64, coarse: &[(usize, f64)], scale: &dyn Fn(f64) -> f64| -> Vec<f64> {
        let grid = |i: usize| {
            coarse
                .iter()
                .find(|(every, _)| i.is_multiple_of(*every))
                .map_or(fine, |g| g.1)
        };
        base.iter()
            .enumerate()
            .map(|(i, x)| to(scale(*x), grid(i)))
            .collect()
    };
    let prices = mixed(1.0, &[(5, 1.0), (1, 100.0)], &|x| 3000.0 * (0.6 * x).exp());
    let ages = mixed(1.0, &[(8, 10.0), (4, 5.0)], &|x| (45.0 + 15.0 * x).max(0.0))[..700].to_vec();
    let amounts: Vec<f64> = mixed(1.0, &[(2, 50.0), (3, 1000.0)], &|x| 3000.0 * x)
        .iter()
        .map(|x| x / 100.0)
        .collect();
    vec![
        case("listed", 1.0, &map(&|x| rounded(3.0 * x, 0)), None),
        case(
            "listed, positive, missing",
            0.1,
            &with(map(&|x| rounded(x.abs(), 1)), &[f64::NAN], 20),
            None,
        ),
        case(
            "listed without a grid",
            0.0,
            &map(&|x| rounded(x, 0) * std::f64::consts::PI),
            None,
        ),
        case("constant", 1.0, &[4.0; 50], None),
        case("two rows", 1.0, &[4.0, 9.0], None),
        case("one row", 0.0, &[0.123_456_789], None),
        case("three rows", 0.1, &[4.0, 9.0, 11.5], None),
        case("whole", 1.0, &whole, None),
        case(
            "whole, atoms, missing",
            1.0,
            &with(whole.clone(), &[0.0, 1.0, 55.0, 5000.0, f64::NAN], 300),
            None,
        ),
        case("natural bound", 1.0, &positive, None),
        case(
            "natural bound, atom at it",
            1.0,
            &with(positive.clone(), &[0.0], 1000),
            None,
        ),
        case("skewed tenths", 0.1, &spending, None),
        case("heaped thousandths", 0.001, &heaped, None),
        case("house prices, mostly in hundreds", 1.0, &prices, None),
        case(
            "house prices, an atom on the coarser grid",
            1.0,
            &with(prices.clone(), &[900.0], 300),
            None,
        ),
        case("ages heaped at 5 and 10", 1.0, &ages, None),
        case(
            "amounts heaped on both sides of 0",
            0.01,
            &amounts,
            Some(Arc::new(Negate)),
        ),
        case("density", 0.0, &base, None),
        case(
            "density with atoms and missing",
            0.0,
            &with(base.clone(), &[0.25, 9.0, f64::NAN], 100),
            None,
        ),
        case("positive density", 0.0, &map(&|x| x.abs()), None),
        case("heavy tails", 0.0, &map(&|x| (3.0 * x).sinh()), None),
        case("user map", 0.0, &map(&|x| x.exp() - 0.9), Some(Arc::new(Log1p))),
        case("user map on a grid", 1.0, &positive, Some(Arc::new(Log1p))),
        case("decreasing map", 0.0, &base, Some(Arc::new(Negate))),
        case("decreasing map on a grid", 1.0, &positive, Some(Arc::new(Negate))),
        case(
            "asinh by hand",
            0.001,
            &heaped,
            Some(Arc::new(Asinh::new(0.0, 0.1))),
        ),
    ]
}

fn number(marginal: &ColumnMarginal, level: u32, rank: f64) -> f64 {
    match marginal.draw(level, rank) {
        Value::Number(x) => x,
        other => panic!("not a number: {other:?}"),
    }
}

fn numbers_of(marginal: &ColumnMarginal) -> &ef_tabular::NumberMarginal {
    match marginal {
        ColumnMarginal::Number(marginal) => marginal,
        _ => panic!("not a marginal of numbers"),
    }
}

#[test]
fn the_heaped_cases_are_heaped() {
    let heaped = |case: &Case| case.name.contains("heaped") || case.name.contains("prices");
    let cases: Vec<Case> = cases().into_iter().filter(heaped).collect();
    assert_eq!(cases.len(), 5);
    for Case { name, marginal, .. } in &cases {
        assert!(numbers_of(marginal).heaping().next().is_some(), "{name}");
    }
}

#[test]
fn every_value_together_has_mass_one() {
    for Case { name, marginal, step } in cases() {
        let (min, max) = numbers_of(&marginal).range();
        let range = (max - min).max(20.0 * step).max(0.1 * max.abs());
        let mut missing = marginal.log_marginal(Value::Missing).exp();
        if step > 0.0 && marginal.missing_level().is_some() {
            // a number off the grid; where none was missing at fit, a missing one is the same event
            missing += marginal.log_marginal(Value::Number(0.5 * step)).exp();
        }
        let (mut total, mut atoms) = (missing, 0.0);
        if step > 0.0 {
            let (low, high) = (
                ((min - 4.0 * range) / step) as i64,
                ((max + 4.0 * range) / step) as i64,
            );
            for index in low..=high {
                let x = if step < 1.0 {
                    index as f64 / (1.0 / step).round()
                } else {
                    index as f64
                };
                total += marginal.log_marginal(Value::Number(x)).exp();
            }
        } else {
            for x in numbers_of(&marginal).atoms() {
                atoms += marginal.log_marginal(Value::Number(*x)).exp();
            }
            // a natural bound at 0 may lie far below the smallest value
            let (low, high) = (
                (min - 4.0 * range).min(if min >= 0.0 { -range } else { min }),
                min + 5.0 * range,
            );
            // pieces that widen with the distance from 0, where long tails begin
            let scale = 1e-3 * range;
            let ends = [low, high].map(|x| (x / scale).asinh());
            let pieces = 2_000_000;
            let width = (ends[1] - ends[0]) / f64::from(pieces);
            for i in 0..pieces {
                let t = ends[0] + (f64::from(i) + 0.5) * width;
                let x = scale * t.sinh();
                total += marginal.log_marginal(Value::Number(x)).exp() * width * scale * t.cosh();
            }
            total += atoms;
        }
        // what is left: the far ends of the tails, and the quadrature's own error
        let tolerance = if step > 0.0 { 1e-6 } else { 2e-4 };
        assert_abs_diff_eq!(total, 1.0, epsilon = tolerance);
        let everything = numbers_of(&marginal).mass(f64::NEG_INFINITY, f64::INFINITY);
        println!("{name}: {total}");
        assert_abs_diff_eq!(everything + missing, 1.0, epsilon = 1e-9);
    }
}

#[test]
fn ranges_agree_with_sums_and_integrals() {
    for Case { name, marginal, step } in cases() {
        let numbers = numbers_of(&marginal);
        let (min, max) = numbers.range();
        let range = (max - min).max(20.0 * step).max(0.1 * max.abs());
        for (from, to) in [(-0.5, 0.2), (0.3, 0.31), (0.0, 1.0), (0.9, 1.5), (-1.0, -0.1)] {
            let (lo, hi) = (min + from * range, min + to * range);
            let sum: f64 = if step > 0.0 {
                let scale = (1.0 / step).round();
                let (first, last) = ((lo * scale).ceil() as i64, (hi * scale).floor() as i64);
                (first..=last)
                    .map(|i| marginal.log_marginal(Value::Number(i as f64 / scale)).exp())
                    .sum()
            } else {
                let inside = numbers.atoms().iter().filter(|x| (lo..=hi).contains(x));
                let atoms: f64 = inside
                    .map(|x| marginal.log_marginal(Value::Number(*x)).exp())
                    .sum();
                let pieces = 400_000;
                let width = (hi - lo) / f64::from(pieces);
                let middle = |i: i32| lo + (f64::from(i) + 0.5) * width;
                atoms
                    + (0..pieces)
                        .map(|i| marginal.log_marginal(Value::Number(middle(i))).exp() * width)
                        .sum::<f64>()
            };
            println!("{name} [{lo}, {hi}]: {sum}");
            assert_abs_diff_eq!(
                numbers.mass(lo, hi),
                sum,
                epsilon = if step > 0.0 { 1e-9 } else { 1e-4 }
            );
        }
    }
}

#[test]
fn ranks_invert() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for Case { name, marginal, step } in cases() {
        for level in 0..marginal.levels() as u32 {
            let missing = matches!(marginal.draw(level, 0.5), Value::Missing);
            assert_eq!(
                marginal.place(marginal.draw(level, 0.5)).level,
                Some(level),
                "{name}"
            );
            if missing || level > 0 || !marginal.is_continuous() {
                continue;
            }
            let ColumnMarginal::Number(own) = &marginal else {
                continue;
            };
            let seen = own.ranks_seen();
            assert!(seen.0 < seen.1, "{name}: {seen:?}");
            for i in 0..20_000 {
                let rank = if i < 200 {
                    10f64.powf(-0.08 * f64::from(i))
                } else {
                    rng.random()
                };
                let rank = if i % 2 == 0 { rank } else { 1.0 - rank }.clamp(1e-15, 1.0 - 1e-15);
                let x = number(&marginal, 0, rank);
                let place = marginal.place(Value::Number(x));
                assert_eq!(place.level, Some(0), "{name}: rank {rank} gave {x}");
                let slack = if step > 0.0 { 1e-14 } else { 1e-9 };
                assert!(
                    place.low - slack <= rank && rank <= place.high + slack,
                    "{name}: {rank} {x} {place:?}"
                );
                assert_eq!(place.low == place.high, step == 0.0, "{name}: {place:?}");
            }
        }
    }
}

#[test]
fn an_interval_of_ranks_is_its_mass() {
    for Case { name, marginal, step } in cases() {
        if step == 0.0 || !marginal.is_continuous() {
            continue;
        }
        // what is left of 1 for values that no level holds
        let places =
            (1..500).map(|i| marginal.place(Value::Number(number(&marginal, 0, f64::from(i) / 500.0))));
        let factors: Vec<f64> = places
            .map(|place| place.log_measure.exp() / (place.high - place.low))
            .collect();
        for factor in &factors {
            println!("{name}: {factor}");
            assert!(*factor < 1.0 + 1e-6);
            assert_relative_eq!(*factor, factors[0], max_relative = 1e-6);
        }
    }
}

#[test]
fn uniform_ranks_reproduce_the_marginal() {
    for Case { name, marginal, .. } in cases() {
        if !marginal.is_continuous() {
            continue;
        }
        let draws = 20_000;
        let mut values: Vec<f64> = (0..draws)
            .map(|k| number(&marginal, 0, (f64::from(k) + 0.5) / f64::from(draws)))
            .collect();
        values.sort_by(f64::total_cmp);
        assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "{name}");
        // shares between quantiles are what place says they are
        for q in [0.1, 0.35, 0.5, 0.77, 0.98] {
            let x = number(&marginal, 0, q);
            let below = values.partition_point(|value| *value <= x) as f64 / f64::from(draws);
            let hi = marginal.place(Value::Number(x)).high;
            assert_abs_diff_eq!(below, hi, epsilon = 2.0 / f64::from(draws));
        }
    }
}

#[test]
fn drawing_stays_on_the_grid_and_inside_natural_bounds() {
    for Case { name, marginal, step } in cases() {
        let numbers = numbers_of(&marginal);
        for i in 0..2000 {
            let rank = (f64::from(i) + 0.5) / 2000.0;
            let Value::Number(x) = marginal.draw(0, rank) else {
                continue;
            };
            if step > 0.0 {
                let scale = (1.0 / step).round();
                assert_eq!((x * scale).round() / scale, x, "{name}");
            }
            assert!(numbers.range().0 < 0.0 || x >= 0.0, "{name}: {x}");
        }
    }
}

#[test]
fn every_number_scores_finite_and_saved_marginals_are_equal() {
    for Case { name, marginal, .. } in cases() {
        for x in [
            0.0,
            -0.0,
            0.5,
            1e-300,
            -1e-300,
            12345.6789,
            -1e18,
            1e18,
            f64::MAX,
            f64::MIN,
            5e-324,
        ] {
            let place = marginal.place(Value::Number(x));
            assert!(place.log_measure.is_finite(), "{name}: {x} {place:?}");
            assert!(
                0.0 <= place.low && place.low <= place.high && place.high <= 1.0,
                "{name}: {x} {place:?}"
            );
            let mut features = vec![0.0; marginal.num_features()];
            marginal.features(Value::Number(x), &mut features);
            assert!(
                features.iter().all(|feature| feature.is_finite()),
                "{name}: {x} {features:?}"
            );
        }
        assert!(marginal.place(Value::Missing).log_measure.is_finite(), "{name}");
        ef_tabular::register_transformer("log1p", |_| Ok(Arc::new(Log1p))).unwrap();
        ef_tabular::register_transformer("negate", |_| Ok(Arc::new(Negate))).unwrap();
        let saved = serde_json::to_string(&marginal).unwrap();
        assert_eq!(
            serde_json::from_str::<ColumnMarginal>(&saved).unwrap(),
            marginal,
            "{name}"
        );
    }
}

#[test]
fn bins_over_ranks_cover_everything() {
    for Case { name, marginal, step } in cases() {
        let Some(bins) = marginal.rank_bins(64) else {
            assert!(!marginal.is_continuous());
            continue;
        };
        assert!(!bins.is_empty() && bins.len() <= 64, "{name}");
        assert!(bins.ranks.windows(2).all(|pair| pair[0] < pair[1]), "{name}");
        assert!(bins.edges.windows(2).all(|pair| pair[0] < pair[1]), "{name}");
        for i in 0..200 {
            // a value between two edges has its ranks between theirs
            let x = number(&marginal, 0, (f64::from(i) + 0.5) / 200.0);
            let bin = bins.edges.partition_point(|edge| *edge <= x) - 1;
            let place = marginal.place(Value::Number(x));
            let slack = if step > 0.0 { 1e-12 } else { 1e-9 };
            assert!(
                bins.ranks[bin] - slack <= place.low && place.high <= bins.ranks[bin + 1] + slack,
                "{name}: {x}"
            );
        }
    }
}

/// Mixtures of narrow Gaussians lose little against the truth.
#[test]
fn narrow_mixtures_are_resolved() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let deviation = 0.05f64.sqrt();
    let mut draw = || {
        let centre = 2.0 * f64::from(rng.random_range(-2i32..=2));
        let (a, b): (f64, f64) = (rng.random(), rng.random());
        centre + deviation * (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    };
    let train: Vec<f64> = (0..10_000).map(|_| draw()).collect();
    let marginal = ColumnMarginal::fit_numbers(&train, None).unwrap();
    let truth = |x: f64| {
        let peak = |k: i32| (-0.5 * (x - 2.0 * f64::from(k)).powi(2) / 0.05).exp();
        ((-2..=2).map(peak).sum::<f64>() / 5.0 / (deviation * std::f64::consts::TAU.sqrt())).ln()
    };
    let draws = 100_000;
    let loss: f64 = (0..draws)
        .map(|_| draw())
        .map(|x| truth(x) - marginal.log_marginal(Value::Number(x)))
        .sum();
    assert!(loss / f64::from(draws) < 0.006, "{}", loss / f64::from(draws));
}

#[test]
fn a_transformer_must_fit_its_column() {
    let error = ColumnMarginal::fit_numbers(&[-2.0, 1.5, 3.0, 7.0], Some(Arc::new(Log1p))).unwrap_err();
    assert!(error.contains("domain is (-1, inf)"), "{error}");
}

#[test]
fn missing_has_a_level_only_if_it_was_seen() {
    let marginal = ColumnMarginal::fit_numbers(&[1.0, 2.0, f64::NAN], None).unwrap();
    assert_eq!(marginal.place(Value::Missing).level, Some(2));
    assert_eq!(marginal.draw(2, 0.5), Value::Missing);
    let marginal = ColumnMarginal::fit_numbers(&[1.0, 2.0, 2.0], None).unwrap();
    assert_eq!(marginal.place(Value::Missing).level, None);
    let marginal = ColumnMarginal::fit_numbers(&[f64::NAN; 3], None).unwrap();
    assert_eq!((marginal.levels(), marginal.draw(0, 0.1)), (1, Value::Missing));
    assert!(marginal.place(Value::Number(3.0)).log_measure.is_finite());
}

fn any_numbers() -> impl Strategy<Value = Vec<f64>> {
    let wild = prop_oneof![
        any::<f64>(),
        (-50i32..50).prop_map(f64::from),
        (0u32..1000).prop_map(|i| f64::from(i) / 100.0),
        Just(f64::NAN),
        Just(1e300),
        Just(-1e308),
        Just(5e-324),
        Just(0.0),
    ];
    prop::collection::vec(wild, 0..120)
}

fn check(marginal: &ColumnMarginal, place: Place) -> Result<(), TestCaseError> {
    prop_assert!(!place.log_measure.is_nan());
    prop_assert!(0.0 <= place.low && place.low <= place.high && place.high <= 1.0);
    prop_assert!(
        place
            .level
            .is_none_or(|level| (level as usize) < marginal.levels())
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_column_of_numbers_breaks_a_marginal(values in any_numbers(), x in any::<f64>(), rank in any::<f64>()) {
        let marginal = ColumnMarginal::fit_numbers(&values, None).unwrap();
        prop_assert_eq!(marginal.level_shares().len(), marginal.levels());
        for value in values.iter().copied().chain([x]) {
            let place = marginal.place(Value::Number(value));
            check(&marginal, place)?;
            prop_assert!(!value.is_finite() || place.log_measure.is_finite());
            let mut features = vec![0.0; marginal.num_features()];
            marginal.features(Value::Number(value), &mut features);
            prop_assert!(features.iter().all(|feature| feature.is_finite()));
        }
        for rank in [rank, rank.abs().fract(), 0.0, 1.0] {
            let drawn = marginal.draw(0, rank);
            check(&marginal, marginal.place(drawn))?;
            prop_assert!(!matches!(drawn, Value::Number(x) if !x.is_finite()));
        }
        let mass = match &marginal { ColumnMarginal::Number(marginal) => marginal.mass(-1.0, x), _ => 0.0 };
        prop_assert!((-1e-9..=1.0 + 1e-9).contains(&mass), "{}", mass);
        let saved = serde_json::to_string(&marginal).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ColumnMarginal>(&saved).unwrap(), &marginal);
        marginal.rank_bins(20);
    }
}

#[test]
fn a_damaged_marginal_is_refused_when_it_is_loaded() {
    let values: Vec<f64> = (0..500).map(|i| f64::from(i) * 1.25).collect();
    let marginal = serde_json::to_value(ColumnMarginal::fit_numbers(&values, None).unwrap()).unwrap();
    let damages: [fn(&mut serde_json::Value); 7] = [
        |marginal| marginal["smooth"]["cdf"] = serde_json::json!([]),
        |marginal| marginal["smooth"]["cdf"] = serde_json::json!([0.5, 0.2, 0.9]),
        |marginal| marginal["smooth"]["width"] = serde_json::json!(-1.0),
        |marginal| marginal["counts"] = serde_json::json!([1, 2, 3]),
        |marginal| marginal["weight"] = serde_json::json!(7.0),
        |marginal| marginal["heaps"] = serde_json::json!([{"multiple": 0, "weight": 0.1}]),
        |marginal| marginal["heaps"] = serde_json::json!([{"multiple": 5, "weight": 0.9}]),
    ];
    for damage in damages {
        let mut damaged = marginal.clone();
        damage(&mut damaged);
        let error = serde_json::from_value::<ColumnMarginal>(damaged)
            .unwrap_err()
            .to_string();
        assert!(error.contains("damaged"), "{error}");
    }
}

/// Whatever rank a model comes up with, confined it is drawn within the range seen at fit.
#[test]
fn confined_draws_stay_in_the_range_seen() {
    for Case { name, marginal, .. } in cases() {
        let ColumnMarginal::Number(own) = &marginal else {
            continue;
        };
        if !marginal.is_continuous() {
            continue;
        }
        let (low, high) = own.range();
        let tiny = (0..60).map(|k| 10f64.powi(-k));
        let ranks = tiny
            .flat_map(|t| [t, 1.0 - t])
            .chain([0.0, 1.0, -1.0, 2.0, f64::NAN, 0.5]);
        for rank in ranks {
            let x = number(&marginal, 0, own.confined(rank));
            let slack = 1e-12 * (high - low);
            assert!(
                (low - slack..=high + slack).contains(&x),
                "{name}: rank {rank} gave {x}, outside {low} to {high}"
            );
        }
    }
}

/// A marginal saved before there was heaping holds no grids: counts have all that the smooth part leaves.
#[test]
fn a_marginal_saved_before_heaping_is_read_as_it_was() {
    let values: Vec<f64> = (0..6000).map(|i| f64::from((i * i) % 1009)).collect();
    let marginal = ColumnMarginal::fit_numbers(&values, None).unwrap();
    let mut saved = serde_json::to_value(&marginal).unwrap();
    let repeated: Vec<i64> = (0..1009)
        .filter(|x| values.contains(&f64::from(*x as i32)))
        .collect();
    let count = |x: &i64| values.iter().filter(|value| **value == *x as f64).count();
    saved.as_object_mut().unwrap().remove("heaps");
    saved.as_object_mut().unwrap().remove("discount");
    saved["weight"] = serde_json::json!(0.25);
    saved["seen"] = serde_json::json!(repeated);
    saved["seen_counts"] = serde_json::json!(repeated.iter().map(count).collect::<Vec<usize>>());
    let old: ColumnMarginal = serde_json::from_value(saved).unwrap();
    let ColumnMarginal::Number(numbers) = &old else {
        panic!("not a marginal of numbers")
    };
    assert_eq!((numbers.smooth_weight(), numbers.repeats_weight()), (0.25, 0.75));
    assert_eq!(numbers.heaping().count(), 0);
    for x in &repeated {
        let place = old.place(Value::Number(*x as f64));
        let empirical = 0.75 * count(x) as f64 / values.len() as f64;
        assert!(place.high - place.low >= empirical - 1e-12, "{x}: {place:?}");
    }
    let everything = numbers.mass(f64::NEG_INFINITY, f64::INFINITY) + old.log_marginal(Value::Missing).exp();
    assert_abs_diff_eq!(everything, 1.0, epsilon = 1e-9);
}

/// Many whole numbers of a smooth law have ranks; where the same numbers repeat by another law, they are listed.
#[test]
fn numbers_are_listed_if_they_repeat() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let smooth: Vec<f64> = (0..3000)
        .map(|_| {
            let sum: f64 = (0..12).map(|_| rng.random::<f64>()).sum();
            (60.0 + 12.0 * (sum - 6.0)).round()
        })
        .collect();
    // most rows are rounded to a few numbers, which no smooth law has
    let spiked: Vec<f64> = smooth
        .iter()
        .map(|x| {
            let third = (x / 3.0).round() * 3.0;
            if third % 9.0 == 3.0 { third + 3.0 } else { third }
        })
        .zip(&smooth)
        .map(|(spike, x)| if x % 7.0 < 5.0 { spike } else { *x })
        .collect();
    for (values, listed) in [(&smooth, false), (&spiked, true)] {
        let marginal = ColumnMarginal::fit_numbers(values, None).unwrap();
        assert_eq!(ef_column::Marginal::is_continuous(&marginal), !listed);
    }
}
