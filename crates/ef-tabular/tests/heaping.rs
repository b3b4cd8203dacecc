//! Heaping: planted grids are found, none is seen where there is none, and a marginal does not remember single rows.

use approx::assert_abs_diff_eq;
use ef_tabular::{ColumnMarginal, NumberMarginal, Value};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// House prices of skewed shape; each is rounded to the first multiple whose share is drawn, else to whole numbers.
fn prices(seed: u64, rows: usize, rounded: &[(f64, f64)]) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let price = |_| {
        let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let mut left: f64 = rng.random();
        let grid = rounded.iter().find(|(share, _)| {
            left -= share;
            left < 0.0
        });
        let multiple = grid.map_or(1.0, |(_, multiple)| *multiple);
        (200_000.0 * (0.5 * normal).exp() / multiple).round() * multiple
    };
    (0..rows).map(price).collect()
}

fn fit(values: &[f64]) -> NumberMarginal {
    match ColumnMarginal::fit_numbers(values, None).unwrap() {
        ColumnMarginal::Number(marginal) => *marginal,
        other => panic!("not a marginal of numbers: {other:?}"),
    }
}

fn share_of(marginal: &NumberMarginal, multiple: f64) -> f64 {
    marginal
        .heaping()
        .filter(|heap| heap.0 == multiple)
        .map(|heap| heap.1)
        .sum()
}

#[test]
fn the_weights_of_planted_heaping_are_found() {
    for seed in 0..4 {
        let marginal = fit(&prices(seed, 6000, &[(0.6, 100.0)]));
        assert_abs_diff_eq!(share_of(&marginal, 100.0), 0.6, epsilon = 0.05);
        assert_abs_diff_eq!(marginal.smooth_weight(), 0.4, epsilon = 0.05);
        let marginal = fit(&prices(seed, 6000, &[(0.4, 100.0), (0.3, 2500.0)]));
        assert_abs_diff_eq!(share_of(&marginal, 100.0), 0.4, epsilon = 0.05);
        assert_abs_diff_eq!(share_of(&marginal, 2500.0), 0.3, epsilon = 0.05);
        assert_abs_diff_eq!(marginal.smooth_weight(), 0.3, epsilon = 0.05);
    }
}

/// Heavier heaping would make atoms of the multiples.
#[test]
fn ages_heap_at_5() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut age = |i: usize| {
        let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let multiple = if i % 10 < 3 { 5.0 } else { 1.0 };
        ((45.0 + 15.0 * normal) / multiple).round().max(0.0) * multiple
    };
    let marginal = fit(&(0..600).map(&mut age).collect::<Vec<f64>>());
    assert!(marginal.is_continuous());
    let heaped: f64 = marginal.heaping().map(|heap| heap.1).sum();
    assert_abs_diff_eq!(heaped, 0.3, epsilon = 0.1);
    assert!(marginal.heaping().all(|heap| heap.0 % 5.0 == 0.0));
}

#[test]
fn heaping_is_worth_what_it_tells() {
    // a price rounded to hundreds is known to be one of a hundredth of all numbers
    let (train, test) = (prices(1, 6000, &[(1.0, 100.0)]), prices(2, 2000, &[(1.0, 100.0)]));
    let heaped = ColumnMarginal::fit_numbers(&train, None).unwrap();
    // the same prices in hundreds have the same masses
    let hundreds: Vec<f64> = train.iter().map(|x| x / 100.0).collect();
    let coarse = ColumnMarginal::fit_numbers(&hundreds, None).unwrap();
    // one odd row keeps the step at 1
    let mut odd = train.clone();
    odd[0] += 1.0;
    let odd = ColumnMarginal::fit_numbers(&odd, None).unwrap();
    let score = |marginal: &ColumnMarginal, unit: f64| {
        let log = |x: &f64| marginal.log_marginal(Value::Number(x / unit));
        test.iter().map(log).sum::<f64>() / test.len() as f64
    };
    assert_abs_diff_eq!(score(&heaped, 1.0), score(&coarse, 100.0), epsilon = 0.02);
    assert_abs_diff_eq!(score(&odd, 1.0), score(&coarse, 100.0), epsilon = 0.02);
}

#[test]
fn heaping_stores_no_training_value() {
    let marginal = ColumnMarginal::fit_numbers(&prices(5, 6000, &[(0.6, 100.0)]), None).unwrap();
    assert_eq!(marginal.stored_training_values(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_column_without_heaping_gets_none(seed: u64, rows in 300usize..5000, log_step in 0i32..4) {
        let step = 10f64.powi(-log_step);
        let values: Vec<f64> = prices(seed, rows, &[]).iter().map(|x| x * step).collect();
        let heaps: Vec<_> = fit(&values).heaping().collect();
        prop_assert!(heaps.is_empty(), "{:?}", heaps);
    }

    /// A marginal that does not hold a row hardly differs from one that does, whoever asks for that row's own value.
    #[test]
    fn a_value_of_fewer_than_five_rows_is_not_remembered(seed: u64, at in 0.02..0.98) {
        let mut values = prices(seed, 4000, &[(0.6, 100.0)]);
        values.sort_by(f64::total_cmp);
        let log = |values: &[f64], x: f64| {
            ColumnMarginal::fit_numbers(values, None).unwrap().log_marginal(Value::Number(x))
        };
        let first = (at * values.len() as f64) as usize;
        let x = values[first];
        let copies = |values: &[f64]| values.iter().filter(|value| **value == x).count();
        prop_assume!(copies(&values) < 5);
        let before = log(&values, x);
        // its neighbour on the same grid
        let neighbour = x + if x % 100.0 == 0.0 { 100.0 } else { 1.0 };
        values.iter_mut().filter(|value| **value == x).for_each(|value| *value = neighbour);
        let after = log(&values, x);
        prop_assert!((before - after).abs() < 0.05, "{}: {} and {}", x, before, after);
    }
}
