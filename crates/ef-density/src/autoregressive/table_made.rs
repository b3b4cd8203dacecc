//! The masked network with a head a column.

use std::ops::Range;

use ef_tensor::{
    Degrees, Incremental, Linear, Mlp, MlpConfig, ParamVisitor, Real, SparseLinear, TensorError,
};
use ndarray::s;
use rand_core::RngCore;

use super::mixture::MOST_COMPONENTS;
use super::network::{Network, offsets};
use super::pass::{AncestralPass, PassSums, Step, Visitor};
use super::plan::Column;
use super::start::Start;
use super::tree::{Regressions, Tree};
use crate::density::{Density, HeadOffsets};
use crate::dropout::KeyedDropout;
use crate::key::{Key, ScoreKey, StepKey};
use crate::rows::RankInputs;
use crate::rows::{Layout, RowScratch, Rows};
use crate::rows::{gather_context, gather_levels, given_context};

/// Size of a [`TableMade`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableMadeConfig {
    /// The hidden layers.
    pub net: MlpConfig,
    /// Share of units dropped inside residual blocks while training.
    pub dropout: f64,
    /// Logistics a column with ranks, from 1 to [`TableMadeConfig::MOST_COMPONENTS`].
    pub components: usize,
}

impl TableMadeConfig {
    /// Most components of a mixture.
    pub const MOST_COMPONENTS: usize = MOST_COMPONENTS;
}

impl Default for TableMadeConfig {
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

/// The autoregressive model of a table's columns, in the order of its layout: exact log-densities of rows of
/// categories, atoms, missing levels and numbers. See the [module](super) for the formulas.
///
/// The columns' shares and mixtures near the marginal are constants that the network's outputs are added to, and so are
/// the linear regressions among the numbers, which [`Density::init_from_data`] computes: training starts from the shares
/// of levels and the Gaussian copula of the numbers, and weight decay pulls towards them. The first column, where there
/// is no context, depends on nothing: its probabilities are those of its marginal, whatever was trained.
///
/// A column sees the one before it through hidden units of its own, so there are at least as many units as columns:
/// [`TableMade::hidden`] says how many.
#[derive(Debug, Clone, PartialEq)]
pub struct TableMade {
    network: Network,
    start: Start,
    tree: Tree,
    /// Degrees of the hidden units: how many columns each sees.
    degrees: Vec<usize>,
    /// Logistics that a head of ranks has.
    components: usize,
}

impl TableMade {
    /// A network for the columns and context of `layout`.
    ///
    /// # Errors
    /// Never for the masks made here; the type is that of the masked layers it builds.
    pub fn new(layout: &Layout, config: &TableMadeConfig) -> Result<Self, TensorError> {
        let components = config.components.clamp(1, MOST_COMPONENTS);
        let with_context = layout.context_dim() > 0;
        let columns = Column::all(layout, components, !with_context);
        let degrees = Degrees::Equal.of_units(columns.len(), with_context, config.net.hidden);
        let hidden = degrees.len();
        let mut embedding = SparseLinear::new(hidden);
        let (mut output_degrees, mut scores_seen, mut scores) = (Vec::new(), Vec::new(), 0);
        for (j, column) in columns.iter().enumerate() {
            if let Some(v) = column.variable {
                let first_unit = degrees.partition_point(|&d| d <= j);
                embedding =
                    embedding.with_variable(column.levels, &layout.variables()[v].features, first_unit);
            }
            output_degrees.resize(column.outputs.end, j);
            scores_seen.resize(column.outputs.end, scores);
            scores += usize::from(column.rank.is_some());
        }
        let features = columns.last().map_or(0, |c| c.features.end);
        let seen = |degree: usize| degree.checked_sub(1).map_or(0, |last| columns[last].features.end);
        let limits: Vec<usize> = degrees.iter().map(|&d| seen(d)).collect();
        let network = Network {
            numbers: Linear::masked(features, &limits)?.without_bias(),
            embedding,
            context: Linear::new(layout.context_dim(), hidden),
            skip: Linear::masked(scores, &scores_seen)?.without_bias(),
            net: Mlp::masked(config.net, &degrees, &output_degrees)?,
            ranks: layout.ranks().to_vec(),
            offsets: offsets(&columns, layout),
            columns,
            dropout: config.dropout,
        };
        Ok(Self {
            start: Start::new(
                network
                    .columns
                    .iter()
                    .filter(|column| column.score.is_some())
                    .count(),
            )?,
            tree: Tree::new(&network.columns, layout),
            network,
            degrees,
            components,
        })
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.network.columns.len()
    }

    /// The constants of the heads.
    pub fn head_offsets(&self) -> HeadOffsets {
        let marginal = self
            .network
            .columns
            .iter()
            .find(|column| column.marginal.is_some());
        let outputs = |column: &Column| {
            let ranked = usize::from(column.rank.is_some());
            3 * self.components * ranked + column.levels
        };
        let start = self
            .start
            .params()
            .map(|(name, shape)| (Start::NAME, name, shape));
        let tree = self.tree.params();
        let tree = tree.into_iter().map(|(name, shape)| (Tree::NAME, name, shape));
        HeadOffsets {
            of_marginal: marginal.map_or(0, outputs),
            later_params: start
                .into_iter()
                .chain(tree)
                .map(|(of, name, shape)| (format!("{of}.{name}"), shape))
                .collect(),
            ..self.network.head_offsets()
        }
    }

    /// The parameters of the network, of the start and of the tree.
    fn split<'a, T>(&self, params: &'a [T]) -> [&'a [T]; 3] {
        let (network, rest) = params.split_at(self.network.num_params());
        let (start, tree) = rest.split_at(self.start.num_params());
        [network, start, tree]
    }

    fn split_mut<'a, T>(&self, params: &'a mut [T]) -> [&'a mut [T]; 3] {
        let (network, rest) = params.split_at_mut(self.network.num_params());
        let (start, tree) = rest.split_at_mut(self.start.num_params());
        [network, start, tree]
    }

    /// Units of a hidden layer: what was asked for, or as many as there are columns to see.
    pub fn hidden(&self) -> usize {
        self.degrees.len()
    }

    /// Visits the first `columns` columns of all rows in order. Drawn values are written to `rows`; the context and the
    /// values of observed and scored columns are read from them.
    ///
    /// Example: two coins, each with probability .8 of heads. It draws pairs whose second coin is tails; the mean
    /// weight is the probability of tails.
    ///
    /// ```
    /// # use ef_density::autoregressive::{AncestralPass, Step, TableMade, TableMadeConfig};
    /// # use ef_density::rows::{Layout, RowScratch};
    /// # use ef_density::{Density, Key, LevelSet, Marginal};
    /// # use rand::SeedableRng;
    /// # #[derive(Debug)]
    /// # struct Coin;
    /// # impl Marginal for Coin {
    /// #     fn levels(&self) -> usize { 2 }
    /// #     fn is_continuous(&self) -> bool { false }
    /// #     fn level_shares(&self) -> Vec<f64> { vec![0.8, 0.2] }
    /// # }
    /// let layout = Layout::new(&[Coin, Coin], 0);
    /// let chain = TableMade::new(&layout, &TableMadeConfig::default())?;
    /// let mut params = vec![0.0; Density::<f64>::num_params(&chain)];
    /// chain.init(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1), &mut params);
    ///
    /// let tails = LevelSet::new(vec![0.0, 1.0], Vec::new());
    /// let mut rows = layout.blank(ndarray::Array2::zeros((100, 0)));
    /// let pass = AncestralPass {
    ///     steps: &|_, column| Step::Draw((column == 1).then_some(&tails)),
    ///     streams: &(0..100).collect::<Vec<u64>>(),
    ///     key: Key::new(7),
    ///     scored: false,
    ///     by_column: false,
    /// };
    /// let sums = chain.pass(&params, &mut rows, 2, pass, &mut RowScratch::default());
    /// assert!(rows.levels.column(1).iter().all(|side| *side == 1));
    /// let probability = sums.set_mass.iter().map(|mass| mass.exp()).sum::<f64>() / 100.0;
    /// assert!((probability - 0.2).abs() < 1e-9); // at the start columns are independent, and all weights alike
    /// # Ok::<(), ef_tensor::TensorError>(())
    /// ```
    ///
    /// # Panics
    /// If `rows` has not as many rows as the pass has streams, or is not of the network's layout.
    pub fn pass<'a, T: Real>(
        &'a self,
        params: &[T],
        rows: &mut Rows,
        columns: usize,
        pass: AncestralPass<'a>,
        scratch: &mut RowScratch<T>,
    ) -> PassSums {
        let n = pass.streams.len();
        assert_eq!(n, rows.context.nrows(), "a stream a row");
        let network = &self.network;
        let [params, p_start, p_tree] = self.split(params);
        let [p_embedding, p_numbers, p_context, p_skip, p_net] = network.split(params);
        let ws = &mut scratch.ws;
        let context = given_context(rows, ws);
        let mut visitor = Visitor::new(network, pass);
        let index: Vec<usize> = (0..n).collect();
        let mut features = ws.take(network.numbers.inputs(), n);
        let mut scores = ws.zeros(network.ranks.len(), n);
        let mut all_scores = ws.zeros(self.start.scores(), n);
        let mut y = ws.take(network.net.outputs(), n);
        let mut net = Incremental::new(&network.net, p_net, n, ws);
        let hidden = network.net.hidden();
        network
            .context
            .forward_units_add(p_context, 0..hidden, context.t(), net.first.view_mut());
        for (j, column) in network.columns.iter().enumerate().take(columns) {
            let units = self.degrees.partition_point(|&d| d < j)..self.degrees.partition_point(|&d| d <= j);
            network.numbers.forward_units_add(
                p_numbers,
                units.clone(),
                features.view(),
                net.first.view_mut(),
            );
            net.advance(units.clone());
            y.slice_mut(s![column.outputs.clone(), ..])
                .assign(&net.outputs(column.outputs.clone()));
            network
                .skip
                .forward_units_add(p_skip, column.outputs.clone(), scores.view(), y.view_mut());
            self.start
                .add_to_column(column, p_start, all_scores.view(), y.view_mut(), ws);
            self.tree.add_to_column(network, j, p_tree, rows, y.view_mut());
            network.add_offsets(column, y.view_mut());
            let outputs = y.slice(s![column.outputs.clone(), ..]);
            let write = |i: usize, rank: Option<f64>| {
                let features = features.slice_mut(s![column.features.clone(), i]);
                RankInputs::write(rank, features.into_iter());
            };
            visitor.visit(j, &index, outputs, rows, write, ws);
            if let Some(r) = column.rank {
                scores.row_mut(r).assign(&features.row(column.features.start));
            }
            if let Some(at) = column.score {
                let mut to = all_scores.row_mut(at);
                match &column.ordered {
                    Some(ordered) => to
                        .iter_mut()
                        .zip(&visitor.levels)
                        .for_each(|(to, &level)| *to = T::of(ordered.score(level))),
                    None => to.assign(&features.row(column.features.start)),
                }
            }
            if let Some(v) = column.variable {
                let units = units.end..hidden;
                network.embedding.forward_variable(
                    p_embedding,
                    v,
                    &visitor.levels,
                    units,
                    net.first.view_mut(),
                );
            }
        }
        net.finish(ws);
        for a in [features, scores, all_scores, y, context] {
            ws.give(a);
        }
        visitor.sums
    }
}

impl TableMade {
    /// Draws a row of each of `streams`, given the contexts of `given`: row number `k` of the endless sample that `key`
    /// names is that of stream `k`.
    pub fn sample_streams<T: Real>(
        &self,
        params: &[T],
        given: &Rows,
        streams: &[u64],
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows {
        let mut drawn = self.network.blank(given);
        let pass = AncestralPass {
            steps: &|_, _| Step::Draw(None),
            streams,
            key,
            scored: false,
            by_column: false,
        };
        self.pass(params, &mut drawn, self.columns(), pass, scratch);
        drawn
    }
}

impl<T: Real> Density<T> for TableMade {
    type Rows = Rows;
    type Scratch = RowScratch<T>;

    fn num_params(&self) -> usize {
        self.network.num_params() + self.start.num_params() + self.tree.num_params()
    }

    /// Those of the [`start`](Density::init_from_data) have no gradient.
    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.network.visit_params(visitor);
        self.start.visit_params(visitor);
        self.tree.visit_params(visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let [network, start, tree] = self.split_mut(params);
        self.network.init(rng, network);
        start.fill(T::zero());
        tree.fill(T::zero());
    }

    fn project(&self, params: &mut [T]) {
        let [network, start, tree] = self.split_mut(params);
        self.network.project(network);
        self.start.project(start);
        self.tree.project(tree);
    }

    /// Computes the linear regressions that the numbers start from, on the rows given; levels start at their shares.
    fn init_from_data(&self, params: &mut [T], rows: &Rows, index: &[usize]) {
        let [_, start, tree] = self.split_mut(params);
        let gains = self.start.fit(&self.network, rows, index, start);
        let index = &index[..index.len().min(Tree::most_rows(&self.network.columns))];
        let (left, log_scales) = self.start.residuals(&self.network, rows, index, start);
        let regressions = Regressions {
            left: left.view(),
            log_scales: &log_scales,
            gains: &gains,
        };
        for score in self.tree.fit(&self.network, rows, index, &regressions, tree) {
            self.start.clear(score, start);
        }
    }

    /// Exact.
    fn log_prob(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        _: ScoreKey,
        scratch: &mut RowScratch<T>,
        out: &mut [f64],
    ) {
        let network = &self.network;
        let [params, p_start, p_tree] = self.split(params);
        let mut gathered = std::mem::take(&mut scratch.levels);
        gather_levels(rows, index, &mut gathered);
        let levels = network.levels(index.len(), &gathered);
        let ws = &mut scratch.ws;
        let context = gather_context(rows, index, ws);
        let features = network.features(rows, index, levels, |_, _| true, ws);
        let h = network.first(params, levels, features.view(), context.view(), ws);
        let mut y = ws.take(index.len(), network.net.outputs());
        let [.., p_skip, p_net] = network.split(params);
        network.net.forward(p_net, h, y.view_mut(), None, None, ws);
        let scores = network.scores(features.view(), ws);
        network.skip.forward_add(p_skip, scores.view(), y.view_mut());
        self.start.add(
            &network.columns,
            p_start,
            levels,
            features.view(),
            y.view_mut(),
            ws,
        );
        self.tree.add(network, p_tree, rows, index, levels, y.view_mut());
        network.heads(
            rows,
            index,
            levels,
            y.view_mut(),
            |_, _| true,
            |i, log_prob, _| {
                out[i] = log_prob + rows.log_measure[index[i]];
            },
            ws,
        );
        for a in [y, features, scores, context] {
            ws.give(a);
        }
        scratch.levels = gathered;
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
        let network = &self.network;
        let [params, p_start, p_tree] = self.split(params);
        let mut gathered = std::mem::take(&mut scratch.levels);
        gather_levels(rows, index, &mut gathered);
        let levels = network.levels(index.len(), &gathered);
        let RowScratch { tape, ws, .. } = scratch;
        let context = gather_context(rows, index, ws);
        let features = network.features(rows, index, levels, |_, _| true, ws);
        let h = network.first(params, levels, features.view(), context.view(), ws);
        let [.., p_skip, p_net] = network.split(params);
        let [g_embedding, g_numbers, g_context, g_skip, g_net] =
            network.split_mut(&mut grads[..network.num_params()]);
        let mut y = ws.take(index.len(), network.net.outputs());
        let mut dropout = KeyedDropout::of_step(network.dropout, &network.net, key);
        let masks = dropout.as_mut().map(|d| d as &mut dyn ef_tensor::DropoutMask<T>);
        let dropped = masks.is_some();
        network.net.forward(p_net, h, y.view_mut(), masks, Some(tape), ws);
        let scores = network.scores(features.view(), ws);
        network.skip.forward_add(p_skip, scores.view(), y.view_mut());
        self.start.add(
            &network.columns,
            p_start,
            levels,
            features.view(),
            y.view_mut(),
            ws,
        );
        self.tree.add(network, p_tree, rows, index, levels, y.view_mut());
        let mut nll = 0.0;
        network.heads(
            rows,
            index,
            levels,
            y.view_mut(),
            |_, _| true,
            |i, log_prob, _| {
                nll -= log_prob + rows.log_measure[index[i]];
            },
            ws,
        );
        network.skip.backward(scores.view(), y.view(), g_skip);
        let gh = network.net.backward(p_net, y.view(), dropped, g_net, tape, ws);
        network.context.backward(context.view(), gh.view(), g_context);
        network.numbers.backward(features.view(), gh.view(), g_numbers);
        network.embedding.backward(levels, gh.view(), g_embedding);
        for a in [y, features, scores, context, gh] {
            ws.give(a);
        }
        scratch.levels = gathered;
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
        self.sample_streams(params, given, &rows.collect::<Vec<u64>>(), key, scratch)
    }
}
