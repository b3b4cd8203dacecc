//! Questions to a fitted model: rows under conditions, completed rows, probabilities, predictions, shares of columns.
//!
//! Every answer is an average over weighted draws ([`particles`]), whose weights correct two proposals by the model's
//! exact density; where nothing has to be weighted, the answer is exact.

mod complete;
mod draw;
mod limit;
mod particles;
mod predict;
mod probability;
mod question;
mod resample;
mod shares;

pub use complete::Completed;
pub use draw::{Diagnostics, Drawn};
pub use predict::{NumberPrediction, Prediction};
pub use probability::Probability;
pub use shares::Shares;
