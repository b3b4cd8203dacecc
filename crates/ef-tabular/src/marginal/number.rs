//! The marginal of numbers: **atoms**, values with a mass of their own, alone or beside a continuous level.
//!
//! * Few distinct values: each is an atom, and there is no continuous level (the column is **listed**). A number off
//!   the list has the smoothed marginal, its share by Good-Turing. Where there are 20 values or more, and they repeat no
//!   more than whole numbers of a smooth law do, the column is not listed: a list would learn their counts by heart.
//! * Else level 0 is **continuous**, and values that stand out of their surroundings are atoms.
//!   On a rounding grid the continuous level is `e smooth + sum_g w_g rounded to g + w_r repeats`; without a grid it is
//!   smooth.
//! * Missing, if seen at fit, is the last level.
//! * A number between the points of the rounding grid, and a missing cell where none was missing at fit, are one event
//!   that was never seen: `1 / (n + 2)`, of listed values that share of what is off the list.
//!
//! On a grid the points of atoms are cut out of the smooth part, so that no mass is counted twice.

mod features;
mod fit;
mod heaps;
mod range;
mod ranks;
mod saved;
mod weigh;
mod within;

pub use features::NUMBER_FEATURES;
pub(crate) use fit::NumberMarginalBuilder;
use heaps::Cut;
use saved::{Bound, Saved};
use serde::{Deserialize, Serialize};

use super::sample::Grid;
use ef_column::Place;

use crate::transform::Transformer;
use crate::value::Value;

/// Ranks nearer to 0 or 1 are drawn as this: beyond it lie no digits.
pub(super) const LOWEST_RANK: f64 = 1e-15;
pub(super) const HIGHEST_RANK: f64 = 1.0 - LOWEST_RANK;
/// The log-probability given to values so far out that the tail's own underflows.
const FAR_OUT: f64 = -1e15;

/// The marginal of one column of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct NumberMarginal {
    pub(super) saved: Saved,
    /// Grid indices of the atoms.
    atom_index: Vec<i64>,
    /// Rows of atoms before each, and the total.
    atom_rows: Vec<u64>,
    /// Smooth mass of atoms before each, and the total (0 without a grid).
    cut: Vec<f64>,
    /// The same under each coarser grid.
    heap_cuts: Vec<Cut>,
    /// Seen rows before each seen grid point, and the total.
    seen_rows: Vec<u64>,
    /// First and last grid point of the support, where it ends.
    first: Option<i64>,
    last: Option<i64>,
    /// Weight of the repeated values.
    repeats: f64,
    /// Smooth mass that is not cut out.
    kept: f64,
    /// Ranks of the range seen at fit.
    ranks_seen: (f64, f64),
    /// Probability of what the column never held: a number off its grid, a missing cell where none was missing at fit.
    foreign: f64,
    /// Probability of a number off the list.
    new: f64,
    /// `ln` of what is left for the levels.
    log_seen: f64,
}

impl NumberMarginal {
    /// Whether the column has a continuous level.
    pub fn is_continuous(&self) -> bool {
        self.saved.continuous > 0
    }

    /// Number of decimals of the rounding grid, if the column has one.
    pub fn decimals(&self) -> Option<u8> {
        self.saved.grid.decimals()
    }

    /// Atoms, ascending: all values of a listed column, or those beside the continuous level.
    pub fn atoms(&self) -> &[f64] {
        &self.saved.atoms
    }

    /// Most significant digits of any training value; `None` on a rounding grid, which says where digits end.
    pub fn significant_digits(&self) -> Option<u8> {
        (!self.on_grid()).then_some(self.saved.digits)
    }

    /// A drawn number as a table holds it: to as many digits as training values have.
    pub(crate) fn written(&self, x: f64) -> f64 {
        match self.significant_digits() {
            Some(digits @ 1..17) => format!("{x:.*e}", usize::from(digits) - 1).parse().unwrap_or(x),
            _ => x,
        }
    }

    /// Smallest and largest training value.
    pub fn range(&self) -> (f64, f64) {
        (self.saved.min, self.saved.max)
    }

    /// Weight of the smooth part of the continuous level; coarser grids and repeated values have the rest.
    pub fn smooth_weight(&self) -> f64 {
        self.saved.weight
    }

    /// Weight of the repeated values of the continuous level.
    pub fn repeats_weight(&self) -> f64 {
        self.repeats
    }

    /// The coarser grids that values of the continuous level are rounded to, as distances in the column's unit, and
    /// their weights.
    pub fn heaping(&self) -> impl Iterator<Item = (f64, f64)> {
        let step = self.saved.grid.step();
        let heaps = self.saved.heaps.iter();
        heaps.map(move |heap| (heap.multiple as f64 * step, heap.weight))
    }

    /// The map under which the marginal was smoothed.
    pub fn transformer(&self) -> &dyn Transformer {
        self.saved.smooth.transformer()
    }

    /// The level of missing values, if any were missing at fit.
    pub fn missing_level(&self) -> Option<u32> {
        (self.saved.missing > 0).then(|| (usize::from(self.is_continuous()) + self.saved.atoms.len()) as u32)
    }

    pub(super) fn levels(&self) -> usize {
        let levels =
            usize::from(self.is_continuous()) + self.saved.atoms.len() + usize::from(self.saved.missing > 0);
        levels.max(1)
    }

    fn rows(&self) -> f64 {
        self.numbers().saturating_add(self.saved.missing).max(1) as f64
    }

    fn numbers(&self) -> u64 {
        self.saved
            .continuous
            .saturating_add(self.atom_rows[self.atom_rows.len() - 1])
    }

    pub(super) fn level_shares(&self) -> Vec<f64> {
        if self.numbers() == 0 && self.saved.missing == 0 {
            return vec![1.0];
        }
        let continuous = self.is_continuous().then_some(self.saved.continuous);
        let missing = self.missing_level().map(|_| self.saved.missing);
        let counts = continuous
            .into_iter()
            .chain(self.saved.counts.iter().copied())
            .chain(missing);
        counts.map(|count| count as f64 / self.rows()).collect()
    }

    /// Position of an atom.
    fn atom_of(&self, x: f64) -> Option<usize> {
        match self.saved.grid.point(x) {
            Some(index) => self.atom_index.binary_search(&index).ok(),
            None if self.saved.grid.is_off(x) => None,
            None => self.saved.atoms.binary_search_by(|atom| atom.total_cmp(&x)).ok(),
        }
    }

    pub(super) fn has_density(&self, x: f64) -> bool {
        !self.on_grid() && self.atom_of(x + 0.0).is_none()
    }

    pub(super) fn place(&self, value: Value<'_>) -> Place {
        match value {
            Value::Number(x) if x.is_finite() => self.place_number(x + 0.0),
            Value::Number(x) if x.is_infinite() => Place::discrete(None, f64::NEG_INFINITY),
            Value::Missing | Value::Number(_) => match self.missing_level() {
                Some(level) => Place::discrete(Some(level), self.log_seen),
                None => Place::discrete(None, self.foreign.ln()),
            },
            Value::Text(_) | Value::Boolean(_) | Value::Date(_) => Place::discrete(None, f64::NEG_INFINITY),
        }
    }

    fn place_number(&self, x: f64) -> Place {
        let first = u32::from(self.is_continuous());
        if let Some(atom) = self.atom_of(x) {
            return Place::discrete(Some(first + atom as u32), self.log_seen);
        }
        if self.saved.grid.is_off(x) {
            return Place::discrete(None, self.foreign.ln());
        }
        if let Some(log) = self.log_outside(x) {
            return Place::discrete(None, log.max(FAR_OUT));
        }
        let index = self.saved.grid.index(x);
        if !self.is_continuous() {
            let log = match index {
                Some(index) => self.log_smooth_mass(index) - self.kept.ln(),
                None if self.on_grid() => self.log_point_density(x) - self.kept.ln(),
                None => self.saved.smooth.log_density(x),
            };
            return Place::discrete(None, (self.new.ln() + log).max(FAR_OUT));
        }
        let (lo, hi, log) = match index {
            Some(index) => (
                self.upper(index.saturating_sub(1)),
                self.upper(index),
                self.log_level_mass(index),
            ),
            None => {
                let rank = self.saved.smooth.cdf(self.saved.smooth.w(x));
                let log = if self.on_grid() {
                    self.log_point_density(x) - self.kept.ln() + self.saved.weight.ln()
                } else {
                    self.saved.smooth.log_density(x)
                };
                (rank, rank, log)
            }
        };
        Place {
            level: Some(0),
            low: lo,
            high: hi.max(lo),
            log_measure: (self.log_seen + log).max(FAR_OUT),
        }
    }

    pub(super) fn draw(&self, level: u32, rank: f64) -> Value<'static> {
        let first = usize::from(self.is_continuous());
        if self.is_continuous() && level == 0 {
            return Value::Number(self.drawn(rank));
        }
        let atom = (level as usize)
            .checked_sub(first)
            .and_then(|atom| self.saved.atoms.get(atom));
        atom.map_or(Value::Missing, |x| Value::Number(*x))
    }

    /// The number of the continuous level at a rank.
    fn drawn(&self, rank: f64) -> f64 {
        let u = if rank.is_nan() {
            0.5
        } else {
            rank.clamp(LOWEST_RANK, HIGHEST_RANK)
        };
        if self.on_grid() {
            // a point ends at its highest rank, so the lowest rank of all belongs to the first one above it
            return self.saved.grid.value(self.point_at(u));
        }
        let x = self.clip(self.saved.smooth.inverse(u));
        match self.atom_of(x) {
            None => x,
            // an atom is another level's: its neighbour inside the range
            Some(_) if x > self.saved.min => x.next_down(),
            Some(_) => x.next_up(),
        }
    }

    /// The least and the greatest number that it can draw.
    pub(crate) fn reach(&self) -> Option<(f64, f64)> {
        let ends = [0.0, 1.0].map(|rank| self.drawn(rank));
        let ends = self.is_continuous().then_some(ends);
        let numbers = || ends.iter().flatten().chain(self.atoms()).copied();
        Some((
            numbers().min_by(f64::total_cmp)?,
            numbers().max_by(f64::total_cmp)?,
        ))
    }

    /// The ranks of the range seen at fit.
    pub fn ranks_seen(&self) -> (f64, f64) {
        self.ranks_seen
    }

    /// A rank within the range seen at fit: a rank beyond is reflected at the end it passed, so that no atoms pile up
    /// at the extremes. For models whose ranks pile up in the tails more than the data's do: one absurd value spoils a
    /// synthetic column.
    pub fn confined(&self, rank: f64) -> f64 {
        let (low, high) = self.ranks_seen;
        let folded = if rank < low {
            2.0 * low - rank
        } else if rank > high {
            2.0 * high - rank
        } else if rank.is_nan() {
            0.5
        } else {
            rank
        };
        // a grid point ends at its highest rank, so the lowest one is just inside; the range of listed values is empty
        let lowest = low.next_up();
        folded.clamp(lowest, high.max(lowest))
    }

    fn ranks_of_range(&self) -> (f64, f64) {
        let Self { saved, .. } = self;
        match (saved.grid.index(saved.min), saved.grid.index(saved.max)) {
            (Some(min), Some(max)) => (self.upper(min.saturating_sub(1)), self.upper(max)),
            _ => {
                let rank = |x: f64| saved.smooth.cdf(saved.smooth.w(x));
                (rank(saved.min), rank(saved.max))
            }
        }
    }

    pub(super) fn stored_training_values(&self) -> usize {
        self.saved.atoms.len() + self.saved.seen.len()
    }

    pub(super) fn grid(&self) -> Grid {
        self.saved.grid
    }
}
