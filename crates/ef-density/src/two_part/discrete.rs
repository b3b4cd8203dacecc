//! A masked softmax network over discrete variables.

use std::ops::Range;

use ef_tensor::simd::{Kernel, dispatch};
use ef_tensor::{
    Degrees, Incremental, Linear, Mlp, MlpConfig, ParamVisitor, Real, Scope, SparseLinear, TensorError,
};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1};
use rand_core::RngCore;

use crate::density::{Density, HeadOffsets};
use crate::dropout::KeyedDropout;
use crate::key::{Key, ScoreKey, StepKey, uniform};
use crate::rows::{Layout, RowScratch, Rows, gather_context, gather_levels, given_context};
use crate::softmax::{draw_levels, log_shares, softmax_nll};

/// Size of a [`DiscreteMade`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiscreteConfig {
    /// The hidden layers.
    pub net: MlpConfig,
    /// Share of units dropped inside residual blocks while training.
    pub dropout: f64,
}

impl Default for DiscreteConfig {
    fn default() -> Self {
        Self {
            net: MlpConfig {
                hidden: 256,
                ..MlpConfig::default()
            },
            dropout: 0.1,
        }
    }
}

/// `P(c_0, c_1, .. | context) = prod_v softmax(net(c_0 .. c_{v-1}, context)_v)[c_v]`: MADE (Germain et al. 2015,
/// 1502.03509) with one softmax a variable. Exact: it sums to 1 over all combinations of levels.
///
/// Codes are gathered, never expanded ([`SparseLinear`]); hidden units are sorted by how many variables they see.
/// The log shares are constants that the network's outputs are added to, so training starts from independent columns. The
/// first variable, where there is no context, depends on nothing: its probabilities are its shares, whatever was trained.
///
/// A variable sees the one before it through hidden units of its own, so there are at least as many units as variables.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscreteMade {
    input: SparseLinear,
    context: Linear,
    net: Mlp,
    /// Degrees of the hidden units: how many variables each sees.
    degrees: Vec<usize>,
    /// Where each variable's outputs start; one more at the end.
    starts: Vec<usize>,
    /// Logits of the shares of each variable.
    log_shares: Vec<Vec<f64>>,
    dropout: f64,
}

impl DiscreteMade {
    /// A network for the variables and context of `layout`.
    ///
    /// # Errors
    /// Never for the masks made here; the type is that of the masked layers it builds.
    pub fn new(layout: &Layout, config: &DiscreteConfig) -> Result<Self, TensorError> {
        let variables = layout.variables();
        let with_context = layout.context_dim() > 0;
        let degrees = Degrees::Equal.of_units(variables.len(), with_context, config.net.hidden);
        let hidden = degrees.len();
        let mut input = SparseLinear::new(hidden);
        let (mut starts, mut output_degrees) = (vec![0], Vec::new());
        for (v, variable) in variables.iter().enumerate() {
            let first_unit = degrees.partition_point(|&d| d <= v);
            input = input.with_variable(variable.levels(), &variable.features, first_unit);
            let outputs = if v > 0 || with_context {
                variable.levels()
            } else {
                0
            };
            starts.push(starts[v] + outputs);
            output_degrees.resize(starts[v + 1], v);
        }
        Ok(Self {
            input,
            context: Linear::new(layout.context_dim(), hidden),
            net: Mlp::masked(config.net, &degrees, &output_degrees)?,
            degrees,
            starts,
            log_shares: variables.iter().map(|v| log_shares(&v.shares)).collect(),
            dropout: config.dropout,
        })
    }

    /// The constants of the heads.
    pub fn head_offsets(&self) -> HeadOffsets {
        let has_outputs = |at: &[usize]| at[0] < at[1];
        let with_outputs = self
            .starts
            .windows(2)
            .zip(&self.log_shares)
            .filter(|(at, _)| has_outputs(at));
        let marginal = self
            .starts
            .windows(2)
            .zip(&self.log_shares)
            .find(|(at, _)| !has_outputs(at));
        HeadOffsets {
            offsets: with_outputs
                .flat_map(|(_, log_shares)| log_shares.iter().copied())
                .collect(),
            of_marginal: marginal.map_or(0, |(_, log_shares)| log_shares.len()),
            later: Vec::new(),
            later_params: Vec::new(),
        }
    }

    /// Units of a hidden layer: what was asked for, or as many as there are variables to see.
    pub fn hidden(&self) -> usize {
        self.degrees.len()
    }

    /// Number of variables.
    pub fn variables(&self) -> usize {
        self.starts.len() - 1
    }

    fn split<'a, T>(&self, params: &'a [T]) -> [&'a [T]; 3] {
        let (input, rest) = params.split_at(self.input.num_params());
        let (context, net) = rest.split_at(self.context.num_params());
        [input, context, net]
    }

    fn split_mut<'a, T>(&self, params: &'a mut [T]) -> [&'a mut [T]; 3] {
        let (input, rest) = params.split_at_mut(self.input.num_params());
        let (context, net) = rest.split_at_mut(self.context.num_params());
        [input, context, net]
    }

    fn first<T: Real>(
        &self,
        params: &[T],
        levels: ArrayView2<'_, u32>,
        context: ArrayView2<'_, T>,
        scratch: &mut RowScratch<T>,
    ) -> Array2<T> {
        let [p_input, p_context, _] = self.split(params);
        let mut h = scratch.ws.take(levels.nrows(), self.net.hidden());
        self.context.forward(p_context, context, h.view_mut());
        self.input.forward_add(p_input, levels, h.view_mut());
        h
    }

    fn view<'a>(&self, levels: &'a [u32]) -> ArrayView2<'a, u32> {
        let variables = self.variables();
        let rows = levels.len().checked_div(variables).unwrap_or(0);
        ArrayView2::from_shape((rows, variables), levels).expect("gathered with this many variables")
    }
}

/// [`softmax_nll`] of every variable of one row: the sum of their `log softmax`.
struct Softmaxes<'a, T> {
    /// Where each variable's logits start; one more at the end.
    starts: &'a [usize],
    log_shares: &'a [Vec<f64>],
    logits: &'a mut [T],
    levels: ArrayView1<'a, u32>,
}

impl<T: Real> Kernel for Softmaxes<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut log_prob = 0.0;
        for ((&code, at), log_shares) in self
            .levels
            .iter()
            .zip(self.starts.windows(2))
            .zip(self.log_shares)
        {
            let logits = &mut self.logits[at[0]..at[1]];
            if logits.is_empty() {
                // depends on nothing; a value never seen has its mass in `log_measure`
                log_prob += log_shares.get(code as usize).copied().unwrap_or(0.0);
                continue;
            }
            for (logit, &log_share) in logits.iter_mut().zip(log_shares) {
                *logit += T::of(log_share);
            }
            log_prob += softmax_nll::<FMA, T>(logits, code);
        }
        log_prob
    }
}

impl DiscreteMade {
    /// The log-probability of one row's levels; `logits` become its negative's gradient.
    fn log_prob_of<T: Real>(&self, mut logits: ArrayViewMut1<'_, T>, levels: ArrayView1<'_, u32>) -> f64 {
        dispatch(Softmaxes {
            starts: &self.starts,
            log_shares: &self.log_shares,
            logits: logits.as_slice_mut().expect("a row of a standard layout"),
            levels,
        })
    }
}

impl DiscreteMade {
    /// Draws the levels of rows whose contexts are `given`, one from each of `streams`.
    pub(crate) fn sample_streams<T: Real>(
        &self,
        params: &[T],
        given: &Rows,
        streams: impl Iterator<Item = u64>,
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        let (n, variables) = (given.context.nrows(), self.variables());
        let [p_input, p_context, p_net] = self.split(params);
        let ws = &mut scratch.ws;
        let context = given_context(given, ws);
        let mut uniforms = Array2::zeros((n, variables));
        let key = key.purpose("cells");
        for (row, mut u) in streams.zip(uniforms.rows_mut()) {
            let mut rng = key.row(row);
            u.iter_mut().for_each(|u| *u = uniform(&mut rng));
        }
        let mut left = Vec::with_capacity(n);
        let mut levels = Array2::zeros((n, variables));
        let mut drawn = vec![0_u32; n];
        let mut net = Incremental::new(&self.net, p_net, n, ws);
        let hidden = self.net.hidden();
        self.context
            .forward_units_add(p_context, 0..hidden, context.t(), net.first.view_mut());
        for v in 0..variables {
            let units = self.degrees.partition_point(|&d| d < v)..self.degrees.partition_point(|&d| d <= v);
            net.advance(units.clone());
            let log_shares = &self.log_shares[v];
            let mut weights = ws.zeros(log_shares.len(), n);
            let outputs = self.starts[v]..self.starts[v + 1];
            if !outputs.is_empty() {
                weights.assign(&net.outputs(outputs));
            }
            for (mut weights, &log_share) in weights.rows_mut().into_iter().zip(log_shares) {
                weights += T::of(log_share);
            }
            draw_levels(weights.view_mut(), uniforms.column(v), &mut left, &mut drawn);
            ws.give(weights);
            levels.column_mut(v).assign(&ArrayView1::from(&drawn));
            self.input
                .forward_variable(p_input, v, &drawn, units.end..hidden, net.first.view_mut());
        }
        net.finish(ws);
        ws.give(context);
        Rows {
            levels,
            ..Rows::of_context(given.context.clone())
        }
    }
}

impl<T: Real> Density<T> for DiscreteMade {
    type Rows = Rows;
    type Scratch = RowScratch<T>;

    fn num_params(&self) -> usize {
        self.input.num_params() + self.context.num_params() + self.net.num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.input.visit_params(&mut Scope::new("input", visitor));
        self.context.visit_params(&mut Scope::new("context", visitor));
        self.net.visit_params(visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let [input, context, net] = self.split_mut(params);
        self.input.init(1.0, rng, input);
        self.context.init(1.0, rng, context);
        self.net.init(0.0, rng, net);
    }

    fn project(&self, params: &mut [T]) {
        let [input, _, net] = self.split_mut(params);
        self.input.project(input);
        self.net.project(net);
    }

    fn log_prob(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        _: ScoreKey,
        scratch: &mut RowScratch<T>,
        out: &mut [f64],
    ) {
        let mut levels = std::mem::take(&mut scratch.levels);
        gather_levels(rows, index, &mut levels);
        let context = gather_context(rows, index, &mut scratch.ws);
        let view = self.view(&levels);
        let h = self.first(params, view, context.view(), scratch);
        let mut y = scratch.ws.take(index.len(), self.net.outputs());
        let [_, _, p_net] = self.split(params);
        self.net
            .forward(p_net, h, y.view_mut(), None, None, &mut scratch.ws);
        for ((out, mut y), levels) in out.iter_mut().zip(y.rows_mut()).zip(view.rows()) {
            *out = self.log_prob_of(y.view_mut(), levels);
        }
        scratch.ws.give(y);
        scratch.ws.give(context);
        scratch.levels = levels;
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
        let mut levels = std::mem::take(&mut scratch.levels);
        gather_levels(rows, index, &mut levels);
        let context = gather_context(rows, index, &mut scratch.ws);
        let view = self.view(&levels);
        let h = self.first(params, view, context.view(), scratch);
        let RowScratch { tape, ws, .. } = scratch;
        let [_, _, p_net] = self.split(params);
        let [g_input, g_context, g_net] = self.split_mut(grads);
        let mut y = ws.take(index.len(), self.net.outputs());
        let mut dropout = KeyedDropout::of_step(self.dropout, &self.net, key);
        let masks = dropout.as_mut().map(|d| d as &mut dyn ef_tensor::DropoutMask<T>);
        let dropped = masks.is_some();
        self.net.forward(p_net, h, y.view_mut(), masks, Some(tape), ws);
        let mut nll = 0.0;
        for (mut y, levels) in y.rows_mut().into_iter().zip(view.rows()) {
            nll -= self.log_prob_of(y.view_mut(), levels);
        }
        let gh = self.net.backward(p_net, y.view(), dropped, g_net, tape, ws);
        self.context.backward(context.view(), gh.view(), g_context);
        self.input.backward(view, gh.view(), g_input);
        for a in [y, context, gh] {
            ws.give(a);
        }
        scratch.levels = levels;
        nll
    }

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
