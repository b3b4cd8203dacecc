//! Ancestral passes: the columns of many rows one after the other, each observed, drawn, drawn within a set, or scored.
//!
//! A pass adds up what importance sampling needs to know of every row:
//!
//! ```text
//! observed = sum over observed columns            log p(x_j | before)
//! proposed = sum over drawn and scored columns    log p(x_j | before)
//! set_mass = sum over drawn and scored columns    log P(x_j in S_j | before)
//! ```
//!
//! so the density of what was drawn is `exp(proposed - set_mass)`, and `exp(observed + set_mass)` is the likelihood weight
//! of the row (Fung and Chang 1990). Densities are in the measure of levels and ranks: what `log_measure` adds is left out.

use ef_column::LevelSet;
use ef_tensor::simd::dispatch;
use ef_tensor::{Real, Workspace};
use ndarray::{Array2, ArrayView2, Axis, s};

use super::affine::Affine;
use super::heads::Head;
use super::mixture::draw_rank;
use super::network::Network;
use super::ordered::AddMap;
use super::plan::Column;
use super::restrict::Restriction;
use crate::key::{Key, uniform};
use crate::rows::Rows;
use crate::softmax::draw_levels;

/// What a pass does with one column of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step<'a> {
    /// The row holds the value, which is known; it counts as `observed`.
    Observe,
    /// A value is drawn, from within a set if one is given; it counts as `proposed`.
    Draw(Option<&'a LevelSet>),
    /// The row holds a value that was drawn before, from within a set if one is given; it counts as `proposed`.
    Score(Option<&'a LevelSet>),
    /// A value is drawn and counts for nothing.
    Fill,
    /// The column is left out, and the network is not shown it. Only a network for every order can leave a column out; one
    /// of a fixed order, whose later columns read it, fills it.
    Skip,
}

impl<'a> Step<'a> {
    /// The set of a column that counts as `proposed`.
    fn set(self) -> Option<&'a LevelSet> {
        match self {
            Self::Draw(set) | Self::Score(set) => set,
            Self::Observe | Self::Fill | Self::Skip => None,
        }
    }
}

/// The rows of a pass: what is done with them, and where their random numbers come from.
#[derive(Clone, Copy)]
pub struct AncestralPass<'a> {
    /// The step of a row, by its position, in a column.
    pub steps: &'a (dyn Fn(usize, usize) -> Step<'a> + Sync),
    /// The stream of each row.
    pub streams: &'a [u64],
    /// The family of streams.
    pub key: Key,
    /// Whether `proposed` is wanted; without it, it stays 0.
    pub scored: bool,
    /// Whether each column's own log-probability is wanted too.
    pub by_column: bool,
}

impl std::fmt::Debug for AncestralPass<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AncestralPass")
            .field("rows", &self.streams.len())
            .field("scored", &self.scored)
            .finish_non_exhaustive()
    }
}

/// Sums of log-probabilities a row, nats; see the module.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PassSums {
    /// Of values that the rows held.
    pub observed: Vec<f64>,
    /// Of values that were drawn, unrestricted.
    pub proposed: Vec<f64>,
    /// Of the sets they were drawn from.
    pub set_mass: Vec<f64>,
    /// `(columns, rows)`: the terms of `observed` and `proposed`, if they were asked for; else empty.
    pub by_column: Array2<f64>,
}

impl PassSums {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            by_column: Array2::zeros((columns, rows)),
            observed: vec![0.0; rows],
            proposed: vec![0.0; rows],
            set_mass: vec![0.0; rows],
        }
    }
}

/// The state of a pass.
pub(super) struct Visitor<'a> {
    network: &'a Network,
    pass: AncestralPass<'a>,
    /// Two uniform numbers a column: which component or level, and where in it. `(2 columns, rows)`.
    uniforms: Array2<f64>,
    pub(super) sums: PassSums,
    restriction: Restriction,
    /// The set that `restriction` was made for.
    read: Option<&'a LevelSet>,
    left: Vec<f64>,
    /// The level of each row just visited; `SparseLinear::NONE` for a value never seen.
    pub(super) levels: Vec<u32>,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(network: &'a Network, pass: AncestralPass<'a>) -> Self {
        let n = pass.streams.len();
        let mut uniforms = Array2::zeros((2 * network.columns.len(), n));
        let key = pass.key.purpose("columns");
        for (&row, mut u) in pass.streams.iter().zip(uniforms.columns_mut()) {
            let mut rng = key.row(row);
            u.iter_mut().for_each(|u| *u = uniform(&mut rng));
        }
        Self {
            network,
            pass,
            uniforms,
            sums: PassSums::new(n, if pass.by_column { network.columns.len() } else { 0 }),
            restriction: Restriction::default(),
            read: None,
            left: Vec::with_capacity(n),
            levels: Vec::with_capacity(n),
        }
    }

    pub(super) fn step(&self, row: usize, column: usize) -> Step<'a> {
        (self.pass.steps)(row, column)
    }

    /// Settles column `j` of the rows at `index`, whose outputs are `y: (outputs of j, index.len())`. `features` gets each
    /// position and the rank that stands for its value, if the column has ranks.
    pub(super) fn visit<T: Real>(
        &mut self,
        j: usize,
        index: &[usize],
        y: ArrayView2<'_, T>,
        rows: &mut Rows,
        features: impl FnMut(usize, Option<f64>),
        ws: &mut Workspace<T>,
    ) {
        let (column, steps) = (&self.network.columns[j], self.pass.steps);
        self.levels.clear();
        self.levels.resize(index.len(), 0);
        if let Some(logits) = &column.marginal {
            let mut y = ws.take(logits.len(), index.len());
            for (mut y, &logit) in y.rows_mut().into_iter().zip(logits) {
                y.fill(T::of(logit));
            }
            self.visit_by(j, index, y.view(), rows, features, ws);
            ws.give(y);
            return;
        }
        if let Some(ordered) = &column.ordered {
            let mut by_row = ws.take(index.len(), column.levels + 2);
            by_row.assign(&y.t());
            for mut y in by_row.rows_mut() {
                let y = y.as_slice_mut().expect("rows of a standard layout");
                dispatch(AddMap { ordered, y });
            }
            let mut logits = ws.take(column.levels, index.len());
            logits.assign(&by_row.slice(s![.., ..column.levels]).t());
            ws.give(by_row);
            self.visit_by(j, index, logits.view(), rows, features, ws);
            ws.give(logits);
            return;
        }
        if column.is_certain() {
            // a column of a single level is certain, unless its set excludes a part of that level
            for &row in index {
                if let Some(set) = steps(row, j).set() {
                    self.sums.set_mass[row] += set.log_share(0);
                }
            }
            return;
        }
        self.visit_by(j, index, y, rows, features, ws);
    }

    /// The same by the outputs that the column's head reads.
    fn visit_by<T: Real>(
        &mut self,
        j: usize,
        index: &[usize],
        y: ArrayView2<'_, T>,
        rows: &mut Rows,
        mut features: impl FnMut(usize, Option<f64>),
        ws: &mut Workspace<T>,
    ) {
        let (column, steps) = (&self.network.columns[j], self.pass.steps);
        if index.iter().any(|&row| steps(row, j) != Step::Observe) {
            self.draw(j, index, y, rows, ws);
        }
        for (i, &row) in index.iter().enumerate() {
            self.levels[i] = column.variable.map_or(0, |v| rows.levels[[row, v]]);
            if let Some(r) = column.rank {
                let middle = 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]);
                features(i, self.network.ranks[r].representative(self.levels[i], middle));
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
        rows: &mut Rows,
        ws: &mut Workspace<T>,
    ) {
        let (network, steps) = (self.network, self.pass.steps);
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
                self.sums.set_mass[row] += mass;
            }
        }
        let uniforms = self.uniforms.row(2 * j).select(Axis(0), index);
        draw_levels(
            weights.view_mut(),
            uniforms.view(),
            &mut self.left,
            &mut self.levels,
        );
        ws.give(weights);
        for (i, &row) in index.iter().enumerate() {
            let set = match steps(row, j) {
                Step::Draw(set) => set,
                Step::Fill | Step::Skip => None,
                Step::Observe | Step::Score(_) => continue,
            };
            let mut level = self.levels[i];
            if let Some(r) = column.rank {
                // logistics and the background share level 0
                let component = level as usize;
                level = component.saturating_sub(k) as u32;
                let mut place = (0.0, 1.0);
                if level == 0 {
                    let output = |at: usize| y[[logits + at + component, i]].wide();
                    let logistic = (component < k).then(|| (output(0), output(k)));
                    let u = self.uniforms[[2 * j + 1, row]];
                    let affine = match k {
                        0 => Affine::IDENTITY,
                        _ => Affine::new(y[[logits + 2 * k, i]].wide(), y[[logits + 2 * k + 1, i]].wide()),
                    };
                    let rank = match (set, logistic) {
                        (Some(set), _) => self.restriction(column, set).draw(logistic, &affine, u),
                        (None, Some((mean, raw))) => draw_rank(mean, raw, &affine, u),
                        (None, None) => u,
                    };
                    place = (rank, rank);
                }
                (rows.low[[row, r]], rows.high[[row, r]]) = place;
            }
            if let Some(v) = column.variable {
                rows.levels[[row, v]] = level;
            }
        }
    }

    /// The restriction of a column to a set, read anew unless the row before has the same.
    fn restriction(&mut self, column: &Column, set: &'a LevelSet) -> &mut Restriction {
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
        rows: &Rows,
        ws: &mut Workspace<T>,
    ) {
        let counts = |step| match step {
            Step::Observe => true,
            Step::Draw(_) | Step::Score(_) => self.pass.scored,
            Step::Fill | Step::Skip => false,
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
                level: self.levels[i],
                ranks: column.rank.map(|r| (rows.low[[row, r]], rows.high[[row, r]])),
                y: y.as_slice_mut().expect("rows of a standard layout"),
            });
            let sum = match step {
                Step::Observe => &mut self.sums.observed,
                _ => &mut self.sums.proposed,
            };
            sum[row] += log_prob;
            if self.pass.by_column {
                self.sums.by_column[[j, row]] = log_prob;
            }
        }
        ws.give(row_major);
    }
}
