//! The distinct values of a number column, and the rounding grid they stand on.
//!
//! A number stands on the grid of `d` decimals if it is the 64-bit float of a decimal of `d` digits, or within two
//! units in its last place of it, which is what a sum of two or three such decimals is off by: `0.1 + 0.2` is 0.3.
//! Decimals of at most 15 significant digits are further apart than that, so two of them are never one grid point.
//!
//! A difference of large decimals is off by more: `5.01 - 5` is 0.0099999999999998. A column takes such numbers for
//! decimals only if most of them have 16 or 17 digits, which nobody writes.

use serde::{Deserialize, Serialize};

/// Finest grid that is looked for: steps of 1e-6.
const MAX_DECIMALS: u8 = 6;
/// Grid indices stay exact in a 64-bit float.
const MAX_INDEX: f64 = 9_007_199_254_740_992.0;
/// Units in the last place by which a number may miss its decimal: a sum of two decimals is off by one, a sum of three
/// by two. Decimals of 15 digits are at least four and a half apart.
const MOST_UNITS: f64 = 2.0;
/// The same in steps of the grid, at most, so that two digits after the last one of the grid are 0 or 9. Where floats
/// are further apart (64-bit ones beyond 5e13 steps, 32-bit ones beyond 300,000) a number between grid points may be
/// meant.
const MOST_STEPS: f64 = 0.01;
/// What a difference may be off by, as a share of it: that of numbers some thousand times as large. And in steps.
const MOST_RELATIVE: f64 = 1e-12;
const MOST_RELATIVE_STEPS: f64 = 1e-6;
/// Significant digits that tell a computed number: decimals of 15 digits come back from a 64-bit float as they were.
const NOBODY_WRITES: u8 = 16;

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
        let written = Self::coarsest(values, is_decimal);
        if written != Self::NONE {
            return written;
        }
        let computed = Self::coarsest(values, is_difference);
        let off = values.iter().filter(|value| {
            let nearest = computed.index(**value).map(|index| computed.value(index));
            nearest.is_some_and(|point| !is_decimal(**value, point, computed.step()))
        });
        let (off, long) = off.fold((0, 0), |(off, long), value| {
            (
                off + 1,
                long + usize::from(significant_digits(*value) >= NOBODY_WRITES),
            )
        });
        if 2 * long >= off { computed } else { Self::NONE }
    }

    /// The coarsest grid that holds every value by a rule: value, nearest grid point, step.
    fn coarsest(values: &[f64], rule: fn(f64, f64, f64) -> bool) -> Self {
        // a value that is off a grid is off every coarser one, so one pass over the values is enough
        let mut decimals = 0;
        let of = |decimals| Self {
            decimals: Some(decimals),
        };
        let holds = |grid: Self, value: f64| {
            let index = grid.index(value);
            index.is_some_and(|index| rule(value, grid.value(index), grid.step()))
        };
        for value in values {
            while !holds(of(decimals), *value) {
                if decimals == MAX_DECIMALS {
                    return Self::NONE;
                }
                decimals += 1;
            }
        }
        let grid = of(decimals);
        // a finer grid may have pushed an earlier large value out of exact range
        if values.iter().all(|value| holds(grid, *value)) {
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

    /// The grid point that a number stands for; `None` without a grid, for a number between grid points, and beyond
    /// 2^53 points. The 32-bit float nearest to a grid point stands for it too: a table may have been kept in 32 bits.
    pub(crate) fn point(self, value: f64) -> Option<i64> {
        let index = self.index(value)?;
        let point = self.value(index);
        let near = (value - point).abs() <= MOST_STEPS * self.step();
        let single = near && f64::from(point as f32) == value;
        (single || is_difference(value, point, self.step())).then_some(index)
    }

    /// Whether a number lies between grid points.
    pub(crate) fn is_off(self, value: f64) -> bool {
        self.index(value).is_some() && self.point(value).is_none()
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

/// Significant digits of the shortest text that gives this number back.
pub(super) fn significant_digits(x: f64) -> u8 {
    let text = format!("{x:e}");
    let mantissa = text.split('e').next().unwrap_or_default();
    mantissa.bytes().filter(u8::is_ascii_digit).count().min(17) as u8
}

/// The same, up to the rounding of a difference.
fn is_difference(value: f64, point: f64, step: f64) -> bool {
    let most = (MOST_RELATIVE * value.abs()).min(MOST_RELATIVE_STEPS * step);
    (value - point).abs() <= most || is_decimal(value, point, step)
}

/// Whether a number is the decimal at a grid point, up to the rounding of a sum.
fn is_decimal(value: f64, point: f64, step: f64) -> bool {
    let size = point.abs();
    // nothing but 0 is 0
    let unit = if size > 0.0 { size.next_up() - size } else { 0.0 };
    (value - point).abs() <= (MOST_UNITS * unit).min(MOST_STEPS * step)
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

    /// Rows of each value.
    pub(crate) fn copies(&self) -> Vec<f64> {
        self.counts.iter().map(|count| *count as f64).collect()
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
    pub(crate) fn atoms(&self) -> Vec<usize> {
        let least = f64::max(20.0, 0.005 * self.total() as f64);
        let mut around = Vec::with_capacity(20);
        let mut atoms: Vec<usize> = (0..self.values.len())
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
        atoms.sort_by_key(|&i| std::cmp::Reverse(self.counts[i]));
        atoms.truncate(32);
        atoms.sort_unstable();
        atoms
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
    use proptest::prelude::*;

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
        assert_eq!(Grid::find(&[0.1 + 0.2, 1.1 + 2.2 + 3.3]).decimals(), Some(1));
    }

    #[test]
    fn sums_and_single_floats_stand_for_their_decimal() {
        let tenths = Grid::find(&[0.1]);
        for (x, point) in [
            (0.3, Some(3)),
            (0.1 + 0.2, Some(3)),
            (0.8 - 0.1, Some(7)),
            (f64::from(0.3f32), Some(3)),
            (-f64::from(1234.7f32), Some(-12347)),
            // 582040.9 in 32 bits, but as likely what somebody wrote
            (582_040.875, None),
            (0.300_000_01, None),
            (0.25, None),
            (1e-9, None),
            (5e-324, None),
        ] {
            assert_eq!(tenths.point(x), point, "{x}");
            assert_eq!(tenths.is_off(x), point.is_none(), "{x}");
        }
        // beyond 2^53 points nobody can tell, and without a grid nothing is off it
        assert!(!tenths.is_off(1e300) && !Grid::NONE.is_off(0.25));
    }

    /// A decimal of at most 15 significant digits: its digits, and how many of them are decimals.
    fn decimal_text(index: i64, decimals: u8) -> String {
        let (scale, size) = (10u64.pow(u32::from(decimals)), index.unsigned_abs());
        let sign = if index < 0 { "-" } else { "" };
        match decimals {
            0 => format!("{sign}{size}"),
            _ => format!(
                "{sign}{}.{:0width$}",
                size / scale,
                size % scale,
                width = usize::from(decimals)
            ),
        }
    }

    fn read(text: &str) -> f64 {
        text.parse().unwrap()
    }

    proptest! {
        /// Digits that differ are values that differ, wherever the column lies and however close its values are.
        #[test]
        fn distinct_decimals_stay_distinct(
            decimals in 0u8..=8,
            digits in 1u32..=15,
            offset in 0.0..1.0f64,
            gaps in prop::collection::vec(1i64..20, 1..40),
            negative in any::<bool>(),
        ) {
            let room = 10i64.pow(digits);
            let mut index = ((room as f64 * offset) as i64).min(room - 1000).max(0);
            let mut indices = vec![index];
            for gap in gaps {
                index += gap;
                indices.push(if negative { -index } else { index });
            }
            let values: Vec<f64> = indices.iter().map(|index| read(&decimal_text(*index, decimals))).collect();
            let distinct: std::collections::BTreeSet<i64> = indices.iter().copied().collect();
            prop_assert_eq!(Sample::new(values.clone()).values.len(), distinct.len());
            // and a column that one more digit leaves is off the coarser grid
            if decimals <= MAX_DECIMALS {
                let grid = Grid::find(&values);
                prop_assert!(grid.decimals().is_some_and(|found| found <= decimals), "{:?}", values);
                for (value, index) in values.iter().zip(&indices) {
                    let point = grid.point(*value).unwrap();
                    prop_assert_eq!(grid.value(point), *value);
                    let finer = read(&format!("{}5", decimal_text(*index, decimals + 1)));
                    prop_assert!(grid.is_off(finer) || digits >= 14, "{}", finer);
                }
            }
        }
    }

    #[test]
    fn counts_and_atoms() {
        let mut values: Vec<f64> = (0..2000).map(f64::from).collect();
        values.extend([40.0; 60]);
        values.extend([-0.0; 3]);
        let sample = Sample::new(values);
        assert_eq!(sample.values.len(), 2000);
        assert_eq!(sample.counts[0], 4);
        assert_eq!(sample.atoms(), [40]);
        let (chosen, others) = sample.split(&[40]);
        assert_eq!((chosen.total(), others.total()), (61, 2002));
    }
}
