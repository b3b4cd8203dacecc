//! How rows are scored; and the keys of `ef-random`, which every density takes its random numbers from.

pub use ef_random::{Key, StepKey, uniform};

/// How rows are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreKey {
    /// The streams auxiliary draws come from; row `k` of a table takes stream `k`.
    pub key: Key,
    /// Auxiliary draws a row, where the density needs any (see [`Density::log_prob`](crate::Density::log_prob)).
    pub draws: usize,
}

impl ScoreKey {
    /// Auxiliary draws a row in ordinary scoring.
    pub const DRAWS: usize = 32;

    /// [`Self::DRAWS`] draws, from the streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            key: Key::new(seed).purpose("score"),
            draws: Self::DRAWS,
        }
    }
}
