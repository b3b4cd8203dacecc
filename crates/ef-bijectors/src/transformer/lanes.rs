//! Elements side by side, and what kernels do to one number of each.

use ef_tensor::Real;

/// How many elements a kernel works on side by side. Loops over fewer are unrolled by the compiler before it vectorises
/// them, and then it does not.
pub(super) const LANES: usize = 64;

/// One number of each element of a block.
pub(super) type Lanes<T> = [T; LANES];

/// `a` where `condition` holds, else `b`. Both are arguments, so that both are loaded: a load under a condition stays a
/// branch.
#[inline(always)]
pub(super) fn select<T>(condition: bool, a: T, b: T) -> T {
    if condition { a } else { b }
}

/// `v` held to `0..=1`; 0 for NaN.
#[inline(always)]
pub(super) fn unit<T: Real>(v: T) -> T {
    let v = select(v > T::zero(), v, T::zero());
    select(v < T::one(), v, T::one())
}

/// As `f64`.
#[inline(always)]
pub(super) fn wide<T: Real>(v: &Lanes<T>) -> Lanes<f64> {
    let mut wide = [0.0; LANES];
    for l in 0..LANES {
        wide[l] = v[l].wide();
    }
    wide
}

/// The nearest numbers of `T`.
#[inline(always)]
pub(super) fn narrow<T: Real>(v: &Lanes<f64>) -> Lanes<T> {
    let mut narrow = [T::zero(); LANES];
    for l in 0..LANES {
        narrow[l] = T::of(v[l]);
    }
    narrow
}

/// Logarithms of positive numbers; what has overflown counts as the largest, NaN stays.
#[inline(always)]
pub(super) fn logs<const FMA: bool, T: Real>(v: &Lanes<T>) -> Lanes<T> {
    let mut logs = *v;
    for log in &mut logs {
        // compared so that NaN falls through
        let v = select(*log < T::min_positive_value(), T::min_positive_value(), *log);
        *log = select(v > T::max_value(), T::max_value(), v).ln_lane::<FMA>();
    }
    logs
}
