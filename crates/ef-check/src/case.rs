//! One case: a bijector at drawn parameters, data and context, with its passes wrapped for use in laws.

use ef_bijectors::Bijector;
use ef_tensor::{Real, Tape, Workspace};
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;

use crate::config::CheckConfig;
use crate::strategy::{self, Draw};

pub(crate) struct Case<'a> {
    pub(crate) b: &'a dyn Bijector<f64>,
    pub(crate) config: &'a CheckConfig,
    pub(crate) draw: Draw,
    pub(crate) params: Vec<f64>,
    pub(crate) x: Array2<f64>,
    pub(crate) context: Array2<f64>,
}

/// `(z, log_det)`.
pub(crate) type Mapped<T> = (Array2<T>, Vec<f64>);

impl<'a> Case<'a> {
    pub(crate) fn new(b: &'a dyn Bijector<f64>, config: &'a CheckConfig, draw: Draw) -> Self {
        let scale = strategy::data_scale(config, draw.scale);
        let mut of_data = strategy::stream(draw.seed, 1);
        let mut of_context = strategy::stream(draw.seed, 2);
        Self {
            b,
            config,
            draw,
            params: strategy::ordinary_params(b, config, draw.seed, draw.scale),
            x: strategy::inside(config.forward_domain, draw.rows, b.dim(), scale, &mut of_data),
            context: strategy::normal(draw.rows, b.context_dim(), &mut of_context),
        }
    }

    /// Random numbers for a law's own use.
    pub(crate) fn rng(&self, purpose: u64) -> ChaCha8Rng {
        strategy::stream(self.draw.seed, 100 + purpose)
    }

    pub(crate) fn forward(&self, x: ArrayView2<'_, f64>, context: ArrayView2<'_, f64>) -> Mapped<f64> {
        forward(self.b, &self.params, x, context)
    }

    pub(crate) fn inverse(&self, z: ArrayView2<'_, f64>, context: ArrayView2<'_, f64>) -> Mapped<f64> {
        inverse(self.b, &self.params, z, context)
    }
}

pub(crate) fn forward<T: Real>(
    b: &dyn Bijector<T>,
    params: &[T],
    x: ArrayView2<'_, T>,
    context: ArrayView2<'_, T>,
) -> Mapped<T> {
    let mut z = x.to_owned();
    let mut log_det = vec![0.0; x.nrows()];
    b.forward(
        params,
        z.view_mut(),
        context,
        &mut log_det,
        None,
        &mut Workspace::default(),
    );
    (z, log_det)
}

pub(crate) fn inverse<T: Real>(
    b: &dyn Bijector<T>,
    params: &[T],
    z: ArrayView2<'_, T>,
    context: ArrayView2<'_, T>,
) -> Mapped<T> {
    let mut x = z.to_owned();
    let mut log_det = vec![0.0; z.nrows()];
    b.inverse(
        params,
        x.view_mut(),
        context,
        &mut log_det,
        &mut Workspace::default(),
    );
    (x, log_det)
}

/// Calls `f` with one row as `(1, columns)`.
pub(crate) fn on_row<T: Real>(row: &[f64], f: impl FnOnce(ArrayView2<'_, T>) -> Array2<T>) -> Vec<f64> {
    let row = Array2::from_shape_fn((1, row.len()), |(_, j)| T::of(row[j]));
    f(row.view()).iter().map(|v| v.wide()).collect()
}

/// What a recorded pass and its backward pass leave behind.
pub(crate) struct Passed {
    pub(crate) z: Array2<f64>,
    pub(crate) log_det: Vec<f64>,
    pub(crate) g: Array2<f64>,
    pub(crate) g_context: Array2<f64>,
    pub(crate) grads: Vec<f64>,
    pub(crate) tape_left: usize,
}

/// How a backward pass is started.
pub(crate) struct Start<'a> {
    pub(crate) g_log_det: &'a [f64],
    /// What `log_det`, `grads` and `g_context` hold before.
    pub(crate) held: f64,
    /// Whether a context gradient is asked for.
    pub(crate) with_context: bool,
    pub(crate) ws: Workspace<f64>,
}

impl<'a> Start<'a> {
    /// From zeros, with a context gradient and fresh memory.
    pub(crate) fn of(g_log_det: &'a [f64]) -> Self {
        Self {
            g_log_det,
            held: 0.0,
            with_context: true,
            ws: Workspace::default(),
        }
    }
}

/// `forward` with a tape, then `backward` from `dL/dz = g_of(z)`.
pub(crate) fn pass(
    b: &dyn Bijector<f64>,
    params: &[f64],
    x: ArrayView2<'_, f64>,
    context: ArrayView2<'_, f64>,
    g_of: impl FnOnce(&Array2<f64>) -> Array2<f64>,
    start: Start<'_>,
) -> Passed {
    let (mut tape, mut ws) = (Tape::default(), start.ws);
    let mut z = x.to_owned();
    let mut log_det = vec![start.held; x.nrows()];
    b.forward(
        params,
        z.view_mut(),
        context,
        &mut log_det,
        Some(&mut tape),
        &mut ws,
    );
    let mut g = g_of(&z);
    let mut grads = vec![start.held; params.len()];
    let mut g_context = Array2::from_elem(context.dim(), start.held);
    b.backward(
        params,
        g.view_mut(),
        start.g_log_det,
        context,
        start.with_context.then(|| g_context.view_mut()),
        &mut grads,
        &mut tape,
        &mut ws,
    );
    Passed {
        z,
        log_det,
        g,
        g_context,
        grads,
        tape_left: tape.len(),
    }
}
