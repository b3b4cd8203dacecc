#![doc = include_str!("../README.md")]

pub mod autoregressive;
mod density;
mod dropout;
pub mod flow;
pub mod infer;
mod key;
mod log_sum;
mod row_density;
pub mod rows;
mod softmax;
pub mod two_part;

pub use ef_column::{Level, LevelSet, Marginal, Place};
pub use ef_tensor::normal;

pub use density::{Density, HeadOffsets, RowSet, Scores};
pub use ef_random::Philox;
pub use flow::{Flow, FlowRows, FlowScratch, OrderEnsemble};
pub use key::{Key, ScoreKey, StepKey, uniform};
pub use log_sum::log_mean_exp;
pub use row_density::{Ancestral, RowDensity};
