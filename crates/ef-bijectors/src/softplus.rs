//! The softplus, which keeps numbers positive.

use ef_tensor::Real;

/// `softplus(r) = log(1 + exp(r))` and its slope, the sigmoid, without overflow.
pub(crate) fn softplus(r: f64) -> (f64, f64) {
    let e = (-r.abs()).exp();
    let slope = if r >= 0.0 { 1.0 } else { e } / (1.0 + e);
    (r.max(0.0) + e.ln_1p(), slope)
}

/// Likewise in a lane of a kernel.
#[inline(always)]
pub(crate) fn softplus_lane<const FMA: bool, T: Real>(r: T) -> (T, T) {
    let (zero, one) = (T::zero(), T::one());
    let e = (-r.abs()).exp_lane::<FMA>();
    let positive = r >= zero;
    let slope = if positive { one } else { e } / (one + e);
    let above = if positive { r } else { zero };
    (above + e.ln_1p_lane::<FMA>(), slope)
}
