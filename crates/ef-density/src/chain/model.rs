//! The masked network with a head a column.

use std::ops::Range;

use ef_tensor::simd::{Kernel, dispatch};
use ef_tensor::{
    Incremental, Linear, Mlp, MlpConfig, ParamVisitor, Real, Scope, SparseLinear, TensorError, Workspace,
};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, s};
use rand::RngCore;

use super::inputs::RankInputs;
use super::mixture::{MOST_COMPONENTS, ScoredPlace, draw_rank, mixture_nll, raw_log_scale};
use super::plan::Column;
use crate::density::Density;
use crate::key::{Key, ScoreKey, StepKey, uniform};
use crate::mixed::dropout::KeyedDropout;
use crate::mixed::rows::{gather_codes, gather_context, given_context};
use crate::mixed::{Layout, MixedRows, MixedScratch};
use crate::softmax::{draw_codes, softmax_nll};

/// Size of a [`ColumnChain`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainConfig {
    /// The hidden layers.
    pub net: MlpConfig,
    /// Share of units dropped inside residual blocks while training.
    pub dropout: f64,
    /// Logistics a column with ranks, from 1 to [`ChainConfig::MOST_COMPONENTS`].
    pub components: usize,
}

impl ChainConfig {
    /// Most components of a mixture.
    pub const MOST_COMPONENTS: usize = MOST_COMPONENTS;
}

/// The logistics of a new chain have their means between `-SPREAD` and `SPREAD`, the logits of ranks .023 and .977.
const SPREAD: f64 = 3.75;
/// Their scale.
const START_SCALE: f64 = 0.5;

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            net: MlpConfig {
                hidden: 256,
                ..MlpConfig::default()
            },
            dropout: 0.2,
            components: 16,
        }
    }
}

/// The chain of a table's columns, in the order of its layout: exact log-densities of rows of categories, atoms, missing
/// cells and numbers. See the [module](crate::chain) for the formulas.
///
/// The biases of the output layer start at the columns' shares and at mixtures near the marginal, so training starts
/// from about independent columns.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnChain {
    columns: Vec<Column>,
    ranks: Vec<RankInputs>,
    shares: Vec<Vec<f64>>,
    embedding: SparseLinear,
    numbers: Linear,
    context: Linear,
    /// From normal scores straight to the outputs: what is linear among numbers is learned at once.
    skip: Linear,
    net: Mlp,
    /// Degrees of the hidden units: how many columns each sees.
    degrees: Vec<usize>,
    dropout: f64,
    components: usize,
}

impl ColumnChain {
    /// A network for the columns and context of `layout`.
    ///
    /// # Errors
    /// Never for the masks made here; the type is that of the masked layers it builds.
    pub fn new(layout: &Layout, config: &ChainConfig) -> Result<Self, TensorError> {
        let components = config.components.clamp(1, MOST_COMPONENTS);
        let columns = Column::all(layout, components);
        let lowest = usize::from(layout.context_dim() == 0);
        let span = columns.len().saturating_sub(lowest);
        let hidden = if span == 0 { 0 } else { config.net.hidden };
        let degrees: Vec<usize> = (0..hidden).map(|u| lowest + u * span / hidden).collect();
        let mut embedding = SparseLinear::new(hidden);
        let (mut output_degrees, mut scores_seen, mut scores) = (Vec::new(), Vec::new(), 0);
        for (j, column) in columns.iter().enumerate() {
            if let Some(v) = column.variable {
                let first_unit = degrees.partition_point(|&d| d <= j);
                embedding =
                    embedding.with_variable(column.cells, &layout.variables()[v].features, first_unit);
            }
            output_degrees.resize(column.outputs.end, j);
            scores_seen.resize(column.outputs.end, scores);
            scores += usize::from(column.rank.is_some());
        }
        let features = columns.last().map_or(0, |c| c.features.end);
        let seen = |degree: usize| degree.checked_sub(1).map_or(0, |last| columns[last].features.end);
        let limits: Vec<usize> = degrees.iter().map(|&d| seen(d)).collect();
        Ok(Self {
            numbers: Linear::masked(features, &limits)?.without_bias(),
            embedding,
            context: Linear::new(layout.context_dim(), hidden),
            skip: Linear::masked(scores, &scores_seen)?.without_bias(),
            net: Mlp::masked(config.net, &degrees, &output_degrees)?,
            ranks: layout.ranks().to_vec(),
            shares: layout.variables().iter().map(|v| v.shares.clone()).collect(),
            columns,
            degrees,
            dropout: config.dropout,
            components,
        })
    }

    fn sizes(&self) -> [usize; 4] {
        [
            self.embedding.num_params(),
            self.numbers.num_params(),
            self.context.num_params(),
            self.skip.num_params(),
        ]
    }

    fn split<'a, T>(&self, params: &'a [T]) -> [&'a [T]; 5] {
        let [a, b, c, d] = self.sizes();
        let (embedding, rest) = params.split_at(a);
        let (numbers, rest) = rest.split_at(b);
        let (context, rest) = rest.split_at(c);
        let (skip, net) = rest.split_at(d);
        [embedding, numbers, context, skip, net]
    }

    fn split_mut<'a, T>(&self, params: &'a mut [T]) -> [&'a mut [T]; 5] {
        let [a, b, c, d] = self.sizes();
        let (embedding, rest) = params.split_at_mut(a);
        let (numbers, rest) = rest.split_at_mut(b);
        let (context, rest) = rest.split_at_mut(c);
        let (skip, net) = rest.split_at_mut(d);
        [embedding, numbers, context, skip, net]
    }

    fn codes<'a>(&self, rows: usize, codes: &'a [u32]) -> ArrayView2<'a, u32> {
        ArrayView2::from_shape((rows, self.shares.len()), codes).expect("gathered with this many variables")
    }

    /// The dense features of rows: `(rows, features)`.
    fn features<T: Real>(
        &self,
        rows: &MixedRows,
        index: &[usize],
        codes: ArrayView2<'_, u32>,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let mut x = ws.take(index.len(), self.numbers.inputs());
        for ((&row, codes), mut x) in index.iter().zip(codes.rows()).zip(x.rows_mut()) {
            let codes = codes.to_slice().expect("gathered codes are contiguous");
            let x = x.as_slice_mut().expect("rows of a standard layout");
            for column in &self.columns {
                let Some(r) = column.rank else { continue };
                let middle = 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]);
                let rank = self.ranks[r].representative(column.cell(codes), middle);
                RankInputs::write(rank, x[column.features.clone()].iter_mut());
            }
        }
        x
    }

    /// The normal scores among the dense features: `(rows, ranks)`.
    fn scores<T: Real>(&self, features: ArrayView2<'_, T>, ws: &mut Workspace<T>) -> Array2<T> {
        let mut scores = ws.take(features.nrows(), self.ranks.len());
        for column in &self.columns {
            if let Some(r) = column.rank {
                scores
                    .column_mut(r)
                    .assign(&features.column(column.features.start));
            }
        }
        scores
    }

    /// Runs the heads of all rows: `each` gets a row's position and sum, `y` becomes the gradient of its negative.
    fn heads<T: Real>(
        &self,
        rows: &MixedRows,
        index: &[usize],
        codes: ArrayView2<'_, u32>,
        mut y: ArrayViewMut2<'_, T>,
        mut each: impl FnMut(usize, f64),
    ) {
        for (i, ((&row, codes), mut y)) in index.iter().zip(codes.rows()).zip(y.rows_mut()).enumerate() {
            let log_prob = dispatch(Heads {
                chain: self,
                rows,
                row,
                codes,
                y: y.as_slice_mut().expect("rows of a standard layout"),
            });
            each(i, log_prob);
        }
    }

    fn first<T: Real>(
        &self,
        params: &[T],
        codes: ArrayView2<'_, u32>,
        features: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let [p_embedding, p_numbers, p_context, ..] = self.split(params);
        let mut h = ws.take(codes.nrows(), self.net.hidden());
        self.context.forward(p_context, context, h.view_mut());
        self.numbers.forward_add(p_numbers, features, h.view_mut());
        self.embedding.forward_add(p_embedding, codes, h.view_mut());
        h
    }
}

/// The heads of one row.
struct Heads<'a, T> {
    chain: &'a ColumnChain,
    rows: &'a MixedRows,
    row: usize,
    codes: ArrayView1<'a, u32>,
    y: &'a mut [T],
}

impl<T: Real> Kernel for Heads<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut log_prob = 0.0;
        let components = self.chain.components;
        for column in &self.chain.columns {
            let y = &mut self.y[column.outputs.clone()];
            let cell = column.variable.map_or(0, |v| self.codes[v]);
            log_prob += match column.rank {
                _ if y.is_empty() => 0.0,
                None => softmax_nll::<FMA, T>(y, cell),
                Some(r) if cell == 0 => {
                    let place = ScoredPlace::new(self.rows.low[[self.row, r]], self.rows.high[[self.row, r]]);
                    mixture_nll::<FMA, T>(y, components, &place)
                }
                Some(_) => {
                    let (logits, rest) = y.split_at_mut(components + column.cells);
                    rest.fill(T::zero());
                    // An unseen value stays unseen: its code is beyond every logit.
                    softmax_nll::<FMA, T>(logits, cell.saturating_add(components as u32))
                }
            };
        }
        log_prob
    }
}

impl<T: Real> Density<T> for ColumnChain {
    type Rows = MixedRows;
    type Scratch = MixedScratch<T>;

    fn num_params(&self) -> usize {
        self.sizes().iter().sum::<usize>() + self.net.num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.embedding.visit_params(&mut Scope::new("cells", visitor));
        self.numbers.visit_params(&mut Scope::new("numbers", visitor));
        self.context.visit_params(&mut Scope::new("context", visitor));
        self.skip.visit_params(&mut Scope::new("skip", visitor));
        self.net.visit_params(visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let [embedding, numbers, context, skip, net] = self.split_mut(params);
        skip.fill(T::zero());
        self.embedding.init(1.0, rng, embedding);
        self.numbers.init(1.0, rng, numbers);
        self.context.init(1.0, rng, context);
        self.net.init(0.0, rng, net);
        let biases = self.net.output_bias_mut(net);
        let k = self.components;
        for column in &self.columns {
            let biases = &mut biases[column.outputs.clone()];
            let shares: &[f64] = column.variable.map_or(&[1.0], |v| &self.shares[v]);
            let log = |share: f64| share.max(1e-6).ln();
            let mut cells = 0..shares.len().min(biases.len());
            if column.rank.is_some() {
                // Logistics over nearly all ranks take two thirds of the continuous cell, the background the rest.
                for i in 0..k {
                    let place = if k == 1 {
                        0.0
                    } else {
                        SPREAD * (2.0 * i as f64 / (k - 1) as f64 - 1.0)
                    };
                    biases[i] = T::of(log(shares[0] * 2.0 / 3.0 / k as f64));
                    biases[k + shares.len() + i] = T::of(place);
                    biases[2 * k + shares.len() + i] = T::of(raw_log_scale(START_SCALE.ln()));
                }
                biases[k] = T::of(log(shares[0] / 3.0));
                cells = 1..shares.len();
            }
            let first = if column.rank.is_some() { k } else { 0 };
            for cell in cells {
                biases[first + cell] = T::of(log(shares[cell]));
            }
        }
    }

    fn project(&self, params: &mut [T]) {
        let [embedding, numbers, _, skip, net] = self.split_mut(params);
        self.skip.project(skip);
        self.embedding.project(embedding);
        self.numbers.project(numbers);
        self.net.project(net);
    }

    /// Exact.
    fn log_prob(
        &self,
        params: &[T],
        rows: &MixedRows,
        index: &[usize],
        _: ScoreKey,
        scratch: &mut MixedScratch<T>,
        out: &mut [f64],
    ) {
        let mut gathered = std::mem::take(&mut scratch.codes);
        gather_codes(rows, index, &mut gathered);
        let codes = self.codes(index.len(), &gathered);
        let ws = &mut scratch.ws;
        let context = gather_context(rows, index, ws);
        let features = self.features(rows, index, codes, ws);
        let h = self.first(params, codes, features.view(), context.view(), ws);
        let mut y = ws.take(index.len(), self.net.outputs());
        let [.., p_skip, p_net] = self.split(params);
        self.net.forward(p_net, h, y.view_mut(), None, None, ws);
        let scores = self.scores(features.view(), ws);
        self.skip.forward_add(p_skip, scores.view(), y.view_mut());
        self.heads(rows, index, codes, y.view_mut(), |i, log_prob| {
            out[i] = log_prob + rows.log_measure[index[i]];
        });
        for a in [y, features, scores, context] {
            ws.give(a);
        }
        scratch.codes = gathered;
    }

    fn nll_backward(
        &self,
        params: &[T],
        rows: &MixedRows,
        index: &[usize],
        key: StepKey,
        scratch: &mut MixedScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let mut gathered = std::mem::take(&mut scratch.codes);
        gather_codes(rows, index, &mut gathered);
        let codes = self.codes(index.len(), &gathered);
        let MixedScratch { tape, ws, .. } = scratch;
        let context = gather_context(rows, index, ws);
        let features = self.features(rows, index, codes, ws);
        let h = self.first(params, codes, features.view(), context.view(), ws);
        let [.., p_skip, p_net] = self.split(params);
        let [g_embedding, g_numbers, g_context, g_skip, g_net] = self.split_mut(grads);
        let mut y = ws.take(index.len(), self.net.outputs());
        let mut dropout = KeyedDropout::of_step(self.dropout, &self.net, key);
        let masks = dropout.as_mut().map(|d| d as &mut dyn ef_tensor::DropoutMask<T>);
        let dropped = masks.is_some();
        self.net.forward(p_net, h, y.view_mut(), masks, Some(tape), ws);
        let scores = self.scores(features.view(), ws);
        self.skip.forward_add(p_skip, scores.view(), y.view_mut());
        let mut nll = 0.0;
        self.heads(rows, index, codes, y.view_mut(), |i, log_prob| {
            nll -= log_prob + rows.log_measure[index[i]];
        });
        self.skip.backward(scores.view(), y.view(), g_skip);
        let gh = self.net.backward(p_net, y.view(), dropped, g_net, tape, ws);
        self.context.backward(context.view(), gh.view(), g_context);
        self.numbers.backward(features.view(), gh.view(), g_numbers);
        self.embedding.backward(codes, gh.view(), g_embedding);
        for a in [y, features, scores, context, gh] {
            ws.give(a);
        }
        scratch.codes = gathered;
        nll
    }

    fn sample(
        &self,
        params: &[T],
        given: &MixedRows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut MixedScratch<T>,
    ) -> MixedRows {
        let n = given.context.nrows();
        let [p_embedding, p_numbers, p_context, p_skip, p_net] = self.split(params);
        let ws = &mut scratch.ws;
        let context = given_context(given, ws);
        // Two uniform numbers a column: which component or cell, and where in it.
        let mut uniforms = Array2::zeros((2 * self.columns.len(), n));
        let key = key.purpose("columns");
        for (row, mut u) in rows.zip(uniforms.columns_mut()) {
            let mut rng = key.row(row);
            u.iter_mut().for_each(|u| *u = uniform(&mut rng));
        }
        let mut drawn = MixedRows {
            codes: Array2::zeros((n, self.shares.len())),
            low: Array2::zeros((n, self.ranks.len())),
            high: Array2::ones((n, self.ranks.len())),
            ..MixedRows::of_context(given.context.clone())
        };
        let (mut left, mut picks) = (Vec::with_capacity(n), vec![0_u32; n]);
        let mut features = ws.take(self.numbers.inputs(), n);
        let mut scores = ws.zeros(self.ranks.len(), n);
        let mut y = ws.take(self.net.outputs(), n);
        let mut net = Incremental::new(&self.net, p_net, n, ws);
        let hidden = self.net.hidden();
        self.context
            .forward_units_add(p_context, 0..hidden, context.t(), net.first.view_mut());
        for (j, column) in self.columns.iter().enumerate() {
            let units = self.degrees.partition_point(|&d| d < j)..self.degrees.partition_point(|&d| d <= j);
            self.numbers
                .forward_units_add(p_numbers, units.clone(), features.view(), net.first.view_mut());
            net.advance(units.clone());
            if column.outputs.is_empty() {
                continue;
            }
            y.slice_mut(s![column.outputs.clone(), ..])
                .assign(&net.outputs(column.outputs.clone()));
            self.skip
                .forward_units_add(p_skip, column.outputs.clone(), scores.view(), y.view_mut());
            let y = y.slice(s![column.outputs.clone(), ..]);
            let logits = column.logits(self.components);
            let mut weights = ws.take(logits, n);
            weights.assign(&y.slice(s![..logits, ..]));
            draw_codes(weights.view_mut(), uniforms.row(2 * j), &mut left, &mut picks);
            ws.give(weights);
            if let Some(r) = column.rank {
                let k = self.components;
                for (i, pick) in picks.iter_mut().enumerate() {
                    let (component, u) = (*pick as usize, uniforms[[2 * j + 1, i]]);
                    let rank = match component {
                        _ if component < k => {
                            let (mean, scale) = (y[[logits + component, i]], y[[logits + k + component, i]]);
                            Some(draw_rank(mean.wide(), scale.wide(), u))
                        }
                        _ => (component == k).then_some(u),
                    };
                    *pick = component.saturating_sub(k) as u32;
                    if let Some(rank) = rank {
                        (drawn.low[[i, r]], drawn.high[[i, r]]) = (rank, rank);
                    }
                    let rank = self.ranks[r].representative(*pick, rank.unwrap_or_default());
                    let column = features.slice_mut(s![column.features.clone(), i]);
                    RankInputs::write(rank, column.into_iter());
                }
                scores.row_mut(r).assign(&features.row(column.features.start));
            }
            if let Some(v) = column.variable {
                drawn.codes.column_mut(v).assign(&ArrayView1::from(&picks));
                self.embedding.forward_variable(
                    p_embedding,
                    v,
                    &picks,
                    units.end..hidden,
                    net.first.view_mut(),
                );
            }
        }
        net.finish(ws);
        for a in [features, scores, y, context] {
            ws.give(a);
        }
        drawn
    }
}
