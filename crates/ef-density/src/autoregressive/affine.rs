//! The location and log-scale that all logistics of a head share: an affine map of normal scores.
//!
//! With `z` the normal score of a rank, the logistics of a head lie over
//!
//! ```text
//! w = g(z'),    z' = (z - mu) e^-ls,    g(z) = log Phi(z) - log Phi(-z)
//! ```
//!
//! Where they are the logistic of mean 0 and scale 1 together, the rank's normal score is normal with mean `mu` and
//! standard deviation `e^ls`. With `mu = ls = 0`, `w` is the logit of the rank. Derivatives by `mu` and `ls`:
//!
//! ```text
//! dw/dmu = -g'(z') e^-ls                          dw/dls = -z' g'(z')
//! dw/drank = g'(z') e^-ls / phi(z)
//! d log(dw/drank)/dmu = -(g''/g')(z') e^-ls       d log(dw/drank)/dls = -1 - z' (g''/g')(z')
//! g' = phi / (Phi(z) Phi(-z))                     g''/g' = -z - phi/Phi(z) + phi/Phi(-z)
//! ```
//!
//! Both are held within bounds, so that no map makes the numbers overflow: locations to `-8 .. 8`, log-scales to
//! `-4 .. 2`. The bounds are soft, and what lies well inside is left as it is: locations within `-6 .. 6`, log-scales
//! within `-3 .. 1`.

use crate::normal::{log_phi, ndtr, ndtri};

/// Locations are left alone up to the first number, and stay below the second.
const LOCATIONS: (f64, f64) = (6.0, 8.0);
/// The same for the distance of a log-scale from [`MIDDLE`].
const LOG_SCALES: (f64, f64) = (2.0, 3.0);
const MIDDLE: f64 = -1.0;
/// Log-scales between these are left alone.
pub(super) const PLAIN_LOG_SCALES: (f64, f64) = (MIDDLE - LOG_SCALES.0, MIDDLE + LOG_SCALES.0);
/// Intervals narrower than this in `z` and in `z'` are linear: the difference of two ends would lose more digits.
const NARROW: f64 = 1e-5;
/// Places without extent are held to these normal scores, at logits of about 36; the next rank is 0 or 1.
const LIMIT: f64 = 8.12;
/// From here on the normal tail is a continued fraction.
const FAR: f64 = 8.0;

/// What is left alone up to `inner` and stays below `outer`, and its derivative.
fn bounded(x: f64, (inner, outer): (f64, f64)) -> (f64, f64) {
    if x.abs() <= inner {
        return (x, 1.0);
    }
    let t = ((x.abs() - inner) / (outer - inner)).tanh();
    ((inner + (outer - inner) * t).copysign(x), 1.0 - t * t)
}

/// The map of one head in one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    location: f64,
    log_scale: f64,
    /// `e^-ls`.
    inverse: f64,
    /// Derivatives of location and log-scale by the outputs that they are made of.
    pub(super) slopes: [f64; 2],
}

/// A point of the logistics' line, with its derivatives by location and log-scale.
#[derive(Debug, Clone, Copy)]
struct Point {
    w: f64,
    by: [f64; 2],
}

/// The interval of ranks on the logistics' line. Ranks 0 and 1 lie at infinity, which no map moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mapped {
    pub(super) low: f64,
    pub(super) high: f64,
    /// `high - low`, with the digits of a narrow interval.
    pub(super) width: f64,
    /// Of a narrow interval and a place without extent, `log(dw/drank)` in the middle.
    pub(super) log_density: Option<f64>,
    /// Derivatives of the ends by location and log-scale.
    pub(super) by_low: [f64; 2],
    pub(super) by_high: [f64; 2],
    /// Derivatives of `log width`, or of `log(dw/drank)` where there is no width.
    pub(super) by_log_width: [f64; 2],
}

impl Affine {
    pub(super) const IDENTITY: Self = Self {
        location: 0.0,
        log_scale: 0.0,
        inverse: 1.0,
        slopes: [1.0; 2],
    };

    /// The map of two outputs of a head.
    pub(super) fn new(location: f64, log_scale: f64) -> Self {
        let (location, by_location) = bounded(location, LOCATIONS);
        let (beyond, by_log_scale) = bounded(log_scale - MIDDLE, LOG_SCALES);
        // Without the detour over the middle where the bounds do nothing, so that 0 stays 0.
        let log_scale = if by_log_scale == 1.0 {
            log_scale
        } else {
            MIDDLE + beyond
        };
        Self {
            location,
            log_scale,
            inverse: (-log_scale).exp(),
            slopes: [by_location, by_log_scale],
        }
    }

    fn is_identity(&self) -> bool {
        self.location == 0.0 && self.log_scale == 0.0
    }

    /// Where a normal score lies under the map.
    #[inline(always)]
    pub(super) fn score(&self, z: f64) -> f64 {
        (z - self.location) * self.inverse
    }

    /// Its derivatives by location and log-scale, given where it lies.
    #[inline(always)]
    pub(super) fn by_score(&self, mapped: f64) -> [f64; 2] {
        [-self.inverse, -mapped]
    }

    /// The point of a rank whose normal score is `z`.
    fn point(&self, rank: f64, z: f64) -> Point {
        if z.is_infinite() {
            return Point { w: z, by: [0.0; 2] };
        }
        let mapped = self.score(z);
        let normal = NormalLogit::new(mapped);
        let slope = normal.log_slope.exp();
        Point {
            w: if self.is_identity() { logit(rank) } else { normal.w },
            by: self.by_score(mapped).map(|by| slope * by),
        }
    }

    /// Where an interval of ranks lies, given the normal scores of its ends.
    pub(super) fn interval(&self, (low, high): (f64, f64), z: (f64, f64)) -> Mapped {
        if high <= low || (z.1 - z.0) * self.inverse.max(1.0) < NARROW {
            return self.narrow((low, high), z.0);
        }
        let (a, b) = (self.point(low, z.0), self.point(high, z.1));
        let width = b.w - a.w;
        Mapped {
            low: a.w,
            high: b.w,
            width,
            log_density: None,
            by_low: a.by,
            by_high: b.by,
            by_log_width: std::array::from_fn(|i| (b.by[i] - a.by[i]) / width),
        }
    }

    /// The same of a narrow interval, by its lower end and what the map is in its middle.
    fn narrow(&self, (low, high): (f64, f64), z_low: f64) -> Mapped {
        let length = (high - low).max(0.0);
        // By the smaller tail, which has more digits.
        let z = if low > 0.5 {
            -ndtri(1.0 - high + 0.5 * length)
        } else {
            ndtri(low + 0.5 * length)
        };
        let z = if length == 0.0 { z.clamp(-LIMIT, LIMIT) } else { z };
        let mapped = self.score(z);
        let normal = NormalLogit::new(mapped);
        let log_density = normal.log_slope - self.log_scale - log_phi(z);
        let width = log_density.exp() * length;
        let by_log_width = [-normal.bend * self.inverse, -1.0 - mapped * normal.bend];
        let end = if length == 0.0 {
            let slope = normal.log_slope.exp();
            Point {
                w: normal.w,
                by: self.by_score(mapped).map(|by| slope * by),
            }
        } else {
            self.point(low, z_low)
        };
        Mapped {
            low: end.w,
            high: end.w + width,
            width,
            log_density: Some(log_density),
            by_low: end.by,
            by_high: std::array::from_fn(|i| end.by[i] + width * by_log_width[i]),
            by_log_width,
        }
    }

    /// The rank of a point of the logistics' line: inside `(0, 1)`, as all ranks are that stand for a value.
    pub(super) fn rank(&self, w: f64) -> f64 {
        let rank = if self.is_identity() {
            1.0 / (1.0 + (-w).exp())
        } else {
            ndtr(self.location + self.log_scale.exp() * normal_of_logit(w))
        };
        rank.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0)
    }
}

pub(super) fn logit(rank: f64) -> f64 {
    rank.ln() - (-rank).ln_1p()
}

/// `g`, `log g'` and `g''/g'` at a normal score.
struct NormalLogit {
    w: f64,
    log_slope: f64,
    bend: f64,
}

impl NormalLogit {
    fn new(z: f64) -> Self {
        // In the upper half; g is odd.
        let x = z.abs();
        let log_phi = log_phi(x);
        // phi(x) / Phi(-x)
        let (hazard, log_upper) = if x < FAR {
            let upper = ndtr(-x);
            (log_phi.exp() / upper, upper.ln())
        } else {
            // Laplace's continued fraction: x + 1 / (x + 2 / (x + 3 / ..))
            let hazard = (1..=20).rev().fold(x, |below, k| x + f64::from(k) / below);
            (hazard, log_phi - hazard.ln())
        };
        let upper = log_upper.exp();
        let log_lower = (-upper).ln_1p();
        let bend = hazard - x - log_phi.exp() / (1.0 - upper);
        Self {
            w: (log_lower - log_upper).copysign(z),
            log_slope: log_phi - log_upper - log_lower,
            bend: bend * 1.0_f64.copysign(z),
        }
    }
}

/// The inverse of `g`.
fn normal_of_logit(w: f64) -> f64 {
    let x = w.abs();
    if x < 30.0 {
        return ndtri(1.0 / (1.0 + x.exp())).abs().copysign(w);
    }
    // Newton's method from sqrt(2 w), where g is nearly a parabola; three steps leave rounding only.
    let mut z = (2.0 * x).sqrt();
    for _ in 0..4 {
        let at = NormalLogit::new(z);
        z -= (at.w - x) / at.log_slope.exp();
    }
    z.copysign(w)
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_leave_the_middle_alone() {
        for x in [-6.0, -0.3, 0.0, 1e-300, 5.9] {
            assert_eq!(Affine::new(x, 0.0).location, x);
        }
        for x in [-3.0, -0.3, 0.0, 1e-300, 1.0] {
            assert_eq!(Affine::new(0.0, x).log_scale, x);
        }
        let far = Affine::new(1e30, -1e30);
        assert_eq!((far.location, far.log_scale), (8.0, -4.0));
        for x in [-9.0, -6.5, 6.0, 7.0] {
            let (value, slope) = bounded(x, LOCATIONS);
            let h = 1e-6;
            let difference = (bounded(x + h, LOCATIONS).0 - bounded(x - h, LOCATIONS).0) / (2.0 * h);
            assert!(value.abs() <= 8.0);
            assert_abs_diff_eq!(slope, difference, epsilon = 1e-6);
        }
    }

    proptest! {
        #[test]
        fn without_a_map_points_are_logits(exponent in 0.0..300.0_f64, upper: bool) {
            let tail = 0.5 * 10_f64.powf(-exponent);
            let rank = if upper { 1.0 - tail.max(f64::EPSILON) } else { tail };
            assert_relative_eq!(NormalLogit::new(ndtri(rank)).w, logit(rank), epsilon = 1e-14, max_relative = 1e-13);
            let w = Affine::IDENTITY.interval((rank, rank), (0.0, 0.0)).low;
            assert_relative_eq!(w, logit(rank).clamp(-36.0, 36.0), epsilon = 1e-13, max_relative = 2e-4);
        }

        /// `g`, its derivatives and its inverse, far out too.
        #[test]
        fn the_logit_of_a_normal_score(z in -3000.0..3000.0_f64, shrink in 0.0..1.0_f64) {
            let z = z * shrink.powi(8);
            let at = NormalLogit::new(z);
            let h = 1e-4 * (1.0 + z.abs());
            let (below, above) = (NormalLogit::new(z - h), NormalLogit::new(z + h));
            assert_relative_eq!(at.log_slope.exp(), (above.w - below.w) / (2.0 * h), max_relative = 1e-6);
            assert_relative_eq!(at.bend, (above.log_slope - below.log_slope) / (2.0 * h), epsilon = 1e-7, max_relative = 1e-4);
            assert_relative_eq!(normal_of_logit(at.w), z, epsilon = 1e-13, max_relative = 1e-12);
        }

        /// Derivatives of ends and widths, against differences; a narrow interval is the limit of wide ones.
        #[test]
        fn derivatives_are_limits_of_differences(
            location in -9.0..9.0_f64,
            log_scale in -5.0..3.0_f64,
            low in 1e-6..0.999_f64,
            exponent in 0.0..12.0_f64,
        ) {
            let high = low + (1.0 - low) * 0.999 * 10_f64.powf(-exponent);
            let (ranks, z) = ((low, high), (ndtri(low), ndtri(high)));
            let at = Affine::new(location, log_scale);
            let found = at.interval(ranks, z);
            let log_width = |at: &Mapped| at.log_density.unwrap_or_else(|| at.width.ln() - (high - low).ln());
            for i in 0..2 {
                let h = 1e-5;
                let moved = |by: f64| {
                    let mut to = [location, log_scale];
                    to[i] += by;
                    Affine::new(to[0], to[1]).interval(ranks, z)
                };
                let (below, above) = (moved(-h), moved(h));
                for (by, difference) in [
                    (found.by_low[i], above.low - below.low),
                    (found.by_high[i], above.high - below.high),
                    (found.by_log_width[i], log_width(&above) - log_width(&below)),
                ] {
                    assert_relative_eq!(by * at.slopes[i], difference / (2.0 * h), epsilon = 1e-3, max_relative = 1e-3);
                }
            }
            // The same by the other formula.
            if exponent < 5.0 {
                return Ok(());
            }
            let narrow = at.narrow(ranks, z.0);
            assert_relative_eq!(narrow.width, found.width, max_relative = 1e-4);
            assert_relative_eq!(narrow.by_log_width[0], found.by_log_width[0], epsilon = 1e-3, max_relative = 1e-2);
        }

        #[test]
        fn ranks_are_the_inverse_of_points(location in -6.0..6.0_f64, log_scale in -3.0..1.0_f64, rank in 1e-9..0.999_999_f64) {
            let affine = Affine::new(location, log_scale);
            let z = ndtri(rank);
            assert_relative_eq!(affine.rank(affine.point(rank, z).w), rank, max_relative = 1e-11);
        }
    }
}
