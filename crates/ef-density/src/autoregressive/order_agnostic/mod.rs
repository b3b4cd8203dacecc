//! One network for every order of the columns.

mod pass;

use std::ops::Range;

use ef_random::Philox;
use ef_tensor::{
    DropoutMask, Linear, Mlp, MlpConfig, ParamVisitor, Real, Scope, SparseLinear, TensorError, Workspace,
};
use ndarray::Array2;
use rand_core::RngCore;

use super::mixture::MOST_COMPONENTS;
use super::network::{Network, offsets};
use super::pass::{AncestralPass, Step};
use super::plan::Column;
use super::table_made::TableMadeConfig;
use crate::density::{Density, HeadOffsets};
use crate::dropout::KeyedDropout;
use crate::key::{Key, ScoreKey, StepKey, uniform};
use crate::rows::{Layout, RowScratch, Rows};
use crate::rows::{gather_context, gather_levels};

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
///
/// Example: two coins, each with probability .8 of heads; the first is drawn given the second.
///
/// ```
/// # use ef_density::autoregressive::{OrderAgnostic, TableMadeConfig, Step, AncestralPass};
/// # use ef_density::rows::{Layout, RowScratch};
/// # use ef_density::{Density, Key, Marginal};
/// # use rand::SeedableRng;
/// # #[derive(Debug)]
/// # struct Coin;
/// # impl Marginal for Coin {
/// #     fn levels(&self) -> usize { 2 }
/// #     fn is_continuous(&self) -> bool { false }
/// #     fn level_shares(&self) -> Vec<f64> { vec![0.8, 0.2] }
/// # }
/// let layout = Layout::new(&[Coin, Coin], 0);
/// let any = OrderAgnostic::new(&layout, &TableMadeConfig::default())?;
/// let mut params = vec![0.0; Density::<f64>::num_params(&any)];
/// any.init(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1), &mut params);
///
/// let mut rows = layout.blank(ndarray::Array2::zeros((100, 0)));
/// rows.levels.column_mut(1).fill(1);
/// let pass = AncestralPass {
///     steps: &|_, column| if column == 0 { Step::Draw(None) } else { Step::Observe },
///     streams: &(0..100).collect::<Vec<u64>>(),
///     key: Key::new(7),
///     scored: true,
///     by_column: false,
/// };
/// let sums = any.pass(&params, &mut rows, &[0], pass, &mut RowScratch::default());
/// for (row, log_prob) in rows.levels.rows().into_iter().zip(sums.proposed) {
///     let share: f64 = if row[0] == 0 { 0.8 } else { 0.2 }; // at the start columns are independent
///     assert!((log_prob - share.ln()).abs() < 1e-9);
/// }
/// # Ok::<(), ef_tensor::TensorError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OrderAgnostic {
    network: Network,
    /// Which columns are shown: `(columns, hidden)`.
    shown: Linear,
    /// The columns that are not certain.
    free: Vec<usize>,
}

impl OrderAgnostic {
    /// A network for the columns and context of `layout`.
    ///
    /// # Errors
    /// Never; the type is that of the layers it builds.
    pub fn new(layout: &Layout, config: &TableMadeConfig) -> Result<Self, TensorError> {
        let components = config.components.clamp(1, MOST_COMPONENTS);
        let columns = Column::all(layout, components, false);
        let free: Vec<usize> = (0..columns.len())
            .filter(|&j| !columns[j].outputs.is_empty())
            .collect();
        let hidden = if free.is_empty() { 0 } else { config.net.hidden };
        let mut embedding = SparseLinear::new(hidden);
        for variable in layout.variables() {
            embedding = embedding.with_variable(variable.levels(), &variable.features, 0);
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
            offsets: offsets(&columns, layout),
            columns,
            dropout: config.dropout,
        };
        let shown = Linear::new(network.columns.len(), hidden).without_bias();
        Ok(Self { network, shown, free })
    }

    /// The constants of the heads.
    pub fn head_offsets(&self) -> HeadOffsets {
        self.network.head_offsets()
    }

    fn split<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T]) {
        params.split_at(self.network.num_params())
    }

    /// A subset of the columns for each row at `index`, from its stream, and what it shows: draw `draw` of `draws`,
    /// whose sizes are spread evenly over all.
    fn subsets<T: Real>(
        &self,
        rows: &Rows,
        index: &[usize],
        streams: impl Fn(usize) -> Philox,
        (draw, draws): (usize, usize),
        scratch: &mut RowScratch<T>,
    ) -> Subsets<T> {
        let (network, free) = (&self.network, self.free.len());
        let mut subsets = Subsets {
            shown: scratch.ws.take(index.len(), network.columns.len()),
            weights: scratch.ws.take(index.len(), 1),
            levels: std::mem::take(&mut scratch.levels),
            shown_levels: std::mem::take(&mut scratch.shown),
        };
        for (i, mut shown) in subsets.shown.rows_mut().into_iter().enumerate() {
            let mut rng = streams(i);
            let size = (draw as f64 + uniform(&mut rng)) / draws as f64 * free as f64;
            let size = (size as usize).min(free - 1);
            subsets.weights[[i, 0]] = T::of(free as f64 / (free - size) as f64 / draws as f64);
            shown.fill(T::one());
            // Algorithm S (Knuth, volume 2, 3.4.2) chooses which to hide
            let (mut left, mut hide) = (free, free - size);
            for &j in &self.free {
                if uniform(&mut rng) * (left as f64) < hide as f64 {
                    shown[j] = T::zero();
                    hide -= 1;
                }
                left -= 1;
            }
        }
        gather_levels(rows, index, &mut subsets.levels);
        subsets.shown_levels.clone_from(&subsets.levels);
        let variables = network.embedding.variables();
        for (j, column) in network.columns.iter().enumerate() {
            let Some(v) = column.variable else { continue };
            for i in 0..index.len() {
                if !subsets.shows(i, j) {
                    subsets.shown_levels[i * variables + v] = SparseLinear::NONE;
                }
            }
        }
        subsets
    }

    /// The outputs for the rows at `index`, of which some columns are shown. In training it records on the tape.
    fn forward<T: Real>(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        subsets: &Subsets<T>,
        training: Option<StepKey>,
        scratch: &mut RowScratch<T>,
    ) -> Forward<T> {
        let network = &self.network;
        let RowScratch { tape, ws, .. } = scratch;
        let (p_network, p_shown) = self.split(params);
        let [.., p_skip, p_net] = network.split(p_network);
        let levels = network.levels(index.len(), &subsets.levels);
        let shown_levels = network.levels(index.len(), &subsets.shown_levels);
        let context = gather_context(rows, index, ws);
        let features = network.features(rows, index, levels, |i, j| subsets.shows(i, j), ws);
        let mut h = network.first(p_network, shown_levels, features.view(), context.view(), ws);
        self.shown
            .forward_add(p_shown, subsets.shown.view(), h.view_mut());
        let mut y = ws.take(index.len(), network.net.outputs());
        let mut dropout = training.and_then(|key| KeyedDropout::of_step(network.dropout, &network.net, key));
        let masks = dropout.as_mut().map(|d| d as &mut dyn DropoutMask<T>);
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
}

/// The columns that each row of a batch is shown; the others are scored.
struct Subsets<T> {
    /// 1 for a column that is shown, else 0: `(rows, columns)`.
    shown: Array2<T>,
    /// `D / (D - |S|)`, over the number of draws: `(rows, 1)`.
    weights: Array2<T>,
    levels: Vec<u32>,
    /// The same without those of hidden columns.
    shown_levels: Vec<u32>,
}

impl<T: Real> Subsets<T> {
    fn shows(&self, row: usize, column: usize) -> bool {
        self.shown[[row, column]] > T::zero()
    }

    fn finish(self, scratch: &mut RowScratch<T>) {
        scratch.ws.give(self.shown);
        scratch.ws.give(self.weights);
        scratch.levels = self.levels;
        scratch.shown = self.shown_levels;
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

impl<T: Real> Density<T> for OrderAgnostic {
    type Rows = Rows;
    type Scratch = RowScratch<T>;

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
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        out: &mut [f64],
    ) {
        for (out, &row) in out.iter_mut().zip(index) {
            *out = rows.log_measure[row];
        }
        if self.free.is_empty() {
            return;
        }
        let (network, streams) = (&self.network, key.key.purpose("order"));
        let draws = key.draws.max(1);
        for draw in 0..draws {
            let stream = |i: usize| streams.index(draw as u64).row(key.stream(index[i]));
            let subsets = self.subsets(rows, index, stream, (draw, draws), scratch);
            let mut forward = self.forward(params, rows, index, &subsets, None, scratch);
            let levels = network.levels(index.len(), &subsets.levels);
            let (y, hidden) = (forward.y.view_mut(), |i, j| !subsets.shows(i, j));
            let each = |i: usize, log_prob: f64, _: &mut [T]| {
                out[i] += subsets.weights[[i, 0]].wide() * log_prob;
            };
            network.heads(rows, index, levels, y, hidden, each, &mut scratch.ws);
            forward.finish(&mut scratch.ws);
            subsets.finish(scratch);
        }
    }

    /// One subset a row: unbiased for the average over orders.
    fn nll_backward(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: StepKey,
        scratch: &mut RowScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let mut nll = -index.iter().map(|&row| rows.log_measure[row]).sum::<f64>();
        if self.free.is_empty() {
            return nll;
        }
        let (network, streams) = (&self.network, key.purpose("order"));
        let stream = |i: usize| streams.row(key.row + i as u64);
        let subsets = self.subsets(rows, index, stream, (0, 1), scratch);
        let mut forward = self.forward(params, rows, index, &subsets, Some(key), scratch);
        let levels = network.levels(index.len(), &subsets.levels);
        let shown_levels = network.levels(index.len(), &subsets.shown_levels);
        let (y, hidden) = (forward.y.view_mut(), |i, j| !subsets.shows(i, j));
        let each = |i: usize, log_prob: f64, y: &mut [T]| {
            let weight = subsets.weights[[i, 0]];
            nll -= weight.wide() * log_prob;
            y.iter_mut().for_each(|y| *y *= weight);
        };
        network.heads(rows, index, levels, y, hidden, each, &mut scratch.ws);
        let [.., p_net] = network.split(self.split(params).0);
        let (g_network, g_shown) = grads.split_at_mut(network.num_params());
        let [g_embedding, g_numbers, g_context, g_skip, g_net] = network.split_mut(g_network);
        let RowScratch { tape, ws, .. } = &mut *scratch;
        network
            .skip
            .backward(forward.scores.view(), forward.y.view(), g_skip);
        let gh = network
            .net
            .backward(p_net, forward.y.view(), forward.dropped, g_net, tape, ws);
        network
            .context
            .backward(forward.context.view(), gh.view(), g_context);
        network
            .numbers
            .backward(forward.features.view(), gh.view(), g_numbers);
        network.embedding.backward(shown_levels, gh.view(), g_embedding);
        self.shown.backward(subsets.shown.view(), gh.view(), g_shown);
        ws.give(gh);
        forward.finish(ws);
        subsets.finish(scratch);
        nll
    }

    /// In the order of the layout.
    fn sample(
        &self,
        params: &[T],
        given: &Rows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        let mut drawn = self.network.blank(given);
        let streams: Vec<u64> = rows.collect();
        let order: Vec<usize> = (0..self.network.columns.len()).collect();
        let pass = AncestralPass {
            steps: &|_, _| Step::Draw(None),
            streams: &streams,
            key,
            scored: false,
            by_column: false,
        };
        self.pass(params, &mut drawn, &order, pass, scratch);
        drawn
    }
}
