//! What holds for every demo.

use super::*;

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[test]
fn names_are_read_back_and_unknown_ones_answered_with_the_list() {
    for demo in Demo::ALL {
        assert_eq!(demo.to_string().parse::<Demo>(), Ok(demo));
    }
    let error = "moons".parse::<Demo>().expect_err("no such demo").to_string();
    assert_eq!(
        error,
        "there is no demo called 'moons'; choose one of spiral, high-low, sine, ring, grid, loans"
    );
}

#[test]
fn rows_depend_on_their_number_and_the_seed_only() {
    for demo in Demo::ALL {
        let whole = demo.generate(60, 9);
        let part = demo.generate_range(20..50, 9);
        assert_eq!(part.rows(), 30);
        for ((name, all), (_, some)) in whole.columns().iter().zip(part.columns()) {
            for row in 0..30 {
                assert_eq!(
                    all.cell_text(row + 20),
                    some.cell_text(row),
                    "{demo}, column {name}"
                );
            }
        }
        assert_ne!(demo.generate(60, 10), whole);
    }
}

#[test]
fn every_generated_row_is_possible() {
    for demo in Demo::ALL {
        let table = demo.generate(2_000, 1);
        let scores = demo.log_density(&table);
        assert_eq!(scores.len(), 2_000);
        assert!(scores.iter().all(|nats| nats.is_finite()), "{demo}");
    }
}

#[test]
fn mean_log_density_is_minus_the_entropy() {
    let sine = 6f64.ln() + 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E * 0.01).ln();
    for (demo, entropy) in [(Demo::Ring, 1.6918), (Demo::Grid, 3.0541), (Demo::Sine, sine)] {
        let (mean, error) = mean_and_error(&demo.log_density(&demo.generate(40_000, 3)));
        assert!(
            (mean + entropy).abs() < 4.0 * error,
            "{demo}: {mean} +- {error}, not -{entropy}"
        );
    }
}

#[test]
fn mixtures_integrate_to_one() {
    // a quarter of the noise as step: the sum is the integral to machine precision
    let step = 0.055;
    for (demo, reach) in [(Demo::Ring, 50), (Demo::Grid, 100)] {
        let mut sum = 0.0;
        for i in -reach..=reach {
            for j in -reach..=reach {
                let (x, y) = (f64::from(i) * step, f64::from(j) * step);
                sum += if demo == Demo::Ring {
                    ring::log_density(x, y)
                } else {
                    grid::log_density(x, y)
                }
                .exp();
            }
        }
        assert!(
            (sum * step * step - 1.0).abs() < 1e-9,
            "{demo}: {}",
            sum * step * step
        );
    }
}

#[test]
fn a_table_that_does_not_fit_scores_minus_infinity() {
    let wrong = Demo::Sine.generate(3, 0);
    for demo in [Demo::Spiral, Demo::HighLow, Demo::Loans] {
        assert_eq!(demo.log_density(&wrong), vec![f64::NEG_INFINITY; 3]);
    }
    let gap = DemoTable::new(vec![
        (
            "x".into(),
            DemoColumn::Decimal {
                values: vec![Some(0.0), None],
                decimals: None,
            },
        ),
        (
            "y".into(),
            DemoColumn::Decimal {
                values: vec![Some(0.0), Some(0.0)],
                decimals: None,
            },
        ),
    ])
    .expect("columns of two rows each");
    let scores = Demo::Ring.log_density(&gap);
    assert!(scores[0].is_finite() && scores[1] == f64::NEG_INFINITY);
}

#[test]
fn the_order_of_columns_does_not_matter() {
    for demo in Demo::ALL {
        let table = demo.generate(20, 4);
        let mut columns = table.clone().into_columns();
        columns.reverse();
        let reversed = DemoTable::new(columns).expect("the same columns");
        assert_eq!(demo.log_density(&reversed), demo.log_density(&table), "{demo}");
    }
}

#[test]
fn no_rows_are_a_table_too() {
    for demo in Demo::ALL {
        let table = demo.generate(0, 1);
        assert_eq!((table.rows(), demo.log_density(&table).len()), (0, 0));
        assert!(!table.columns().is_empty());
    }
}

/// Published numbers stand on these streams: a change here is a change for the changelog.
#[test]
fn the_first_rows_stay_what_they_are() {
    let first = |demo: Demo| {
        let table = demo.generate(1, 1);
        let cells: Vec<_> = table
            .columns()
            .iter()
            .map(|(_, column)| column.cell_text(0))
            .collect();
        format!("{demo}: {}", cells.join(","))
    };
    assert_eq!(Demo::ALL.map(first).join("\n"), FIRST_ROWS);
}

const FIRST_ROWS: &str = "\
spiral: -0.642757211,-0.591695375
high-low: low,left,-2.21078929,-2.37247477
sine: 0.44313637,0.409343695
ring: -0.760762736,-0.75580019
grid: 4.40638174,-2.08408309
loans: Dunmore,self-employed,business,D,99295.73,18614,12.54,0.189257549,false";
