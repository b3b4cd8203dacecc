//! The ranks of the continuous level whose numbers lie in a set.

use super::{HIGHEST_RANK, LOWEST_RANK, NumberMarginal};
use crate::condition::{NumberRange, ValueSet};

/// Roundings of w by which a map's own error may turn two neighbouring numbers around.
const ROUNDINGS: f64 = 16.0;

impl NumberMarginal {
    /// Intervals of ranks, one a range of the set that has any, ascending.
    pub(in crate::marginal) fn ranks_within(&self, set: &ValueSet) -> Vec<(f64, f64)> {
        if !self.is_continuous() {
            return Vec::new();
        }
        let ranges = set.number_ranges();
        if self.on_grid() {
            ranges.filter_map(|range| self.grid_ranks(range)).collect()
        } else {
            ranges.filter_map(|range| self.smooth_ranks(range)).collect()
        }
    }

    /// From where the point before the first one ends to where the last one ends.
    fn grid_ranks(&self, range: NumberRange) -> Option<(f64, f64)> {
        let (first, last) = range.grid_points(self.saved.grid)?;
        let from_start = range.low == f64::NEG_INFINITY || self.first.is_some_and(|start| first <= start);
        let to_end = range.high == f64::INFINITY || self.last.is_some_and(|end| last >= end);
        let lo = if from_start { 0.0 } else { self.upper(first - 1) };
        // weights that sum to 1 may sum to a little less
        let hi = if to_end { 1.0 } else { self.upper(last) };
        (lo < hi).then_some((lo, hi))
    }

    /// Without a grid: the first and last rank at which both the number drawn and what a table holds of it are inside.
    fn smooth_ranks(&self, range: NumberRange) -> Option<(f64, f64)> {
        // a number alone has no extent
        if range.low >= range.high {
            return None;
        }
        let both = |rank: f64, holds: &dyn Fn(f64) -> bool| {
            let x = self.drawn(rank);
            holds(x) && holds(self.written(x))
        };
        let above = |x: f64| x > range.low || (range.low_closed && x == range.low);
        let below = |x: f64| x < range.high || (range.high_closed && x == range.high);
        let lo = match first_rank(|rank| both(rank, &above))? {
            rank if rank <= LOWEST_RANK => 0.0,
            rank => self.moved(rank, 1.0),
        };
        let hi = match first_rank(|rank| !both(rank, &below)) {
            None => 1.0,
            Some(rank) => self.moved(rank, -1.0),
        };
        (lo < hi).then_some((lo, hi))
    }

    /// A rank moved inwards by what roundings of w may do there.
    fn moved(&self, rank: f64, inwards: f64) -> f64 {
        let smooth = &self.saved.smooth;
        let w = smooth.w(self.drawn(rank));
        let (start, end) = (smooth.w(self.saved.min), smooth.w(self.saved.max));
        let size = w.abs().max(start.abs()).max(end.abs());
        let moved = smooth.cdf(w + inwards * ROUNDINGS * f64::EPSILON * size);
        let by_rank = rank + inwards * ROUNDINGS * f64::EPSILON * rank;
        if inwards > 0.0 {
            moved.max(by_rank)
        } else {
            moved.min(by_rank)
        }
    }
}

/// The first rank from which on a predicate that stays true is met.
fn first_rank(reached: impl Fn(f64) -> bool) -> Option<f64> {
    if reached(LOWEST_RANK) {
        return Some(LOWEST_RANK);
    }
    if !reached(HIGHEST_RANK) {
        return None;
    }
    // positive floats are in the order of their bits
    let (mut below, mut from) = (LOWEST_RANK.to_bits(), HIGHEST_RANK.to_bits());
    while from - below > 1 {
        let middle = below + (from - below) / 2;
        if reached(f64::from_bits(middle)) {
            from = middle;
        } else {
            below = middle;
        }
    }
    Some(f64::from_bits(from))
}
