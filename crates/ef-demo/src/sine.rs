//! One number around the sine of the other.
//!
//! `x2 ~ U(-3, 3)` and `x1 = sin(x2) + N(0, 0.1^2)`, so that
//!
//! ```text
//! p(x1, x2) = 1/6 [-3 <= x2 <= 3]  N(x1; sin x2, 0.1^2)
//! ```
//!
//! with entropy `ln 6 + 1/2 ln(2 pi e 0.1^2) = 0.9081` nats.

use std::ops::Range;

use super::draws::{map_rows, nine_digits, normal};
use super::normal::ln_normal;
use super::table::DemoTable;

/// Half the width of the uniform law of `x2`.
pub const HALF_WIDTH: f64 = 3.0;
/// Standard deviation of the noise on `x1`.
pub const NOISE: f64 = 0.1;

const STREAM: u64 = 3;

pub(super) fn generate(rows: Range<u64>, seed: u64) -> DemoTable {
    let pairs = map_rows(rows, seed, STREAM, |u: &[f64; 2]| {
        let x2 = HALF_WIDTH * (2.0 * u[0] - 1.0);
        let x1 = normal(u[1], x2.sin(), NOISE);
        [nine_digits(x1), nine_digits(x2)]
    });
    DemoTable::from_pairs(["x1", "x2"], pairs)
}

/// `ln p(x1, x2)` in nats; `-inf` outside the support.
pub fn log_density(x1: f64, x2: f64) -> f64 {
    if !x1.is_finite() || !(-HALF_WIDTH..=HALF_WIDTH).contains(&x2) {
        return f64::NEG_INFINITY;
    }
    ln_normal(x1, x2.sin(), NOISE) - (2.0 * HALF_WIDTH).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_to_one() {
        let (n, step) = (600, 0.01);
        let mut sum = 0.0;
        for i in 0..n {
            let x2 = -3.0 + (f64::from(i) + 0.5) * step;
            for j in -200..=200 {
                sum += log_density(f64::from(j) * step, x2).exp();
            }
        }
        assert!((sum * step * step - 1.0).abs() < 1e-9);
    }

    #[test]
    fn is_nothing_outside_its_support() {
        for (x1, x2) in [(0.0, 3.1), (f64::NAN, 0.0), (0.0, f64::NAN), (f64::INFINITY, 0.0)] {
            assert_eq!(log_density(x1, x2), f64::NEG_INFINITY);
        }
    }
}
