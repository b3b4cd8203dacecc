//! The uniform distribution on a box.

use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};
use rand::RngCore;

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
    /// On `[lo, hi]`; `None` unless these are finite and in this order.
    pub fn new(lo: f64, hi: f64) -> Option<Self> {
        (lo.is_finite() && hi.is_finite() && lo < hi).then_some(Self { lo, hi })
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
        for v in z {
            *v = T::of(self.lo + (self.hi - self.lo) * uniform(rng));
        }
    }
}
