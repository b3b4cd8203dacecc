//! Weighted draws of what evidence leaves open.
//!
//! Two proposals, both with a known density of what they draw:
//!
//! * the model's **own**: each column given those before it, sets by truncation. The weight of a draw is the probability
//!   of what is known, `prod P(x_c | before)` over values and `prod P(S_c | before)` over sets: likelihood weighting
//!   (Fung and Chang 1990). Flows draw whole rows, of which those in the sets count.
//! * the **order-agnostic** network: sets first, then the other columns up to the last that is known, each given all that is
//!   known.
//!
//! Both are weighted by the model's exact density. Where both are used, the weight is that of their mixture (the balance
//! heuristic, Veach and Guibas 1995), which the share of the own proposal keeps bounded:
//!
//! ```text
//! w = p(drawn, known) / (a p_own(drawn) + (1 - a) q(drawn))
//! ```
//!
//! Columns after the last that is known need no weight: the model draws them.

mod draws;
mod evidence;
mod weights;

pub use draws::{Asked, Proposing, STREAM_BITS, Sampler};
pub use evidence::{ColumnEvidence, Evidence};
pub use weights::{WeightSummary, resample};
