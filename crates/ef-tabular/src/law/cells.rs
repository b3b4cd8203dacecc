//! Cells of about equal mass over a continuous column, for models that count rather than flow.

use super::{ColumnLaw, NumberLaw, Value};

/// Fewest training rows a cell should hold.
const LEAST_ROWS: u64 = 40;
/// Weight of repeated values from which each is a cell.
const MOSTLY: f64 = 0.9;

/// Cut points of the continuous cell, in values and in ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct RankCells {
    /// Edges in value space, one more than cells; the first and last are infinite. On a rounding grid an edge lies half
    /// a step from the grid points beside it.
    pub edges: Vec<f64>,
    /// The ranks at the edges, from 0 to 1, strictly increasing.
    pub ranks: Vec<f64>,
}

impl RankCells {
    /// Number of cells.
    pub fn len(&self) -> usize {
        self.ranks.len().saturating_sub(1)
    }

    /// Whether there is no cell; never so for cells made by a law.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ColumnLaw {
    /// Cells of the continuous cell's ranks, at most `max_cells` (at least 1); `None` if the column has no such cell.
    pub fn rank_cells(&self, max_cells: usize) -> Option<RankCells> {
        let law = match self {
            Self::Category(_) => return None,
            Self::Number(law) => law,
            Self::Date(law) => law.days(),
        };
        law.is_continuous().then(|| law.rank_cells(max_cells))
    }
}

impl NumberLaw {
    /// About equal masses of at least `max(40, n / 1024)` training rows, or one grid point a cell where there are few.
    pub(super) fn rank_cells(&self, max_cells: usize) -> RankCells {
        let (rows, grid) = (self.saved.continuous, self.grid());
        let mut cells = RankCells {
            edges: vec![f64::NEG_INFINITY],
            ranks: vec![0.0],
        };
        let mut cut = |edge: f64, rank: f64| {
            if rank > cells.ranks[cells.ranks.len() - 1] && rank < 1.0 {
                cells.edges.push(edge);
                cells.ranks.push(rank);
            }
        };
        let on_grid = grid.decimals().is_some();
        let seen = &self.saved.seen;
        let (low, high) = self.range();
        let span = grid.index(low).zip(grid.index(high));
        let few = |count: i64| usize::try_from(count).is_ok_and(|count| count <= max_cells);
        if let Some((low, high)) = span.filter(|(low, high)| few(high - low + 1)) {
            (low..high).for_each(|index| cut(grid.edge(index), self.upper(index)));
        } else if self.repeats_weight() > MOSTLY && seen.len() <= max_cells {
            for pair in seen.windows(2) {
                let middle = pair[0] + (pair[1] - pair[0]) / 2;
                let middle = if pair[1] - pair[0] == 1 { pair[0] } else { middle };
                cut(grid.edge(middle), self.upper(middle));
            }
        } else {
            let least = LEAST_ROWS.max(rows / 1024);
            let count = usize::try_from(rows / least)
                .unwrap_or(usize::MAX)
                .clamp(1, max_cells.max(1));
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
        cells.edges.push(f64::INFINITY);
        cells.ranks.push(1.0);
        cells
    }
}
