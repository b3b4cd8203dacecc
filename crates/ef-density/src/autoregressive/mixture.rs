//! The head of a column with ranks: logistics over their logits, a background, and the other levels.
//!
//! Outputs of a column with `K` logistics and `c` levels, `3 K + c + 2` in all:
//!
//! ```text
//! [ K weights | background weight | c - 1 weights of the other levels | K means m | K raw log-scales
//!   | location mu | log-scale ls ]
//! ```
//!
//! The weights are logits of one softmax. The last two outputs are the [affine map](super::affine) of normal scores
//! that takes ranks to the logistics' line. For a place of ranks `(low, high)` whose ends it takes to `a` and `b`, with
//! `d = b - a`, component `k` has the ratio of its mass to `high - low`:
//!
//! ```text
//! log r_k = log[(1 - e^-x) / x] - log s + log s(B) + log s(-A) + log[d / (high - low)]
//!           x = d / s,  A = (a - m) / s,  B = (b - m) / s
//! ```
//!
//! which is the discretized logistic of Salimans et al. (2017, 1701.05517, eq. 2) without its cancellation, and tends
//! to a ratio of densities where the place has no extent: one formula serves both. Over logits uniform ranks are the
//! logistic of mean 0 and scale 1, and the ratio is bounded wherever `s <= 1`; over normal scores it never is. The
//! background is uniform over ranks whatever the map: it bounds the loss of a place that the map puts far out.
//!
//! By a parameter `t` of the map, of which `a`, `b` and `d` have the derivatives `a'`, `b'` and `d'`,
//!
//! ```text
//! d log r_k / dt = [s(-B) b' - s(A) a'] / s + x / (e^x - 1) d' / d
//! ```
//!
//! where `d' / d` is the derivative of `log(dw/drank)` if the place has no extent.

use ef_tensor::Real;

use super::affine::{Affine, logit};
use crate::normal::ndtri;

/// How far beyond 0, and beyond the other end, a point lies that stands for rank 0 or 1.
const INFINITE: f64 = 1000.0;
/// Log-scales lie within `CENTRE - REACH` and `CENTRE + REACH`.
const CENTRE: f64 = -2.5;
const REACH: f64 = 3.0;
/// Components computed side by side.
const LANES: usize = 16;
/// Most components of a mixture.
pub(crate) const MOST_COMPONENTS: usize = 64;

/// Where an interval of ranks lies on the logistics' line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoredPlace<T> {
    low: T,
    high: T,
    /// `high - low`, rounded once.
    width: T,
    /// `log[(b - a) / (high - low)]`, or `log(dw/drank)` of a place without extent.
    log_jacobian: T,
    /// Derivatives of the ends and of the logarithm of the width by the location and the log-scale of the map.
    by_low: [f64; 2],
    by_high: [f64; 2],
    by_log_width: [f64; 2],
}

impl<T: Real> ScoredPlace<T> {
    /// Ranks are held to `[0, 1]`.
    pub(super) fn new(low: f64, high: f64, affine: &Affine) -> Self {
        let ranks = (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0));
        let mapped = affine.interval(ranks, (ndtri(ranks.0), ndtri(ranks.1)));
        let low = mapped.low.max(mapped.high.min(0.0) - INFINITE);
        let high = mapped.high.min(mapped.low.max(0.0) + INFINITE);
        let (width, log_density) = (mapped.width.min(high - low), mapped.log_density);
        Self {
            low: T::of(low),
            high: T::of(high),
            width: T::of(width),
            log_jacobian: T::of(log_density.unwrap_or_else(|| width.ln() - (ranks.1 - ranks.0).ln())),
            by_low: mapped.by_low,
            by_high: mapped.by_high,
            by_log_width: mapped.by_log_width,
        }
    }
}

/// The log-scale of a raw value.
pub(super) fn log_scale_of(raw: f64) -> f64 {
    CENTRE + REACH * ((raw - CENTRE) / REACH).tanh()
}

/// The raw value of a log-scale; the inverse of [`log_scale_of`].
pub(crate) fn raw_log_scale(log_scale: f64) -> f64 {
    CENTRE + REACH * ((log_scale - CENTRE) / REACH).atanh()
}

/// `log r_k` of a block of components and its derivatives, `log_jacobian` left out; those by the two ends and by
/// `log d` are taken apart, because they have no digits in common.
struct Lanes<T> {
    log_ratio: [T; LANES],
    by_low: [T; LANES],
    by_high: [T; LANES],
    by_log_width: [T; LANES],
    by_mean: [T; LANES],
    by_scale: [T; LANES],
}

impl<T: Real> Lanes<T> {
    #[inline(always)]
    fn new<const FMA: bool>(means: &[T; LANES], raw: &[T; LANES], place: &ScoredPlace<T>) -> Self {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        let (centre, reach) = (T::of(CENTRE), T::of(REACH));
        let mut out = Self {
            log_ratio: [zero; LANES],
            by_low: [zero; LANES],
            by_high: [zero; LANES],
            by_log_width: [zero; LANES],
            by_mean: [zero; LANES],
            by_scale: [zero; LANES],
        };
        for l in 0..LANES {
            let t = ((raw[l] - centre) / reach).tanh_lane::<FMA>();
            let log_scale = centre + reach * t;
            let inverse = (-log_scale).exp_lane::<FMA>();
            let (a, b) = (
                (place.low - means[l]) * inverse,
                (place.high - means[l]) * inverse,
            );
            let x = place.width * inverse;
            // sigmoid and its logarithm at B and at -A
            let (ea, eb) = ((-a.abs()).exp_lane::<FMA>(), (-b.abs()).exp_lane::<FMA>());
            let log_b = b.min(zero) - eb.ln_1p_lane::<FMA>();
            let log_a = (-a).min(zero) - ea.ln_1p_lane::<FMA>();
            let (over_a, over_b) = (one / (one + ea), one / (one + eb));
            let sigmoid_a = if a >= zero { over_a } else { ea * over_a };
            let sigmoid_not_b = if b >= zero { eb * over_b } else { over_b };
            // log[(1 - e^-x) / x] and x / (e^x - 1): series near 0, where the quotients lose their digits
            let e = (-x).exp_lane::<FMA>();
            let x2 = x * x;
            let near = -half * x + x2 * series(x2, &LOG_SHAPE);
            let near_slope = one - half * x + x2 * series(x2, &SLOPE);
            let safe = x.max(half);
            let far = (one - e).max(T::of(0.1)).ln_lane::<FMA>() - safe.ln_lane::<FMA>();
            let far_slope = safe * e / (one - e).max(T::of(0.1));
            let small = x < half;
            let shape = if small { near } else { far };
            let slope = if small { near_slope } else { far_slope };
            out.log_ratio[l] = shape - log_scale + log_b + log_a;
            out.by_low[l] = -sigmoid_a * inverse;
            out.by_high[l] = sigmoid_not_b * inverse;
            out.by_log_width[l] = slope;
            out.by_mean[l] = (sigmoid_a - sigmoid_not_b) * inverse;
            out.by_scale[l] = (a * sigmoid_a - b * sigmoid_not_b - slope) * (one - t * t);
        }
        out
    }
}

/// `log[(1 - e^-x) / x] = -x/2 + x^2 (..)`: coefficients of 1, x^2, x^4, ..
const LOG_SHAPE: [f64; 6] = [
    1.0 / 24.0,
    -1.0 / 2880.0,
    1.0 / 181_440.0,
    -1.0 / 9_676_800.0,
    1.0 / 479_001_600.0,
    -691.0 / 15_692_092_416_000.0,
];
/// `x / (e^x - 1) = 1 - x/2 + x^2 (..)`.
const SLOPE: [f64; 6] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30_240.0,
    -1.0 / 1_209_600.0,
    1.0 / 47_900_160.0,
    -691.0 / 1_307_674_368_000.0,
];

#[inline(always)]
fn series<T: Real>(x2: T, coefficients: &[f64; 6]) -> T {
    let mut sum = T::zero();
    for &c in coefficients.iter().rev() {
        sum = sum * x2 + T::of(c);
    }
    sum
}

/// `log P(level 0) + log E[ratio]` of a place of ranks in the continuous level; the outputs `y` become the gradient of
/// its negative.
#[inline(always)]
pub(crate) fn mixture_nll<const FMA: bool, T: Real>(
    y: &mut [T],
    components: usize,
    (low, high): (f64, f64),
) -> f64 {
    let lowest = T::neg_infinity();
    // A head of no logistics has no map.
    let (y, map) = y.split_at_mut(y.len() - if components > 0 { 2 } else { 0 });
    let affine = match map {
        [location, log_scale] => Affine::new(location.wide(), log_scale.wide()),
        _ => Affine::IDENTITY,
    };
    let place = ScoredPlace::new(low, high, &affine);
    let (weights, rest) = y.split_at_mut(y.len() - 2 * components);
    let (means, scales) = rest.split_at_mut(components);
    let mut by_ends = [[T::zero(); 3]; MOST_COMPONENTS];
    let mut joint = [lowest; MOST_COMPONENTS];
    let starts = (0..components).step_by(LANES);
    for start in starts {
        let n = LANES.min(components - start);
        let (mut m, mut s) = ([T::zero(); LANES], [T::of(CENTRE); LANES]);
        m[..n].copy_from_slice(&means[start..start + n]);
        s[..n].copy_from_slice(&scales[start..start + n]);
        let lanes = Lanes::new::<FMA>(&m, &s, &place);
        for l in 0..n {
            by_ends[start + l] = [lanes.by_low[l], lanes.by_high[l], lanes.by_log_width[l]];
            joint[start + l] = weights[start + l] + lanes.log_ratio[l] + place.log_jacobian;
        }
        means[start..start + n].copy_from_slice(&lanes.by_mean[..n]);
        scales[start..start + n].copy_from_slice(&lanes.by_scale[..n]);
    }
    let background = weights[components];
    let top_joint = joint[..components].iter().copied().fold(background, T::max);
    let top = weights.iter().copied().fold(lowest, T::max);
    let mut sum_joint = (background - top_joint).exp_lane::<FMA>();
    let background_joint = sum_joint;
    for j in joint.iter_mut() {
        *j = (*j - top_joint).exp_lane::<FMA>();
    }
    for j in &joint[..components] {
        sum_joint += *j;
    }
    let mut sum = T::zero();
    for w in weights.iter_mut() {
        *w = (*w - top).exp_lane::<FMA>();
    }
    for w in weights.iter() {
        sum += *w;
    }
    let log_prob = (top_joint - top).wide() + sum_joint.wide().ln() - sum.wide().ln();
    let (share, share_joint) = (T::one() / sum, T::one() / sum_joint);
    weights.iter_mut().for_each(|w| *w *= share);
    weights[components] -= background_joint * share_joint;
    let mut by = [0.0; 3];
    for k in 0..components {
        let responsibility = joint[k] * share_joint;
        for (by, part) in by.iter_mut().zip(by_ends[k]) {
            *by += (responsibility * part).wide();
        }
        weights[k] -= responsibility;
        means[k] *= -responsibility;
        scales[k] *= -responsibility;
    }
    for (i, output) in map.iter_mut().enumerate() {
        let gradient = by[0] * place.by_low[i] + by[1] * place.by_high[i] + by[2] * place.by_log_width[i];
        *output = T::of(-gradient * affine.slopes[i]);
    }
    log_prob
}

/// `log r` of a logistic of mean 0 and scale 1 under a map, and so nearly of a head before training.
pub(super) fn log_ratio_of_map(ranks: (f64, f64), affine: &Affine) -> f64 {
    let place = ScoredPlace::<f64>::new(ranks.0, ranks.1, affine);
    let mut raw = [CENTRE; LANES];
    raw[0] = raw_log_scale(0.0);
    Lanes::new::<false>(&[0.0; LANES], &raw, &place).log_ratio[0] + place.log_jacobian
}

/// The rank that component `k` gives for the uniform number `u`.
pub(super) fn draw_rank(mean: f64, raw_scale: f64, affine: &Affine, u: f64) -> f64 {
    affine.rank(mean + log_scale_of(raw_scale).exp() * logit(u))
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use ef_check::check_gradient;
    use ef_tensor::simd::{Kernel, dispatch};
    use proptest::prelude::*;

    use super::*;

    struct Head<'a> {
        y: &'a mut [f64],
        components: usize,
        place: (f64, f64),
    }

    impl Kernel for Head<'_> {
        type Output = f64;
        #[inline(always)]
        fn run<const FMA: bool>(self) -> f64 {
            mixture_nll::<FMA, f64>(self.y, self.components, self.place)
        }
    }

    /// The log-probability and the gradient of its negative.
    fn scored(y: &[f64], components: usize, low: f64, high: f64) -> (f64, Vec<f64>) {
        let mut gradient = y.to_vec();
        let log_prob = dispatch(Head {
            y: &mut gradient,
            components,
            place: (low, high),
        });
        (log_prob, gradient)
    }

    fn log_prob(y: &[f64], components: usize, low: f64, high: f64) -> f64 {
        scored(y, components, low, high).0
    }

    /// Locations and log-scales beyond their bounds too.
    fn outputs(components: usize, levels: usize) -> impl Strategy<Value = Vec<f64>> {
        let map = (-9.0..9.0_f64, -5.0..3.0_f64, 0.0..1.0_f64);
        (proptest::collection::vec(-2.0..2.0, 3 * components + levels), map).prop_map(
            |(mut y, (location, log_scale, share))| {
                y.extend([location * share, log_scale * share]);
                y
            },
        )
    }

    /// Central differences of every output.
    fn assert_gradient(y: &[f64], components: usize, low: f64, high: f64) {
        let (_, gradient) = scored(y, components, low, high);
        let report = check_gradient(
            |y| -log_prob(y, components, low, high),
            y,
            &gradient,
            &(0..y.len()).collect::<Vec<_>>(),
            1e-5,
            |i| format!("output {i} of {y:?}, ranks ({low}, {high})"),
        );
        report.unwrap_or_else(|violation| panic!("{violation}"));
    }

    #[test]
    fn gradients_at_the_edges() {
        let places = [
            (0.0, 1.0),
            (0.0, 0.0),
            (1.0, 1.0),
            (0.0, 0.3),
            (0.7, 1.0),
            (0.0, 1e-12),
            (1e-300, 1e-290),
            (1.0 - 1e-9, 1.0),
            (0.3, 0.3),
            (0.3, 0.3 + 1e-9),
            (1e-9, 2e-9),
            (1.0 - 1e-9, 1.0 - 1e-9),
            (0.05, 0.999),
        ];
        let maps = [
            (0.0, 0.0),
            (3.0, -2.5),
            (-7.0, 0.5),
            (20.0, -9.0),
            (-20.0, 5.0),
            (0.1, -3.9),
        ];
        for (low, high) in places {
            for (location, log_scale) in maps {
                // With a background of little weight, and of none.
                for background in [-3.0, -1000.0] {
                    let y = [
                        0.2, -0.3, background, 0.5, -1.0, 1.5, -0.5, 0.4, location, log_scale,
                    ];
                    assert_gradient(&y, 2, low, high);
                }
            }
        }
    }

    /// Sums of weights that round to more than 1 stand for 1.
    #[test]
    fn a_rank_a_little_above_one_is_one() {
        let y = vec![0.3; 3 * 5 + 3];
        let above = 1.0_f64.next_up();
        assert_relative_eq!(log_prob(&y, 5, 0.99, above), log_prob(&y, 5, 0.99, 1.0));
        assert!(log_prob(&y, 5, above, above).is_finite());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Intervals that tile the ranks have the mass of the continuous level, however they are cut, narrow ones
        /// included.
        #[test]
        fn intervals_share_the_mass_of_the_level(
            y in outputs(19, 3),
            cuts in proptest::collection::vec(0.0..1.0_f64, 1..30),
            near in 1e-9..1e-3_f64,
        ) {
            let mut edges = cuts.clone();
            edges.extend(cuts.iter().map(|c| (c + near).min(1.0)));
            edges.extend([0.0, near * 1e-3, 1.0 - near * 1e-3, 1.0]);
            edges.sort_by(f64::total_cmp);
            edges.dedup();
            let mass: f64 = edges
                .windows(2)
                .map(|e| (e[1] - e[0]) * log_prob(&y, 19, e[0], e[1]).exp())
                .sum();
            let weights: Vec<f64> = y[..22].iter().map(|w| w.exp()).collect();
            let share = weights[..20].iter().sum::<f64>() / weights.iter().sum::<f64>();
            assert_relative_eq!(mass, share, max_relative = 1e-9);
        }

        #[test]
        fn gradients_agree_with_differences(y in outputs(5, 3), low in 0.0..1.0_f64, exponent in 0.0..12.0_f64) {
            assert_gradient(&y, 5, low, low + (1.0 - low) * 10_f64.powf(-exponent));
            assert_gradient(&y, 5, low, low);
        }

        /// A place without extent has the limit of narrow intervals around it.
        #[test]
        fn densities_are_limits(y in outputs(5, 1), rank in 0.001..0.999_f64) {
            let around = log_prob(&y, 5, rank - 1e-7, rank + 1e-7);
            assert_relative_eq!(log_prob(&y, 5, rank, rank), around, epsilon = 1e-5, max_relative = 1e-5);
        }

        /// Ranks drawn from a component fall below `r` with the mass it gives to `(0, r)`.
        #[test]
        fn drawing_inverts_the_mass(
            mean in -2.0..2.0_f64,
            raw in -4.0..1.0_f64,
            location in -3.0..3.0_f64,
            log_scale in -3.0..0.5_f64,
            u in 0.001..0.999_f64,
        ) {
            let rank = draw_rank(mean, raw, &Affine::new(location, log_scale), u);
            // One component with nearly all the weight: its mass is the head's.
            let y = [700.0, 0.0, mean, raw, location, log_scale];
            let mass = (rank.ln() + log_prob(&y, 1, 0.0, rank)).exp();
            assert_relative_eq!(mass, u, max_relative = 1e-6);
        }
    }
}
