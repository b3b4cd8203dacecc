//! Mixed rows: categories, atoms, missing cells and numbers in one density.
//!
//! Under a flow, a row is `p(cells) p(ranks | cells)`. Every column with several cells is a variable of a masked softmax
//! network ([`DiscreteMade`]), exact; every column with a continuous cell is a column of a flow over normal scores of ranks
//! ([`RankFlow`]), with the cells as context. No noisy one-hots, no dequantized categories.

mod discrete;
pub(crate) mod dropout;
mod rank_flow;
mod row_density;
pub(crate) mod rows;

pub use discrete::{DiscreteConfig, DiscreteMade};
pub use rank_flow::RankFlow;
pub use row_density::{MixedDensity, Scores};
pub use rows::{Layout, MixedRows, MixedScratch, Variable};
