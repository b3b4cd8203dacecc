//! The trait.

use std::fmt::Debug;

use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

/// An invertible, differentiable map; **`forward` runs data `x` -> latent `z`**, both `(rows, dim)`.
///
/// `forward` is the differentiable direction, because training by maximum likelihood runs that way:
/// `log p(x) = log p_base(forward(x)) + log_det`. `inverse` runs latent -> data, to sample.
///
/// * A bijector is a pure function of its slice of one flat parameter vector. It holds shapes, masks and orders;
///   the numbers are its owner's.
/// * Both directions work in place and **add** their log-determinant to `log_det` (one `f64` a row, nats), so a
///   chain needs no sums of its own.
/// * `context: (rows, context_dim)` is always an argument. A bijector without a context ignores it, whatever its
///   width, so composition never breaks.
/// * What `backward` needs, `forward` pushes on the tape it was given; `backward` pops exactly that. Scratch memory
///   comes from the workspace. Nothing is cached in the object.
/// * Outside its domain a bijector writes `-inf` to `log_det` and finite values; no method panics on any numbers. A
///   parameter that is the logarithm of a scale overflows beyond about 80 in `f32`, and the result is then not finite.
/// * Every row is mapped by itself: the result of a row depends on no other row.
///
/// `ef-check` proves all of this for any implementation, yours included.
pub trait Bijector<T: Real>: Debug + Send + Sync {
    /// Number of columns.
    fn dim(&self) -> usize;

    /// Width of the context it reads; 0 if it reads none.
    fn context_dim(&self) -> usize {
        0
    }

    /// Number of parameters.
    fn num_params(&self) -> usize;

    /// Ordered names and shapes of the parameters.
    fn visit_params(&self, visitor: &mut dyn ParamVisitor);

    /// Writes starting values; a flow starts at or near the identity.
    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]);

    /// Sets parameters that must be zero (weights outside a mask) to zero. After `init` and training they are; the
    /// owner calls this on parameters from elsewhere, such as a file. Default: nothing.
    fn project(&self, params: &mut [T]) {
        let _ = params;
    }

    /// Lets a bijector that starts from data do so: `x: (rows, dim)` is what will reach it. Default: nothing.
    fn init_from_data(
        &self,
        params: &mut [T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        ws: &mut Workspace<T>,
    ) {
        let _ = (params, x, context, ws);
    }

    /// Data -> latent, in place. Adds `log|det dz/dx|` to `log_det`; records on `tape` if given.
    fn forward(
        &self,
        params: &[T],
        x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    );

    /// Latent -> data, in place. Adds `log|det dx/dz|` to `log_det`.
    fn inverse(
        &self,
        params: &[T],
        z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    );

    /// The gradient of a loss `L(z, log_det)` through the last recorded `forward`, written by hand.
    ///
    /// In: `g = dL/dz` and `g_log_det = dL/dlog_det` (one a row). Out: `g = dL/dx`, in place; parameter gradients
    /// are **added** to `grads`, context gradients to `g_context: (rows, context_dim)` if given. Pops from `tape`
    /// what `forward` pushed.
    fn backward(
        &self,
        params: &[T],
        g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    );
}
