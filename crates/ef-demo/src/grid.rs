//! Twenty-five Gaussians on the lattice `{-4, -2, 0, 2, 4}^2`.
//!
//! ```text
//! p(x, y) = 1/25 sum_{a, b in {-4, -2, 0, 2, 4}} N(x; a, 0.05) N(y; b, 0.05)
//! ```
//!
//! with 0.05 the variance of each coordinate. The neighbours hardly overlap; the entropy is 3.0541 nats.

use std::ops::Range;

use super::mixture;
use super::table::DemoTable;

/// Variance of each coordinate around its centre.
pub const VARIANCE: f64 = 0.05;

const STREAM: u64 = 5;

/// The twenty-five centres `[x, y]`.
pub fn centres() -> [[f64; 2]; 25] {
    std::array::from_fn(|k| [(k % 5) as f64 * 2.0 - 4.0, (k / 5) as f64 * 2.0 - 4.0])
}

pub(super) fn generate(rows: Range<u64>, seed: u64) -> DemoTable {
    mixture::generate(&centres(), VARIANCE, STREAM, rows, seed)
}

/// `ln p(x, y)` in nats; `-inf` for a number that is not finite.
pub fn log_density(x: f64, y: f64) -> f64 {
    mixture::log_density(&centres(), VARIANCE, x, y)
}
