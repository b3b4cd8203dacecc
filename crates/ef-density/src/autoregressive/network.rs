//! The network that models over columns share: what is read of levels and ranks, hidden layers, a head a column.

use ef_tensor::simd::dispatch;
use ef_tensor::{Linear, Mlp, ParamVisitor, Real, Scope, SparseLinear, Workspace};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

use super::heads::Heads;
use super::mixture::raw_log_scale;
use super::ordered::Ordered;
use super::plan::Column;
use crate::density::HeadOffsets;
use crate::rows::RankInputs;
use crate::rows::{Layout, Rows};
use crate::softmax::log_shares;

/// The logistics of a new network have their means between `-SPREAD` and `SPREAD`, or nearer where there are few, and
/// this scale: so many together are the logistic of mean 0 and scale 1 within .002 nats.
const SPREAD: f64 = 5.0;
const START_SCALE: f64 = 0.7;
/// The share of the continuous level that the background of a new network has.
pub(super) const BACKGROUND: f64 = 0.002;

/// Layers and columns. Its builder decides which inputs a unit sees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub(super) columns: Vec<Column>,
    pub(super) ranks: Vec<RankInputs>,
    /// Added to the outputs: logits of the columns' shares, and mixtures near the uniform. The heads start there. They
    /// are constants, which neither training nor decay moves.
    pub(super) offsets: Vec<f64>,
    pub(super) embedding: SparseLinear,
    pub(super) numbers: Linear,
    pub(super) context: Linear,
    /// From normal scores straight to the outputs, so that linear dependence among numbers is learned early.
    pub(super) skip: Linear,
    pub(super) net: Mlp,
    pub(super) dropout: f64,
}

impl Network {
    fn sizes(&self) -> [usize; 4] {
        [
            self.embedding.num_params(),
            self.numbers.num_params(),
            self.context.num_params(),
            self.skip.num_params(),
        ]
    }

    pub(super) fn num_params(&self) -> usize {
        self.sizes().iter().sum::<usize>() + self.net.num_params()
    }

    /// Those of the embedding, numbers, context, skip and hidden layers.
    pub(super) fn split<'a, T>(&self, params: &'a [T]) -> [&'a [T]; 5] {
        let [a, b, c, d] = self.sizes();
        let (embedding, rest) = params.split_at(a);
        let (numbers, rest) = rest.split_at(b);
        let (context, rest) = rest.split_at(c);
        let (skip, net) = rest.split_at(d);
        [embedding, numbers, context, skip, net]
    }

    pub(super) fn split_mut<'a, T>(&self, params: &'a mut [T]) -> [&'a mut [T]; 5] {
        let [a, b, c, d] = self.sizes();
        let (embedding, rest) = params.split_at_mut(a);
        let (numbers, rest) = rest.split_at_mut(b);
        let (context, rest) = rest.split_at_mut(c);
        let (skip, net) = rest.split_at_mut(d);
        [embedding, numbers, context, skip, net]
    }

    /// The constants of the heads, of which the maps of columns came later.
    pub(super) fn head_offsets(&self) -> HeadOffsets {
        HeadOffsets {
            offsets: self.offsets.clone(),
            of_marginal: 0,
            later: self.columns.iter().filter_map(Column::map).flatten().collect(),
            later_params: Vec::new(),
        }
    }

    pub(super) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.embedding.visit_params(&mut Scope::new("cells", visitor));
        self.numbers.visit_params(&mut Scope::new("numbers", visitor));
        self.context.visit_params(&mut Scope::new("context", visitor));
        self.skip.visit_params(&mut Scope::new("skip", visitor));
        self.net.visit_params(visitor);
    }

    /// Output weights and biases start at 0, so that the heads start at their [offsets](Self::offsets).
    pub(super) fn init<T: Real>(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let [embedding, numbers, context, skip, net] = self.split_mut(params);
        skip.fill(T::zero());
        self.embedding.init(1.0, rng, embedding);
        self.numbers.init(1.0, rng, numbers);
        self.context.init(1.0, rng, context);
        self.net.init(0.0, rng, net);
    }

    pub(super) fn project<T: Real>(&self, params: &mut [T]) {
        let [embedding, numbers, _, skip, net] = self.split_mut(params);
        self.skip.project(skip);
        self.embedding.project(embedding);
        self.numbers.project(numbers);
        self.net.project(net);
    }

    /// Rows of the contexts given, to be drawn.
    pub(super) fn blank(&self, given: &Rows) -> Rows {
        Rows::blank(
            self.embedding.variables(),
            self.ranks.len(),
            given.context.clone(),
        )
    }

    pub(super) fn levels<'a>(&self, rows: usize, levels: &'a [u32]) -> ArrayView2<'a, u32> {
        ArrayView2::from_shape((rows, self.embedding.variables()), levels)
            .expect("gathered with this many variables")
    }

    /// The features of a column in a row: its level, and the middle of its places.
    pub(super) fn write_features<'a, T: Real>(
        &self,
        column: &Column,
        level: u32,
        middle: f64,
        out: impl Iterator<Item = &'a mut T>,
    ) {
        let rank = column
            .rank
            .and_then(|r| self.ranks[r].representative(level, middle));
        RankInputs::write(rank, out);
    }

    /// The dense features of rows: `(rows, features)`; those of columns that are not `seen` are 0.
    pub(super) fn features<T: Real>(
        &self,
        rows: &Rows,
        index: &[usize],
        levels: ArrayView2<'_, u32>,
        seen: impl Fn(usize, usize) -> bool,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let mut x = ws.take(index.len(), self.numbers.inputs());
        for (i, ((&row, levels), mut x)) in index.iter().zip(levels.rows()).zip(x.rows_mut()).enumerate() {
            let levels = levels.to_slice().expect("gathered levels are contiguous");
            let x = x.as_slice_mut().expect("rows of a standard layout");
            for (j, column) in self.columns.iter().enumerate() {
                let Some(r) = column.rank else { continue };
                let x = &mut x[column.features.clone()];
                if seen(i, j) {
                    let middle = 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]);
                    self.write_features(column, column.level(levels), middle, x.iter_mut());
                } else {
                    x.fill(T::zero());
                }
            }
        }
        x
    }

    /// The normal scores among the dense features: `(rows, ranks)`.
    pub(super) fn scores<T: Real>(&self, features: ArrayView2<'_, T>, ws: &mut Workspace<T>) -> Array2<T> {
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

    /// What the first hidden layer reads, summed: `(rows, hidden)`.
    pub(super) fn first<T: Real>(
        &self,
        params: &[T],
        levels: ArrayView2<'_, u32>,
        features: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let [p_embedding, p_numbers, p_context, ..] = self.split(params);
        let mut h = ws.take(levels.nrows(), self.net.hidden());
        self.context.forward(p_context, context, h.view_mut());
        self.numbers.forward_add(p_numbers, features, h.view_mut());
        self.embedding.forward_add(p_embedding, levels, h.view_mut());
        h
    }

    /// Adds a column's offsets to its outputs: `y: (outputs, rows)`.
    pub(super) fn add_offsets<T: Real>(&self, column: &Column, mut y: ArrayViewMut2<'_, T>) {
        for output in column.outputs.clone() {
            let offset = T::of(self.offsets[output]);
            y.row_mut(output).iter_mut().for_each(|y| *y += offset);
        }
    }

    /// Runs the heads of all rows: their outputs are `y` and the [offsets](Self::offsets). `each` gets a row's position and sum, `y` becomes the gradient of its negative.
    /// Heads of columns that are not `scored` count for nothing.
    pub(super) fn heads<T: Real>(
        &self,
        rows: &Rows,
        index: &[usize],
        levels: ArrayView2<'_, u32>,
        mut y: ArrayViewMut2<'_, T>,
        scored: impl Fn(usize, usize) -> bool,
        mut each: impl FnMut(usize, f64, &mut [T]),
        ws: &mut Workspace<T>,
    ) {
        let ordered = self.columns.iter().filter_map(|column| column.ordered.as_ref());
        let mut slopes = ws.take(1, ordered.map(Ordered::slopes).max().unwrap_or(0));
        for (i, ((&row, levels), mut y)) in index.iter().zip(levels.rows()).zip(y.rows_mut()).enumerate() {
            let y = y.as_slice_mut().expect("rows of a standard layout");
            let log_prob = dispatch(Heads {
                network: self,
                low: rows.low.row(row),
                high: rows.high.row(row),
                levels,
                scored: |j| scored(i, j),
                y,
                slopes: slopes.as_slice_mut().expect("a new array is contiguous"),
            });
            each(i, log_prob, y);
        }
        ws.give(slopes);
    }
}

/// Where the heads of `columns` start: logits of the columns' shares, and mixtures near the marginal.
pub(super) fn offsets(columns: &[Column], layout: &Layout) -> Vec<f64> {
    let mut offsets = vec![0.0; columns.last().map_or(0, |c| c.outputs.end)];
    for column in columns.iter().filter(|column| !column.outputs.is_empty()) {
        let offsets = &mut offsets[column.outputs.clone()];
        let logits = column
            .variable
            .map_or(vec![0.0], |v| log_shares(&layout.variables()[v].shares));
        let k = column.components;
        if column.rank.is_none() {
            offsets[..logits.len()].copy_from_slice(&logits);
            continue;
        }
        let (weights, rest) = offsets.split_at_mut(k);
        let (levels, rest) = rest.split_at_mut(logits.len());
        let (means, rest) = rest.split_at_mut(k);
        let scales = &mut rest[..k];
        levels.copy_from_slice(&logits);
        levels[0] += BACKGROUND.ln();
        let shares = uniform_start(means, scales);
        for (weight, share) in weights.iter_mut().zip(shares) {
            *weight = logits[0] + ((1.0 - BACKGROUND) * share).ln();
        }
    }
    offsets
}

/// Means and raw log-scales of logistics that make up the logistic of mean 0 and scale 1, nearly, and their shares.
///
/// Logistics of scale `s` whose means have the density `f(m) = sin(pi s) / (2 pi s [cosh m + cos(pi s)])` make it up
/// exactly: the Fourier transform of `f` is `sinh(pi s t) / (s sinh(pi t))`, the quotient of the two. An even grid of
/// means with shares of `f` comes near it.
fn uniform_start(means: &mut [f64], scales: &mut [f64]) -> Vec<f64> {
    let count = means.len();
    if count == 1 {
        means[0] = 0.0;
        scales[0] = raw_log_scale(0.0);
        return vec![1.0];
    }
    let steps = (count - 1) as f64;
    let spread = SPREAD.min(START_SCALE * steps);
    for (i, mean) in means.iter_mut().enumerate() {
        *mean = spread * (2.0 * i as f64 / steps - 1.0);
    }
    scales.fill(raw_log_scale(START_SCALE.ln()));
    let cosine = (std::f64::consts::PI * START_SCALE).cos();
    let shares: Vec<f64> = means.iter().map(|m| 1.0 / (m.cosh() + cosine)).collect();
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::super::mixture::mixture_nll;
    use super::*;
    use ef_tensor::simd::Kernel;

    struct Start<'a>(&'a mut [f64], usize, f64);

    impl Kernel for Start<'_> {
        type Output = f64;
        #[inline(always)]
        fn run<const FMA: bool>(self) -> f64 {
            mixture_nll::<FMA, f64>(self.0, self.1, (self.2, self.2))
        }
    }

    /// Ranks are uniform at the start: what is lost against that, by midpoints in the logit.
    #[test]
    fn heads_start_nearly_uniform() {
        let layout = Layout::new(&[OneNumber], 0);
        for (components, most) in [
            (1, 1e-6),
            (2, 0.05),
            (3, 0.03),
            (5, 0.01),
            (8, 0.002),
            (16, 0.002),
            (64, 0.002),
        ] {
            let offsets = offsets(&Column::all(&layout, components, false), &layout);
            let lost: f64 = (-3000..3000)
                .map(|k| {
                    let rank = 1.0 / (1.0 + (-0.01 * (f64::from(k) + 0.5)).exp());
                    -0.01 * rank * (1.0 - rank) * dispatch(Start(&mut offsets.clone(), components, rank))
                })
                .sum();
            println!("{components} logistics: {lost}");
            assert!((-1e-6..most).contains(&lost), "{components} logistics: {lost}");
        }
    }

    #[derive(Debug)]
    struct OneNumber;

    impl ef_column::Marginal for OneNumber {
        fn levels(&self) -> usize {
            1
        }
        fn is_continuous(&self) -> bool {
            true
        }
        fn level_shares(&self) -> Vec<f64> {
            vec![1.0]
        }
    }
}
