//! The law sums to one, and the generator follows the law.

use super::*;

const ROWS: usize = 20_000;

/// The rows of a generated table, each as a [`Loan`].
fn loans(seed: u64) -> Vec<Loan<'static>> {
    map_rows(0..ROWS as u64, seed, STREAM, draw)
}

/// `observed` of `n` rows where each has its own probability: within four standard errors.
fn assert_share(observed: usize, probabilities: &[f64], what: &str) {
    let expected: f64 = probabilities.iter().sum();
    let variance: f64 = probabilities.iter().map(|p| p * (1.0 - p)).sum();
    let distance = (observed as f64 - expected).abs();
    assert!(
        distance < 4.0 * variance.sqrt() + 1.0,
        "{what}: {observed} rows, expected {expected:.1}"
    );
}

#[test]
fn rounded_log_normals_sum_to_one() {
    for (law, step, top) in [
        ((3.0, 0.5), CENT, 80_000),
        ((2.0, 1.5), UNIT, 400_000),
        ((-4.0, 1.0), CENT, 5_000),
    ] {
        let sum: f64 = (0..top)
            .map(|count| ln_step_mass(f64::from(count), step, law).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-9, "{law:?} sums to {sum}");
    }
}

#[test]
fn amounts_with_the_favourite_sum_to_one() {
    for purpose in 0..PURPOSES.len() {
        let total: f64 = (0..600_000)
            .map(|amount| ln_amount_mass(amount, purpose, 9.5).exp())
            .sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        let next = ln_amount_mass(FAVOURITE + 1, purpose, 9.5).exp();
        let favourite = ln_amount_mass(FAVOURITE, purpose, 9.5).exp() - P_FAVOURITE[purpose];
        assert!(
            (favourite / next - 1.0).abs() < 1e-3,
            "10000 also arises by rounding"
        );
    }
}

/// For a map `T` of rows onto rows, `E[p(T x) / p(x)] = sum p(T x) = 1` when `x` is drawn from `p`: a law that is
/// not the generator's, or does not sum to one, shows.
#[test]
fn ratios_under_maps_of_rows_average_one() {
    fn shifted(loan: Loan<'static>, cents: f64) -> Loan<'static> {
        Loan {
            income: loan.income.map(|v| to_cents(v + cents / 100.0)),
            ..loan
        }
    }
    type Map = fn(Loan<'static>) -> (Loan<'static>, f64);
    let towns_swapped: Map = |loan| {
        let at = TOWNS
            .iter()
            .position(|(name, _)| *name == loan.town)
            .expect("a town");
        (
            Loan {
                town: TOWNS[at ^ 1].0,
                ..loan
            },
            0.0,
        )
    };
    // neighbours only: farther grades have rates so different that a few rows would carry the whole average
    let grades_swapped: Map = |loan| {
        let at = GRADES
            .iter()
            .position(|name| *name == loan.grade)
            .expect("a grade");
        (
            Loan {
                grade: GRADES.get(at ^ 1).unwrap_or(&GRADES[at]),
                ..loan
            },
            0.0,
        )
    };
    let maps: [(&str, Map); 6] = [
        ("town", towns_swapped),
        ("grade", grades_swapped),
        ("income", |loan| (shifted(loan, 120_000.0), 0.0)),
        ("rate", |loan| {
            (
                Loan {
                    rate: to_cents(loan.rate + 0.25),
                    ..loan
                },
                0.0,
            )
        }),
        ("debt_ratio", |loan| {
            (
                Loan {
                    debt_ratio: loan.debt_ratio * 1.1,
                    ..loan
                },
                1.1f64.ln(),
            )
        }),
        ("defaulted", |loan| {
            (
                Loan {
                    defaulted: !loan.defaulted,
                    ..loan
                },
                0.0,
            )
        }),
    ];
    let rows = loans(2);
    for (name, map) in maps {
        let ratios: Vec<f64> = rows
            .iter()
            .map(|loan| {
                let (mapped, ln_stretch) = map(*loan);
                (log_density(&mapped) + ln_stretch - log_density(loan)).exp()
            })
            .collect();
        let mean = ratios.iter().sum::<f64>() / ROWS as f64;
        let variance = ratios.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / ROWS as f64;
        let error = (variance / ROWS as f64).sqrt();
        assert!(
            (mean - 1.0).abs() < 4.0 * error + 0.01,
            "{name}: {mean} +- {error}"
        );
        assert!(error < 0.2, "{name}: too noisy to say anything ({error})");
    }
}

#[test]
fn shares_follow_the_stated_probabilities() {
    let rows = loans(3);
    for (at, (name, _)) in TOWNS.iter().enumerate() {
        let count = rows.iter().filter(|loan| loan.town == *name).count();
        assert_share(count, &vec![laws::town()[at]; ROWS], name);
    }
    let wealth = |loan: &Loan<'_>| {
        TOWNS
            .iter()
            .find(|(name, _)| *name == loan.town)
            .expect("a town")
            .1
    };
    for (e, name) in EMPLOYMENTS.iter().enumerate() {
        let p: Vec<f64> = rows
            .iter()
            .map(|loan| laws::employment(wealth(loan))[e])
            .collect();
        assert_share(
            rows.iter().filter(|loan| loan.employment == *name).count(),
            &p,
            name,
        );
        let own: Vec<_> = rows.iter().filter(|loan| loan.employment == *name).collect();
        let missing = own.iter().filter(|loan| loan.income.is_none()).count();
        assert_share(missing, &vec![P_INCOME_MISSING[e]; own.len()], "missing income");
    }
    for (p, name) in PURPOSES.iter().enumerate() {
        let own: Vec<_> = rows.iter().filter(|loan| loan.purpose == *name).collect();
        let favourite = own.iter().filter(|loan| loan.amount == FAVOURITE).count();
        // by rounding alone the favourite has under 1e-4: inside the margin
        assert_share(favourite, &vec![P_FAVOURITE[p]; own.len()], "favourite amount");
    }
}

#[test]
fn rows_that_cannot_occur_score_minus_infinity() {
    let loan = loans(4)
        .into_iter()
        .find(|loan| loan.income.is_some())
        .expect("an income");
    assert!(log_density(&loan).is_finite());
    for broken in [
        Loan {
            town: "Atlantis",
            ..loan
        },
        Loan {
            income: Some(1234.567),
            ..loan
        },
        Loan {
            income: Some(f64::NAN),
            ..loan
        },
        Loan {
            income: Some(-5.0),
            ..loan
        },
        Loan { amount: -1, ..loan },
        Loan { rate: 0.005, ..loan },
        Loan {
            rate: f64::INFINITY,
            ..loan
        },
        Loan {
            debt_ratio: 0.0,
            ..loan
        },
        Loan {
            debt_ratio: f64::NAN,
            ..loan
        },
    ] {
        assert_eq!(log_density(&broken), f64::NEG_INFINITY, "{broken:?}");
    }
    // far out is not impossible: the tails stay finite where probabilities underflow
    let far = log_density(&Loan {
        income: Some(9e12),
        ..loan
    });
    assert!(far.is_finite() && far < -1000.0, "{far}");
}

/// Columns taken one by one lose more than a nat a row: there is something to learn.
///
/// The marginal laws are equal-frequency histograms of the logs, fitted to the very rows they score, which flatters
/// them: the loss printed here is a lower bound.
#[test]
fn columns_depend_on_each_other() {
    let rows = loans(5);
    let truth = rows.iter().map(log_density).sum::<f64>() / ROWS as f64;
    let mut apart = 0.0;
    for word in [
        (|loan: &Loan<'static>| loan.town) as fn(&Loan<'static>) -> &'static str,
        |loan| loan.employment,
        |loan| loan.purpose,
        |loan| loan.grade,
        |loan| if loan.defaulted { "yes" } else { "no" },
        |loan| {
            if loan.income.is_some() {
                "present"
            } else {
                "missing"
            }
        },
        |loan| {
            if loan.amount == FAVOURITE {
                "favourite"
            } else {
                "other"
            }
        },
    ] {
        let mut counts = std::collections::BTreeMap::new();
        rows.iter()
            .for_each(|loan| *counts.entry(word(loan)).or_insert(0usize) += 1);
        apart += counts
            .values()
            .map(|&c| c as f64 / ROWS as f64 * (c as f64 / ROWS as f64).ln())
            .sum::<f64>();
    }
    for (number, step) in [
        (
            (|loan: &Loan<'static>| loan.income) as fn(&Loan<'static>) -> Option<f64>,
            CENT,
        ),
        (
            |loan| (loan.amount != FAVOURITE).then_some(loan.amount as f64),
            UNIT,
        ),
        (|loan| Some(loan.rate), CENT),
        (|loan| Some(loan.debt_ratio), 1.0),
    ] {
        let mut logs: Vec<f64> = rows.iter().filter_map(number).map(f64::ln).collect();
        logs.sort_unstable_by(f64::total_cmp);
        let (bins, n) = (100, logs.len());
        let edge = |k: usize| logs[(k * (n - 1)) / bins];
        for (k, value) in logs.iter().enumerate() {
            let bin = (k * bins / n).min(bins - 1);
            let width = (edge(bin + 1) - edge(bin)).max(1e-4);
            apart += ((1.0 / bins as f64 / width).ln() + step.ln() - value) / ROWS as f64;
        }
    }
    println!(
        "truth {truth:.3}, columns apart {apart:.3}, gap {:.3} nats a row",
        truth - apart
    );
    assert!(truth - apart > 1.0);
}
