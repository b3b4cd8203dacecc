//! Base distributions: what the latent of a flow is compared with.

mod diagonal_normal;
mod logistic;
mod mixture;
mod standard_normal;
mod student_t;
mod uniform_box;

use std::fmt::Debug;

use ef_tensor::{ParamVisitor, Real};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1};
use rand::RngCore;

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
}
