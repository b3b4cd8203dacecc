//! A noisy spiral.
//!
//! With `t ~ U(0, 1)` a point sits at `c(t) = (t sin 12t, t cos 12t)` plus independent noise `N(0, 0.02^2)` on each
//! coordinate, so that
//!
//! ```text
//! p(x, y) = integral_0^1  N(x; t sin 12t, 0.02^2)  N(y; t cos 12t, 0.02^2)  dt
//! ```
//!
//! The integral has no closed form. It is a sum of ten-point Gauss-Legendre rules over pieces of [0, 1] that are
//! halved until the exponent varies little in each; pieces that cannot matter are left out. The log is accurate to
//! better than 1e-6 near the curve, and to a relative 1e-7 wherever a point may lie.

use std::ops::Range;

use super::draws::{map_rows, nine_digits, normal};
use super::normal::LN_SQRT_2PI;
use super::table::DemoTable;

/// Standard deviation of the noise on each coordinate.
pub const NOISE: f64 = 0.02;
/// The angle, in radians, that the spiral turns through.
pub const TURN: f64 = 12.0;

const STREAM: u64 = 1;

/// Pieces of [0, 1] before any is halved: short beside the turns of the curve, so no near pass is overlooked.
const PIECES: usize = 64;
/// A piece is integrated when its exponents differ by no more than this many nats.
const SMOOTH: f64 = 2.0;
/// A piece is left out when it lies this many nats below the best. The best point's own neighbourhood is at least
/// 1e-7 long for points nearer than [`FAR`], so what is left out is below `exp(-45) / 1e-7 < 3e-13` of the whole.
const NEGLIGIBLE: f64 = 45.0;
/// Halvings after which a piece is integrated as it is; no point nearer than [`FAR`] needs as many.
const MAX_DEPTH: u32 = 40;
/// Beyond this distance the integral is taken to be its largest exponent: an error of about twenty in a billion nats.
const FAR: f64 = 1e3;

/// The point of the curve at `t`.
fn curve(t: f64) -> [f64; 2] {
    let (sin, cos) = (TURN * t).sin_cos();
    [t * sin, t * cos]
}

pub(super) fn generate(rows: Range<u64>, seed: u64) -> DemoTable {
    let pairs = map_rows(rows, seed, STREAM, |u: &[f64; 3]| {
        let [x, y] = curve(u[0]);
        [
            nine_digits(normal(u[1], x, NOISE)),
            nine_digits(normal(u[2], y, NOISE)),
        ]
    });
    DemoTable::from_pairs(["x", "y"], pairs)
}

/// `ln p(x, y)` in nats; `-inf` for a number that is not finite.
pub fn log_density(x: f64, y: f64) -> f64 {
    if !x.is_finite() || !y.is_finite() {
        return f64::NEG_INFINITY;
    }
    let distance = |t: f64| {
        let [a, b] = curve(t);
        (x - a).hypot(y - b)
    };
    let nearest = nearest(distance);
    let constant = -2.0 * (LN_SQRT_2PI + NOISE.ln());
    if nearest > FAR {
        return exponent(nearest) + constant;
    }
    let mut sum = LogSum {
        largest: exponent(nearest),
        scaled: 0.0,
    };
    let half = 0.5 / PIECES as f64;
    for k in 0..PIECES {
        integrate(&distance, (2 * k + 1) as f64 * half, half, &mut sum, 0);
    }
    sum.largest + sum.scaled.ln() + constant
}

/// The exponent of the Gaussian at this distance from its centre.
fn exponent(distance: f64) -> f64 {
    let z = distance / NOISE;
    -0.5 * z * z
}

/// The least distance on a fine lattice, then refined between the two neighbours by thirds.
fn nearest(distance: impl Fn(f64) -> f64) -> f64 {
    let step = 0.5 / PIECES as f64;
    let at = |k: usize| distance(k as f64 * step);
    let best = (0..=2 * PIECES)
        .min_by(|&a, &b| at(a).total_cmp(&at(b)))
        .unwrap_or(0);
    let (mut low, mut high) = (
        (best as f64 - 1.0).max(0.0) * step,
        ((best as f64 + 1.0) * step).min(1.0),
    );
    for _ in 0..60 {
        let third = (high - low) / 3.0;
        if distance(low + third) <= distance(high - third) {
            high -= third;
        } else {
            low += third;
        }
    }
    distance(0.5 * (low + high)).min(at(best))
}

/// A sum of exponentials, held relative to the largest exponent seen.
struct LogSum {
    largest: f64,
    scaled: f64,
}

impl LogSum {
    fn add(&mut self, exponent: f64, weight: f64) {
        if exponent > self.largest {
            self.scaled *= (self.largest - exponent).exp();
            self.largest = exponent;
        }
        self.scaled += weight * (exponent - self.largest).exp();
    }
}

/// Adds the integral of `exp(exponent(distance(t)))` over `centre - half ..= centre + half`.
///
/// The curve's speed is at most `sqrt(1 + TURN^2)`, so over the piece the distance stays within `speed * half` of
/// its value at the centre: that bounds the exponent from both sides without a look at the curve.
fn integrate(distance: &impl Fn(f64) -> f64, centre: f64, half: f64, sum: &mut LogSum, depth: u32) {
    let reach = (1.0 + TURN * TURN).sqrt() * half;
    let middle = distance(centre);
    let (highest, lowest) = (exponent((middle - reach).max(0.0)), exponent(middle + reach));
    if highest < sum.largest - NEGLIGIBLE {
        return;
    }
    if highest - lowest > SMOOTH && depth < MAX_DEPTH {
        let quarter = 0.5 * half;
        integrate(distance, centre - quarter, quarter, sum, depth + 1);
        integrate(distance, centre + quarter, quarter, sum, depth + 1);
        return;
    }
    for [node, weight] in GAUSS_LEGENDRE {
        for t in [centre - half * node, centre + half * node] {
            sum.add(exponent(distance(t)), half * weight);
        }
    }
}

/// Nodes and weights of the ten-point rule on [-1, 1]; each stands for both signs (Abramowitz & Stegun, 25.4.30).
#[allow(clippy::excessive_precision)]
const GAUSS_LEGENDRE: [[f64; 2]; 5] = [
    [0.148_874_338_981_631_21, 0.295_524_224_714_752_87],
    [0.433_395_394_129_247_19, 0.269_266_719_309_996_36],
    [0.679_409_568_299_024_41, 0.219_086_362_515_982_04],
    [0.865_063_366_688_984_51, 0.149_451_349_150_580_59],
    [0.973_906_528_517_171_72, 0.066_671_344_308_688_14],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Midpoint rule with a fixed, very fine step: slow and obviously right.
    fn reference(x: f64, y: f64) -> f64 {
        let n = 2_000_000;
        let terms = |k: i32| {
            let [a, b] = curve((f64::from(k) + 0.5) / f64::from(n));
            exponent((x - a).hypot(y - b))
        };
        let largest = (0..n).map(terms).fold(f64::NEG_INFINITY, f64::max);
        let mean = (0..n).map(|k| (terms(k) - largest).exp()).sum::<f64>() / f64::from(n);
        largest + mean.ln() - (2.0 * std::f64::consts::PI * NOISE * NOISE).ln()
    }

    #[test]
    fn agrees_with_a_slow_sum_near_and_far() {
        let end = curve(1.0);
        for [x, y] in [
            [0.0, 0.0],
            end,
            curve(0.3),
            [0.31, -0.2],
            [end[0] + 0.05, end[1] - 0.1],
            [1.0, 1.0],
            [-2.0, 0.5],
        ] {
            let (fast, slow) = (log_density(x, y), reference(x, y));
            assert!((fast - slow).abs() < 1e-6, "at ({x}, {y}): {fast} beside {slow}");
        }
    }

    #[test]
    fn integrates_to_one() {
        // Half the noise as step: the trapezoid rule then is exact to 1e-30 for a function smoothed by that noise.
        let step = 0.01;
        let mut sum = 0.0;
        for i in -115..=115 {
            for j in -115..=115 {
                sum += log_density(f64::from(i) * step, f64::from(j) * step).exp();
            }
        }
        assert!((sum * step * step - 1.0).abs() < 1e-8, "{}", sum * step * step);
    }

    #[test]
    fn far_and_impossible_points_have_a_score() {
        assert!(log_density(1e3, -1e3).is_finite());
        assert!(log_density(1e9, 0.0) < -1e18);
        assert_eq!(log_density(f64::NAN, 0.0), f64::NEG_INFINITY);
        assert_eq!(log_density(0.0, f64::INFINITY), f64::NEG_INFINITY);
        assert!(log_density(1e300, 0.0) <= 0.0);
    }
}
