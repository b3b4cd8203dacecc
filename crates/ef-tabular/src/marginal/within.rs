//! Which levels of a marginal, and which ranks of its ranked level, lie in a set of values.
//!
//! The ranked level is the continuous one, or that of pooled rare labels. Its ranks in the set are open intervals,
//! ascending and disjoint: a rank strictly inside one, drawn through [`ColumnMarginal::draw`], is a value in the set,
//! and so is what a decoded table holds of it. On a rounding grid an interval ends where the ranks of its first and
//! last grid point end. Without a grid the ends are searched for among the ranks themselves, and moved inwards by some
//! roundings.

use ef_column::LevelSet;

use super::number::{HIGHEST_RANK, LOWEST_RANK};
use super::{CategoryMarginal, ColumnMarginal, Value};
use crate::condition::ValueSet;

/// Roundings that an interval's end is moved inwards, at most, until draws there lie in the set.
const MOST_ROUNDINGS: usize = 64;

impl ColumnMarginal {
    /// The levels and ranks of the marginal that lie in a set. A label never seen at fit and a number off the grid or
    /// the list have no level, so a set of such values alone is empty; [`unknown_in`](Self::unknown_in) names them.
    ///
    /// The set's probability under the marginal, but for values that no level holds, is [`LevelSet::mass`] of its
    /// [`level_shares`](Self::level_shares).
    pub fn levels_within(&self, set: &ValueSet) -> LevelSet {
        let ranked = self.ranked_level();
        let intervals = match self {
            Self::Category(marginal) => marginal.pooled_within(set),
            Self::Number(marginal) => marginal.ranks_within(set),
            Self::Date(marginal) => marginal.days().ranks_within(set),
        };
        let intervals = joined(intervals.into_iter().filter_map(|ends| self.inside(ends, set)));
        let share = |level| {
            if ranked == Some(level) {
                length(&intervals)
            } else {
                f64::from(u8::from(set.contains(self.draw(level, 0.5))))
            }
        };
        let shares = (0..self.levels() as u32).map(share).collect();
        match self {
            Self::Category(_) => LevelSet {
                positions: intervals,
                ..LevelSet::new(shares, Vec::new())
            },
            _ => LevelSet::new(shares, intervals),
        }
    }

    /// A set of its levels without the ranks beyond the range seen at fit, which samples stay in unless tails are asked
    /// for.
    pub fn within_range_seen(&self, mut set: LevelSet) -> LevelSet {
        let Some(numbers) = self.numbers() else {
            return set;
        };
        let (low, high) = numbers.ranks_seen();
        let cut = set.ranks.iter().map(|(lo, hi)| (lo.max(low), hi.min(high)));
        set.ranks = cut.filter(|(lo, hi)| lo.next_up() < *hi).collect();
        if numbers.is_continuous() {
            set.shares[0] = length(&set.ranks);
        }
        set
    }

    /// The level in which a value is drawn by its rank: the continuous one or that of rare labels, if there is one.
    fn ranked_level(&self) -> Option<u32> {
        match self {
            Self::Category(marginal) => marginal.rare_level(),
            _ => self.is_continuous().then_some(0),
        }
    }

    /// An interval of ranks moved inwards until draws at its ends lie in the set.
    fn inside(&self, (mut lo, mut hi): (f64, f64), set: &ValueSet) -> Option<(f64, f64)> {
        let level = self.ranked_level()?;
        // draws nearer to 0 and 1 are made at these ranks
        if hi <= LOWEST_RANK || lo >= HIGHEST_RANK {
            return None;
        }
        let holds = |rank: f64| match (self, self.draw(level, rank)) {
            (Self::Number(marginal), Value::Number(x)) => {
                set.contains(Value::Number(x)) && set.contains(Value::Number(marginal.written(x)))
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

/// How much of (0, 1) lies in disjoint intervals.
fn length(intervals: &[(f64, f64)]) -> f64 {
    intervals.iter().map(|(lo, hi)| hi - lo).sum()
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

impl CategoryMarginal {
    /// The ranks of the pooled labels in a set, before roundings.
    fn pooled_within(&self, set: &ValueSet) -> Vec<(f64, f64)> {
        let labels = self
            .labels()
            .iter()
            .skip(self.labels().len() - self.pooled().len());
        let total = self.pooled().last().copied().unwrap_or(0) as f64;
        let mut within: Vec<(u64, u64)> = Vec::new();
        let mut before = 0;
        for (label, upto) in labels.zip(self.pooled()) {
            if set.contains(Value::Text(label)) {
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
