//! A mixture of normals.

use ef_bijectors::BijectorError;
use ef_tensor::{ParamVisitor, Real, column_moments};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1};
use rand_core::RngCore;

use super::Base;
use crate::key::uniform;
use crate::log_sum::log_sum_exp;
use crate::normal::{log_phi, ndtri};

/// `p(z) = sum_k pi_k prod_j N(z_j; mu_kj, exp(a_kj)²)` with learned weights `pi = softmax(logits)`, means and scales:
/// a base with several modes, so that the flow need not tear one apart.
///
/// Starts at random means, or from data: the means are rows of the data at even distances, the scales theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormalMixture {
    dim: usize,
    components: usize,
}

impl NormalMixture {
    /// Of `components` normals in `dim` columns.
    ///
    /// # Errors
    /// If there are none.
    pub fn new(dim: usize, components: usize) -> Result<Self, BijectorError> {
        if components > 0 {
            return Ok(Self { dim, components });
        }
        Err(BijectorError::Setting {
            what: "the number of normals in a mixture",
            value: "0".to_owned(),
            expected: "at least 1",
        })
    }

    fn split<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T], &'a [T]) {
        let (logits, rest) = params.split_at(self.components);
        let (means, log_scales) = rest.split_at(self.components * self.dim);
        (logits, means, log_scales)
    }

    /// `log(pi_k N(z; k))` of component `k`, but for the softmax's constant.
    fn term<T: Real>(&self, params: &[T], z: ArrayView1<'_, T>, k: usize) -> f64 {
        let (logits, means, log_scales) = self.split(params);
        let own = k * self.dim..(k + 1) * self.dim;
        let columns = z.iter().zip(&means[own.clone()]).zip(&log_scales[own]);
        let normal: f64 = columns
            .map(|((z, m), a)| log_phi((z.wide() - m.wide()) * (-a.wide()).exp()) - a.wide())
            .sum();
        logits[k].wide() + normal
    }
}

impl<T: Real> Base<T> for NormalMixture {
    fn dim(&self) -> Option<usize> {
        Some(self.dim)
    }

    fn num_params(&self) -> usize {
        self.components * (1 + 2 * self.dim)
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.offset("logits", &[self.components]);
        visitor.offset("mean", &[self.components, self.dim]);
        visitor.offset("log_scale", &[self.components, self.dim]);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        let means = self.components..self.components * (1 + self.dim);
        for m in &mut params[means] {
            *m = T::of(ndtri(uniform(rng)));
        }
    }

    fn init_from_data(&self, params: &mut [T], z: ArrayView2<'_, T>) {
        if z.nrows() == 0 || z.iter().any(|v| !v.is_finite()) {
            return;
        }
        let count = self.components * self.dim;
        for (j, found) in column_moments(z).enumerate() {
            let log_scale = found.map_or(0.0, |(_, sd)| if sd > 0.0 { sd.ln() } else { 0.0 });
            for k in 0..self.components {
                let at = self.components + k * self.dim + j;
                params[at] = z[[k * z.nrows() / self.components, j]];
                params[at + count] = T::of(log_scale);
            }
        }
    }

    fn log_prob(&self, params: &[T], z: ArrayView1<'_, T>) -> f64 {
        let (logits, ..) = self.split(params);
        let all = (0..self.components).map(|k| self.term(params, z, k));
        log_sum_exp(all) - log_sum_exp(logits.iter().map(|l| l.wide()))
    }

    fn nll_backward(&self, params: &[T], z: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>, grads: &mut [T]) {
        let (logits, means, log_scales) = self.split(params);
        let total = log_sum_exp((0..self.components).map(|k| self.term(params, z, k)));
        let weights = log_sum_exp(logits.iter().map(|l| l.wide()));
        g.fill(T::zero());
        for k in 0..self.components {
            // the component's responsibility for z, less its weight: -d log p / dlogit_k
            let share = match total {
                // every component gives it density 0, and so has no gradient
                f64::NEG_INFINITY => 0.0,
                total => (self.term(params, z, k) - total).exp(),
            };
            grads[k] += T::of((logits[k].wide() - weights).exp() - share);
            let share = T::of(share);
            for j in 0..self.dim {
                let at = k * self.dim + j;
                let scale = (-log_scales[at]).exp();
                let u = (z[j] - means[at]) * scale;
                g[j] += share * u * scale;
                grads[self.components + at] -= share * u * scale;
                grads[self.components * (1 + self.dim) + at] += share * (T::one() - u * u);
            }
        }
    }

    fn sample(&self, params: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        let (logits, means, log_scales) = self.split(params);
        let weights = log_sum_exp(logits.iter().map(|l| l.wide()));
        let u = uniform(rng);
        let mut below = 0.0;
        let mut chosen = self.components - 1;
        for (k, l) in logits.iter().enumerate() {
            below += (l.wide() - weights).exp();
            if u < below {
                chosen = k;
                break;
            }
        }
        for (j, z) in z.into_iter().enumerate() {
            let at = chosen * self.dim + j;
            *z = means[at] + log_scales[at].exp() * T::of(ndtri(uniform(rng)));
        }
    }
}
