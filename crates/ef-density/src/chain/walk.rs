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
use ndarray::{Array2, ArrayView2};

use super::heads::Head;
use super::mixture::draw_rank;
use super::network::Network;
use super::restrict::{CellSet, draw_within, restrict};
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
    left: Vec<f64>,
    /// The cell of each row just settled, or `u32::MAX`.
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
            left: Vec::with_capacity(n),
            cells: Vec::with_capacity(n),
        }
    }

    pub(super) fn step(&self, row: usize, column: usize) -> Step<'a> {
        (self.walk.steps)(row, column)
    }

    /// Settles column `j` of the rows at `index`, whose outputs are `y: (outputs of j, index.len())`, and writes its
    /// features to `features: (features of j, index.len())`.
    pub(super) fn settle<T: Real>(
        &mut self,
        j: usize,
        index: &[usize],
        y: ArrayView2<'_, T>,
        rows: &mut MixedRows,
        mut features: impl FnMut(usize, Option<f64>),
        ws: &mut Workspace<T>,
    ) {
        let column = &self.network.columns[j];
        let k = self.network.components;
        let (n, logits) = (index.len(), column.logits(k));
        self.cells.clear();
        self.cells.resize(n, 0);
        if column.outputs.is_empty() {
            // a single cell: certain, unless a set leaves it out
            for &row in index {
                if let Some(set) = self.step(row, j).set()
                    && set.cells.first().is_none_or(|share| *share <= 0.0)
                {
                    self.sums.mass[row] = f64::NEG_INFINITY;
                }
            }
            return;
        }
        let mut weights = ws.take(logits, n);
        weights.assign(&y.slice(ndarray::s![..logits, ..]));
        let mut draws = false;
        for (i, &row) in index.iter().enumerate() {
            let step = self.step(row, j);
            draws |= matches!(step, Step::Draw(_) | Step::Free);
            if let Some(set) = step.set() {
                self.sums.mass[row] += restrict(column, k, y.column(i), set, weights.column_mut(i));
            }
        }
        if draws {
            let uniforms = self.uniforms.row(2 * j).select(ndarray::Axis(0), index);
            draw_codes(
                weights.view_mut(),
                uniforms.view(),
                &mut self.left,
                &mut self.cells,
            );
        }
        ws.give(weights);
        for (i, &row) in index.iter().enumerate() {
            let step = self.step(row, j);
            if matches!(step, Step::Draw(_) | Step::Free) {
                let set = step.set();
                let cell = match column.rank {
                    None => self.cells[i],
                    Some(r) => {
                        let component = self.cells[i] as usize;
                        let u = self.uniforms[[2 * j + 1, row]];
                        let logistic = (component < k).then(|| {
                            (
                                y[[logits + component, i]].wide(),
                                y[[logits + k + component, i]].wide(),
                            )
                        });
                        if component <= k {
                            let rank = match (set, logistic) {
                                (Some(set), logistic) => draw_within(logistic, &set.ranks, u),
                                (None, Some((mean, raw))) => draw_rank(mean, raw, u),
                                (None, None) => u,
                            };
                            (rows.low[[row, r]], rows.high[[row, r]]) = (rank, rank);
                        } else {
                            (rows.low[[row, r]], rows.high[[row, r]]) = (0.0, 1.0);
                        }
                        component.saturating_sub(k) as u32
                    }
                };
                if let Some(v) = column.variable {
                    rows.codes[[row, v]] = cell;
                }
            }
            self.cells[i] = column.variable.map_or(0, |v| rows.codes[[row, v]]);
            if let Some(r) = column.rank {
                let middle = 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]);
                features(i, self.network.ranks[r].representative(self.cells[i], middle));
            }
        }
        self.score(j, index, y, rows, ws);
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
                components: self.network.components,
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
