//! Where the random numbers of the rows of a request come from.

use std::ops::Range;

use ef_density::Key;
use ef_random::Philox;

/// A family of streams and the number of the first row: row `i` of a request takes stream `first_row + i`, so that a part
/// of a table draws what it draws in the whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowKey {
    pub(crate) key: Key,
    pub(crate) first_row: u64,
}

impl RowKey {
    pub(crate) fn new(key: Key, first_row: u64) -> Self {
        Self { key, first_row }
    }

    #[must_use]
    pub(crate) fn purpose(self, name: &str) -> Self {
        Self {
            key: self.key.purpose(name),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn index(self, index: u64) -> Self {
        Self {
            key: self.key.index(index),
            ..self
        }
    }

    /// The number of row `row` of the request.
    pub(crate) fn number(self, row: usize) -> u64 {
        self.first_row + row as u64
    }

    /// The numbers of some rows of the request.
    pub(crate) fn numbers(self, rows: &Range<usize>) -> Range<u64> {
        self.number(rows.start)..self.number(rows.end)
    }

    /// The stream of row `row` of the request.
    pub(crate) fn row(self, row: usize) -> Philox {
        self.key.row(self.number(row))
    }
}
