//! The autoregressive table model: one masked network, an exact head a column.
//!
//! ```text
//! log p(row) = sum_j [ log_measure_j + log P(level_j | x_<j) + log E[ratio_j(v | x_<j)] ],    v ~ U(low_j, high_j)
//! ```
//!
//! * A column of categories or listed values has a softmax over its levels. Where the levels have an order, as listed
//!   numbers do, their logits share a location and a log-scale.
//! * A column with a continuous level has one softmax over `K` logistics, a uniform **background** and its other levels
//!   (atoms, missing); the first `K + 1` share the continuous level. The logistics share a location `mu` and a log-scale
//!   `ls`, an affine map of normal scores:
//!
//! ```text
//! P(low < rank <= high | x_<j) = sum_k w_k [ s((b - m_k) / s_k) - s((a - m_k) / s_k) ] + w_0 (high - low)
//!           b = logit Phi((ndtri(high) - mu) e^-ls),    a the same of low
//! ```
//!
//! with `s` the logistic function: the mass of an interval is exact, so there are no auxiliary draws, no bound and no
//! noise. A place without extent has the limit, a density. As a
//! flow, the head is a conditional monotone map from rank to uniform base, `u = P(rank' <= rank | x_<j)`.
//!
//! Networks read a rank through its normal score and 64 piecewise-linear features (Gorishniy et al. 2022, 2203.05556),
//! and a level through an embedding. Normal scores also reach the heads to their right by one linear layer. The network
//! is MADE (Germain et al. 2015, 1502.03509) with residual blocks, units sorted by degree; sampling evaluates it unit
//! by unit ([`Incremental`](ef_tensor::Incremental)).
//!
//! Before training the model is the best of what can be counted ([`init_from_data`](crate::Density::init_from_data)):
//! locations and log-scales are those of the shrunk linear regression of each column's normal score on those before it, a
//! Gaussian copula of the numbers; and each column has a table given at most one column before, a tree of the levels.
//! Training learns what is left.
//!
//! An [`AncestralPass`] goes through the columns of many rows, each observed, drawn, drawn within a
//! [`LevelSet`](crate::LevelSet) or scored, and adds up what importance sampling needs. It is how rows are sampled,
//! with conditions and without. [`OrderAgnostic`] is the same network without masks: it proposes any columns given any
//! others, and the autoregressive model's density weights what it proposes.

mod affine;
mod ensemble;
mod heads;
mod mixture;
mod network;
mod order_agnostic;
mod ordered;
mod pass;
mod plan;
mod restrict;
mod start;
mod table_made;
mod tree;

pub use ensemble::Ensemble;
pub use order_agnostic::OrderAgnostic;
pub use pass::{AncestralPass, PassSums, Step};
pub use table_made::{TableMade, TableMadeConfig};
