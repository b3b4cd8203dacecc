//! Flows: a bijector with a base distribution, and several orders of the columns averaged.

pub mod base;
mod order_ensemble;

pub use order_ensemble::OrderEnsemble;

use std::ops::Range;

use ef_bijectors::{Bijector, BijectorError};
use ef_tensor::{ParamVisitor, Real, Scope, Tape, Workspace};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use rand_core::RngCore;

use crate::density::{Density, INIT_ROWS, RowSet};
use crate::key::{Key, ScoreKey, StepKey};
use base::{Base, StandardNormal};

/// `log p(x | c) = log p_base(f(x; c)) + log|det df/dx|` (Rezende & Mohamed 2015, 1505.05770, eq. 5, with `f` running
/// data -> latent).
///
/// ```
/// use ef_bijectors::{FlowConfig, Workspace, maf, ndarray::{Array2, array}};
/// use ef_density::{Density, Flow, Key};
/// use rand::SeedableRng;
///
/// let flow = Flow::new(maf::<f64>(2, 0, &FlowConfig::default())?);
/// let mut params = vec![0.0; flow.num_params()];
/// flow.init(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1), &mut params);
///
/// let (no_context, mut ws) = (Array2::zeros((3, 0)), Workspace::default());
/// let (x, log_prob) = flow.sample_with_log_prob(&params, no_context.view(), 0..3, Key::new(7), &mut ws);
/// let mut again = vec![0.0; 3];
/// flow.log_prob(&params, x.view(), no_context.view(), &mut again, &mut ws);
/// assert!(log_prob.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-9));
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
#[derive(Debug)]
pub struct Flow<T: Real> {
    bijector: Box<dyn Bijector<T>>,
    base: Box<dyn Base<T>>,
}

impl<T: Real> Flow<T> {
    /// A flow over the standard normal.
    pub fn new(bijector: impl Bijector<T> + 'static) -> Self {
        Self::boxed(Box::new(bijector))
    }

    /// The same for a boxed bijector.
    pub fn boxed(bijector: Box<dyn Bijector<T>>) -> Self {
        Self {
            bijector,
            base: Box::new(StandardNormal),
        }
    }

    /// A flow over a base of your choice. Its support must be the latent domain of the bijector: what a base draws
    /// outside it (a normal over a spline that ends at its box) is held to the domain and has no density.
    ///
    /// # Errors
    /// If the base is for another number of columns.
    pub fn with_base(bijector: Box<dyn Bijector<T>>, base: Box<dyn Base<T>>) -> Result<Self, BijectorError> {
        match base.dim() {
            Some(found) if found != bijector.dim() => Err(BijectorError::Dimension {
                what: "the base distribution".to_owned(),
                found,
                expected: bijector.dim(),
            }),
            _ => Ok(Self { bijector, base }),
        }
    }

    /// The bijector.
    pub fn bijector(&self) -> &dyn Bijector<T> {
        &*self.bijector
    }

    /// The base distribution.
    pub fn base(&self) -> &dyn Base<T> {
        &*self.base
    }

    /// Number of columns.
    pub fn dim(&self) -> usize {
        self.bijector.dim()
    }

    /// Number of parameters: the bijector's, then the base's.
    pub fn num_params(&self) -> usize {
        self.bijector.num_params() + self.base.num_params()
    }

    fn split<'a>(&self, params: &'a [T]) -> (&'a [T], &'a [T]) {
        params.split_at(self.bijector.num_params())
    }

    fn split_mut<'a>(&self, params: &'a mut [T]) -> (&'a mut [T], &'a mut [T]) {
        params.split_at_mut(self.bijector.num_params())
    }

    /// Writes `log p(x | context)`, nats. `x: (rows, dim)`, `context: (rows, context_dim)`.
    pub fn log_prob(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        out: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let mut z = ws.take(x.nrows(), x.ncols());
        z.assign(&x);
        self.log_prob_of(params, z.view_mut(), context, out, ws);
        ws.give(z);
    }

    /// The same; `x` is overwritten.
    fn log_prob_of(
        &self,
        params: &[T],
        mut x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        out: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (params, base) = self.split(params);
        out.fill(0.0);
        self.bijector
            .forward(params, x.view_mut(), context, out, None, ws);
        self.base.log_prob_rows(base, x.view(), out);
    }

    /// Draws rows number `rows` of the sample `key` names, one a row of `context`. The array comes from `ws` and may be
    /// given back to it: then no call but the first allocates.
    pub fn sample(
        &self,
        params: &[T],
        context: ArrayView2<'_, T>,
        rows: Range<u64>,
        key: Key,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        debug_assert_eq!(context.nrows() as u64, rows.end - rows.start);
        self.sample_rows(params, context, rows, key, ws)
    }

    /// The same for rows of any numbers, one a row of `context`.
    pub(crate) fn sample_rows(
        &self,
        params: &[T],
        context: ArrayView2<'_, T>,
        mut rows: impl Iterator<Item = u64>,
        key: Key,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let (params, base) = self.split(params);
        let mut z = ws.take(context.nrows(), self.dim());
        self.base.sample_rows(base, key, &mut rows, z.view_mut());
        let mut log_det = ws.take_wide(context.nrows());
        self.bijector
            .inverse(params, z.view_mut(), context, &mut log_det, ws);
        ws.give_wide(log_det);
        z
    }

    /// Draws rows with their log-densities, in one pass.
    pub fn sample_with_log_prob(
        &self,
        params: &[T],
        context: ArrayView2<'_, T>,
        mut rows: Range<u64>,
        key: Key,
        ws: &mut Workspace<T>,
    ) -> (Array2<T>, Vec<f64>) {
        let n = context.nrows();
        debug_assert_eq!(n as u64, rows.end - rows.start);
        let (params, base) = self.split(params);
        let mut z = ws.take(n, self.dim());
        self.base.sample_rows(base, key, &mut rows, z.view_mut());
        let (mut log_prob, mut log_det) = (vec![0.0; n], ws.take_wide(n));
        self.base.log_prob_rows(base, z.view(), &mut log_prob);
        log_det.fill(0.0);
        self.bijector
            .inverse(params, z.view_mut(), context, &mut log_det, ws);
        for (log_prob, &log_det) in log_prob.iter_mut().zip(&log_det) {
            // a draw of the base outside the bijector's range has density 0
            *log_prob = if log_det == f64::NEG_INFINITY {
                f64::NEG_INFINITY
            } else {
                *log_prob - log_det
            };
        }
        ws.give_wide(log_det);
        (z, log_prob)
    }

    /// Adds the gradient of `-sum log p(x | context)` to `grads`, and to `g_context` if given; writes each row's
    /// log-density to `out`. `x` is overwritten with its own gradient.
    pub fn nll_backward(
        &self,
        params: &[T],
        mut x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        out: &mut [f64],
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (params, base) = self.split(params);
        let (grads, base_grads) = self.split_mut(grads);
        out.fill(0.0);
        self.bijector
            .forward(params, x.view_mut(), context, out, Some(tape), ws);
        self.base
            .nll_backward_rows(base, x.view_mut(), out, base_grads, ws);
        // d(-log p)/d log_det = -1
        let mut g_log_det = ws.take(1, x.nrows());
        g_log_det.fill(-T::one());
        let minus_ones = g_log_det.as_slice().expect("standard layout");
        self.bijector
            .backward(params, x, minus_ones, context, g_context, grads, tape, ws);
        ws.give(g_log_det);
    }
}

/// Plain numeric rows for a [`Flow`]: `x: (rows, dim)` and `context: (rows, context_dim)`.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRows<T> {
    /// The rows.
    pub x: Array2<T>,
    /// What they are conditioned on; no columns if nothing.
    pub context: Array2<T>,
}

impl<T: Real> FlowRows<T> {
    /// Rows without a context.
    pub fn new(x: Array2<T>) -> Self {
        let context = Array2::zeros((x.nrows(), 0));
        Self { x, context }
    }
}

impl<T: Real> RowSet for FlowRows<T> {
    fn num_rows(&self) -> usize {
        self.x.nrows()
    }
}

/// Scratch memory of a [`Flow`].
#[derive(Debug, Default)]
pub struct FlowScratch<T> {
    tape: Tape<T>,
    pub(crate) ws: Workspace<T>,
    out: Vec<f64>,
}

/// Copies the chosen rows of `from` into a workspace array.
pub(crate) fn gather<T: Real>(from: &Array2<T>, index: &[usize], ws: &mut Workspace<T>) -> Array2<T> {
    let columns = from.ncols();
    let mut to = ws.take(index.len(), columns);
    if columns == 0 {
        return to;
    }
    if let Some(from) = from.as_slice() {
        let rows = to
            .as_slice_mut()
            .expect("standard layout")
            .chunks_exact_mut(columns);
        for (&i, row) in index.iter().zip(rows) {
            let from = &from[i * columns..(i + 1) * columns];
            // A loop, for a row is often too short for the call that copies memory.
            row.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
        }
    } else {
        for (&i, mut row) in index.iter().zip(to.axis_iter_mut(Axis(0))) {
            row.assign(&from.row(i));
        }
    }
    to
}

impl<T: Real> Density<T> for Flow<T> {
    type Rows = FlowRows<T>;
    type Scratch = FlowScratch<T>;

    fn num_params(&self) -> usize {
        Self::num_params(self)
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.bijector.visit_params(visitor);
        self.base.visit_params(&mut Scope::new("base", visitor));
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let (params, base) = self.split_mut(params);
        self.bijector.init(rng, params);
        self.base.init(rng, base);
    }

    fn project(&self, params: &mut [T]) {
        self.bijector.project(self.split_mut(params).0);
    }

    fn init_from_data(&self, params: &mut [T], rows: &FlowRows<T>, index: &[usize]) {
        let index = &index[..index.len().min(INIT_ROWS)];
        let mut ws = Workspace::default();
        let (mut x, context) = (
            gather(&rows.x, index, &mut ws),
            gather(&rows.context, index, &mut ws),
        );
        let (params, base) = self.split_mut(params);
        self.bijector
            .init_from_data(params, x.view(), context.view(), &mut ws);
        if !base.is_empty() {
            let mut log_det = vec![0.0; index.len()];
            self.bijector
                .forward(params, x.view_mut(), context.view(), &mut log_det, None, &mut ws);
            self.base.init_from_data(base, x.view());
        }
    }

    fn log_prob(
        &self,
        params: &[T],
        rows: &FlowRows<T>,
        index: &[usize],
        _: ScoreKey,
        scratch: &mut FlowScratch<T>,
        out: &mut [f64],
    ) {
        let ws = &mut scratch.ws;
        let (mut x, context) = (gather(&rows.x, index, ws), gather(&rows.context, index, ws));
        self.log_prob_of(params, x.view_mut(), context.view(), out, ws);
        ws.give(x);
        ws.give(context);
    }

    fn nll_backward(
        &self,
        params: &[T],
        rows: &FlowRows<T>,
        index: &[usize],
        _: StepKey,
        scratch: &mut FlowScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let FlowScratch { tape, ws, out } = scratch;
        let (mut x, context) = (gather(&rows.x, index, ws), gather(&rows.context, index, ws));
        out.resize(index.len(), 0.0);
        Flow::nll_backward(
            self,
            params,
            x.view_mut(),
            context.view(),
            None,
            out,
            grads,
            tape,
            ws,
        );
        ws.give(x);
        ws.give(context);
        -out.iter().sum::<f64>()
    }

    fn sample(
        &self,
        params: &[T],
        given: &FlowRows<T>,
        rows: Range<u64>,
        key: Key,
        scratch: &mut FlowScratch<T>,
    ) -> FlowRows<T> {
        let x = Flow::sample(self, params, given.context.view(), rows, key, &mut scratch.ws);
        FlowRows {
            x,
            context: given.context.clone(),
        }
    }
}
