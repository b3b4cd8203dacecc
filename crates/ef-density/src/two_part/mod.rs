//! Two parts: a network over the levels of all columns, then a flow over the ranks of numbers.
//!
//! A row is `p(levels) p(ranks | levels)`. Every column with several levels is a variable of a masked softmax
//! network ([`DiscreteMade`]), exact; every column with a continuous level is a column of a flow over normal scores of
//! ranks ([`RankFlow`]), with the levels as context. No noisy one-hots, no dequantized categories.

mod density;
mod discrete;
mod rank_flow;

pub use density::TwoPart;
pub use discrete::{DiscreteConfig, DiscreteMade};
pub use rank_flow::RankFlow;
