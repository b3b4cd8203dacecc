//! Two parts: a network over the levels of all columns, then a flow over the ranks of numbers.
//!
//! A row is `p(cells) p(ranks | cells)`. Every column with several cells is a variable of a masked softmax
//! network ([`DiscreteMade`]), exact; every column with a continuous cell is a column of a flow over normal scores of ranks
//! ([`RankFlow`]), with the cells as context. No noisy one-hots, no dequantized categories.

mod density;
mod discrete;
mod rank_flow;

pub use density::TwoPart;
pub use discrete::{DiscreteConfig, DiscreteMade};
pub use rank_flow::RankFlow;
