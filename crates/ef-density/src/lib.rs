#![doc = include_str!("../README.md")]

pub mod base;
pub mod chain;
mod density;
mod flow;
mod key;
mod law;
mod log_sum;
pub mod mixed;
mod order_ensemble;
mod softmax;

pub use ef_tensor::normal;

pub use density::{Density, RowSet};
pub use ef_random::Philox;
pub use flow::{Flow, FlowRows, FlowScratch};
pub use key::{Key, ScoreKey, StepKey, uniform};
pub use law::{ColumnLaw, Place};
pub use log_sum::log_mean_exp;
pub use order_ensemble::OrderEnsemble;
