//! A flow over normal scores of ranks, given levels and a context.

use std::ops::Range;

use ef_bijectors::Bijector;
use ef_tensor::{Activation, Linear, ParamVisitor, Real, Scope, SparseLinear};
use ndarray::{Array2, ArrayView2};
use rand_core::RngCore;

use crate::density::{Density, INIT_ROWS};
use crate::flow::Flow;
use crate::key::{Key, ScoreKey, StepKey, uniform};
use crate::normal::{log_phi, ndtr, ndtri};
use crate::rows::{Layout, RowScratch, Rows, gather_context, gather_levels, given_context};

/// Normal scores are held to `[-LIMIT, LIMIT]`; beyond lies a mass of 1e-15.
const LIMIT: f64 = 8.0;

/// `p(ranks | levels, context)`: with `z_j = Phi^-1(v_j)` the normal score of rank `v_j`,
///
/// ```text
/// ratio(v) = p_flow(z | s) / prod_j phi(z_j),      s = silu(E[levels] + C context + b)
/// ```
///
/// is a density with respect to uniform ranks. Where a place is an interval (a rounding step, a missing level, an
/// atom, whose interval is all of (0, 1)), the row's density is the mean of `ratio` over it: `v` is an **auxiliary
/// variable**. Training takes one keyed draw (a bound on the log-density, on average); scoring takes the log-mean
/// over many, an estimate whose standard error is known. A row without intervals is exact.
#[derive(Debug)]
pub struct RankFlow<T: Real> {
    levels: SparseLinear,
    context: Linear,
    flow: Flow<T>,
}

impl<T: Real> RankFlow<T> {
    /// A flow over the `layout`'s ranks. `make(dim, context_dim)` builds its bijector; the context it gets is `width`
    /// wide, or 0 where there are neither levels nor context features to depend on.
    ///
    /// # Errors
    /// What `make` returns.
    pub fn new<E>(
        layout: &Layout,
        width: usize,
        make: impl FnOnce(usize, usize) -> Result<Box<dyn Bijector<T>>, E>,
    ) -> Result<Self, E> {
        let alone = layout.variables().is_empty() && layout.context_dim() == 0;
        let width = if alone { 0 } else { width };
        let mut levels = SparseLinear::new(width);
        for v in layout.variables() {
            levels = levels.with_variable(v.levels(), &v.features, 0);
        }
        let bijector = make(layout.continuous(), width)?;
        Ok(Self {
            levels,
            context: Linear::new(layout.context_dim(), width),
            flow: Flow::boxed(bijector),
        })
    }

    /// The flow over normal scores.
    pub fn flow(&self) -> &Flow<T> {
        &self.flow
    }

    fn split<'a>(&self, params: &'a [T]) -> [&'a [T]; 3] {
        let (levels, rest) = params.split_at(self.levels.num_params());
        let (context, flow) = rest.split_at(self.context.num_params());
        [levels, context, flow]
    }

    /// Pre-activations of the summary `s`.
    fn summary(
        &self,
        params: &[T],
        levels: ArrayView2<'_, u32>,
        context: ArrayView2<'_, T>,
        scratch: &mut RowScratch<T>,
    ) -> Array2<T> {
        let [p_levels, p_context, _] = self.split(params);
        let mut h = scratch.ws.take(context.nrows(), self.levels.outputs());
        self.context.forward(p_context, context, h.view_mut());
        self.levels.forward_add(p_levels, levels, h.view_mut());
        h
    }

    /// The summary `s` itself.
    fn activated_summary(
        &self,
        params: &[T],
        levels: ArrayView2<'_, u32>,
        context: ArrayView2<'_, T>,
        scratch: &mut RowScratch<T>,
    ) -> Array2<T> {
        let mut s = self.summary(params, levels, context, scratch);
        Activation::Silu.apply(s.as_slice_mut().expect("standard layout"), None);
        s
    }

    fn view<'a>(&self, rows: usize, levels: &'a [u32]) -> ArrayView2<'a, u32> {
        ArrayView2::from_shape((rows, self.levels.variables()), levels)
            .expect("gathered with this many variables")
    }

    /// Scores the rows `index` with `draws` keyed draws each: `visit(i, log ratio)` is called once a draw for each
    /// position of the index.
    fn ratios(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        mut visit: impl FnMut(usize, f64),
    ) {
        let n = index.len();
        let mut levels = std::mem::take(&mut scratch.levels);
        gather_levels(rows, index, &mut levels);
        let context = gather_context(rows, index, &mut scratch.ws);
        let s = self.activated_summary(params, self.view(n, &levels), context.view(), scratch);
        let mut out = std::mem::take(&mut scratch.out);
        out.resize(n, 0.0);
        let mut z = scratch.ws.take(n, self.flow.dim());
        let mut log_base = vec![0.0; n];
        let mut streams: Vec<_> = index
            .iter()
            .map(|&r| key.key.purpose("places").row(key.stream(r)))
            .collect();
        let [_, _, p_flow] = self.split(params);
        for _ in 0..key.draws.max(1) {
            for (i, &row) in index.iter().enumerate() {
                log_base[i] = normal_scores(rows, row, z.row_mut(i), &mut || uniform(&mut streams[i]));
            }
            self.flow
                .log_prob(p_flow, z.view(), s.view(), &mut out, &mut scratch.ws);
            for i in 0..n {
                visit(i, out[i] - log_base[i]);
            }
        }
        for a in [z, s, context] {
            scratch.ws.give(a);
        }
        scratch.levels = levels;
        scratch.out = out;
    }

    /// The log-mean ratio of the rows `index` over `key.draws` keyed draws, and its standard error: calls
    /// `visit(i, log_mean, standard_error)` for each position of the index. Rows without intervals are exact, error 0.
    pub(crate) fn estimate(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        mut visit: impl FnMut(usize, f64, f64),
    ) {
        // Where none of the rows has an interval, one draw is exact and the others would repeat it.
        let exact = index.iter().all(|&r| !rows.has_intervals(r));
        let draws = if exact { 1 } else { key.draws.max(1) };
        let mut ratios = vec![Vec::with_capacity(draws); index.len()];
        let push = |i: usize, ratio: f64| ratios[i].push(ratio);
        self.ratios(params, rows, index, ScoreKey { draws, ..key }, scratch, push);
        for (i, ratios) in ratios.iter().enumerate() {
            let (log_mean, error) = log_mean(ratios);
            visit(
                i,
                log_mean,
                if rows.has_intervals(index[i]) { error } else { 0.0 },
            );
        }
    }

    /// Draws the ranks of rows whose levels and contexts are `given`, one from each of `streams`.
    pub(crate) fn sample_streams(
        &self,
        params: &[T],
        given: &Rows,
        streams: impl Iterator<Item = u64>,
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        let context = given_context(given, &mut scratch.ws);
        let s = self.activated_summary(params, given.levels.view(), context.view(), scratch);
        let [_, _, p_flow] = self.split(params);
        let z = self
            .flow
            .sample_rows(p_flow, s.view(), streams, key.purpose("ranks"), &mut scratch.ws);
        scratch.ws.give(s);
        scratch.ws.give(context);
        let ranks = z.mapv(|z| ndtr(z.wide()));
        Rows {
            high: ranks.clone(),
            low: ranks,
            ..given.clone()
        }
    }
}

/// `log mean exp(l)` and its standard error by the delta method, `sd(w) / (mean(w) sqrt n)`.
fn log_mean(l: &[f64]) -> (f64, f64) {
    let n = l.len() as f64;
    let top = l.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return (top, 0.0);
    }
    let mean = l.iter().map(|l| (l - top).exp()).sum::<f64>() / n;
    let variance = l.iter().map(|l| ((l - top).exp() - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    // A single draw has no estimate of its error.
    let error = if l.len() > 1 {
        (variance / n).sqrt() / mean
    } else {
        f64::INFINITY
    };
    (top + mean.ln(), error)
}

/// Writes the normal scores of one place per column, drawn by `v`, and returns `sum log phi(z)`.
fn normal_scores<T: Real>(
    rows: &Rows,
    row: usize,
    z: ndarray::ArrayViewMut1<'_, T>,
    v: &mut dyn FnMut() -> f64,
) -> f64 {
    let mut sum = 0.0;
    for ((z, &low), &high) in z.into_iter().zip(rows.low.row(row)).zip(rows.high.row(row)) {
        // One word is drawn for every column, so that a column's draw does not depend on the other columns' data.
        let v = v();
        let score = T::of(ndtri(low + v * (high - low)).clamp(-LIMIT, LIMIT));
        *z = score;
        sum += log_phi(score.wide());
    }
    sum
}

impl<T: Real> Density<T> for RankFlow<T> {
    type Rows = Rows;
    type Scratch = RowScratch<T>;

    fn num_params(&self) -> usize {
        self.levels.num_params() + self.context.num_params() + self.flow.num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.levels.visit_params(&mut Scope::new("cells", visitor));
        self.context.visit_params(&mut Scope::new("context", visitor));
        self.flow
            .bijector()
            .visit_params(&mut Scope::new("flow", visitor));
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let (levels, rest) = params.split_at_mut(self.levels.num_params());
        let (context, flow) = rest.split_at_mut(self.context.num_params());
        self.levels.init(1.0, rng, levels);
        self.context.init(1.0, rng, context);
        self.flow.bijector().init(rng, flow);
    }

    fn project(&self, params: &mut [T]) {
        let at = self.levels.num_params() + self.context.num_params();
        self.flow.bijector().project(&mut params[at..]);
    }

    fn init_from_data(&self, params: &mut [T], rows: &Rows, index: &[usize]) {
        let index = &index[..index.len().min(INIT_ROWS)];
        let mut scratch = RowScratch::default();
        let mut levels = Vec::new();
        gather_levels(rows, index, &mut levels);
        let context = gather_context(rows, index, &mut scratch.ws);
        let s = self.activated_summary(
            params,
            self.view(index.len(), &levels),
            context.view(),
            &mut scratch,
        );
        let mut z = scratch.ws.take(index.len(), self.flow.dim());
        for (i, &row) in index.iter().enumerate() {
            // Any place inside a row's intervals will do for a start; the middle needs no key.
            normal_scores(rows, row, z.row_mut(i), &mut || 0.5);
        }
        let at = self.levels.num_params() + self.context.num_params();
        self.flow
            .bijector()
            .init_from_data(&mut params[at..], z.view(), s.view(), &mut scratch.ws);
    }

    fn log_prob(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        out: &mut [f64],
    ) {
        self.estimate(params, rows, index, key, scratch, |i, log_mean, _| {
            out[i] = log_mean;
        });
    }

    fn nll_backward(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: StepKey,
        scratch: &mut RowScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let n = index.len();
        let mut levels = std::mem::take(&mut scratch.levels);
        gather_levels(rows, index, &mut levels);
        let context = gather_context(rows, index, &mut scratch.ws);
        let view = self.view(n, &levels);
        let mut s = self.summary(params, view, context.view(), scratch);
        let RowScratch { tape, ws, out, .. } = scratch;
        let mut slope = ws.take(n, s.ncols());
        Activation::Silu.apply(s.as_slice_mut().expect("standard layout"), slope.as_slice_mut());
        let mut z = ws.take(n, self.flow.dim());
        let places = key.purpose("places");
        let mut log_base = 0.0;
        for (i, &row) in index.iter().enumerate() {
            let mut rng = places.row(key.row + i as u64);
            log_base += normal_scores(rows, row, z.row_mut(i), &mut || uniform(&mut rng));
        }
        out.resize(n, 0.0);
        let mut g_s = ws.zeros(n, s.ncols());
        let [_, _, p_flow] = self.split(params);
        let (g_levels, rest) = grads.split_at_mut(self.levels.num_params());
        let (g_context, g_flow) = rest.split_at_mut(self.context.num_params());
        self.flow.nll_backward(
            p_flow,
            z.view_mut(),
            s.view(),
            Some(g_s.view_mut()),
            out,
            g_flow,
            tape,
            ws,
        );
        g_s *= &slope;
        self.context.backward(context.view(), g_s.view(), g_context);
        self.levels.backward(view, g_s.view(), g_levels);
        let nll = log_base - out.iter().sum::<f64>();
        for a in [s, slope, z, g_s, context] {
            ws.give(a);
        }
        scratch.levels = levels;
        nll
    }

    /// Reads `given.levels` and `given.context`.
    fn sample(
        &self,
        params: &[T],
        given: &Rows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        self.sample_streams(params, given, rows, key, scratch)
    }
}
