//! Which cells of a law, and which ranks of its ranked cell, lie in a set of values.
//!
//! The ranked cell is the continuous one, or that of pooled rare categories. Its ranks in the set are open intervals,
//! ascending and disjoint: a rank strictly inside one, drawn through [`ColumnLaw::draw`], is a value in the set, and so is
//! what a decoded table holds of it. On a rounding grid an interval ends where the ranks of its first and last grid point
//! end. Without a grid the ends are searched for among the ranks themselves, and moved inwards by some roundings.

use super::number::{HIGHEST_RANK, LOWEST_RANK};
use super::{CategoryLaw, ColumnLaw, Value};
use crate::condition::ValueSet;

/// Roundings that an interval's end is moved inwards, at most, until draws there lie in the set.
const MOST_ROUNDINGS: usize = 64;

/// The cells and ranks of a column's law that lie in a set of values.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSet {
    cells: Vec<bool>,
    ranked: Option<u32>,
    ranks: Vec<(f64, f64)>,
}

impl CellSet {
    /// Whether each cell of the law has values in the set.
    pub fn cells(&self) -> &[bool] {
        &self.cells
    }

    /// The cell in which a value is drawn by its rank: the continuous one or that of rare categories, if the law has one.
    pub fn ranked_cell(&self) -> Option<u32> {
        self.ranked
    }

    /// The ranks of the ranked cell that lie in the set: open intervals in (0, 1), ascending and disjoint.
    pub fn ranks(&self) -> &[(f64, f64)] {
        &self.ranks
    }

    /// Whether nothing that the law can draw lies in the set.
    pub fn is_empty(&self) -> bool {
        !self.cells.contains(&true)
    }

    /// Whether everything that the law can draw lies in the set.
    pub fn is_full(&self) -> bool {
        !self.cells.contains(&false) && (self.ranked.is_none() || self.ranks == [(0.0, 1.0)])
    }

    /// Whether the value of a cell at a rank is known to be in the set.
    pub fn contains(&self, cell: u32, rank: f64) -> bool {
        let before = self.ranks.partition_point(|(lo, _)| *lo < rank);
        self.cells.get(cell as usize).is_some_and(|held| *held)
            && (self.ranked != Some(cell) || (before > 0 && rank < self.ranks[before - 1].1))
    }

    /// The share of the ranks of the ranked cell that lie in the set; 0 without such a cell.
    pub fn rank_share(&self) -> f64 {
        self.ranks.iter().map(|(lo, hi)| hi - lo).sum()
    }

    /// The share of the set in what the law draws without a context.
    pub fn share(&self, law: &ColumnLaw) -> f64 {
        let shares = law.cell_shares().into_iter().zip(&self.cells).enumerate();
        shares
            .map(|(cell, (share, held))| match held {
                true if self.ranked == Some(cell as u32) => share * self.rank_share(),
                true => share,
                false => 0.0,
            })
            .sum()
    }

    /// The same without the ranks beyond the range seen at fit, which samples stay in unless tails are asked for.
    #[must_use]
    pub fn confined(mut self, law: &ColumnLaw) -> Self {
        let (low, high) = match law {
            ColumnLaw::Number(law) => law.ranks_seen(),
            ColumnLaw::Date(law) => law.days().ranks_seen(),
            ColumnLaw::Category(_) => return self,
        };
        let cut = self.ranks.iter().map(|(lo, hi)| (lo.max(low), hi.min(high)));
        self.ranks = cut.filter(|(lo, hi)| lo.next_up() < *hi).collect();
        if let Some(cell) = self.ranked {
            self.cells[cell as usize] = !self.ranks.is_empty();
        }
        self
    }
}

impl ColumnLaw {
    /// The cells and ranks of the law that lie in a set. A label never seen at fit and a number off the grid or the list
    /// have no cell, so a set of such values alone is empty; [`unknown_in`](Self::unknown_in) names them.
    pub fn cells_within(&self, set: &ValueSet) -> CellSet {
        let (ranked, ranks) = match self {
            Self::Category(law) => (law.rare_cell(), law.pooled_within(set)),
            Self::Number(law) => (law.is_continuous().then_some(0), law.ranks_within(set)),
            Self::Date(law) => {
                let days = law.days();
                (days.is_continuous().then_some(0), days.ranks_within(set))
            }
        };
        let ranks = joined(ranks.into_iter().filter_map(|ends| self.inside(ends, set)));
        let held = |cell| match ranked == Some(cell) {
            true => !ranks.is_empty(),
            false => set.contains(self.draw(cell, 0.5)),
        };
        let cells = (0..self.cells() as u32).map(held).collect();
        CellSet { cells, ranked, ranks }
    }

    /// An interval of ranks moved inwards until draws at its ends lie in the set.
    fn inside(&self, (mut lo, mut hi): (f64, f64), set: &ValueSet) -> Option<(f64, f64)> {
        let cell = match self {
            Self::Category(law) => law.rare_cell()?,
            _ => 0,
        };
        // draws nearer to 0 and 1 are made at these ranks
        if hi <= LOWEST_RANK || lo >= HIGHEST_RANK {
            return None;
        }
        let holds = |rank: f64| match (self, self.draw(cell, rank)) {
            (Self::Number(law), Value::Number(x)) => {
                set.contains(Value::Number(x)) && set.contains(Value::Number(law.written(x)))
            }
            (_, value) => set.contains(value),
        };
        for _ in 0..MOST_ROUNDINGS {
            if lo.next_up() >= hi {
                return None;
            }
            match (holds(lo.next_up()), holds(hi.next_down())) {
                (true, true) => return Some((lo, hi)),
                (low, high) => {
                    lo = if low { lo } else { lo.next_up() };
                    hi = if high { hi } else { hi.next_down() };
                }
            }
        }
        None
    }
}

/// Ascending intervals, those that touch being one: the rank between them belongs to the lower one's last value.
fn joined(intervals: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (lo, hi) in intervals {
        match joined.last_mut() {
            Some(last) if lo <= last.1 => last.1 = last.1.max(hi),
            _ => joined.push((lo, hi)),
        }
    }
    joined
}

impl CategoryLaw {
    /// The ranks of the pooled levels in a set, before roundings.
    fn pooled_within(&self, set: &ValueSet) -> Vec<(f64, f64)> {
        let levels = self
            .levels()
            .iter()
            .skip(self.levels().len() - self.pooled().len());
        let total = self.pooled().last().copied().unwrap_or(0) as f64;
        let mut within: Vec<(u64, u64)> = Vec::new();
        let mut before = 0;
        for (level, upto) in levels.zip(self.pooled()) {
            if set.contains(Value::Text(level)) {
                match within.last_mut() {
                    Some(last) if last.1 == before => last.1 = *upto,
                    _ => within.push((before, *upto)),
                }
            }
            before = *upto;
        }
        within
            .into_iter()
            .map(|(from, upto)| (from as f64 / total, upto as f64 / total))
            .collect()
    }
}
