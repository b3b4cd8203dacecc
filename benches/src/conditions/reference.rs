//! The law that drawn rows are held against, column by column.

use super::case::Case;
use super::distance::{Bins, Distance};
use super::pool::Pool;

/// Bins of every column that a condition leaves free.
#[derive(Debug)]
pub(super) struct Reference {
    /// The reference's rows that meet the condition; none if the law was computed.
    hits: Option<Vec<u32>>,
    bins: Vec<(usize, Bins)>,
}

impl Reference {
    /// The law of the pool's rows that meet the condition, given by number.
    pub(super) fn of_hits(case: &Case, pool: &Pool, hits: Vec<u32>) -> Self {
        let bins = (0..pool.names().len())
            .filter(|column| !case.fixes(*column))
            .map(|column| (column, Bins::of(pool.column(column), &hits, pool.levels(column))))
            .filter(|(_, bins)| bins.is_free())
            .collect();
        Self {
            hits: Some(hits),
            bins,
        }
    }

    /// A computed law of one column.
    pub(super) fn of_law(column: usize, bins: Bins) -> Self {
        Self {
            hits: None,
            bins: vec![(column, bins)],
        }
    }

    /// Columns that are compared.
    pub(super) fn columns(&self) -> usize {
        self.bins.len()
    }

    /// Their names.
    pub(super) fn names<'p>(&self, pool: &'p Pool) -> impl Iterator<Item = &'p str> {
        self.bins.iter().map(|(column, _)| pool.names()[*column].as_str())
    }

    /// Rows that the law was counted from.
    pub(super) fn hits(&self) -> Option<usize> {
        self.hits.as_ref().map(Vec::len)
    }

    /// The share of the pool's rows that meet the condition.
    pub(super) fn share(&self, pool: &Pool) -> Option<f64> {
        self.hits().map(|hits| hits as f64 / pool.rows() as f64)
    }

    /// The distance of so many rows of another pool, column by column.
    pub(super) fn distances(&self, drawn: &Pool, rows: &[u32]) -> Vec<Distance> {
        let one = |(column, bins): &(usize, Bins)| bins.distance(drawn.column(*column), rows);
        self.bins.iter().map(one).collect()
    }

    /// What chance alone makes of samples of these sizes, see [`Bins::null`].
    pub(super) fn nulls(&self, pool: &Pool, rows: usize) -> Vec<Distance> {
        let one = |(column, bins): &(usize, Bins)| {
            let hits = self.hits.as_deref()?;
            bins.null(pool.column(*column), hits, rows)
        };
        self.bins.iter().filter_map(one).collect()
    }
}

/// Mean and largest of a figure of the columns; NaN, which is no figure in JSON, if there are none.
pub(super) fn summary(found: &[Distance], figure: fn(&Distance) -> f64) -> (f64, f64) {
    let values = found.iter().map(figure);
    let mean = values.clone().sum::<f64>() / found.len() as f64;
    (mean, values.fold(f64::NAN, f64::max))
}
