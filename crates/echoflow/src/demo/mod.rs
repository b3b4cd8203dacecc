//! Demo tables whose true density is known.
//!
//! A model of a real table can only be compared with other models. A model of a demo table can be compared with
//! the truth: every demo generates rows and also states the exact log-probability of any row, so the distance that
//! a fit still has to go, `mean(log_density - log_prob)` on fresh rows, is the Kullback-Leibler divergence in nats.
//!
//! | demo | columns | law |
//! | --- | --- | --- |
//! | [`spiral`] | 2 numbers | a noisy spiral, density by quadrature |
//! | [`high_low`] | 2 categories, 2 numbers | the numbers' place depends on the categories |
//! | [`sine`] | 2 numbers | noise around a sine of a uniform number |
//! | [`ring`] | 2 numbers | 8 Gaussians on a circle |
//! | [`grid`] | 2 numbers | 25 Gaussians on a lattice |
//! | [`loans`] | 4 categories, 4 numbers, a boolean | a table as found at work: spikes, gaps, rounding |
//!
//! Row `k` of a demo depends on the seed and on `k` only, so tables of different lengths share their first rows and
//! [`Demo::generate_range`] continues one where another stopped.
//!
//! ```
//! use echoflow::demo::Demo;
//!
//! let demo: Demo = "loans".parse()?;
//! let table = demo.generate(1_000, 7);
//! let truth = demo.log_density(&table);
//! assert_eq!(truth.len(), table.rows());
//! assert!(truth.iter().all(|nats| nats.is_finite()));
//! # Ok::<(), echoflow::demo::DemoError>(())
//! ```

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
