//! Independent normals with learned means and scales.

use ef_tensor::{ParamVisitor, Real, column_moments};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1};
use rand_core::RngCore;

use super::Base;
use crate::key::uniform;
use crate::normal::{log_phi, ndtri};

/// `z_j ~ N(mu_j, exp(a_j)²)` with learned `mu` and `a`. Starts as the standard normal, or from data at their means and
/// standard deviations; a constant column has scale 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiagonalNormal {
    dim: usize,
}

impl DiagonalNormal {
    /// For `dim` columns.
    pub fn new(dim: usize) -> Self {
        Self { dim }
    }
}

impl<T: Real> Base<T> for DiagonalNormal {
    fn dim(&self) -> Option<usize> {
        Some(self.dim)
    }

    fn num_params(&self) -> usize {
        2 * self.dim
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.offset("mean", &[self.dim]);
        visitor.offset("log_scale", &[self.dim]);
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
    }

    fn init_from_data(&self, params: &mut [T], z: ArrayView2<'_, T>) {
        for (j, found) in column_moments(z).enumerate() {
            if let Some((mean, sd)) = found {
                params[j] = T::of(mean);
                params[self.dim + j] = T::of(if sd > 0.0 { sd.ln() } else { 0.0 });
            }
        }
    }

    fn log_prob(&self, params: &[T], z: ArrayView1<'_, T>) -> f64 {
        let (mean, log_scale) = params.split_at(self.dim);
        let columns = z.iter().zip(mean).zip(log_scale);
        columns
            .map(|((z, m), a)| log_phi((z.wide() - m.wide()) * (-a.wide()).exp()) - a.wide())
            .sum()
    }

    fn nll_backward(&self, params: &[T], z: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>, grads: &mut [T]) {
        for j in 0..self.dim {
            let scale = (-params[self.dim + j]).exp();
            let u = (z[j] - params[j]) * scale;
            g[j] = u * scale;
            grads[j] -= u * scale;
            grads[self.dim + j] += T::one() - u * u;
        }
    }

    fn sample(&self, params: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        let (mean, log_scale) = params.split_at(self.dim);
        for ((z, m), a) in z.into_iter().zip(mean).zip(log_scale) {
            *z = *m + a.exp() * T::of(ndtri(uniform(rng)));
        }
    }
}
