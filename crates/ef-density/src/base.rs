//! Base distributions: what the latent of a flow is compared with.

use std::fmt::Debug;

use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};
use rand::RngCore;

use crate::key::uniform;
use crate::normal::{log_phi, ndtri};

/// A fixed distribution over rows of any dimension.
pub trait Base<T: Real>: Debug + Send + Sync {
    /// `log p(z)` of one row, nats.
    fn log_prob(&self, z: ArrayView1<'_, T>) -> f64;

    /// `g = -d log p(z) / dz`.
    fn nll_gradient(&self, z: ArrayView1<'_, T>, g: ArrayViewMut1<'_, T>);

    /// Draws one row, taking the same number of random words for every row (inverse CDF, no rejection).
    fn sample(&self, rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>);
}

/// Independent standard normals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardNormal;

impl<T: Real> Base<T> for StandardNormal {
    fn log_prob(&self, z: ArrayView1<'_, T>) -> f64 {
        z.iter().map(|v| log_phi(v.wide())).sum()
    }

    fn nll_gradient(&self, z: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>) {
        g.assign(&z);
    }

    fn sample(&self, rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        for v in z {
            *v = T::of(ndtri(uniform(rng)));
        }
    }
}
