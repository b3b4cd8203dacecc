//! The distinct values of a number column, and the rounding grid they stand on.

use serde::{Deserialize, Serialize};

/// Finest grid that is looked for: steps of 1e-6.
const MAX_DECIMALS: u8 = 6;
/// Grid indices stay exact in a 64-bit float.
const MAX_INDEX: f64 = 9_007_199_254_740_992.0;

/// The rounding grid of a column: multiples of `10^-decimals`, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Grid {
    decimals: Option<u8>,
}

impl Grid {
    pub(crate) const NONE: Self = Self { decimals: None };

    /// The coarsest grid of at most 6 decimals that holds every value.
    pub(crate) fn find(values: &[f64]) -> Self {
        // a value that is off a grid is off every coarser one, so one pass over the values is enough
        let mut decimals = 0;
        for value in values {
            while !on_grid(*value, decimals) {
                if decimals == MAX_DECIMALS {
                    return Self::NONE;
                }
                decimals += 1;
            }
        }
        let grid = Self {
            decimals: Some(decimals),
        };
        // a finer grid may have pushed an earlier large value out of exact range
        if values.iter().all(|value| grid.index(*value).is_some()) {
            grid
        } else {
            Self::NONE
        }
    }

    pub(crate) fn decimals(self) -> Option<u8> {
        self.decimals
    }

    /// `10^-decimals`, or 0 without a grid.
    pub(crate) fn step(self) -> f64 {
        self.decimals.map_or(0.0, |decimals| 1.0 / power(decimals))
    }

    /// The nearest grid point, if there is a grid and the point is exact.
    pub(crate) fn index(self, value: f64) -> Option<i64> {
        let index = (value * power(self.decimals?)).round();
        (index.abs() < MAX_INDEX).then_some(index as i64)
    }

    /// The number at a grid point: the nearest to `index / 10^decimals`.
    pub(crate) fn value(self, index: i64) -> f64 {
        index as f64 / power(self.decimals.unwrap_or(0))
    }

    /// The first grid point at or above a number; 2^53 points from 0 at most.
    pub(crate) fn ceil(self, x: f64) -> i64 {
        match self.index(x) {
            Some(index) => index + i64::from(self.value(index) < x),
            None if x < 0.0 => -(MAX_INDEX as i64),
            None => MAX_INDEX as i64,
        }
    }

    /// The last grid point at or below a number.
    pub(crate) fn floor(self, x: f64) -> i64 {
        -self.ceil(-x)
    }

    /// Half a step above a grid point.
    pub(crate) fn edge(self, index: i64) -> f64 {
        (index as f64 + 0.5) / power(self.decimals.unwrap_or(0))
    }
}

fn power(decimals: u8) -> f64 {
    10f64.powi(i32::from(decimals))
}

fn on_grid(value: f64, decimals: u8) -> bool {
    let index = value * power(decimals);
    // the error of a decimal's own rounding grows with the index; a relative bound alone would take in halves
    let tolerance = (1e-9 * index.abs()).min(1e-3).max(4e-16 * index.abs());
    index.abs() < MAX_INDEX && (index - index.round()).abs() <= tolerance
}

/// Distinct values in ascending order with their counts.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) values: Vec<f64>,
    pub(crate) counts: Vec<u64>,
    pub(crate) grid: Grid,
}

impl Sample {
    /// Sorts and counts finite values.
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        let grid = Grid::find(&values);
        for value in &mut values {
            // on a grid equal numbers become equal bits, and -0 becomes 0
            *value = grid.index(*value).map_or(*value, |index| grid.value(index)) + 0.0;
        }
        values.sort_unstable_by(f64::total_cmp);
        let (mut distinct, mut counts) = (Vec::new(), Vec::new());
        for value in values {
            match counts.last_mut() {
                Some(count) if distinct.last() == Some(&value) => *count += 1,
                _ => {
                    distinct.push(value);
                    counts.push(1);
                }
            }
        }
        Self {
            values: distinct,
            counts,
            grid,
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The smallest value with at least this share of the rows at or below it.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let target = share * self.total() as f64;
        let mut below = 0.0;
        for (value, count) in self.values.iter().zip(&self.counts) {
            below += *count as f64;
            if below >= target {
                return *value;
            }
        }
        self.values.last().copied().unwrap_or(0.0)
    }

    /// Values that stand out of their surroundings: at least 20 rows, 0.5 % of all rows and 4 times the median count of
    /// the 10 distinct values on each side; the heaviest 32.
    pub(crate) fn heavy(&self) -> Vec<usize> {
        let least = f64::max(20.0, 0.005 * self.total() as f64);
        let mut around = Vec::with_capacity(20);
        let mut heavy: Vec<usize> = (0..self.values.len())
            .filter(|&i| {
                let count = self.counts[i];
                if (count as f64) < least {
                    return false;
                }
                around.clear();
                around.extend_from_slice(&self.counts[i.saturating_sub(10)..i]);
                around.extend_from_slice(&self.counts[i + 1..(i + 11).min(self.counts.len())]);
                around.sort_unstable();
                let median = match around.len() {
                    0 => return false,
                    len => (around[(len - 1) / 2] + around[len / 2]) as f64 / 2.0,
                };
                count as f64 >= 4.0 * median
            })
            .collect();
        heavy.sort_by_key(|&i| std::cmp::Reverse(self.counts[i]));
        heavy.truncate(32);
        heavy.sort_unstable();
        heavy
    }

    /// The sample in two: the values at these ascending positions, and the others.
    pub(crate) fn split(&self, positions: &[usize]) -> (Self, Self) {
        let empty = || Self {
            values: Vec::new(),
            counts: Vec::new(),
            grid: self.grid,
        };
        let (mut chosen, mut others) = (empty(), empty());
        let mut next = positions.iter().peekable();
        for (i, (value, count)) in self.values.iter().zip(&self.counts).enumerate() {
            let part = if next.next_if_eq(&&i).is_some() {
                &mut chosen
            } else {
                &mut others
            };
            part.values.push(*value);
            part.counts.push(*count);
        }
        (chosen, others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids() {
        assert_eq!(Grid::find(&[1.0, -3.0]).decimals(), Some(0));
        assert_eq!(Grid::find(&[0.1, 2.0]).decimals(), Some(1));
        assert_eq!(Grid::find(&[-117.05, 32.58, 1.1234]).decimals(), Some(4));
        assert_eq!(Grid::find(&[0.123_456_7]), Grid::NONE);
        assert_eq!(Grid::find(&[1e300]), Grid::NONE);
        assert_eq!(Grid::find(&[9e15, 0.5]), Grid::NONE);
        assert_eq!(Grid::find(&[5e-324]), Grid::NONE);
        assert_eq!(Grid::find(&[0.3]).value(3), 0.3);
    }

    #[test]
    fn counts_and_heavy_values() {
        let mut values: Vec<f64> = (0..2000).map(f64::from).collect();
        values.extend([40.0; 60]);
        values.extend([-0.0; 3]);
        let sample = Sample::new(values);
        assert_eq!(sample.values.len(), 2000);
        assert_eq!(sample.counts[0], 4);
        assert_eq!(sample.heavy(), [40]);
        let (chosen, others) = sample.split(&[40]);
        assert_eq!((chosen.total(), others.total()), (61, 2002));
    }
}
