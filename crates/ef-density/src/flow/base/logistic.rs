//! The standard logistic distribution.

use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};
use rand_core::RngCore;

use super::Base;
use crate::key::uniform;

/// Independent standard logistics: `log p(z) = -sum_j (|z_j| + 2 log(1 + exp(-|z_j|)))`. Tails fall like `exp(-|z|)`,
/// more slowly than a normal's. NICE takes it (Dinh et al. 2015, 1410.8516, sec. 3.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logistic;

impl<T: Real> Base<T> for Logistic {
    fn log_prob(&self, _: &[T], z: ArrayView1<'_, T>) -> f64 {
        z.iter()
            .map(|v| v.wide().abs())
            .map(|a| -a - 2.0 * (-a).exp().ln_1p())
            .sum()
    }

    fn nll_backward(&self, _: &[T], z: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>, _: &mut [T]) {
        g.zip_mut_with(&z, |g, &z| *g = (z * T::of(0.5)).tanh());
    }

    fn sample(&self, _: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        for v in z {
            let u = uniform(rng);
            *v = T::of(u.ln() - (-u).ln_1p());
        }
    }
}
