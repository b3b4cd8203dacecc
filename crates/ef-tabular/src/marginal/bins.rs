//! Bins of about equal mass over a continuous column, for models that count rather than flow.

use super::{ColumnMarginal, NumberMarginal, Value};

/// Fewest training rows a bin should hold.
const LEAST_ROWS: u64 = 40;
/// Weight of repeated values from which each is a bin.
const MOSTLY: f64 = 0.9;

/// Cut points of the continuous level, in values and in ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct RankBins {
    /// Edges in value space, one more than bins; the first and last are infinite. On a rounding grid an edge lies half
    /// a step from the grid points beside it.
    pub edges: Vec<f64>,
    /// The ranks at the edges, from 0 to 1, strictly increasing.
    pub ranks: Vec<f64>,
}

impl RankBins {
    /// Number of bins.
    pub fn len(&self) -> usize {
        self.ranks.len().saturating_sub(1)
    }

    /// Whether there is no bin; never so for bins made by a marginal.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ColumnMarginal {
    /// Bins of the continuous level's ranks, at most `max_bins` (at least 1); `None` if the column has no such level.
    pub fn rank_bins(&self, max_bins: usize) -> Option<RankBins> {
        let marginal = match self {
            Self::Category(_) => return None,
            Self::Number(marginal) => marginal,
            Self::Date(marginal) => marginal.days(),
        };
        marginal.is_continuous().then(|| marginal.rank_bins(max_bins))
    }
}

impl NumberMarginal {
    /// About equal masses of at least `max(40, n / 1024)` training rows, or one grid point a bin where there are few.
    pub(super) fn rank_bins(&self, max_bins: usize) -> RankBins {
        let (rows, grid) = (self.saved.continuous, self.grid());
        let mut bins = RankBins {
            edges: vec![f64::NEG_INFINITY],
            ranks: vec![0.0],
        };
        let mut cut = |edge: f64, rank: f64| {
            if rank > bins.ranks[bins.ranks.len() - 1] && rank < 1.0 {
                bins.edges.push(edge);
                bins.ranks.push(rank);
            }
        };
        let on_grid = grid.decimals().is_some();
        let seen = &self.saved.seen;
        let (low, high) = self.range();
        let span = grid.index(low).zip(grid.index(high));
        let few = |count: i64| usize::try_from(count).is_ok_and(|count| count <= max_bins);
        if let Some((low, high)) = span.filter(|(low, high)| few(high - low + 1)) {
            (low..high).for_each(|index| cut(grid.edge(index), self.upper(index)));
        } else if self.repeats_weight() > MOSTLY && seen.len() <= max_bins {
            for pair in seen.windows(2) {
                let middle = pair[0] + (pair[1] - pair[0]) / 2;
                let middle = if pair[1] - pair[0] == 1 { pair[0] } else { middle };
                cut(grid.edge(middle), self.upper(middle));
            }
        } else {
            let least = LEAST_ROWS.max(rows / 1024);
            let count = usize::try_from(rows / least)
                .unwrap_or(usize::MAX)
                .clamp(1, max_bins.max(1));
            for i in 1..count {
                let rank = i as f64 / count as f64;
                let Value::Number(x) = self.draw(0, rank) else {
                    continue;
                };
                match grid.index(x).filter(|_| on_grid) {
                    Some(index) => cut(grid.edge(index), self.upper(index)),
                    None => cut(x, rank),
                }
            }
        }
        bins.edges.push(f64::INFINITY);
        bins.ranks.push(1.0);
        bins
    }
}
