#![doc = include_str!("../README.md")]

mod marginal;
mod place;
mod set;

pub use marginal::Marginal;
pub use place::{Level, Place};
pub use set::LevelSet;
