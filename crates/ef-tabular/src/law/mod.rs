//! One probability law a column, fitted once on training values.
//!
//! A law splits a column's values into discrete **cells** and gives each value its place: the cell, the interval of
//! ranks it covers inside the continuous cell (if the column has one, it is cell 0), and the part of its
//! log-probability that no context changes. A model adds two terms, both of which may depend on a context:
//!
//! ```text
//! log p(value | context) = log_measure
//!     + log P(cell | context)                       if a cell was seen at fit and the law has more than one
//!     + log mean_{v in (lo, hi)} ratio(v | context)  if the law has a continuous cell
//! ```
//!
//! where `ratio` is a density on ranks that integrates to 1 over (0, 1). With the training shares for `P` and 1 for
//! `ratio` the law is the column's marginal: its sum or integral over all values, seen or not, is exactly 1. Values on
//! a rounding grid, atoms, categories and missing cells have masses, other numbers a density in the column's own unit.

mod calibrate;
mod category;
mod cells;
mod date;
mod fft;
mod heaping;
mod kernel;
mod number;
mod sample;
mod smooth;
mod unknown;
mod within;

pub use category::CategoryLaw;
pub use cells::RankCells;
pub use date::{DATE_FEATURES, DateLaw};
pub use number::NumberLaw;
pub(crate) use number::NumberLawBuilder;
pub(crate) use sample::Grid;
use serde::{Deserialize, Serialize};
pub use unknown::UnknownValue;
pub use within::CellSet;

use crate::date::Date;

/// One cell of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value. NaN counts as missing too.
    Missing,
    /// A number.
    Number(f64),
    /// A category's label.
    Text(&'a str),
    /// True or false.
    Boolean(bool),
    /// A day of the calendar.
    Date(Date),
}

/// Where one value stands under its column's law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The discrete cell; `None` is a value that no cell holds: a category never seen at fit, a number off the listed
    /// ones, a missing cell where none was missing.
    pub cell: Option<u32>,
    /// Lower rank of the value inside the continuous cell, in [0, 1]; 0 outside it.
    pub lo: f64,
    /// Upper rank; equal to `lo` for a density, and 1 outside the continuous cell.
    pub hi: f64,
    /// The context-free part of the log-probability, in nats.
    pub log_measure: f64,
}

impl Place {
    /// A place outside the continuous cell.
    pub(crate) fn discrete(cell: Option<u32>, log_measure: f64) -> Self {
        Self {
            cell,
            lo: 0.0,
            hi: 1.0,
            log_measure,
        }
    }
}

/// Width of the network inputs a number gives: rank, standardized value, 16 piecewise-linear features, missing bit.
pub const NUMBER_FEATURES: usize = 3 + PIECES;
pub(crate) const PIECES: usize = 16;

/// The law of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "law", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ColumnLaw {
    /// Categories and booleans.
    Category(CategoryLaw),
    /// Numbers.
    Number(Box<NumberLaw>),
    /// Dates.
    Date(Box<DateLaw>),
}

impl ColumnLaw {
    /// Number of discrete cells, at least 1.
    pub fn cells(&self) -> usize {
        match self {
            Self::Category(law) => law.cells(),
            Self::Number(law) => law.cells(),
            Self::Date(law) => law.days().cells(),
        }
    }

    /// Whether cell 0 is continuous: a value in it also has a rank.
    pub fn is_continuous(&self) -> bool {
        match self {
            Self::Category(_) => false,
            Self::Number(law) => law.is_continuous(),
            Self::Date(law) => law.days().is_continuous(),
        }
    }

    /// Training share of each cell; sums to 1.
    pub fn cell_shares(&self) -> Vec<f64> {
        match self {
            Self::Category(law) => law.cell_shares(),
            Self::Number(law) => law.cell_shares(),
            Self::Date(law) => law.days().cell_shares(),
        }
    }

    /// Where a value stands. A value of another kind is one never seen: its probability is 0 under a law of numbers or
    /// dates, and that of a new label under a law of categories.
    pub fn place(&self, value: Value<'_>) -> Place {
        match self {
            Self::Category(law) => law.place(value),
            Self::Number(law) => law.place(value),
            Self::Date(law) => law.place(value),
        }
    }

    /// The value of a cell at a rank in (0, 1): in the continuous cell the inverse of [`place`](Self::place), in a cell
    /// of pooled categories the position in their cumulated counts; cells of one value ignore it. A cell that does not
    /// exist gives a missing value.
    pub fn draw(&self, cell: u32, rank: f64) -> Value<'_> {
        match self {
            Self::Category(law) => law.draw(cell, rank),
            Self::Number(law) => law.draw(cell, rank),
            Self::Date(law) => law.draw(cell, rank),
        }
    }

    /// Log-probability of a value under the marginal alone, in nats (a density for numbers without a grid).
    pub fn log_marginal(&self, value: Value<'_>) -> f64 {
        let place = self.place(value);
        place.log_measure
            + place
                .cell
                .map_or(0.0, |cell| self.cell_shares()[cell as usize].ln())
    }

    /// Whether the law gives a value a density, not a mass.
    pub fn has_density(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Number(law), Value::Number(x)) => law.has_density(x),
            _ => false,
        }
    }

    /// Number of network inputs a value gives: 0 for categories, which are used through their cell.
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
            Self::Number(law) => law.features(value, out),
            Self::Date(law) => law.features(value, out),
        }
    }

    /// The network inputs of a cell's representative value: its one value, or the median of the continuous cell.
    pub fn cell_features(&self, cell: u32) -> Vec<f32> {
        let mut out = vec![0.0; self.num_features()];
        self.features(self.draw(cell, 0.5), &mut out);
        out
    }

    /// The cell of missing values, if any were missing at fit.
    pub fn missing_cell(&self) -> Option<u32> {
        match self {
            Self::Category(law) => law.missing_cell(),
            Self::Number(law) => law.missing_cell(),
            Self::Date(law) => law.days().missing_cell(),
        }
    }

    /// Marginal probability of a number in `[lo, hi]`, both ends included, and of a date by its number of days since
    /// 1970-01-01; 0 for categories. Missing cells are outside every range.
    pub fn mass(&self, lo: f64, hi: f64) -> f64 {
        match self {
            Self::Category(_) => 0.0,
            Self::Number(law) => law.mass(lo, hi),
            Self::Date(law) => law.days().mass(lo, hi),
        }
    }

    /// How many distinct training values the law holds, for those who ask what a model file reveals.
    pub fn stored_training_values(&self) -> usize {
        match self {
            Self::Category(law) => law.stored_training_values(),
            Self::Number(law) => law.stored_training_values(),
            Self::Date(law) => law.days().stored_training_values(),
        }
    }
}

/// Probability of a value never seen, by Good-Turing: the share of values seen once, kept from 0 and below one half.
pub(crate) fn unseen_share(singletons: usize, rows: usize) -> f64 {
    ((singletons as f64 + 1.0) / (rows as f64 + 2.0)).min(0.5)
}
