//! What a network reads of a rank: its normal score and piecewise-linear features.

use ef_tensor::Real;

use crate::normal::ndtri;

/// Number of piecewise-linear features of a rank.
const PIECES: usize = 64;
/// Ranks are held this far from 0 and 1 for their normal score.
const CLIP: f64 = 1e-4;

/// The features of one column's ranks, and of its other levels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RankInputs {
    /// Ends of the intervals of ranks that the network reads alike, from 0 to 1; empty if it reads each rank for
    /// itself.
    edges: Vec<f64>,
    /// Per level, where it lies among the ranks; `None` has no features (missing).
    levels: Vec<Option<f64>>,
}

impl RankInputs {
    /// Number of features.
    pub(crate) const WIDTH: usize = 1 + PIECES;

    /// `edges` ascend; `levels` has an entry for each level (the first, continuous one is not read).
    pub(crate) fn new(edges: Vec<f64>, levels: Vec<Option<f64>>) -> Self {
        Self { edges, levels }
    }

    /// The rank that stands for a value of `level` whose places' middle is `rank`; `None` if it has no features.
    ///
    /// On a rounding grid all ranks of one grid point have one representative, so that a rank that was drawn gives
    /// the features of the value it stands for.
    pub(crate) fn representative(&self, level: u32, rank: f64) -> Option<f64> {
        match level {
            0 if self.edges.len() < 2 => Some(rank),
            0 => {
                let after = self
                    .edges
                    .partition_point(|&e| e <= rank)
                    .clamp(1, self.edges.len() - 1);
                Some(0.5 * (self.edges[after - 1] + self.edges[after]))
            }
            level => self.levels.get(level as usize).copied().flatten(),
        }
    }

    /// The normal score of a representative rank; 0 for none.
    pub(crate) fn score(rank: Option<f64>) -> f64 {
        rank.map_or(0.0, |rank| ndtri(rank.clamp(CLIP, 1.0 - CLIP)))
    }

    /// Writes the [`WIDTH`](Self::WIDTH) features of a representative rank.
    pub(crate) fn write<'a, T: Real>(rank: Option<f64>, out: impl Iterator<Item = &'a mut T>) {
        let Some(rank) = rank else {
            out.for_each(|o| *o = T::zero());
            return;
        };
        let scaled = PIECES as f64 * rank;
        for (i, o) in out.enumerate() {
            *o = T::of(match i.checked_sub(1) {
                None => Self::score(Some(rank)),
                Some(piece) => (scaled - piece as f64).clamp(0.0, 1.0) - 0.5,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn ranks_of_one_interval_read_alike() {
        let inputs = RankInputs::new(vec![0.0, 0.25, 1.0], vec![None, Some(0.25), None]);
        for rank in [0.25, 0.3, 1.0] {
            assert_eq!(inputs.representative(0, rank), Some(0.625));
        }
        assert_eq!(inputs.representative(0, 0.1), Some(0.125));
        assert_eq!(inputs.representative(1, 0.9), Some(0.25));
        assert_eq!(inputs.representative(2, 0.9), None);
        assert_eq!(inputs.representative(u32::MAX, 0.9), None);
    }

    #[test]
    fn pieces_add_up_to_the_rank() {
        let mut out = [0.0_f64; RankInputs::WIDTH];
        RankInputs::write(Some(0.37), out.iter_mut());
        let sum: f64 = out[1..].iter().map(|f| f + 0.5).sum();
        assert_relative_eq!(sum / PIECES as f64, 0.37, max_relative = 1e-12);
        assert_relative_eq!(out[0], ndtri(0.37));
    }
}
