//! Intervals of `f64` in narrower numbers.

use crate::real::Real;

/// The closed interval `[lo, hi]` in numbers of `T`, rounded inward: what lies in the result lies in `[lo, hi]`.
///
/// ```
/// let (lo, hi) = ef_tensor::bounds_within::<f32>(0.1, 0.3);
/// assert!(f64::from(lo) >= 0.1 && f64::from(hi) <= 0.3);
/// ```
pub fn bounds_within<T: Real>(lo: f64, hi: f64) -> (T, T) {
    let step = |v: T| (v.abs() * T::epsilon()).max(T::min_positive_value());
    let (mut low, mut high) = (T::of(lo), T::of(hi));
    if low.wide() < lo {
        low += step(low);
    }
    if high.wide() > hi {
        high -= step(high);
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounded_inward_and_not_far(lo in -1e6f64..1e6, width in 1e-3f64..1e6) {
            let hi = lo + width;
            let (a, b) = bounds_within::<f32>(lo, hi);
            prop_assert!(f64::from(a) >= lo && f64::from(b) <= hi);
            prop_assert!(f64::from(a) - lo <= 3e-7 * lo.abs() + 1e-37 && hi - f64::from(b) <= 3e-7 * hi.abs() + 1e-37);
            prop_assert_eq!(bounds_within::<f64>(lo, hi), (lo, hi));
        }
    }
}
