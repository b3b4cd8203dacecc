#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | holds |
//! | --- | --- |
//! | [`Demo`] | the demos by name: rows under a seed, and the log-density of any row |
//! | [`spiral`], [`high_low`], [`sine`], [`ring`], [`grid`], [`loans`] | the law of each, as a formula and as code |
//! | [`DemoTable`], [`DemoColumn`] | what a demo generates: plain columns, which become a table or a CSV file |

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

mod convert;
mod draws;
pub mod grid;
pub mod high_low;
pub mod loans;
mod mixture;
mod normal;
pub mod ring;
pub mod sine;
pub mod spiral;
mod table;

pub use table::{DemoColumn, DemoTable};

/// What can go wrong with a demo table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No demo has this name.
    #[error("there is no demo called '{name}'; choose one of {}", names())]
    UnknownDemo {
        /// The name that was asked for.
        name: String,
    },
    /// The columns of a table differ in length.
    #[error(
        "column '{column}' has {found} rows where the columns before it have {expected}; give every column the same number of rows"
    )]
    UnequalColumns {
        /// The first column that differs.
        column: String,
        /// Its number of rows.
        found: usize,
        /// The number of rows of the columns before it.
        expected: usize,
    },
}

/// A table that can be generated in any size and whose true density is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Demo {
    /// Two numbers on a noisy spiral: [`spiral`].
    Spiral,
    /// Two numbers whose place depends on two categories: [`high_low`].
    HighLow,
    /// One number around the sine of the other: [`sine`].
    Sine,
    /// Eight Gaussians on the unit circle: [`ring`].
    Ring,
    /// Twenty-five Gaussians on a lattice: [`grid`].
    Grid,
    /// A table of loans with every kind of column: [`loans`].
    Loans,
}

impl Demo {
    /// Every demo, in the order in which they are listed to people.
    pub const ALL: [Demo; 6] = [
        Demo::Spiral,
        Demo::HighLow,
        Demo::Sine,
        Demo::Ring,
        Demo::Grid,
        Demo::Loans,
    ];

    /// The name by which people ask for the demo.
    pub fn name(self) -> &'static str {
        match self {
            Demo::Spiral => "spiral",
            Demo::HighLow => "high-low",
            Demo::Sine => "sine",
            Demo::Ring => "ring",
            Demo::Grid => "grid",
            Demo::Loans => "loans",
        }
    }

    /// One sentence about the table, for lists and help.
    pub fn summary(self) -> &'static str {
        match self {
            Demo::Spiral => "two numbers on a noisy spiral",
            Demo::HighLow => "two numbers whose place depends on two categories",
            Demo::Sine => "one number around the sine of the other",
            Demo::Ring => "eight Gaussians on a circle",
            Demo::Grid => "twenty-five Gaussians on a lattice",
            Demo::Loans => "loans with categories, amounts, rates, gaps and a round favourite amount",
        }
    }

    /// How many rows the demo has when nobody asks for a number.
    pub fn default_rows(self) -> usize {
        match self {
            Demo::HighLow | Demo::Sine => 5_000,
            Demo::Spiral | Demo::Ring | Demo::Grid | Demo::Loans => 10_000,
        }
    }

    /// The first `rows` rows of the demo under `seed`.
    pub fn generate(self, rows: usize, seed: u64) -> DemoTable {
        self.generate_range(0..rows as u64, seed)
    }

    /// Rows `rows.start..rows.end` of the endless table under `seed`; an empty or reversed range gives no rows.
    ///
    /// Training rows `0..n` and test rows `n..m` of one seed are independent draws that never overlap.
    pub fn generate_range(self, rows: Range<u64>, seed: u64) -> DemoTable {
        match self {
            Demo::Spiral => spiral::generate(rows, seed),
            Demo::HighLow => high_low::generate(rows, seed),
            Demo::Sine => sine::generate(rows, seed),
            Demo::Ring => ring::generate(rows, seed),
            Demo::Grid => grid::generate(rows, seed),
            Demo::Loans => loans::generate(rows, seed),
        }
    }

    /// The true log-probability of every row, in nats and in the table's own units: a probability for categories,
    /// missing cells and values on a grid, a density for the rest.
    ///
    /// Columns are found by name, in any order. A row that the demo cannot produce scores `-inf`; so does every row
    /// of a table that lacks one of the demo's columns or has it in another type.
    pub fn log_density(self, table: &DemoTable) -> Vec<f64> {
        let scores = match self {
            Demo::Spiral => table.score_pairs("x", "y", spiral::log_density),
            Demo::HighLow => high_low::log_density_table(table),
            Demo::Sine => table.score_pairs("x1", "x2", sine::log_density),
            Demo::Ring => table.score_pairs("x", "y", ring::log_density),
            Demo::Grid => table.score_pairs("x", "y", grid::log_density),
            Demo::Loans => loans::log_density_table(table),
        };
        scores.unwrap_or_else(|| vec![f64::NEG_INFINITY; table.rows()])
    }
}

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Demo {
    type Err = DemoError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Demo::ALL
            .into_iter()
            .find(|demo| demo.name() == name)
            .ok_or_else(|| DemoError::UnknownDemo {
                name: name.to_owned(),
            })
    }
}

/// The names of all demos as one phrase, for error messages.
fn names() -> String {
    Demo::ALL.map(Demo::name).join(", ")
}

#[cfg(test)]
mod tests;
