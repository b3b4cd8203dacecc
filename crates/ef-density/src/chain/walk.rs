//! Ancestral walks: the columns of many rows one after the other, each kept, drawn, drawn within a set, or replayed.
//!
//! A walk adds up what importance sampling needs to know of every row:
//!
//! ```text
//! kept  = sum over kept columns    log p(x_j | before)
//! drawn = sum over drawn columns   log p(x_j | before)
//! mass  = sum over drawn columns   log P(x_j in S_j | before)
//! ```
//!
//! so the density of what was drawn is `exp(drawn - mass)`, and `exp(kept + mass)` is the likelihood weight of the row
//! (Fung and Chang 1990). Densities are in the measure of cells and ranks: what `log_measure` adds is left out.

use ef_tensor::simd::dispatch;
use ef_tensor::{Real, Workspace};
use ndarray::{Array2, ArrayView2, Axis, s};

use super::heads::Head;
use super::mixture::draw_rank;
use super::network::Network;
use super::plan::Column;
use super::restrict::{CellSet, Restriction};
use crate::key::{Key, uniform};
use crate::mixed::MixedRows;
use crate::softmax::draw_codes;

/// What a walk does with one column of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step<'a> {
    /// The row holds the value; it counts as `kept`.
    Keep,
    /// A value is drawn, from within a set if one is given.
    Draw(Option<&'a CellSet>),
    /// The row holds a value that was drawn before, from within a set if one is given; it counts as `drawn`.
    Replay(Option<&'a CellSet>),
    /// A value is drawn by a chain and does not count; a network of any order leaves the column out.
    Free,
}

impl<'a> Step<'a> {
    /// The set of a column that counts as `drawn`.
    fn set(self) -> Option<&'a CellSet> {
        match self {
            Self::Draw(set) | Self::Replay(set) => set,
            Self::Keep | Self::Free => None,
        }
    }
}

/// The rows of a walk: what is done with them, and where their random numbers come from.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    /// The step of a row, by its position, in a column.
    pub steps: &'a (dyn Fn(usize, usize) -> Step<'a> + Sync),
    /// The stream of each row.
    pub streams: &'a [u64],
    /// The family of streams.
    pub key: Key,
    /// Whether `drawn` is wanted; without it, it stays 0.
    pub scored: bool,
    /// Whether each column's own log-probability is wanted too.
    pub by_column: bool,
}

impl std::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk")
            .field("rows", &self.streams.len())
            .field("scored", &self.scored)
            .finish_non_exhaustive()
    }
}

/// Sums of log-probabilities a row, nats; see the module.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WalkSums {
    /// Of values that the rows held.
    pub kept: Vec<f64>,
    /// Of values that were drawn, unrestricted.
    pub drawn: Vec<f64>,
    /// Of the sets they were drawn from.
    pub mass: Vec<f64>,
    /// `(columns, rows)`: the terms of `kept` and `drawn`, if they were asked for; else empty.
    pub by_column: Array2<f64>,
}

impl WalkSums {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            by_column: Array2::zeros((columns, rows)),
            kept: vec![0.0; rows],
            drawn: vec![0.0; rows],
            mass: vec![0.0; rows],
        }
    }
}

/// A walk on its way.
pub(super) struct Walking<'a> {
    network: &'a Network,
    walk: Walk<'a>,
    /// Two uniform numbers a column: which component or cell, and where in it. `(2 columns, rows)`.
    uniforms: Array2<f64>,
    pub(super) sums: WalkSums,
    restriction: Restriction,
    /// The set of the current column that it is of.
    read: Option<&'a CellSet>,
    left: Vec<f64>,
    /// The cell of each row just settled; `SparseLinear::NONE` for a value never seen.
    pub(super) cells: Vec<u32>,
}

impl<'a> Walking<'a> {
    pub(super) fn new(network: &'a Network, walk: Walk<'a>) -> Self {
        let n = walk.streams.len();
        let mut uniforms = Array2::zeros((2 * network.columns.len(), n));
        let key = walk.key.purpose("columns");
        for (&row, mut u) in walk.streams.iter().zip(uniforms.columns_mut()) {
            let mut rng = key.row(row);
            u.iter_mut().for_each(|u| *u = uniform(&mut rng));
        }
        Self {
            network,
            walk,
            uniforms,
            sums: WalkSums::new(n, if walk.by_column { network.columns.len() } else { 0 }),
            restriction: Restriction::default(),
            read: None,
            left: Vec::with_capacity(n),
            cells: Vec::with_capacity(n),
        }
    }

    pub(super) fn step(&self, row: usize, column: usize) -> Step<'a> {
        (self.walk.steps)(row, column)
    }

    /// Settles column `j` of the rows at `index`, whose outputs are `y: (outputs of j, index.len())`. `features` gets each
    /// position and the rank that stands for its value, if the column has ranks.
    pub(super) fn settle<T: Real>(
        &mut self,
        j: usize,
        index: &[usize],
        y: ArrayView2<'_, T>,
        rows: &mut MixedRows,
        features: impl FnMut(usize, Option<f64>),
        ws: &mut Workspace<T>,
    ) {
        let (column, steps) = (&self.network.columns[j], self.walk.steps);
        self.cells.clear();
        self.cells.resize(index.len(), 0);
        if let Some(logits) = &column.marginal {
            let mut y = ws.take(logits.len(), index.len());
            for (mut y, &logit) in y.rows_mut().into_iter().zip(logits) {
                y.fill(T::of(logit));
            }
            self.settle_by(j, index, y.view(), rows, features, ws);
            ws.give(y);
            return;
        }
        if column.is_certain() {
            // a single cell: certain, but that a set may hold it in part or not at all
            for &row in index {
                if let Some(set) = steps(row, j).set() {
                    self.sums.mass[row] += set.log_share(0);
                }
            }
            return;
        }
        self.settle_by(j, index, y, rows, features, ws);
    }

    /// The same by the outputs that the column's head reads.
    fn settle_by<T: Real>(
        &mut self,
        j: usize,
        index: &[usize],
        y: ArrayView2<'_, T>,
        rows: &mut MixedRows,
        mut features: impl FnMut(usize, Option<f64>),
        ws: &mut Workspace<T>,
    ) {
        let (column, steps) = (&self.network.columns[j], self.walk.steps);
        if index.iter().any(|&row| steps(row, j) != Step::Keep) {
            self.draw(j, index, y, rows, ws);
        }
        for (i, &row) in index.iter().enumerate() {
            self.cells[i] = column.variable.map_or(0, |v| rows.codes[[row, v]]);
            if let Some(r) = column.rank {
                let middle = 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]);
                features(i, self.network.ranks[r].representative(self.cells[i], middle));
            }
        }
        self.score(j, index, y, rows, ws);
    }

    /// Restricts the heads to the sets of their rows, and draws for those whose step says so.
    fn draw<T: Real>(
        &mut self,
        j: usize,
        index: &[usize],
        y: ArrayView2<'_, T>,
        rows: &mut MixedRows,
        ws: &mut Workspace<T>,
    ) {
        let (network, steps) = (self.network, self.walk.steps);
        let column = &network.columns[j];
        let (k, logits) = (column.components, column.logits());
        let mut weights = ws.take(logits, index.len());
        weights.assign(&y.slice(s![..logits, ..]));
        self.read = None;
        for (i, &row) in index.iter().enumerate() {
            if let Some(set) = steps(row, j).set() {
                let mass = self
                    .restriction(column, set)
                    .restrict(y.column(i), weights.column_mut(i));
                self.sums.mass[row] += mass;
            }
        }
        let uniforms = self.uniforms.row(2 * j).select(Axis(0), index);
        draw_codes(
            weights.view_mut(),
            uniforms.view(),
            &mut self.left,
            &mut self.cells,
        );
        ws.give(weights);
        for (i, &row) in index.iter().enumerate() {
            let set = match steps(row, j) {
                Step::Draw(set) => set,
                Step::Free => None,
                Step::Keep | Step::Replay(_) => continue,
            };
            let mut cell = self.cells[i];
            if let Some(r) = column.rank {
                // logistics and the background share cell 0
                let component = cell as usize;
                cell = component.saturating_sub(k) as u32;
                let mut place = (0.0, 1.0);
                if cell == 0 {
                    let output = |at: usize| y[[logits + at + component, i]].wide();
                    let logistic = (component < k).then(|| (output(0), output(k)));
                    let u = self.uniforms[[2 * j + 1, row]];
                    let rank = match (set, logistic) {
                        (Some(set), _) => self.restriction(column, set).draw(logistic, u),
                        (None, Some((mean, raw))) => draw_rank(mean, raw, u),
                        (None, None) => u,
                    };
                    place = (rank, rank);
                }
                (rows.low[[row, r]], rows.high[[row, r]]) = place;
            }
            if let Some(v) = column.variable {
                rows.codes[[row, v]] = cell;
            }
        }
    }

    /// The restriction of a column to a set, read anew unless the row before has the same.
    fn restriction(&mut self, column: &Column, set: &'a CellSet) -> &mut Restriction {
        if !self.read.is_some_and(|read| std::ptr::eq(read, set)) {
            self.restriction.read(column, set);
            self.read = Some(set);
        }
        &mut self.restriction
    }

    /// Adds what the heads say of the values that rows hold by now.
    fn score<T: Real>(
        &mut self,
        j: usize,
        index: &[usize],
        y: ArrayView2<'_, T>,
        rows: &MixedRows,
        ws: &mut Workspace<T>,
    ) {
        let counts = |step| match step {
            Step::Keep => true,
            Step::Draw(_) | Step::Replay(_) => self.walk.scored,
            Step::Free => false,
        };
        if !index.iter().any(|&row| counts(self.step(row, j))) {
            return;
        }
        let column = &self.network.columns[j];
        let mut row_major = ws.take(y.ncols(), y.nrows());
        row_major.assign(&y.t());
        for ((i, &row), mut y) in index.iter().enumerate().zip(row_major.rows_mut()) {
            let step = self.step(row, j);
            if !counts(step) {
                continue;
            }
            let log_prob = dispatch(Head {
                column,
                cell: self.cells[i],
                ranks: column.rank.map(|r| (rows.low[[row, r]], rows.high[[row, r]])),
                y: y.as_slice_mut().expect("rows of a standard layout"),
            });
            let sum = match step {
                Step::Keep => &mut self.sums.kept,
                _ => &mut self.sums.drawn,
            };
            sum[row] += log_prob;
            if self.walk.by_column {
                self.sums.by_column[[j, row]] = log_prob;
            }
        }
        ws.give(row_major);
    }
}
