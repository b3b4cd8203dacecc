//! Encoded rows of a table, as every density over tables reads them: levels, ranks and a context.

mod rank_inputs;

use ef_column::{Marginal, Place};
use ef_tensor::{Real, SparseLinear, Tape, Workspace};
use ndarray::{Array2, ArrayView2, Axis, concatenate};

use crate::density::RowSet;

pub(crate) use rank_inputs::RankInputs;

/// A discrete variable: a column with several levels.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// The share of each level in the training rows.
    pub shares: Vec<f64>,
    /// Dense features of each level; all of one length, possibly 0.
    pub features: Vec<Vec<f64>>,
    /// Of a column without ranks, where each level lies among those that have an order; `None` for one that has none.
    pub order: Vec<Option<f64>>,
}

impl Variable {
    /// Number of levels.
    pub fn levels(&self) -> usize {
        self.shares.len()
    }
}

/// Which columns are discrete variables, which have ranks (a column may be both), and how wide the context is.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    variables: Vec<Variable>,
    /// Per column: its variable, and its column among the ranks.
    columns: Vec<(Option<usize>, Option<usize>)>,
    /// What networks read of each continuous column.
    ranks: Vec<RankInputs>,
    context_dim: usize,
}

impl Layout {
    /// The layout of columns with these marginals, and `context_dim` context features.
    pub fn new<M: Marginal>(marginals: &[M], context_dim: usize) -> Self {
        let (mut variables, mut columns, mut ranks) = (Vec::new(), Vec::new(), Vec::new());
        for marginal in marginals {
            let variable = (marginal.levels() > 1).then(|| {
                let features = (0..marginal.levels())
                    .map(|c| marginal.level_features(c as u32))
                    .collect();
                variables.push(Variable {
                    shares: marginal.level_shares(),
                    features,
                    order: (0..marginal.levels())
                        .map(|c| {
                            marginal
                                .level_rank(c as u32)
                                .filter(|_| !marginal.is_continuous())
                        })
                        .collect(),
                });
                variables.len() - 1
            });
            let rank = marginal.is_continuous().then(|| {
                let levels = (0..marginal.levels())
                    .map(|c| marginal.level_rank(c as u32))
                    .collect();
                ranks.push(RankInputs::new(marginal.rank_edges(), levels));
                ranks.len() - 1
            });
            columns.push((variable, rank));
        }
        Self {
            variables,
            columns,
            ranks,
            context_dim,
        }
    }

    /// The discrete variables.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Number of columns with ranks.
    pub fn continuous(&self) -> usize {
        self.ranks.len()
    }

    /// Whether each column has ranks.
    pub fn ranked(&self) -> impl Iterator<Item = bool> {
        self.columns.iter().map(|(_, rank)| rank.is_some())
    }

    /// Per column: its variable, and its column among the ranks.
    pub(crate) fn columns(&self) -> &[(Option<usize>, Option<usize>)] {
        &self.columns
    }

    /// What networks read of each continuous column.
    pub(crate) fn ranks(&self) -> &[RankInputs] {
        &self.ranks
    }

    /// Number of context features.
    pub fn context_dim(&self) -> usize {
        self.context_dim
    }

    /// Rows from the places of their values, column by column, and their context. Who has the values of a table at hand
    /// puts each into [`blank`](Self::blank) rows instead, by [`add_place`](Self::add_place).
    ///
    /// # Panics
    /// If the number of columns is not the layout's, or columns or context differ in length.
    pub fn rows<'a>(&self, places: impl IntoIterator<Item = &'a [Place]>, context: Array2<f32>) -> Rows {
        let mut rows = self.blank(context);
        let mut columns = 0;
        for (column, places) in places.into_iter().enumerate() {
            assert_eq!(places.len(), rows.log_measure.len(), "columns of one length");
            for (row, place) in places.iter().enumerate() {
                self.add_place(&mut rows, row, column, place);
            }
            columns += 1;
        }
        assert_eq!(
            columns,
            self.columns.len(),
            "one column of places a column of the layout"
        );
        rows
    }

    /// Rows of a context without values yet: level 0 and all ranks in every column.
    pub fn blank(&self, context: Array2<f32>) -> Rows {
        Rows::blank(self.variables.len(), self.ranks.len(), context)
    }

    /// Puts a value into a row, and adds its `log_measure` to the row's.
    pub fn add_place(&self, rows: &mut Rows, row: usize, column: usize, place: &Place) {
        self.set_place(rows, row, column, place);
        rows.log_measure[row] += place.log_measure;
    }

    /// Puts a value into a row. The caller adds the value's part of the row's `log_measure`.
    pub fn set_place(&self, rows: &mut Rows, row: usize, column: usize, place: &Place) {
        let (variable, rank) = self.columns[column];
        if let Some(v) = variable {
            rows.levels[[row, v]] = place.level.unwrap_or(SparseLinear::NONE);
        }
        if let Some(c) = rank {
            (rows.low[[row, c]], rows.high[[row, c]]) = (place.low, place.high);
        }
    }

    /// The level and the rank of column `column` in row `row`: what a marginal decodes. The rank of an interval is its
    /// middle.
    pub fn level_and_rank(&self, rows: &Rows, row: usize, column: usize) -> (u32, f64) {
        let (variable, rank) = self.columns[column];
        (
            variable.map_or(0, |v| rows.levels[[row, v]]),
            rank.map_or(0.5, |c| 0.5 * (rows.low[[row, c]] + rows.high[[row, c]])),
        )
    }
}

/// Encoded rows. Made by [`Layout::rows`] from data, or by sampling.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// `(rows, variables)`: the level of each discrete variable; [`SparseLinear::NONE`] for a value never seen.
    pub levels: Array2<u32>,
    /// `(rows, continuous)`: lower ends of rank intervals.
    pub low: Array2<f64>,
    /// Upper ends; equal to `low` where the place is exact.
    pub high: Array2<f64>,
    /// `(rows)`: the context-free part of the log-probability, nats.
    pub log_measure: Vec<f64>,
    /// `(rows, context)`: context features.
    pub context: Array2<f32>,
}

impl Rows {
    /// Rows that carry nothing but a context: what sampling is given.
    pub fn of_context(context: Array2<f32>) -> Self {
        let n = context.nrows();
        Self {
            levels: Array2::zeros((n, 0)),
            low: Array2::zeros((n, 0)),
            high: Array2::zeros((n, 0)),
            log_measure: vec![0.0; n],
            context,
        }
    }

    /// Level 0 and all ranks in every column.
    pub(crate) fn blank(variables: usize, continuous: usize, context: Array2<f32>) -> Self {
        let n = context.nrows();
        Self {
            levels: Array2::zeros((n, variables)),
            low: Array2::zeros((n, continuous)),
            high: Array2::ones((n, continuous)),
            ..Self::of_context(context)
        }
    }

    /// The rows at some positions, in that order.
    #[must_use]
    pub fn select(&self, index: &[usize]) -> Self {
        Self {
            levels: self.levels.select(Axis(0), index),
            low: self.low.select(Axis(0), index),
            high: self.high.select(Axis(0), index),
            log_measure: index.iter().map(|&row| self.log_measure[row]).collect(),
            context: self.context.select(Axis(0), index),
        }
    }

    /// Puts the values of `rows` into the rows at some positions: the reverse of [`select`](Self::select).
    ///
    /// # Panics
    /// If there are not as many rows as positions, or they are of another layout.
    pub fn assign(&mut self, index: &[usize], rows: &Self) {
        assert_eq!(index.len(), rows.log_measure.len(), "a position a row");
        for (i, &row) in index.iter().enumerate() {
            self.levels.row_mut(row).assign(&rows.levels.row(i));
            self.low.row_mut(row).assign(&rows.low.row(i));
            self.high.row_mut(row).assign(&rows.high.row(i));
        }
    }

    /// The rows of several pieces, one piece after the other.
    ///
    /// # Panics
    /// If the pieces are not of one layout.
    #[must_use]
    pub fn concatenate(pieces: Vec<Self>) -> Self {
        fn stacked<T: Clone>(pieces: &[Rows], of: impl Fn(&Rows) -> ArrayView2<'_, T>) -> Array2<T> {
            let views: Vec<_> = pieces.iter().map(of).collect();
            concatenate(Axis(0), &views).expect("pieces of one layout")
        }
        if pieces.is_empty() {
            return Self::of_context(Array2::zeros((0, 0)));
        }
        Self {
            levels: stacked(&pieces, |piece| piece.levels.view()),
            low: stacked(&pieces, |piece| piece.low.view()),
            high: stacked(&pieces, |piece| piece.high.view()),
            context: stacked(&pieces, |piece| piece.context.view()),
            log_measure: pieces.into_iter().flat_map(|piece| piece.log_measure).collect(),
        }
    }

    /// Whether a row has a place that is an interval, so that a flow scores it by auxiliary draws.
    pub fn has_intervals(&self, row: usize) -> bool {
        self.low.row(row) != self.high.row(row)
    }
}

impl RowSet for Rows {
    fn num_rows(&self) -> usize {
        self.log_measure.len()
    }
}

/// Scratch memory of the densities over [`Rows`].
#[derive(Debug, Default)]
pub struct RowScratch<T> {
    pub(crate) tape: Tape<T>,
    pub(crate) ws: Workspace<T>,
    /// Gathered levels.
    pub(crate) levels: Vec<u32>,
    /// The same, without those that a network is not shown.
    pub(crate) shown: Vec<u32>,
    /// Log-densities of a batch.
    pub(crate) out: Vec<f64>,
}

/// Codes of the chosen rows, in one recycled vector; its shape is `(index.len(), variables)`.
pub(crate) fn gather_levels(rows: &Rows, index: &[usize], levels: &mut Vec<u32>) {
    levels.clear();
    for &i in index {
        levels.extend(rows.levels.row(i));
    }
}

/// Context features of the chosen rows, as `T`.
pub(crate) fn gather_context<T: Real>(rows: &Rows, index: &[usize], ws: &mut Workspace<T>) -> Array2<T> {
    let mut to = ws.take(index.len(), rows.context.ncols());
    for (mut to, &i) in to.rows_mut().into_iter().zip(index) {
        to.zip_mut_with(&rows.context.row(i), |to, &from| *to = T::of(f64::from(from)));
    }
    to
}

/// All context features, as `T`.
pub(crate) fn given_context<T: Real>(given: &Rows, ws: &mut Workspace<T>) -> Array2<T> {
    let mut to = ws.take(given.context.nrows(), given.context.ncols());
    to.zip_mut_with(&given.context, |to, &from| *to = T::of(f64::from(from)));
    to
}
