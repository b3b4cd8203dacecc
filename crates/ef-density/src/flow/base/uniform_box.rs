//! The uniform distribution on a box.

use ef_bijectors::BijectorError;
use ef_tensor::{Real, bounds_within};
use ndarray::{ArrayView1, ArrayViewMut1};
use rand_core::RngCore;

use super::Base;
use crate::key::uniform;

/// Uniform on `[lo, hi]` in every column: `log p(z) = -dim log(hi - lo)` inside, `-inf` outside. The base of a spline
/// that ends at its box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UniformBox {
    lo: f64,
    hi: f64,
}

impl UniformBox {
    /// On `[lo, hi]`.
    ///
    /// # Errors
    /// Unless these are in this order and their distance is finite.
    pub fn new(lo: f64, hi: f64) -> Result<Self, BijectorError> {
        if lo < hi && (hi - lo).is_finite() {
            return Ok(Self { lo, hi });
        }
        Err(BijectorError::Setting {
            what: "the box of a uniform distribution",
            value: format!("{lo}..{hi}"),
            expected: "finite, with its lower end first",
        })
    }

    /// The two ends.
    pub fn bounds(&self) -> (f64, f64) {
        (self.lo, self.hi)
    }
}

impl<T: Real> Base<T> for UniformBox {
    fn log_prob(&self, _: &[T], z: ArrayView1<'_, T>) -> f64 {
        let inside = |v: f64| v >= self.lo && v <= self.hi;
        if z.iter().all(|v| inside(v.wide())) {
            -(z.len() as f64) * (self.hi - self.lo).ln()
        } else {
            f64::NEG_INFINITY
        }
    }

    fn nll_backward(&self, _: &[T], _: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>, _: &mut [T]) {
        g.fill(T::zero());
    }

    fn sample(&self, _: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        let (lo, hi) = bounds_within::<T>(self.lo, self.hi);
        for v in z {
            let drawn = self.lo + (self.hi - self.lo) * uniform(rng);
            *v = T::of(drawn).max(lo).min(hi);
        }
    }
}
