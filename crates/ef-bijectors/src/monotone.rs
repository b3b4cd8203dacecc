//! Monotone functions of one number, and the scalar equation that inverts what is built from them.

use std::fmt::Debug;

use ef_tensor::Real;
use ef_tensor::simd::mul_add;

use crate::error::BijectorError;
use crate::softplus::softplus;

/// `h`, `h'` and `h''` at one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jet<T = f64> {
    /// `h(v)`.
    pub value: T,
    /// `h'(v)`, between 0 and [`Monotone::max_slope`].
    pub slope: T,
    /// `h''(v)`: a log-determinant holds `h'`, so its gradient holds `h''`.
    pub curvature: T,
}

/// A monotone function `h` of one number, the non-linearity of planar and Sylvester flows.
///
/// What must hold, for every finite `v`: `h` is continuous, `0 <= h'(v) <= max_slope()`, and all three numbers of
/// [`at`](Self::at) are finite. Yours needs [`at`](Self::at) and [`max_slope`](Self::max_slope); with
/// [`bounds`](Self::bounds) its inverse starts from a tight bracket, and with [`solve`](Self::solve) it can be exact.
/// [`lane`](Self::lane) and [`solve_lanes`](Self::solve_lanes) are what a planar layer calls on its rows; they have
/// defaults; your own are faster if their arithmetic vectorises.
///
/// ```
/// use ef_bijectors::{Bijector, Jet, Monotone, Planar};
///
/// #[derive(Debug)]
/// struct Arctan;
///
/// impl Monotone for Arctan {
///     fn at(&self, v: f64) -> Jet {
///         let slope = 1.0 / (1.0 + v * v);
///         Jet { value: v.atan(), slope, curvature: -2.0 * v * slope * slope }
///     }
///     fn max_slope(&self) -> f64 {
///         1.0
///     }
/// }
///
/// let layer = Planar::new(2, 0, Arctan)?;
/// ef_check::assert_bijector(&layer, &ef_check::CheckConfig { cases: 2, ..Default::default() });
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub trait Monotone: Debug + Send + Sync {
    /// `h(v)` with its first two derivatives.
    fn at(&self, v: f64) -> Jet;

    /// An upper bound of `h'`; positive and finite.
    fn max_slope(&self) -> f64;

    /// A lower and an upper bound of `h`. Default: none.
    fn bounds(&self) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    /// The root of `v + q h(v) = t`, where `q max_slope > -1`. Default: safeguarded Newton, to machine precision.
    fn solve(&self, q: f64, t: f64) -> f64 {
        newton(self, q, t)
    }

    /// [`at`](Self::at) in `T`, inside a [`Kernel`](ef_tensor::simd::Kernel). Default: by way of `f64`.
    #[inline(always)]
    fn lane<const FMA: bool, T: Real>(&self, v: T) -> Jet<T>
    where
        Self: Sized,
    {
        let jet = self.at(v.wide());
        Jet {
            value: T::of(jet.value),
            slope: T::of(jet.slope),
            curvature: T::of(jet.curvature),
        }
    }

    /// [`solve`](Self::solve) in `T` for `L` equations with one `q`, inside a kernel. Default: one by one in `f64`.
    #[inline(always)]
    fn solve_lanes<const FMA: bool, const L: usize, T: Real>(&self, q: f64, t: [T; L]) -> [T; L]
    where
        Self: Sized,
    {
        t.map(|t| T::of(self.solve(q, t.wide())))
    }
}

/// `h(v) = tanh(v)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tanh;

impl Monotone for Tanh {
    fn at(&self, v: f64) -> Jet {
        // With e = exp(-2|v|), the slope 4 e / (1 + e)^2 keeps its relative precision where 1 - tanh^2 would be 0.
        let exponent = -2.0 * v.abs();
        let e = exponent.exp();
        let difference = if exponent > -0.5 {
            -exponent.exp_m1()
        } else {
            1.0 - e
        };
        let value = (difference / (1.0 + e)).copysign(v);
        let slope = 4.0 * e / ((1.0 + e) * (1.0 + e));
        Jet {
            value,
            slope,
            curvature: -2.0 * value * slope,
        }
    }

    fn max_slope(&self) -> f64 {
        1.0
    }

    fn bounds(&self) -> (f64, f64) {
        (-1.0, 1.0)
    }

    /// With `s = 1 / (1 + exp(2|v|))`, `1 - |tanh v| = 2 s`, so the slope `(1 - |h|)(1 + |h|)` is `2 s (2 - 2 s)`.
    #[inline(always)]
    fn lane<const FMA: bool, T: Real>(&self, v: T) -> Jet<T> {
        let two = T::one() + T::one();
        let rest = two * (-two * v.abs()).sigmoid_lane::<FMA>();
        let (value, slope) = (v.tanh_lane::<FMA>(), rest * (two - rest));
        Jet {
            value,
            slope,
            curvature: -two * value * slope,
        }
    }

    /// Newton's method from the side it never leaves: `f(v) = v + q tanh(v) - |t|` is increasing on `v >= 0` and
    /// concave for `q > 0`, where it starts below the root, convex for `q < 0`, where it starts above. A lane is done
    /// when its step turns round or is lost in rounding.
    #[inline(always)]
    fn solve_lanes<const FMA: bool, const L: usize, T: Real>(&self, q: f64, t: [T; L]) -> [T; L] {
        // Enough for the largest `q` in `f64`; most take four.
        const STEPS: usize = 100;
        let (least, q) = (T::of(1.0 / (1.0 + q)), T::of(q));
        let below = q > T::zero();
        let mut v = [T::zero(); L];
        for l in 0..L {
            // |tanh v| is at most |v|, and at most 1.
            let (a, b) = (t[l].abs() * least, t[l].abs() - q);
            v[l] = if below == (a > b) { a } else { b };
        }
        for _ in 0..STEPS {
            let mut moving = false;
            for l in 0..L {
                let jet = self.lane::<FMA, T>(v[l]);
                let f = mul_add::<FMA, T>(q, jet.value, v[l] - t[l].abs());
                let next = v[l] - f / mul_add::<FMA, T>(q, jet.slope, T::one());
                let goes = if below { next > v[l] } else { next < v[l] };
                v[l] = if goes { next } else { v[l] };
                moving |= goes;
            }
            if !moving {
                break;
            }
        }
        for l in 0..L {
            v[l] = v[l].copysign(t[l]);
        }
        v
    }
}

/// `h(v) = v` for `v >= 0`, `slope v` below. What is built from it has a closed inverse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyRelu {
    slope: f64,
}

impl LeakyRelu {
    /// With that slope below 0.
    ///
    /// # Errors
    /// If `slope` is not between 0 and 1.
    pub fn new(slope: f64) -> Result<Self, BijectorError> {
        if (0.0..=1.0).contains(&slope) {
            Ok(Self { slope })
        } else {
            Err(BijectorError::Setting {
                what: "the slope of a leaky ReLU",
                value: slope.to_string(),
                expected: "between 0 and 1",
            })
        }
    }
}

impl Monotone for LeakyRelu {
    fn at(&self, v: f64) -> Jet {
        let slope = if v >= 0.0 { 1.0 } else { self.slope };
        Jet {
            value: slope * v,
            slope,
            curvature: 0.0,
        }
    }

    fn max_slope(&self) -> f64 {
        1.0
    }

    fn solve(&self, q: f64, t: f64) -> f64 {
        // v + q h(v) is increasing and 0 at 0, so the root has the sign of t.
        let slope = if t >= 0.0 { 1.0 } else { self.slope };
        t / (1.0 + q * slope)
    }

    #[inline(always)]
    fn lane<const FMA: bool, T: Real>(&self, v: T) -> Jet<T> {
        let slope = if v >= T::zero() {
            T::one()
        } else {
            T::of(self.slope)
        };
        Jet {
            value: slope * v,
            slope,
            curvature: T::zero(),
        }
    }

    #[inline(always)]
    fn solve_lanes<const FMA: bool, const L: usize, T: Real>(&self, q: f64, t: [T; L]) -> [T; L] {
        let (above, below) = (T::of(1.0 / (1.0 + q)), T::of(1.0 / (1.0 + q * self.slope)));
        t.map(|t| t * if t >= T::zero() { above } else { below })
    }
}

/// The equation `a + k h(s a + c) = y` in `a`, with `1 + k s h' > 0`: the left side is increasing, so there is
/// exactly one root.
///
/// With `v = s a + c` it reads `v + (s k) h(v) = s y + c`, which [`Monotone::solve`] answers; then `a = y - k h(v)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonotoneEquation {
    /// What `h` is multiplied by.
    pub k: f64,
    /// Scale inside `h`.
    pub s: f64,
    /// Shift inside `h`.
    pub c: f64,
    /// The right side.
    pub y: f64,
}

/// The answer of a [`MonotoneEquation`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Root {
    /// `a`.
    pub a: f64,
    /// `h` at `s a + c`.
    pub h: Jet,
}

impl MonotoneEquation {
    /// The root, to machine precision: the [residual](Self::residual) is a few roundings of the equation's terms.
    /// Ends for any numbers and, where the terms of the equation do not overflow, is finite.
    ///
    /// ```
    /// use ef_bijectors::{MonotoneEquation, Tanh};
    /// let equation = MonotoneEquation { k: -0.5, s: 2.0, c: -1.0, y: 0.25 }; // a - tanh(2 a - 1) / 2 = 1 / 4
    /// let root = equation.solve(&Tanh);
    /// assert!(equation.residual(&Tanh, root.a).abs() < 1e-15);
    /// ```
    pub fn solve<H: Monotone + ?Sized>(&self, h: &H) -> Root {
        let v = h.solve(self.s * self.k, self.s * self.y + self.c);
        let h = h.at(v);
        Root {
            a: self.y - self.k * h.value,
            h,
        }
    }

    /// `a + k h(s a + c) - y`, evaluated afresh.
    pub fn residual<H: Monotone + ?Sized>(&self, h: &H, a: f64) -> f64 {
        a + self.k * h.at(self.s * a + self.c).value - self.y
    }
}

/// The root of `f(v) = v + q h(v) - t` by Newton's method inside a bracket. A step that leaves the bracket, or is not
/// at most half of the step before, is replaced by a bisection: so the loop ends, after some ten evaluations as a rule.
fn newton<H: Monotone + ?Sized>(h: &H, q: f64, t: f64) -> f64 {
    if q == 0.0 || !q.is_finite() || !t.is_finite() {
        return t;
    }
    let (mut low, mut high) = bracket(h, q, t);
    let mut v = t.clamp(low, high);
    let mut last_step = f64::INFINITY;
    loop {
        let jet = h.at(v);
        let f = v + q * jet.value - t;
        // Below this, the sign of f is rounding.
        if f.is_nan() || f.abs() <= 0.5 * f64::EPSILON * (v.abs() + (q * jet.value).abs()) {
            return v;
        }
        if f < 0.0 {
            low = v;
        } else {
            high = v;
        }
        let inside = |x: f64| low < x && x < high;
        let mut next = v - f / (1.0 + q * jet.slope);
        if next == v {
            return v;
        }
        if !(inside(next) && 2.0 * (next - v).abs() <= last_step) {
            next = 0.5 * low + 0.5 * high;
            if !inside(next) {
                return v;
            }
        }
        last_step = (next - v).abs();
        v = next;
    }
}

/// Numbers on both sides of the root: from the bounds of `h`, else by doubling steps away from `t`.
fn bracket<H: Monotone + ?Sized>(h: &H, q: f64, t: f64) -> (f64, f64) {
    let (lower, upper) = h.bounds();
    let (a, b) = (t - q * lower, t - q * upper);
    if a.is_finite() && b.is_finite() {
        return (a.min(b), a.max(b));
    }
    let f = |v: f64| v + q * h.at(v).value - t;
    let at_t = f(t);
    let mut step = at_t.abs();
    loop {
        let end = t - step.copysign(at_t);
        let same_side = f(end) * at_t.signum() > 0.0;
        if !same_side || !end.is_finite() {
            let end = end.clamp(f64::MIN, f64::MAX);
            return (end.min(t), end.max(t));
        }
        step *= 2.0;
    }
}

/// The least slope `1 + k h'` that the parametrisations of this crate leave to a layer. Positive, so that rounding
/// cannot make it 0.
const LEAST_SLOPE: f64 = 1e-4;

/// `m(a)` and `m'(a)`: a smooth increasing map of the line onto `(-(1 - e) / L, inf)` with `m(0) = 0`, where
/// `L = max_slope` and `e =` [`LEAST_SLOPE`]; so `1 + m(a) h'(v) > 0` for every `a` and `v`.
///
/// `m(a) = (1 - e) (softplus(L a + ln(e - 1)) - 1) / L`, with Euler's number inside the logarithm.
pub(crate) fn above_minus_one(a: f64, max_slope: f64) -> (f64, f64) {
    // ln(exp(1) - 1), where softplus is 1
    const UNIT: f64 = 0.541_324_854_612_918_1;
    let (softplus, sigmoid) = softplus(max_slope * a + UNIT);
    let share = 1.0 - LEAST_SLOPE;
    (share * (softplus - 1.0) / max_slope, share * sigmoid)
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    use super::*;

    /// `asinh`: unbounded, with a slope that falls to 0.
    #[derive(Debug)]
    struct Asinh;

    impl Monotone for Asinh {
        fn at(&self, v: f64) -> Jet {
            let slope = 1.0 / v.hypot(1.0);
            Jet {
                value: v.asinh(),
                slope,
                curvature: -v * slope * slope * slope,
            }
        }

        fn max_slope(&self) -> f64 {
            1.0
        }
    }

    fn every() -> [Box<dyn Monotone>; 4] {
        let leaky = |slope| Box::new(LeakyRelu::new(slope).unwrap());
        [Box::new(Tanh), Box::new(Asinh), leaky(0.2), leaky(0.0)]
    }

    fn signed(magnitudes: std::ops::Range<i32>) -> impl Strategy<Value = f64> {
        (magnitudes, 1.0..10.0_f64, any::<bool>())
            .prop_map(|(e, m, minus)| m * 10.0_f64.powi(e) * if minus { -1.0 } else { 1.0 })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_root_solves_its_equation_to_rounding(
            q in prop_oneof![-0.9999..0.0_f64, signed(-8..8).prop_map(f64::abs)],
            s in signed(-6..6), c in signed(-6..6), y in signed(-12..12),
        ) {
            for h in every() {
                let equation = MonotoneEquation { k: q / s, s, c, y };
                let root = equation.solve(&*h);
                // The terms of the equation, and of the argument of h, each rounded a few times.
                let terms = root.a.abs() + y.abs() + (equation.k * root.h.value).abs();
                let inside = (equation.k * root.h.slope).abs() * ((s * root.a).abs() + (s * y).abs() + c.abs());
                let allowed = 8.0 * f64::EPSILON * (terms + inside);
                prop_assert!(equation.residual(&*h, root.a).abs() <= allowed, "{h:?} {equation:?} {root:?}");
            }
        }

        #[test]
        fn lanes_say_what_single_numbers_do(
            q in prop_oneof![-0.9999..0.0_f64, signed(-8..8).prop_map(f64::abs)], t in signed(-12..12),
        ) {
            fn check<T: Real>(h: &impl Monotone, q: f64, t: f64) {
                let eps = T::epsilon().wide();
                let t = T::of(t);
                let roots = h.solve_lanes::<false, 3, T>(q, [t, -t, t]);
                assert_eq!(roots[0], roots[2], "{h:?} {q} {t}");
                for (v, t) in roots.into_iter().zip([t, -t]) {
                    let jet = h.at(v.wide());
                    let residual = v.wide() + q * jet.value - t.wide();
                    // Rounding of q, and of the terms.
                    let allowed = 8.0 * eps * (v.wide().abs() + (q * jet.value).abs() + t.wide().abs());
                    assert!(residual.abs() <= allowed, "{h:?} {q} {t} {v}: {residual:e} > {allowed:e}");
                    let lane = h.lane::<false, T>(v);
                    assert_relative_eq!(lane.value.wide(), jet.value, max_relative = 8.0 * eps);
                    assert_relative_eq!(lane.slope.wide(), jet.slope, max_relative = 8.0 * eps, epsilon = 1e-36);
                    assert_abs_diff_eq!(lane.curvature.wide(), jet.curvature, epsilon = 8.0 * eps);
                }
            }
            check::<f64>(&Tanh, q, t);
            check::<f32>(&Tanh, q, t);
            check::<f64>(&LeakyRelu::new(0.2).unwrap(), q, t);
            check::<f32>(&LeakyRelu::new(0.0).unwrap(), q, t);
            check::<f64>(&Asinh, q, t);
        }

        #[test]
        fn equations_of_any_size_have_finite_answers(q in -0.9999..0.0_f64, wild in signed(-320..150), y in signed(-320..150)) {
            for h in every() {
                for q in [q, wild.abs(), -0.9999] {
                    prop_assert!(!h.solve(q, y).is_nan(), "{h:?} {q} {y}");
                    prop_assert!(MonotoneEquation { k: q, s: 1.0, c: 0.0, y }.solve(&*h).a.is_finite(), "{h:?} {q} {y}");
                    prop_assert!(!Tanh.solve_lanes::<false, 1, f64>(q, [y])[0].is_nan(), "{q} {y}");
                }
            }
        }

        #[test]
        fn derivatives_are_those_of_the_value(v in -6.0..6.0_f64) {
            prop_assume!(v.abs() > 1e-3);
            for h in every() {
                let (down, here, up) = (h.at(v - 1e-5), h.at(v), h.at(v + 1e-5));
                assert_abs_diff_eq!(here.slope, (up.value - down.value) / 2e-5, epsilon = 1e-8);
                assert_abs_diff_eq!(here.curvature, (up.slope - down.slope) / 2e-5, epsilon = 1e-8);
                prop_assert!(here.slope >= 0.0 && here.slope <= h.max_slope());
                let (low, high) = h.bounds();
                prop_assert!(low <= here.value && here.value <= high);
            }
        }

        #[test]
        fn the_parametrisation_stays_above_its_bound(a in signed(-3..3), max_slope in 0.1..10.0_f64) {
            let (m, slope) = above_minus_one(a, max_slope);
            prop_assert!(1.0 + max_slope * m >= 0.999 * LEAST_SLOPE);
            let numeric = (above_minus_one(a + 1e-5, max_slope).0 - above_minus_one(a - 1e-5, max_slope).0) / 2e-5;
            assert_abs_diff_eq!(slope, numeric, epsilon = 1e-7);
            assert_abs_diff_eq!(above_minus_one(0.0, max_slope).0, 0.0, epsilon = 1e-15);
        }
    }

    #[test]
    fn tanh_is_accurate_in_its_tails() {
        let far = Tanh.at(-40.0);
        assert_relative_eq!(far.slope, 4.0 * (-80.0_f64).exp(), max_relative = 1e-12);
        assert_relative_eq!(Tanh.at(1e-9).value, 1e-9, max_relative = 1e-14);
        assert_relative_eq!(Tanh.at(0.7).value, 0.7_f64.tanh(), max_relative = 1e-15);
    }

    #[test]
    fn a_leaky_relu_needs_a_slope_between_0_and_1() {
        for slope in [-0.1, 1.1, f64::NAN] {
            assert!(LeakyRelu::new(slope).is_err());
        }
    }
}
