//! Weighted draws of what evidence leaves open.
//!
//! Two proposals, both with a known density of what they draw:
//!
//! * the model's **own**: each column given those before it, sets by truncation. The weight of a draw is the probability
//!   of what is known, `prod P(x_c | before)` over values and `prod P(S_c | before)` over sets: likelihood weighting
//!   (Fung and Chang 1990). Flows draw whole rows, of which those in the sets count.
//! * the **order-agnostic** network: the columns that the caller names in [`Evidence::leading`] first, then the others
//!   in their order, each given all values that are known and those drawn before it.
//!
//! Where both are used, a draw is weighted by the model's density over that of the mixture of both proposals (the
//! balance heuristic, Veach and Guibas 1995), which the share of the own proposal keeps bounded:
//!
//! ```text
//! w = p(drawn, known) / (a p_own(drawn) + (1 - a) q(drawn))
//! ```
//!
//! An ancestral density is exact for every row. That of a flow is [`RowDensity::score`](crate::RowDensity::score): exact
//! for rows without rounded, repeated or missing values, else an estimate from 32 draws, and so are the weights then.
//!
//! In an ancestral density the columns after the last that is known need no weight, so proposals leave them out and
//! [`Sampler::finish`] draws them. In a flow all columns are weighted.

mod draws;
mod evidence;
mod weights;

pub use draws::{Asked, Proposing, STREAM_BITS, Sampler};
pub use evidence::{ColumnEvidence, Evidence};
pub use weights::{WeightSummary, resample};
