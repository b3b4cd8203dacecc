//! Eight Gaussians on the unit circle.
//!
//! ```text
//! p(x, y) = 1/8 sum_k N(x; cos(k pi/4), 0.05) N(y; sin(k pi/4), 0.05)        k = 0..8
//! ```
//!
//! with 0.05 the variance of each coordinate. The neighbours overlap; the entropy is 1.6918 nats.

use std::ops::Range;

use super::mixture;
use super::table::DemoTable;

/// Variance of each coordinate around its centre.
pub const VARIANCE: f64 = 0.05;

const STREAM: u64 = 4;

/// The eight centres `[x, y]`.
pub fn centres() -> [[f64; 2]; 8] {
    std::array::from_fn(|k| {
        let angle = std::f64::consts::FRAC_PI_4 * k as f64;
        [angle.cos(), angle.sin()]
    })
}

pub(super) fn generate(rows: Range<u64>, seed: u64) -> DemoTable {
    mixture::generate(&centres(), VARIANCE, STREAM, rows, seed)
}

/// `ln p(x, y)` in nats; `-inf` for a number that is not finite.
pub fn log_density(x: f64, y: f64) -> f64 {
    mixture::log_density(&centres(), VARIANCE, x, y)
}
