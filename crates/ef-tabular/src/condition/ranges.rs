//! Unions of ranges on the number line, their ends open or closed.
//!
//! The end of a range is a cut of the line, just before a number or just after it: a closed lower end and an open upper
//! end cut before, the others after. Cuts are in one order, so a range is the numbers between two cuts, and union,
//! intersection and complement are merges of sorted lists. Where only whole numbers count, as for days, every cut is
//! moved just before the next whole number, so that equal sets are equal lists.

use crate::marginal::Grid;

/// A place between numbers: before `at` or after it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Cut {
    at: f64,
    after: bool,
}

impl Cut {
    const FIRST: Self = Self {
        at: f64::NEG_INFINITY,
        after: false,
    };
    const LAST: Self = Self {
        at: f64::INFINITY,
        after: true,
    };

    /// The first whole number above this cut, cut just before.
    fn whole(self) -> Self {
        let at = if self.after {
            self.at.floor() + 1.0
        } else {
            self.at.ceil()
        };
        Self { at, after: false }
    }
}

/// One range of numbers. Infinite ends stand for no bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberRange {
    /// Lower end.
    pub low: f64,
    /// Whether the lower end belongs to the range.
    pub low_closed: bool,
    /// Upper end.
    pub high: f64,
    /// Whether the upper end belongs to the range.
    pub high_closed: bool,
}

impl NumberRange {
    /// All numbers.
    pub const ALL: Self = Self {
        low: f64::NEG_INFINITY,
        low_closed: true,
        high: f64::INFINITY,
        high_closed: true,
    };

    /// The numbers from `low` to `high`, both included.
    pub fn closed(low: f64, high: f64) -> Self {
        Self {
            low,
            low_closed: true,
            high,
            high_closed: true,
        }
    }

    /// Whether a number lies in it; never so for NaN.
    pub fn contains(&self, x: f64) -> bool {
        (x > self.low || (self.low_closed && x == self.low))
            && (x < self.high || (self.high_closed && x == self.high))
    }

    /// The first and last point of a rounding grid in it, those of 2^53 steps for no bound.
    pub(crate) fn grid_points(self, grid: Grid) -> Option<(i64, i64)> {
        let (first, last) = (grid.ceil(self.low), grid.floor(self.high));
        let first = first + i64::from(!self.low_closed && grid.value(first) == self.low);
        let last = last - i64::from(!self.high_closed && grid.value(last) == self.high);
        (first <= last).then_some((first, last))
    }
}

/// Disjoint ranges in ascending order, no two of which touch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranges {
    /// Whether only whole numbers count.
    whole: bool,
    /// Lower and upper cuts.
    cuts: Vec<(Cut, Cut)>,
}

impl Ranges {
    pub(super) fn none(whole: bool) -> Self {
        Self {
            whole,
            cuts: Vec::new(),
        }
    }

    /// The union of ranges in any order. A range with a NaN end is empty.
    pub(super) fn new(whole: bool, ranges: impl IntoIterator<Item = NumberRange>) -> Self {
        let cut = |at: f64, after: bool| {
            // 0 and -0 are one number
            let cut = Cut { at: at + 0.0, after };
            if whole { cut.whole() } else { cut }
        };
        let cuts = ranges.into_iter().map(|range| {
            (
                cut(range.low, !range.low_closed),
                cut(range.high, range.high_closed),
            )
        });
        Self::joined(whole, cuts.collect())
    }

    fn joined(whole: bool, mut cuts: Vec<(Cut, Cut)>) -> Self {
        cuts.retain(|(low, high)| low < high);
        cuts.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let mut joined: Vec<(Cut, Cut)> = Vec::with_capacity(cuts.len());
        for (low, high) in cuts {
            match joined.last_mut() {
                Some(last) if low <= last.1 => {
                    if high > last.1 {
                        last.1 = high;
                    }
                }
                _ => joined.push((low, high)),
            }
        }
        Self { whole, cuts: joined }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    pub(super) fn contains(&self, x: f64) -> bool {
        if x.is_nan() {
            return false;
        }
        let before = Cut {
            at: x + 0.0,
            after: false,
        };
        let ranges = self.cuts.partition_point(|(low, _)| *low <= before);
        ranges > 0 && before < self.cuts[ranges - 1].1
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let cuts = self.cuts.iter().chain(&other.cuts).copied().collect();
        Self::joined(self.whole, cuts)
    }

    pub(super) fn intersect(&self, other: &Self) -> Self {
        let (mut i, mut j) = (0, 0);
        let mut cuts = Vec::new();
        while let (Some(a), Some(b)) = (self.cuts.get(i), other.cuts.get(j)) {
            let low = if a.0 > b.0 { a.0 } else { b.0 };
            let high = if a.1 < b.1 { a.1 } else { b.1 };
            if low < high {
                cuts.push((low, high));
            }
            if a.1 < b.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        Self {
            whole: self.whole,
            cuts,
        }
    }

    /// What of `all` is not in this set.
    pub(super) fn complement(&self, all: &Self) -> Self {
        let mut cuts = Vec::with_capacity(self.cuts.len() + 1);
        let mut from = Cut::FIRST;
        for (low, high) in &self.cuts {
            cuts.push((from, *low));
            from = *high;
        }
        cuts.push((from, Cut::LAST));
        Self::joined(self.whole, cuts).intersect(all)
    }

    /// The ranges, ascending and disjoint. Where only whole numbers count, finite ends are whole and closed.
    pub(super) fn iter(&self) -> impl Iterator<Item = NumberRange> {
        self.cuts.iter().map(|(low, high)| {
            if self.whole {
                return NumberRange::closed(low.at, high.at - 1.0);
            }
            NumberRange {
                low: low.at,
                low_closed: !low.after,
                high: high.at,
                high_closed: high.after,
            }
        })
    }

    /// The one number of the set, if it has just one.
    pub(super) fn single(&self) -> Option<f64> {
        let mut ranges = self.iter();
        let (first, rest) = (ranges.next()?, ranges.next());
        (rest.is_none() && first.low == first.high).then_some(first.low)
    }
}
