#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | holds |
//! | --- | --- |
//! | [`read_csv`], [`read_csv_from`] | a table from a CSV file, from any reader |
//! | [`read_csv_like`], [`read_csv_from_like`] | the same, where another table's schema says which columns are text |
//! | [`write_csv`], [`write_csv_to`] | a table into a CSV file, into any writer |
//! | [`IoError`] | what can go wrong, with the file, the line and the way out |

#[cfg(feature = "csv")]
mod csv;
mod error;

#[cfg(feature = "csv")]
pub use csv::{read_csv, read_csv_from, read_csv_from_like, read_csv_like, write_csv, write_csv_to};
pub use error::IoError;
