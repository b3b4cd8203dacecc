//! What a density must know of a column.

use std::fmt::Debug;

use crate::place::Level;

/// The marginal of one column, as densities see it: **levels**, and ranks within at most one of them.
///
/// A category's levels are its labels. A number's are one continuous level (level 0, where [`is_continuous`] says so)
/// and its **atoms**, values with a mass of their own: those that stand out of their surroundings, or all values of a
/// column of few. A missing cell, if the column has any, is a level too.
///
/// [`is_continuous`]: Marginal::is_continuous
pub trait Marginal: Debug {
    /// Number of levels, at least 1.
    fn levels(&self) -> usize;

    /// Whether level 0 is continuous: values of it have ranks.
    fn is_continuous(&self) -> bool;

    /// The share of each level in the training rows; sums to 1.
    fn level_shares(&self) -> Vec<f64>;

    /// Dense features of a level (its value, standardized, and the like) for networks that read the column. All levels
    /// have the same number of them, none by default.
    fn level_features(&self, level: Level) -> Vec<f64> {
        let _ = level;
        Vec::new()
    }

    /// Ends of intervals of ranks that stand for one value each, or for few, ascending from 0 to 1: networks read the
    /// ranks of an interval alike. Empty (the default) where every rank is a value of its own.
    fn rank_edges(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Where an atom lies among the ranks of the continuous level; `None` (the default) for a level that has no place
    /// there, such as that of missing cells. In a column without a continuous level, where the level lies in the order of
    /// the column's values; `None` for all levels where they have no order.
    fn level_rank(&self, level: Level) -> Option<f64> {
        let _ = level;
        None
    }
}
