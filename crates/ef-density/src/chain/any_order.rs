//! One network for every order of the columns.

use std::ops::Range;

use ef_tensor::{
    Incremental, Linear, Mlp, MlpConfig, ParamVisitor, Real, Scope, SparseLinear, TensorError, Workspace,
};
use ndarray::{Array2, ArrayView2, Axis, s};
use rand::RngCore;

use super::inputs::RankInputs;
use super::mixture::MOST_COMPONENTS;
use super::model::ChainConfig;
use super::network::Network;
use super::plan::Column;
use super::walk::{Step, Walk, WalkSums, Walking};
use crate::density::Density;
use crate::key::{Key, ScoreKey, StepKey, uniform};
use crate::mixed::dropout::KeyedDropout;
use crate::mixed::rows::{gather_codes, gather_context, given_context};
use crate::mixed::{Layout, MixedRows, MixedScratch};

/// The conditional distribution of any column given any others: `q(x_j | x_S)` for all `S` and `j` outside `S`, by one
/// network without masks that reads which columns it is shown (order-agnostic training, Uria, Murray and Larochelle 2014,
/// 1310.1757).
///
/// A training row is shown a random subset `S` of its `D` columns, of a size uniform on `0 .. D - 1`, and scored by
///
/// ```text
/// D / (D - |S|) sum over j outside S of log q(x_j | x_S)
/// ```
///
/// whose mean over subsets is the log-density of the row averaged over all orders. Its conditionals need not agree with
/// each other: each order gives a density of its own. As a proposal it is corrected by the density it proposes for.
#[derive(Debug, Clone, PartialEq)]
pub struct AnyOrder {
    network: Network,
    /// Which columns are shown: `(columns, hidden)`.
    shown: Linear,
    /// The columns that are not certain.
    free: Vec<usize>,
}

impl AnyOrder {
    /// A network for the columns and context of `layout`.
    ///
    /// # Errors
    /// Never; the type is that of the layers it builds.
    pub fn new(layout: &Layout, config: &ChainConfig) -> Result<Self, TensorError> {
        let components = config.components.clamp(1, MOST_COMPONENTS);
        let columns = Column::all(layout, components);
        let free: Vec<usize> = (0..columns.len())
            .filter(|&j| !columns[j].outputs.is_empty())
            .collect();
        let hidden = if free.is_empty() { 0 } else { config.net.hidden };
        let mut embedding = SparseLinear::new(hidden);
        for variable in layout.variables() {
            embedding = embedding.with_variable(variable.cells(), &variable.features, 0);
        }
        let (features, outputs) = columns.last().map_or((0, 0), |c| (c.features.end, c.outputs.end));
        let net = MlpConfig { hidden, ..config.net };
        let network = Network {
            numbers: Linear::new(features, hidden).without_bias(),
            embedding,
            context: Linear::new(layout.context_dim(), hidden),
            skip: Linear::new(layout.continuous(), outputs).without_bias(),
            net: Mlp::new(net, outputs),
            ranks: layout.ranks().to_vec(),
            shares: layout.variables().iter().map(|v| v.shares.clone()).collect(),
            columns,
            dropout: config.dropout,
            components,
        };
        let shown = Linear::new(network.columns.len(), hidden).without_bias();
        Ok(Self { network, shown, free })
    }

    fn split<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T]) {
        params.split_at(self.network.num_params())
    }

    /// Shows `size` of the free columns, chosen at random; the certain ones always.
    fn show<T: Real>(&self, size: usize, rng: &mut impl RngCore, mut shown: impl FnMut(usize, T)) {
        for j in 0..self.network.columns.len() {
            shown(j, T::one());
        }
        // Algorithm S (Knuth, volume 2, 3.4.2) chooses which to hide
        let (mut left, mut hide) = (self.free.len(), self.free.len() - size);
        for &j in &self.free {
            if uniform(rng) * (left as f64) < hide as f64 {
                shown(j, T::zero());
                hide -= 1;
            }
            left -= 1;
        }
    }

    /// The outputs for rows of which some columns are shown, and what `first` read: `(y, features, scores, context)`.
    #[allow(
        clippy::too_many_arguments,
        reason = "a forward pass with or without tape and dropout"
    )]
    fn forward<T: Real>(
        &self,
        params: &[T],
        rows: &MixedRows,
        index: &[usize],
        shown: ArrayView2<'_, T>,
        codes: ArrayView2<'_, u32>,
        shown_codes: ArrayView2<'_, u32>,
        training: Option<StepKey>,
        scratch: (&mut ef_tensor::Tape<T>, &mut Workspace<T>),
    ) -> Forward<T> {
        let network = &self.network;
        let (tape, ws) = scratch;
        let (p_network, p_shown) = self.split(params);
        let context = gather_context(rows, index, ws);
        let features = network.features(rows, index, codes, |i, j| shown[[i, j]] > T::zero(), ws);
        let mut h = network.first(p_network, shown_codes, features.view(), context.view(), ws);
        self.shown.forward_add(p_shown, shown, h.view_mut());
        let mut y = ws.take(index.len(), network.net.outputs());
        let [.., p_skip, p_net] = network.split(p_network);
        let mut dropout = training.and_then(|key| KeyedDropout::of_step(network.dropout, &network.net, key));
        let masks = dropout.as_mut().map(|d| d as &mut dyn ef_tensor::DropoutMask<T>);
        let dropped = masks.is_some();
        let tape = training.is_some().then_some(tape);
        network.net.forward(p_net, h, y.view_mut(), masks, tape, ws);
        let scores = network.scores(features.view(), ws);
        network.skip.forward_add(p_skip, scores.view(), y.view_mut());
        Forward {
            y,
            features,
            scores,
            context,
            dropped,
        }
    }

    /// The codes with those of hidden columns left out.
    fn hide<T: Real>(&self, codes: &[u32], shown: ArrayView2<'_, T>, shown_codes: &mut Vec<u32>) {
        shown_codes.clear();
        shown_codes.extend_from_slice(codes);
        let variables = self.network.shares.len();
        for (j, column) in self.network.columns.iter().enumerate() {
            let Some(v) = column.variable else { continue };
            for (i, shown) in shown.column(j).iter().enumerate() {
                if *shown == T::zero() {
                    shown_codes[i * variables + v] = SparseLinear::NONE;
                }
            }
        }
    }

    /// Draws or replays the columns of `order` one after the other. From the start each row is shown the columns that
    /// its steps keep; the others stay hidden until their turn. Nothing is `kept` in the sums: what is shown from the
    /// start is what all is conditioned on.
    ///
    /// # Panics
    /// If `rows` has not as many rows as the walk has streams.
    pub fn walk<'a, T: Real>(
        &'a self,
        params: &[T],
        rows: &mut MixedRows,
        order: &[usize],
        walk: Walk<'a>,
        scratch: &mut MixedScratch<T>,
    ) -> WalkSums {
        let n = walk.streams.len();
        assert_eq!(n, rows.context.nrows(), "a stream a row");
        let network = &self.network;
        let (p_network, p_shown) = self.split(params);
        let [p_embedding, p_numbers, p_context, p_skip, p_net] = network.split(p_network);
        let (ws, hidden) = (&mut scratch.ws, network.net.hidden());
        let mut walking = Walking::new(network, walk);
        let mut scores = ws.zeros(network.ranks.len(), n);
        let mut first = ws.zeros(hidden, n);
        let context = given_context(rows, ws);
        network
            .context
            .forward_units_add(p_context, 0..hidden, context.t(), first.view_mut());
        ws.give(context);
        // what a column adds to the first layer once it is known
        let shows = |j: usize,
                     index: &[usize],
                     cells: &[u32],
                     features: &Array2<T>,
                     first: &mut Array2<T>,
                     scores: &mut Array2<T>,
                     ws: &mut Workspace<T>| {
            let column = &network.columns[j];
            let mut added = ws.zeros(hidden, index.len());
            network.numbers.forward_inputs_add(
                p_numbers,
                column.features.clone(),
                features.view(),
                added.view_mut(),
            );
            if let Some(v) = column.variable {
                network
                    .embedding
                    .forward_variable(p_embedding, v, cells, 0..hidden, added.view_mut());
            }
            let bit =
                ArrayView2::from_shape((self.network.columns.len(), hidden), p_shown).expect("its shape");
            for ((mut first, added), &bit) in first.rows_mut().into_iter().zip(added.rows()).zip(bit.row(j)) {
                for (&row, &added) in index.iter().zip(added) {
                    first[row] += added + bit;
                }
            }
            if let Some(r) = column.rank {
                for (i, &row) in index.iter().enumerate() {
                    scores[[r, row]] = features[[0, i]];
                }
            }
            ws.give(added);
        };
        for (j, column) in network.columns.iter().enumerate() {
            let certain = column.outputs.is_empty();
            let index: Vec<usize> = (0..n)
                .filter(|&row| certain || walking.step(row, j) == Step::Keep)
                .collect();
            if index.is_empty() {
                continue;
            }
            let mut features = ws.take(column.features.len(), index.len());
            let mut cells = vec![0; index.len()];
            for (i, &row) in index.iter().enumerate() {
                cells[i] = column.variable.map_or(0, |v| rows.codes[[row, v]]);
                let middle = column
                    .rank
                    .map_or(0.5, |r| 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]));
                network.write_features(column, cells[i], middle, features.column_mut(i).into_iter());
            }
            shows(j, &index, &cells, &features, &mut first, &mut scores, ws);
            ws.give(features);
        }
        for &j in order {
            let column = &network.columns[j];
            let index: Vec<usize> = (0..n)
                .filter(|&row| !matches!(walking.step(row, j), Step::Keep | Step::Free))
                .collect();
            if index.is_empty() {
                continue;
            }
            let mut net = Incremental::new(&network.net, p_net, index.len(), ws);
            net.first.assign(&first.select(Axis(1), &index));
            net.advance(0..hidden);
            let mut y = ws.take(network.net.outputs(), index.len());
            y.slice_mut(s![column.outputs.clone(), ..])
                .assign(&net.outputs(column.outputs.clone()));
            let own_scores = scores.select(Axis(1), &index);
            network
                .skip
                .forward_units_add(p_skip, column.outputs.clone(), own_scores.view(), y.view_mut());
            net.finish(ws);
            let mut features = ws.take(column.features.len(), index.len());
            let outputs = y.slice(s![column.outputs.clone(), ..]);
            let write = |i: usize, rank: Option<f64>| {
                RankInputs::write(rank, features.column_mut(i).into_iter());
            };
            walking.settle(j, &index, outputs, rows, write, ws);
            if !column.outputs.is_empty() {
                shows(j, &index, &walking.cells, &features, &mut first, &mut scores, ws);
            }
            ws.give(y);
            ws.give(features);
        }
        ws.give(first);
        ws.give(scores);
        walking.sums
    }
}

/// What a forward pass leaves for the backward pass.
struct Forward<T> {
    y: Array2<T>,
    features: Array2<T>,
    scores: Array2<T>,
    context: Array2<T>,
    dropped: bool,
}

impl<T: Real> Forward<T> {
    fn finish(self, ws: &mut Workspace<T>) {
        for a in [self.y, self.features, self.scores, self.context] {
            ws.give(a);
        }
    }
}

impl<T: Real> Density<T> for AnyOrder {
    type Rows = MixedRows;
    type Scratch = MixedScratch<T>;

    fn num_params(&self) -> usize {
        self.network.num_params() + self.shown.num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.network.visit_params(visitor);
        self.shown.visit_params(&mut Scope::new("shown", visitor));
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let (network, shown) = params.split_at_mut(self.network.num_params());
        self.network.init(rng, network);
        self.shown.init(1.0, rng, shown);
    }

    /// An estimate of the log-density averaged over orders: the mean of `key.draws` subsets a row, whose sizes are spread
    /// evenly over all sizes.
    fn log_prob(
        &self,
        params: &[T],
        rows: &MixedRows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut MixedScratch<T>,
        out: &mut [f64],
    ) {
        let free = self.free.len();
        let mut codes = std::mem::take(&mut scratch.codes);
        let mut shown_codes = std::mem::take(&mut scratch.shown);
        gather_codes(rows, index, &mut codes);
        for (out, &row) in out.iter_mut().zip(index) {
            *out = rows.log_measure[row];
        }
        let streams = key.key.purpose("order");
        let draws = if free > 0 { key.draws.max(1) } else { 0 };
        for draw in 0..draws {
            let mut shown = scratch.ws.take(index.len(), self.network.columns.len());
            let mut weights = scratch.ws.take(index.len(), 1);
            for (i, &row) in index.iter().enumerate() {
                let mut rng = streams.index(draw as u64).row(row as u64);
                let size = (draw as f64 + uniform(&mut rng)) / draws as f64 * free as f64;
                let size = (size as usize).min(free - 1);
                self.show(size, &mut rng, |j, bit| shown[[i, j]] = bit);
                weights[[i, 0]] = T::of(free as f64 / (free - size) as f64 / draws as f64);
            }
            self.hide(&codes, shown.view(), &mut shown_codes);
            let codes = self.network.codes(index.len(), &codes);
            let shown_codes = self.network.codes(index.len(), &shown_codes);
            let MixedScratch { tape, ws, .. } = scratch;
            let view = shown.view();
            let mut forward = self.forward(params, rows, index, view, codes, shown_codes, None, (tape, ws));
            let hidden = |i: usize, j: usize| shown[[i, j]] == T::zero();
            let y = forward.y.view_mut();
            self.network
                .heads(rows, index, codes, y, hidden, |i, log_prob, _| {
                    out[i] += weights[[i, 0]].wide() * log_prob;
                });
            forward.finish(ws);
            ws.give(shown);
            ws.give(weights);
        }
        scratch.codes = codes;
        scratch.shown = shown_codes;
    }

    /// One subset a row: unbiased for the average over orders.
    fn nll_backward(
        &self,
        params: &[T],
        rows: &MixedRows,
        index: &[usize],
        key: StepKey,
        scratch: &mut MixedScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let (network, free) = (&self.network, self.free.len());
        let measure = -index.iter().map(|&row| rows.log_measure[row]).sum::<f64>();
        if free == 0 {
            return measure;
        }
        let mut codes = std::mem::take(&mut scratch.codes);
        let mut shown_codes = std::mem::take(&mut scratch.shown);
        gather_codes(rows, index, &mut codes);
        let MixedScratch { tape, ws, .. } = scratch;
        let mut shown = ws.take(index.len(), network.columns.len());
        let mut weights = ws.take(index.len(), 1);
        let streams = key.purpose("order");
        for (i, stream) in (key.row..).take(index.len()).enumerate() {
            let mut rng = streams.row(stream);
            let size = ((uniform(&mut rng) * free as f64) as usize).min(free - 1);
            self.show(size, &mut rng, |j, bit| shown[[i, j]] = bit);
            weights[[i, 0]] = T::of(free as f64 / (free - size) as f64);
        }
        self.hide(&codes, shown.view(), &mut shown_codes);
        let codes_view = network.codes(index.len(), &codes);
        let shown_view = network.codes(index.len(), &shown_codes);
        let view = shown.view();
        let mut forward = self.forward(
            params,
            rows,
            index,
            view,
            codes_view,
            shown_view,
            Some(key),
            (tape, ws),
        );
        let mut nll = measure;
        let hidden = |i: usize, j: usize| shown[[i, j]] == T::zero();
        let y = forward.y.view_mut();
        network.heads(rows, index, codes_view, y, hidden, |i, log_prob, y| {
            let weight = weights[[i, 0]];
            nll -= weight.wide() * log_prob;
            y.iter_mut().for_each(|y| *y *= weight);
        });
        let (p_network, _) = self.split(params);
        let (g_network, g_shown) = grads.split_at_mut(network.num_params());
        let [.., p_net] = network.split(p_network);
        let [g_embedding, g_numbers, g_context, g_skip, g_net] = network.split_mut(g_network);
        let Forward {
            y,
            features,
            scores,
            context,
            dropped,
        } = &forward;
        network.skip.backward(scores.view(), y.view(), g_skip);
        let gh = network.net.backward(p_net, y.view(), *dropped, g_net, tape, ws);
        network.context.backward(context.view(), gh.view(), g_context);
        network.numbers.backward(features.view(), gh.view(), g_numbers);
        network.embedding.backward(shown_view, gh.view(), g_embedding);
        self.shown.backward(shown.view(), gh.view(), g_shown);
        ws.give(gh);
        ws.give(shown);
        ws.give(weights);
        forward.finish(ws);
        scratch.codes = codes;
        scratch.shown = shown_codes;
        nll
    }

    /// In the order of the layout.
    fn sample(
        &self,
        params: &[T],
        given: &MixedRows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut MixedScratch<T>,
    ) -> MixedRows {
        let n = given.context.nrows();
        let mut drawn = MixedRows {
            codes: Array2::zeros((n, self.network.shares.len())),
            low: Array2::zeros((n, self.network.ranks.len())),
            high: Array2::ones((n, self.network.ranks.len())),
            ..MixedRows::of_context(given.context.clone())
        };
        let streams: Vec<u64> = rows.collect();
        let order: Vec<usize> = (0..self.network.columns.len()).collect();
        let walk = Walk {
            steps: &|_, _| Step::Draw(None),
            streams: &streams,
            key,
            scored: false,
            by_column: false,
        };
        self.walk(params, &mut drawn, &order, walk, scratch);
        drawn
    }
}
