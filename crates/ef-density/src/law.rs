//! What a density must know of a column's law.

use std::fmt::Debug;

/// Where one value stands under its column's law.
///
/// The value's log-probability under a density is
/// `log_measure + log P(cell | ..) + log E[ratio(v)], v ~ U(low, high)`: the second term only where the column has
/// several cells, the third only where it has a continuous one, with `ratio` the density's conditional density of
/// the rank with respect to the uniform. With ranks uniform and cells at their shares, that is the column's own law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The cell; `None` for a value never seen at fit.
    pub cell: Option<u32>,
    /// Lower end of the value's ranks within the continuous cell; 0 in other cells.
    pub low: f64,
    /// Upper end; 1 in other cells, equal to `low` where the column has a density there.
    pub high: f64,
    /// The context-free part of the value's log-probability, nats.
    pub log_measure: f64,
}

/// The law of one column, as densities see it: **cells**, and ranks within at most one of them.
///
/// A category's cells are its levels. A number's are one continuous cell (cell 0, where [`is_continuous`] says so)
/// and atoms: heavy values, or all values of a column of few; a missing cell is a cell. Laws are fitted to the data
/// once, elsewhere (`ef-tabular`), and serve every model.
///
/// [`is_continuous`]: ColumnLaw::is_continuous
pub trait ColumnLaw: Debug + Send + Sync {
    /// A value of the column.
    type Value;

    /// Number of cells, at least 1.
    fn cells(&self) -> usize;

    /// Whether cell 0 is continuous: values in it have ranks.
    fn is_continuous(&self) -> bool;

    /// The share of each cell in the training rows; sums to 1.
    fn cell_shares(&self) -> Vec<f64>;

    /// Dense features of a cell (its value, standardized, and the like) for networks that read the column; all cells
    /// have the same number, possibly none.
    fn cell_features(&self, cell: u32) -> Vec<f64>;

    /// Ends of intervals of ranks that stand for one value each, or for few, ascending from 0 to 1: networks read the
    /// ranks of an interval alike. Empty (the default) where every rank is a value of its own.
    fn rank_edges(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Where an atom's value lies among the ranks of the continuous cell; `None` (the default) if it has no place there,
    /// such as a missing cell.
    fn cell_rank(&self, cell: u32) -> Option<f64> {
        let _ = cell;
        None
    }

    /// Where a value stands.
    fn place(&self, value: &Self::Value) -> Place;

    /// The value at `rank` of a cell: the inverse of [`place`](Self::place).
    fn draw_in_cell(&self, cell: u32, rank: f64) -> Self::Value;

    /// The marginal probability of the closed interval `[low, high]`, for numeric columns; 0 for others.
    fn mass(&self, low: f64, high: f64) -> f64;
}
