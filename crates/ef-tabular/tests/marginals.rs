//! The fitted marginal is the distribution of its rows: over few rows and many decades, for whole numbers and others.

use ef_tabular::{ColumnMarginal, NumberMarginal, Value};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Most Kolmogorov-Smirnov distance, times the root of the number of rows: 1.1 times 1.36, which one sample in twenty of
/// the true distribution exceeds.
const MOST_DISTANCE: f64 = 1.1 * 1.36;
/// Standard errors of a training share that its mass may be off by.
const ERRORS: f64 = 3.0;
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

type Draw = Box<dyn Fn(&mut ChaCha8Rng) -> f64>;

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

fn lognormal(deviation: f64) -> Draw {
    Box::new(move |rng| (8.0 + deviation * normal(rng)).exp())
}

fn pareto(scale: f64, exponent: f64) -> Draw {
    Box::new(move |rng| scale * (1.0 - rng.random::<f64>()).powf(-1.0 / exponent))
}

fn log_uniform(decades: f64) -> Draw {
    Box::new(move |rng| 10f64.powf(decades * rng.random::<f64>()))
}

/// A name, and a distribution.
fn distributions() -> Vec<(String, Draw)> {
    let mut all: Vec<(String, Draw)> = vec![
        ("normal".into(), Box::new(normal)),
        (
            "normal, hundreds".into(),
            Box::new(|rng| 300.0 + 100.0 * normal(rng)),
        ),
        ("uniform".into(), Box::new(|rng| 5000.0 * rng.random::<f64>())),
        (
            "exponential".into(),
            Box::new(|rng| -150.0 * (1.0 - rng.random::<f64>()).ln()),
        ),
        (
            "cauchy".into(),
            Box::new(|rng| 1000.0 * normal(rng) / normal(rng)),
        ),
    ];
    for deviation in [0.5, 1.0, 2.0, 4.0] {
        all.push((format!("lognormal {deviation}"), lognormal(deviation)));
    }
    for exponent in [0.5, 1.0, 1.5] {
        all.push((format!("pareto {exponent}"), pareto(1.0, exponent)));
        all.push((format!("pareto {exponent}, hundreds"), pareto(100.0, exponent)));
    }
    for decades in [2.0, 3.0, 5.0, 7.0, 9.0, 12.0, 15.0] {
        all.push((format!("log-uniform {decades}"), log_uniform(decades)));
    }
    all
}

/// The distance to the rows, and at quantiles the mass above, the share above and the standard errors between them.
fn distances(marginal: &NumberMarginal, rows: &mut [f64]) -> (f64, Vec<(f64, f64, f64)>) {
    rows.sort_by(f64::total_cmp);
    let n = rows.len() as f64;
    let total = marginal.mass(f64::NEG_INFINITY, f64::INFINITY);
    let last = (0..rows.len()).filter(|i| rows.get(i + 1) != Some(&rows[*i]));
    let gap = |i: usize| (marginal.mass(f64::NEG_INFINITY, rows[i]) / total - (i + 1) as f64 / n).abs();
    let distance = last.map(gap).fold(0.0, f64::max) * n.sqrt();
    let above = QUANTILES.map(|quantile| {
        let x = rows[(quantile * n) as usize];
        let share = rows.iter().filter(|row| **row > x).count() as f64 / n;
        let mass = marginal.mass(x.next_up(), f64::INFINITY) / total;
        // of a share of 0 too, what one row would be off by
        (
            mass,
            share,
            (mass - share) / (share.max(1.0 / n) * (1.0 - share) / n).sqrt(),
        )
    });
    (distance, above.to_vec())
}

#[test]
fn every_marginal_is_that_of_its_rows() {
    let mut wrong = Vec::new();
    let (mut worst_distance, mut worst_error) = (0.0f64, 0.0f64);
    for n in [200, 600, 1000, 3000] {
        for (k, (name, draw)) in distributions().iter().enumerate() {
            for whole in [false, true] {
                let mut rng = ChaCha8Rng::seed_from_u64(1000 * n + k as u64);
                let draw = |_| {
                    if whole {
                        draw(&mut rng).floor()
                    } else {
                        draw(&mut rng)
                    }
                };
                let mut rows: Vec<f64> = (0..n).map(draw).collect();
                let marginal = ColumnMarginal::fit_numbers(&rows, None).unwrap();
                let ColumnMarginal::Number(numbers) = &marginal else {
                    panic!("{name}")
                };
                let (distance, above) = distances(numbers, &mut rows);
                let error = above.iter().map(|(_, _, error)| error.abs()).fold(0.0, f64::max);
                (worst_distance, worst_error) = (worst_distance.max(distance), worst_error.max(error));
                if distance > MOST_DISTANCE || error > ERRORS {
                    wrong.push(format!(
                        "{name}, whole {whole}, {n} rows: {distance:.2} {above:.3?}"
                    ));
                }
            }
        }
    }
    println!("worst distance {worst_distance:.2}, worst tail {worst_error:.2} standard errors");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Many zeros beside few long-tailed amounts.
#[test]
fn a_tail_beside_an_atom_keeps_its_mass() {
    for n in [1000, 3000, 15_000] {
        for (name, draw) in distributions() {
            let mut rng = ChaCha8Rng::seed_from_u64(n);
            let cents = |x: f64| (x.abs() * 100.0).round() / 100.0;
            let mut row = |i| if i % 5 > 0 { 0.0 } else { cents(draw(&mut rng)) };
            let mut rows: Vec<f64> = (0..n).map(&mut row).collect();
            let marginal = ColumnMarginal::fit_numbers(&rows, None).unwrap();
            let ColumnMarginal::Number(numbers) = &marginal else {
                panic!("{name}")
            };
            if !numbers.is_continuous() {
                // of listed values what is off the list is scored, never drawn, and most of it lies in the tail
                continue;
            }
            let (distance, above) = distances(numbers, &mut rows);
            let fits = above.iter().all(|(_, _, error)| error.abs() < ERRORS);
            assert!(
                distance < MOST_DISTANCE && fits,
                "{name}, {n} rows: {distance:.2} {above:.3?}"
            );
        }
    }
}

/// Counts that rows share by chance, not by rounding: their common values take no mass from the tail.
#[test]
fn repeated_values_take_nothing_from_the_others() {
    for (seed, mean) in [(1, 100.0), (2, 200.0), (3, 300.0)] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draw = |_| (-mean * (1.0 - rng.random::<f64>()).ln()).floor();
        let mut rows: Vec<f64> = (0..6000).map(draw).collect();
        // and a share of them on a few places that have nothing to do with a coarser grid
        rows.iter_mut()
            .step_by(4)
            .for_each(|x| *x = (*x / 37.0).floor() * 37.0 + 5.0);
        let marginal = ColumnMarginal::fit_numbers(&rows, None).unwrap();
        let ColumnMarginal::Number(numbers) = &marginal else {
            panic!()
        };
        assert!(numbers.is_continuous());
        let (distance, above) = distances(numbers, &mut rows);
        let fits = above.iter().all(|(_, _, error)| error.abs() < ERRORS);
        assert!(
            distance < MOST_DISTANCE && fits,
            "{mean}: {distance:.2} {above:.3?}"
        );
    }
}

/// A step too small for the digits of the map still has its mass.
#[test]
fn whole_numbers_of_fifteen_digits_have_masses() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let rows: Vec<f64> = (0..1000).map(|_| log_uniform(15.0)(&mut rng).floor()).collect();
    let marginal = ColumnMarginal::fit_numbers(&rows, None).unwrap();
    for x in rows.into_iter().filter(|x| *x > 1e6) {
        // a uniform density in the logarithm, one step wide
        let expected = -(15.0 * 10f64.ln()).ln() - x.max(1.0).ln();
        let found = marginal.log_marginal(Value::Number(x));
        assert!((found - expected).abs() < 1.0, "{x}: {found} for {expected}");
    }
}
