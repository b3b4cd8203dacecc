//! How rows are scored; and the keys of `ef-random`, which every density takes its random numbers from.

pub use ef_random::{Key, StepKey, uniform};

/// How rows are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreKey {
    /// The streams auxiliary draws come from; row `k` of the rows given takes stream `first_row + k`.
    pub key: Key,
    /// Auxiliary draws a row, where the density needs any (see [`Density::log_prob`](crate::Density::log_prob)).
    pub draws: usize,
    /// Number of the first of the rows given, so that a part of a table is scored as it is in the whole.
    pub first_row: u64,
}

impl ScoreKey {
    /// Auxiliary draws a row in ordinary scoring.
    pub const DRAWS: usize = 32;

    /// [`Self::DRAWS`] draws, from the streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            key: Key::new(seed).purpose("score"),
            draws: Self::DRAWS,
            first_row: 0,
        }
    }

    /// The same for rows of which the first is number `first_row` of a larger table.
    #[must_use]
    pub fn from_row(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// The stream of row `row` of the rows given.
    pub(crate) fn stream(&self, row: usize) -> u64 {
        self.first_row.wrapping_add(row as u64)
    }
}
