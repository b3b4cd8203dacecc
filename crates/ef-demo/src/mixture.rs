//! Equal mixtures of round Gaussians in the plane, shared by [`super::ring`] and [`super::grid`].

use std::ops::Range;

use super::draws::{map_rows, nine_digits, normal};
use super::normal::ln_phi;
use super::table::DemoTable;

/// Rows drawn from the mixture: the first number picks the centre, the other two are the noise.
pub(super) fn generate(
    centres: &[[f64; 2]],
    variance: f64,
    stream: u64,
    rows: Range<u64>,
    seed: u64,
) -> DemoTable {
    let sd = variance.sqrt();
    let pairs = map_rows(rows, seed, stream, |u: &[f64; 3]| {
        let [x, y] = centres[((u[0] * centres.len() as f64) as usize).min(centres.len() - 1)];
        [nine_digits(normal(u[1], x, sd)), nine_digits(normal(u[2], y, sd))]
    });
    DemoTable::from_pairs(["x", "y"], pairs)
}

/// `ln mean_k N(x; c_k, variance) N(y; d_k, variance)`, by log-sum-exp so that far points keep a finite score.
pub(super) fn log_density(centres: &[[f64; 2]], variance: f64, x: f64, y: f64) -> f64 {
    if !x.is_finite() || !y.is_finite() {
        return f64::NEG_INFINITY;
    }
    let sd = variance.sqrt();
    let term = |[a, b]: &[f64; 2]| ln_phi((x - a) / sd) + ln_phi((y - b) / sd);
    let largest = centres.iter().map(term).fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let sum: f64 = centres.iter().map(|centre| (term(centre) - largest).exp()).sum();
    largest + (sum / centres.len() as f64).ln() - variance.ln()
}
