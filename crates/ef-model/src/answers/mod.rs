//! What can be asked of a fitted model. A request is a value, run on a shared model:
//!
//! | request | answer |
//! | --- | --- |
//! | [`Sample`] | new rows; with [`given`](Sample::given) rows of a context |
//! | [`SampleWhere`] | rows that meet a condition |
//! | [`Score`] | log-densities |
//! | [`Complete`], [`Impute`] | tables with their missing cells drawn |
//! | [`Probability`] | the probability of a condition |
//! | [`Predict`] | the distribution of one column in each row |
//! | [`Anomalies`] | what each column adds to the oddness of a row |
//!
//! Requests that work row by row carry the number of their first row, `from_row`. Row `i` then draws from streams of the
//! number `from_row + i` and of nothing else, so a table cut into any pieces gives the bytes of the whole.
//!
//! Below them: a condition is a [`query::Query`], a union of branches; what is known of a row is its
//! [`Evidence`](ef_density::infer::Evidence); answers are averages over weighted draws given evidence
//! ([`ef_density::infer`]), whose weights correct two proposals by the model's exact density. Where no weight is needed, an
//! answer is exact.

mod attribution;
mod complete;
mod engine;
mod evidence;
mod known_rows;
mod plan;
mod predict;
mod probability;
mod query;
mod sample;
mod sample_where;
mod score;

pub use attribution::{Anomalies, Attribution};
pub use complete::{Complete, Completed, Impute};
pub use predict::{NumberPrediction, Predict, Prediction};
pub use probability::{Estimate, Probability};
pub use sample::Sample;
pub use sample_where::{Diagnostics, Drawn, SampleWhere};
pub use score::Score;
