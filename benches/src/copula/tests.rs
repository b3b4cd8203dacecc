use approx::{assert_abs_diff_eq, assert_relative_eq};
use ef_tabular::{ColumnData, EncoderOptions, TableEncoder};
use ef_tensor::normal::{log_phi, ndtr, ndtri};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn text(values: impl Iterator<Item = usize>) -> ColumnData {
    ColumnData::Text(values.map(|v| Some(["a", "b", "c", "d"][v].to_owned())).collect())
}

fn table(columns: Vec<ColumnData>) -> Table {
    let named = columns.into_iter().enumerate();
    Table::from_columns(named.map(|(j, data)| (format!("c{j}"), data)).collect())
        .expect("columns of one length")
}

fn marginals(table: &Table) -> Vec<ColumnMarginal> {
    let encoder = TableEncoder::fit(table, &EncoderOptions::default()).expect("marginals");
    encoder.marginals().to_vec()
}

/// Three related categories of three levels each, uneven.
fn categories() -> Table {
    let level = |i: usize, shift: usize| ((i % 7).pow(2) / 13 + shift * (i % 5) / 4).min(2);
    table(
        (0..3)
            .map(|shift| text((0..300).map(|i| level(i, shift))))
            .collect(),
    )
}

#[test]
fn masses_of_all_rows_sum_to_one() {
    let table = categories();
    let marginals = marginals(&table);
    let copula = Copula::fit(&marginals, &table).expect("a copula");
    let values = ["a", "b", "c", "never seen"];
    assert!(marginals.iter().all(|marginal| marginal.levels() == 3));
    let mut total = 0.0;
    for a in values {
        for b in values {
            for c in values {
                let row = [a, b, c].into_iter().map(Value::Text);
                // The same draws for every row: then the estimates sum to 1 as the probabilities do.
                let mut rng = ChaCha8Rng::seed_from_u64(1);
                total += copula.log_prob_of(row, 16, &mut rng).log_prob.exp();
            }
        }
    }
    assert_relative_eq!(total, 1.0, epsilon = 1e-9);
}

#[test]
fn a_density_and_a_category_integrate_to_one() {
    let number = |i: usize| (i as f64 * 0.618_034).fract().powi(2) + i as f64 * 1e-7;
    let numbers = ColumnData::Decimal((0..400).map(|i| Some(number(i))).collect());
    let table = table(vec![
        text((0..400).map(|i| usize::from(number(i) > 0.3))),
        numbers,
    ]);
    let marginals = marginals(&table);
    assert!(marginals[1].is_continuous());
    let copula = Copula::fit(&marginals, &table).expect("a copula");
    let points = 4000;
    let mut total = 0.0;
    for k in 0..points {
        // Over ranks: the marginal density is the measure.
        let x = marginals[1].draw(0, (f64::from(k) + 0.5) / f64::from(points));
        for label in ["a", "b"] {
            let found = copula.log_prob_of(
                [Value::Text(label), x].into_iter(),
                2,
                &mut ChaCha8Rng::seed_from_u64(1),
            );
            // the number is known first, so nothing is drawn
            assert_eq!(found.standard_error, 0.0);
            total += (found.log_prob - marginals[1].log_marginal(x)).exp() / f64::from(points);
        }
    }
    let seen = 1.0 - 1.0 / 402.0;
    assert_abs_diff_eq!(total, seen, epsilon = 2e-3);
}

/// `P(Z1 in (a, b), Z2 in (c, d))` for correlation `rho`, by Simpson's rule over `Z1`.
fn by_quadrature(rho: f64, [a, b]: [f64; 2], [c, d]: [f64; 2]) -> f64 {
    let (a, b) = (a.max(-9.0), b.min(9.0));
    let s = (1.0 - rho * rho).sqrt();
    let f = |z: f64| log_phi(z).exp() * (ndtr((d - rho * z) / s) - ndtr((c - rho * z) / s));
    let n = 2000;
    let h = (b - a) / f64::from(n);
    let sum: f64 = (0..=n)
        .map(|i| {
            f(a + f64::from(i) * h)
                * if i == 0 || i == n {
                    1.0
                } else {
                    f64::from(2 + 2 * (i % 2))
                }
        })
        .sum();
    sum * h / 3.0
}

#[test]
fn boxes_have_the_probability_that_quadrature_finds() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for rho in [-0.95, -0.3, 0.0, 0.6, 0.99] {
        let r = Array2::from_shape_fn((2, 2), |(i, j)| if i == j { 1.0 } else { rho });
        let ghk = Ghk::new(&r, vec![1, 0]).expect("positive definite");
        for (one, other) in [
            ([0.0, 0.3], [0.6, 1.0]),
            ([0.4, 0.45], [0.3, 0.9]),
            ([0.0, 0.001], [0.9, 1.0]),
        ] {
            let exact = by_quadrature(rho, one.map(ndtri), other.map(ndtri));
            let events = [
                Event::of_ranks(one[0], one[1]),
                Event::of_ranks(other[0], other[1]),
            ];
            let (log, error) = ghk.log_prob(&events, 20_000, &mut rng);
            let log = log + f64::ln((one[1] - one[0]) * (other[1] - other[0]));
            if exact > 1e-9 {
                assert_abs_diff_eq!(log, exact.ln(), epsilon = 4.5 * error + 1e-6);
            } else {
                assert!(log < -15.0, "{log} where quadrature finds {exact}");
            }
        }
    }
}

#[test]
fn points_have_the_normal_density_and_free_columns_drop_out() {
    let (rho, z) = (0.7, [0.4, -1.2]);
    let r = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 1.0 } else { rho });
    let ghk = Ghk::new(&r, vec![2, 0, 1]).expect("positive definite");
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let quadratic = (z[0] * z[0] - 2.0 * rho * z[0] * z[1] + z[1] * z[1]) / (1.0 - rho * rho);
    let density = -0.5 * (quadratic - z[0] * z[0] - z[1] * z[1]) - 0.5 * (1.0 - rho * rho).ln();
    let (log, error) = ghk.log_prob(
        &[Event::Point(z[0]), Event::Free, Event::Point(z[1])],
        8,
        &mut rng,
    );
    assert_relative_eq!(log, density, epsilon = 1e-12);
    assert_eq!(error, 0.0);
    // a free column that comes first is drawn, and averaged away
    let (log, error) = ghk.log_prob(
        &[Event::Point(z[0]), Event::Point(z[1]), Event::Free],
        20_000,
        &mut rng,
    );
    assert_abs_diff_eq!(log, density, epsilon = 4.5 * error);
    assert!(error > 0.0);
}

#[test]
fn without_correlation_a_copula_is_its_columns() {
    let table = categories();
    let marginals = marginals(&table);
    let mut copula = Copula::fit(&marginals, &table).expect("a copula");
    copula.ghk = Ghk::new(&Array2::eye(3), vec![0, 1, 2]).expect("positive definite");
    for (row, found) in copula.log_prob(&table, Key::new(1), 4).iter().enumerate() {
        assert_relative_eq!(found.log_prob, copula.log_marginals(&table, row), epsilon = 1e-9);
    }
}

#[test]
fn grid_points_and_atoms_lie_side_by_side() {
    // whole numbers up to 599, half of all rows at 250, a few missing
    let value = |i: usize| {
        if i.is_multiple_of(2) {
            250
        } else {
            (i * 7919) % 600
        }
    };
    let values = (0..4000)
        .map(|i| (i % 100 != 3).then_some(value(i) as i64))
        .collect();
    let table = table(vec![ColumnData::Integer(values)]);
    let marginals = marginals(&table);
    let ColumnMarginal::Number(marginal) = &marginals[0] else {
        panic!("a column of numbers")
    };
    assert!(marginal.is_continuous() && marginal.atoms().contains(&250.0));
    let column = ColumnRanks::new(&marginals[0]);
    let ranks = |x: f64| column.find(Value::Number(x)).ranks.expect("a level");
    let mut end = ranks(0.0).0;
    assert_abs_diff_eq!(end, 0.0, epsilon = 1e-9);
    for x in 0..600 {
        let (low, high) = ranks(f64::from(x));
        assert_abs_diff_eq!(low, end, epsilon = 1e-9);
        // a width is the value's probability among those seen
        let own = (column.log_marginal(Value::Number(f64::from(x)))).exp();
        assert_relative_eq!(high - low, own, max_relative = 2e-3);
        end = high;
    }
    let (low, high) = column.find(Value::Missing).ranks.expect("a level");
    assert!(low >= end);
    assert_abs_diff_eq!(high, 1.0, epsilon = 1e-9);
    assert_relative_eq!(high - low, 40.0 / 4000.0, max_relative = 1e-6);
}

#[test]
fn far_tails_have_mass_and_order() {
    // Mills: P(Z > x) = phi(x) / x (1 - 1/x^2 + ..)
    for (low, high) in [(40.0, 41.0), (50.0, f64::INFINITY)] {
        let (middle, log) = ghk::between(low, high, 0.5);
        assert!(low < middle && middle < high);
        assert_abs_diff_eq!(log, log_phi(low) - low.ln(), epsilon = 1e-3);
        let (mirrored, other) = ghk::between(-high, -low, 0.5);
        assert_eq!((mirrored, other), (-middle, log));
    }
    let ranks = [0.1, 0.5, 0.9].map(|u| ghk::between(-39.0, -38.0, u).0);
    assert!(ranks[0] < ranks[1] && ranks[1] < ranks[2]);
}
