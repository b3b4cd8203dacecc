#![doc = include_str!("../README.md")]

mod density;
mod key;

pub use density::{Density, RowSet};
pub use key::{Key, ScoreKey, StepKey};
