//! Base distributions: what the latent of a flow is compared with.

mod diagonal_normal;
mod logistic;
mod mixture;
mod normals;
mod standard_normal;
mod student_t;
mod uniform_box;

use std::fmt::Debug;

use ef_tensor::{ParamVisitor, Real, Workspace};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use rand_core::RngCore;

use crate::key::Key;

pub use diagonal_normal::DiagonalNormal;
pub use logistic::Logistic;
pub use mixture::NormalMixture;
pub use standard_normal::StandardNormal;
pub use student_t::StudentT;
pub use uniform_box::UniformBox;

/// A distribution over rows `z: (dim)`, with or without parameters of its own. In a [`Flow`](crate::Flow) they lie
/// behind the bijector's in one slice and are trained with them.
pub trait Base<T: Real>: Debug + Send + Sync {
    /// The number of columns it is for; `None` if any.
    fn dim(&self) -> Option<usize> {
        None
    }

    /// Number of parameters. Default: none.
    fn num_params(&self) -> usize {
        0
    }

    /// Ordered names and shapes of the parameters.
    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        let _ = visitor;
    }

    /// Writes starting values.
    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let _ = (rng, params);
    }

    /// Lets a base that starts from data do so: `z: (rows, dim)` is what will reach it. Default: nothing.
    fn init_from_data(&self, params: &mut [T], z: ArrayView2<'_, T>) {
        let _ = (params, z);
    }

    /// `log p(z)` of one row, nats; `-inf` outside the support.
    fn log_prob(&self, params: &[T], z: ArrayView1<'_, T>) -> f64;

    /// `g <- -d log p(z) / dz`, and adds `-d log p(z) / dparams` to `grads`.
    fn nll_backward(&self, params: &[T], z: ArrayView1<'_, T>, g: ArrayViewMut1<'_, T>, grads: &mut [T]);

    /// Draws one row, taking the same number of random words for every row (inverse CDF, no rejection).
    fn sample(&self, params: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>);

    /// Adds `log p(z)` of each row of `z: (rows, dim)` to `out`. Default: [`log_prob`](Self::log_prob), row by row.
    fn log_prob_rows(&self, params: &[T], z: ArrayView2<'_, T>, out: &mut [f64]) {
        for (out, z) in out.iter_mut().zip(z.rows()) {
            *out += self.log_prob(params, z);
        }
    }

    /// [`log_prob_rows`](Self::log_prob_rows) and [`nll_backward`](Self::nll_backward) of each row, whose gradient takes
    /// the place of `z`. Default: row by row.
    fn nll_backward_rows(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        out: &mut [f64],
        grads: &mut [T],
        ws: &mut Workspace<T>,
    ) {
        let mut g = ws.take(1, z.ncols());
        for (out, mut z) in out.iter_mut().zip(z.rows_mut()) {
            *out += self.log_prob(params, z.view());
            self.nll_backward(params, z.view(), g.row_mut(0), grads);
            z.assign(&g.row(0));
        }
        ws.give(g);
    }

    /// Draws one row of `z: (rows, dim)` from each stream of `key` that `rows` names, as [`sample`](Self::sample) does.
    /// Default: row by row.
    fn sample_rows(
        &self,
        params: &[T],
        key: Key,
        rows: &mut dyn Iterator<Item = u64>,
        mut z: ArrayViewMut2<'_, T>,
    ) {
        for (z, row) in z.rows_mut().into_iter().zip(rows) {
            self.sample(params, &mut key.row(row), z);
        }
    }
}
