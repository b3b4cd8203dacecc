//! One marginal a column, fitted once on training values.
//!
//! A marginal splits a column's values into discrete **levels** and gives each value its place: the level, the interval
//! of ranks it covers inside the continuous level (if the column has one, it is level 0), and the part of its
//! log-probability that no context changes. A model adds two terms, both of which may depend on a context:
//!
//! ```text
//! log p(value | context) = log_measure
//!     + log P(level | context)                           if the value has a level, one of several
//!     + log mean_{v in (low, high)} ratio(v | context)   if the marginal has a continuous level
//! ```
//!
//! where `ratio` is a density on ranks that integrates to 1 over (0, 1). With the training shares for `P` and 1 for
//! `ratio` that is the marginal itself: its sum or integral over all values, seen or not, is exactly 1. Values on a
//! rounding grid, atoms, categories and missing cells have masses, other numbers a density in the column's own unit.

mod bins;
mod calibrate;
mod category;
mod date;
mod fft;
mod heaping;
mod kernel;
mod number;
mod sample;
mod smooth;
mod unknown;
mod unseen;
mod within;

pub use bins::RankBins;
pub use category::CategoryMarginal;
pub use date::{DATE_FEATURES, DateMarginal};
pub(crate) use number::NumberMarginalBuilder;
pub use number::{NUMBER_FEATURES, NumberMarginal};
pub(crate) use sample::Grid;
use serde::{Deserialize, Serialize};
pub use unknown::UnknownValue;

use ef_column::{Level, Marginal, Place};

use crate::value::Value;

/// Intervals of ranks that a network reads as one, at most, in a column on a rounding grid.
const MOST_INPUT_BINS: usize = 1024;

/// The marginal of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "law", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ColumnMarginal {
    /// Categories and booleans.
    Category(CategoryMarginal),
    /// Numbers.
    Number(Box<NumberMarginal>),
    /// Dates.
    Date(Box<DateMarginal>),
}

impl ColumnMarginal {
    /// The marginal of numbers, or of the day numbers of dates.
    pub fn numbers(&self) -> Option<&NumberMarginal> {
        match self {
            Self::Category(_) => None,
            Self::Number(numbers) => Some(numbers),
            Self::Date(dates) => Some(dates.days()),
        }
    }

    /// Number of discrete levels, at least 1.
    pub fn levels(&self) -> usize {
        match self {
            Self::Category(marginal) => marginal.levels(),
            Self::Number(marginal) => marginal.levels(),
            Self::Date(marginal) => marginal.days().levels(),
        }
    }

    /// Whether level 0 is continuous: a value in it also has a rank.
    pub fn is_continuous(&self) -> bool {
        match self {
            Self::Category(_) => false,
            Self::Number(marginal) => marginal.is_continuous(),
            Self::Date(marginal) => marginal.days().is_continuous(),
        }
    }

    /// Training share of each level; sums to 1.
    pub fn level_shares(&self) -> Vec<f64> {
        match self {
            Self::Category(marginal) => marginal.level_shares(),
            Self::Number(marginal) => marginal.level_shares(),
            Self::Date(marginal) => marginal.days().level_shares(),
        }
    }

    /// Where a value stands. A value of another kind is one never seen: its probability is 0 under a marginal of
    /// numbers or dates, and that of a new label under a marginal of categories.
    pub fn place(&self, value: Value<'_>) -> Place {
        match self {
            Self::Category(marginal) => marginal.place(value),
            Self::Number(marginal) => marginal.place(value),
            Self::Date(marginal) => marginal.place(value),
        }
    }

    /// The value of a level at a rank in (0, 1): in the continuous level the inverse of [`place`](Self::place), in a
    /// level of pooled categories the position in their cumulated counts; levels of one value ignore it. A level that
    /// does not exist gives a missing value.
    pub fn draw(&self, level: u32, rank: f64) -> Value<'_> {
        match self {
            Self::Category(marginal) => marginal.draw(level, rank),
            Self::Number(marginal) => marginal.draw(level, rank),
            Self::Date(marginal) => marginal.draw(level, rank),
        }
    }

    /// Log-probability of a value under the marginal alone, in nats (a density for numbers without a grid).
    pub fn log_marginal(&self, value: Value<'_>) -> f64 {
        let place = self.place(value);
        place.log_measure
            + place
                .level
                .map_or(0.0, |level| self.level_shares()[level as usize].ln())
    }

    /// Whether the marginal gives a value a density, not a mass.
    pub fn has_density(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Number(marginal), Value::Number(x)) => marginal.has_density(x),
            _ => false,
        }
    }

    /// Number of network inputs a value gives: 0 for categories, which are used through their level.
    pub fn num_features(&self) -> usize {
        match self {
            Self::Category(_) => 0,
            Self::Number(_) => NUMBER_FEATURES,
            Self::Date(_) => DATE_FEATURES,
        }
    }

    /// Writes the network inputs of a value into `out`, of length [`num_features`](Self::num_features).
    pub fn features(&self, value: Value<'_>, out: &mut [f32]) {
        match self {
            Self::Category(_) => {}
            Self::Number(marginal) => marginal.features(value, out),
            Self::Date(marginal) => marginal.features(value, out),
        }
    }

    /// The level of missing values, if any were missing at fit.
    pub fn missing_level(&self) -> Option<u32> {
        match self {
            Self::Category(marginal) => marginal.missing_level(),
            Self::Number(marginal) => marginal.missing_level(),
            Self::Date(marginal) => marginal.days().missing_level(),
        }
    }

    /// Marginal probability of a number in `[lo, hi]`, both ends included, and of a date by its number of days since
    /// 1970-01-01; 0 for categories. Missing cells are outside every range.
    pub fn mass(&self, lo: f64, hi: f64) -> f64 {
        match self {
            Self::Category(_) => 0.0,
            Self::Number(marginal) => marginal.mass(lo, hi),
            Self::Date(marginal) => marginal.days().mass(lo, hi),
        }
    }

    /// How many distinct training values the marginal holds, for those who ask what a model file reveals.
    pub fn stored_training_values(&self) -> usize {
        match self {
            Self::Category(marginal) => marginal.stored_training_values(),
            Self::Number(marginal) => marginal.stored_training_values(),
            Self::Date(marginal) => marginal.days().stored_training_values(),
        }
    }
}

impl Marginal for ColumnMarginal {
    fn levels(&self) -> usize {
        self.levels()
    }

    fn is_continuous(&self) -> bool {
        self.is_continuous()
    }

    fn level_shares(&self) -> Vec<f64> {
        self.level_shares()
    }

    /// The network inputs of a level's representative value: its one value, or the median of the continuous level.
    fn level_features(&self, level: Level) -> Vec<f64> {
        let mut out = vec![0.0; self.num_features()];
        self.features(self.draw(level, 0.5), &mut out);
        out.into_iter().map(f64::from).collect()
    }

    fn rank_edges(&self) -> Vec<f64> {
        let bins = match self.numbers() {
            Some(numbers) if numbers.decimals().is_some() => self.rank_bins(MOST_INPUT_BINS),
            _ => None,
        };
        bins.map_or_else(Vec::new, |bins| bins.ranks)
    }

    fn level_rank(&self, level: Level) -> Option<f64> {
        self.numbers()?.level_rank(level)
    }
}
