//! Ancestral passes of the order-agnostic network: column by column it is shown more of each row.

use ef_tensor::{Incremental, Real, Workspace};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::OrderAgnostic;
use crate::autoregressive::pass::{AncestralPass, PassSums, Step, Visitor};
use crate::rows::RankInputs;
use crate::rows::given_context;
use crate::rows::{RowScratch, Rows};

impl OrderAgnostic {
    /// Draws or scores the columns of `order`, each at most once, one after the other. From the start each row shows
    /// its observed columns; the others stay hidden until their turn. `observed` is 0 in the sums, because all is
    /// conditional on the observed columns. Each column costs a pass of the network.
    ///
    /// # Panics
    /// If `rows` has not as many rows as the pass has streams, or is not of the network's layout.
    pub fn pass<'a, T: Real>(
        &'a self,
        params: &[T],
        rows: &mut Rows,
        order: &[usize],
        pass: AncestralPass<'a>,
        scratch: &mut RowScratch<T>,
    ) -> PassSums {
        let (network, ws) = (&self.network, &mut scratch.ws);
        let n = pass.streams.len();
        assert_eq!(n, rows.context.nrows(), "a stream a row");
        let mut visitor = Visitor::new(network, pass);
        let mut seen = Seen::new(self, params, rows, ws);
        for (j, column) in network.columns.iter().enumerate() {
            let certain = column.outputs.is_empty();
            let index: Vec<usize> = (0..n)
                .filter(|&row| certain || visitor.step(row, j) == Step::Observe)
                .collect();
            if index.is_empty() {
                continue;
            }
            let mut features = ws.take(column.features.len(), index.len());
            let mut levels = Vec::with_capacity(index.len());
            for (i, &row) in index.iter().enumerate() {
                let level = column.variable.map_or(0, |v| rows.levels[[row, v]]);
                let middle = column
                    .rank
                    .map_or(0.5, |r| 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]));
                network.write_features(column, level, middle, features.column_mut(i).into_iter());
                levels.push(level);
            }
            seen.show(j, &index, &levels, features.view(), ws);
            ws.give(features);
        }
        for &j in order {
            let column = &network.columns[j];
            let index: Vec<usize> = (0..n)
                .filter(|&row| !matches!(visitor.step(row, j), Step::Observe | Step::Skip))
                .collect();
            if index.is_empty() {
                continue;
            }
            let y = seen.outputs(j, &index, ws);
            let mut features = ws.take(column.features.len(), index.len());
            let write = |i: usize, rank: Option<f64>| {
                RankInputs::write(rank, features.column_mut(i).into_iter());
            };
            let outputs = y.slice(s![column.outputs.clone(), ..]);
            visitor.visit(j, &index, outputs, rows, write, ws);
            if !column.outputs.is_empty() {
                seen.show(j, &index, &visitor.levels, features.view(), ws);
            }
            ws.give(y);
            ws.give(features);
        }
        seen.finish(ws);
        visitor.sums
    }
}

/// What the network has been shown of each row by now.
struct Seen<'a, T> {
    any: &'a OrderAgnostic,
    params: &'a [T],
    /// Pre-activations of the first hidden layer: `(hidden, rows)`.
    first: Array2<T>,
    /// What the skip layer reads: `(ranks, rows)`.
    scores: Array2<T>,
}

impl<'a, T: Real> Seen<'a, T> {
    /// Nothing but the context of the rows.
    fn new(any: &'a OrderAgnostic, params: &'a [T], rows: &Rows, ws: &mut Workspace<T>) -> Self {
        let network = &any.network;
        let (n, hidden) = (rows.context.nrows(), network.net.hidden());
        let [_, _, p_context, ..] = network.split(any.split(params).0);
        let context = given_context(rows, ws);
        let mut first = ws.zeros(hidden, n);
        network
            .context
            .forward_units_add(p_context, 0..hidden, context.t(), first.view_mut());
        ws.give(context);
        Self {
            any,
            params,
            first,
            scores: ws.zeros(network.ranks.len(), n),
        }
    }

    /// Shows column `j` of the rows at `index`, with its levels and `features: (features of j, index.len())`.
    fn show(
        &mut self,
        j: usize,
        index: &[usize],
        levels: &[u32],
        features: ArrayView2<'_, T>,
        ws: &mut Workspace<T>,
    ) {
        let network = &self.any.network;
        let (column, hidden) = (&network.columns[j], network.net.hidden());
        let (p_network, p_shown) = self.any.split(self.params);
        let [p_embedding, p_numbers, ..] = network.split(p_network);
        let mut added = ws.zeros(hidden, index.len());
        network
            .numbers
            .forward_inputs_add(p_numbers, column.features.clone(), features, added.view_mut());
        if let Some(v) = column.variable {
            network
                .embedding
                .forward_variable(p_embedding, v, levels, 0..hidden, added.view_mut());
        }
        let bits = &p_shown[j * hidden..][..hidden];
        for ((mut first, added), &bit) in self.first.rows_mut().into_iter().zip(added.rows()).zip(bits) {
            for (&row, &added) in index.iter().zip(added) {
                first[row] += added + bit;
            }
        }
        if let Some(r) = column.rank {
            for (&row, &score) in index.iter().zip(features.row(0)) {
                self.scores[[r, row]] = score;
            }
        }
        ws.give(added);
    }

    /// Outputs of the rows at `index`, of which those of column `j` are written: `(outputs, index.len())`.
    fn outputs(&self, j: usize, index: &[usize], ws: &mut Workspace<T>) -> Array2<T> {
        let network = &self.any.network;
        let outputs = network.columns[j].outputs.clone();
        let mut y = ws.take(network.net.outputs(), index.len());
        if outputs.is_empty() {
            return y;
        }
        let [.., p_skip, p_net] = network.split(self.any.split(self.params).0);
        let mut net = Incremental::new(&network.net, p_net, index.len(), ws);
        select(self.first.view(), index, net.first.view_mut());
        net.advance(0..network.net.hidden());
        y.slice_mut(s![outputs.clone(), ..])
            .assign(&net.outputs(outputs.clone()));
        net.finish(ws);
        let mut scores = ws.take(self.scores.nrows(), index.len());
        select(self.scores.view(), index, scores.view_mut());
        network
            .skip
            .forward_units_add(p_skip, outputs, scores.view(), y.view_mut());
        network.add_offsets(&network.columns[j], y.view_mut());
        ws.give(scores);
        y
    }

    fn finish(self, ws: &mut Workspace<T>) {
        ws.give(self.first);
        ws.give(self.scores);
    }
}

/// The columns of `from` at `index`.
fn select<T: Real>(from: ArrayView2<'_, T>, index: &[usize], mut to: ArrayViewMut2<'_, T>) {
    for (from, mut to) in from.rows().into_iter().zip(to.rows_mut()) {
        for (to, &row) in to.iter_mut().zip(index) {
            *to = from[row];
        }
    }
}
