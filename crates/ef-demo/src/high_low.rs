//! Two numbers whose place depends on two categories.
//!
//! ```text
//! P(level = high) = 0.4
//! P(side = right | high) = 0.75        P(side = right | low) = 0.2
//! x | side     ~ N(+2 right, -2 left; 0.5^2)
//! y | level, x ~ N(+1.5 high, -1.5 low, + 0.4 x; 0.4^2)
//! ```
//!
//! Under either level alone `x` and `y` have two modes, one a side; asking for `level = high` moves both. The
//! log-probability of a row is the sum of the four logs.

use std::ops::Range;

use super::draws::{map_rows, nine_digits, normal};
use super::normal::ln_normal;
use super::table::{DemoColumn, DemoTable};

/// `P(level = high)`.
pub const P_HIGH: f64 = 0.4;
/// `P(side = right | level = high)`.
pub const P_RIGHT_GIVEN_HIGH: f64 = 0.75;
/// `P(side = right | level = low)`.
pub const P_RIGHT_GIVEN_LOW: f64 = 0.2;

const X_CENTRE: f64 = 2.0;
const X_SD: f64 = 0.5;
const Y_CENTRE: f64 = 1.5;
const Y_SLOPE: f64 = 0.4;
const Y_SD: f64 = 0.4;

const STREAM: u64 = 2;

fn p_right(high: bool) -> f64 {
    if high {
        P_RIGHT_GIVEN_HIGH
    } else {
        P_RIGHT_GIVEN_LOW
    }
}

fn x_mean(right: bool) -> f64 {
    if right { X_CENTRE } else { -X_CENTRE }
}

fn y_mean(high: bool, x: f64) -> f64 {
    (if high { Y_CENTRE } else { -Y_CENTRE }) + Y_SLOPE * x
}

pub(super) fn generate(rows: Range<u64>, seed: u64) -> DemoTable {
    let rows = map_rows(rows, seed, STREAM, |u: &[f64; 4]| {
        let high = u[0] < P_HIGH;
        let right = u[1] < p_right(high);
        let x = nine_digits(normal(u[2], x_mean(right), X_SD));
        let y = nine_digits(normal(u[3], y_mean(high, x), Y_SD));
        (high, right, x, y)
    });
    let word = |yes: bool, word: &str, other: &str| Some((if yes { word } else { other }).to_owned());
    DemoTable::from_generated([
        (
            "level",
            DemoColumn::Text(rows.iter().map(|row| word(row.0, "high", "low")).collect()),
        ),
        (
            "side",
            DemoColumn::Text(rows.iter().map(|row| word(row.1, "right", "left")).collect()),
        ),
        (
            "x",
            DemoColumn::Decimal {
                values: rows.iter().map(|row| Some(row.2)).collect(),
                decimals: None,
            },
        ),
        (
            "y",
            DemoColumn::Decimal {
                values: rows.iter().map(|row| Some(row.3)).collect(),
                decimals: None,
            },
        ),
    ])
}

/// `ln p(level, side, x, y)` in nats; `-inf` for an unknown word or a number that is not finite.
pub fn log_density(level: &str, side: &str, x: f64, y: f64) -> f64 {
    let high = match level {
        "high" => true,
        "low" => false,
        _ => return f64::NEG_INFINITY,
    };
    let right = match side {
        "right" => true,
        "left" => false,
        _ => return f64::NEG_INFINITY,
    };
    if !x.is_finite() || !y.is_finite() {
        return f64::NEG_INFINITY;
    }
    let ln_level = if high { P_HIGH } else { 1.0 - P_HIGH }.ln();
    let ln_side = if right { p_right(high) } else { 1.0 - p_right(high) }.ln();
    ln_level + ln_side + ln_normal(x, x_mean(right), X_SD) + ln_normal(y, y_mean(high, x), Y_SD)
}

/// Scores every row; `None` when a column is not there in its type.
pub(super) fn log_density_table(table: &DemoTable) -> Option<Vec<f64>> {
    let level = table.column("level")?.as_text()?;
    let side = table.column("side")?.as_text()?;
    let x = table.column("x")?.as_decimal()?;
    let y = table.column("y")?.as_decimal()?;
    let score = |row: usize| match (&level[row], &side[row], x[row], y[row]) {
        (Some(level), Some(side), Some(x), Some(y)) => log_density(level, side, x, y),
        _ => f64::NEG_INFINITY,
    };
    Some((0..table.rows()).map(score).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_integrates_to_one() {
        let step = 0.1;
        let mut sum = 0.0;
        for level in ["high", "low"] {
            for side in ["left", "right"] {
                for i in -60..=60 {
                    for j in -60..=60 {
                        sum += log_density(level, side, f64::from(i) * step, f64::from(j) * step).exp();
                    }
                }
            }
        }
        assert!((sum * step * step - 1.0).abs() < 1e-9, "{}", sum * step * step);
    }

    #[test]
    fn is_nothing_for_what_cannot_occur() {
        assert_eq!(log_density("middle", "left", 0.0, 0.0), f64::NEG_INFINITY);
        assert_eq!(log_density("high", "up", 0.0, 0.0), f64::NEG_INFINITY);
        assert_eq!(log_density("high", "left", f64::NAN, 0.0), f64::NEG_INFINITY);
    }
}
