//! The standard normal.

use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};
use rand::RngCore;

use super::Base;
use crate::key::uniform;
use crate::normal::{log_phi, ndtri};

/// Independent standard normals: `log p(z) = -sum_j (z_j² + log 2 pi) / 2`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardNormal;

impl<T: Real> Base<T> for StandardNormal {
    fn log_prob(&self, _: &[T], z: ArrayView1<'_, T>) -> f64 {
        z.iter().map(|v| log_phi(v.wide())).sum()
    }

    fn nll_backward(&self, _: &[T], z: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>, _: &mut [T]) {
        g.assign(&z);
    }

    fn sample(&self, _: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        for v in z {
            *v = T::of(ndtri(uniform(rng)));
        }
    }
}
