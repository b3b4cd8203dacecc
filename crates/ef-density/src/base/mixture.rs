//! A mixture of normals.

use ef_tensor::{ParamVisitor, Real};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1};
use rand::RngCore;

use super::Base;
use super::diagonal_normal::moments;
use crate::key::uniform;
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
    /// Of `components` normals in `dim` columns; `None` unless there is one at least.
    pub fn new(dim: usize, components: usize) -> Option<Self> {
        (components > 0).then_some(Self { dim, components })
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

/// `log sum exp` of the terms.
fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + terms.map(|t| (t - largest).exp()).sum::<f64>().ln()
}

impl<T: Real> Base<T> for NormalMixture {
    fn dim(&self) -> Option<usize> {
        Some(self.dim)
    }

    fn num_params(&self) -> usize {
        self.components * (1 + 2 * self.dim)
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("logits", &[self.components]);
        visitor.param("mean", &[self.components, self.dim]);
        visitor.param("log_scale", &[self.components, self.dim]);
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
        let moments = moments(z);
        let count = self.components * self.dim;
        for k in 0..self.components {
            for j in 0..self.dim {
                let at = self.components + k * self.dim + j;
                params[at] = z[[k * z.nrows() / self.components, j]];
                params[at + count] = T::of(moments[j].1);
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
            let share = (self.term(params, z, k) - total).exp();
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
