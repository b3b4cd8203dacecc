//! How well conditions on any columns are met: random conditions, what a model answers, and the truth.
//!
//! Nothing here asks the condition language whether a row meets a condition: a [`Case`] knows it by itself, on columns
//! of plain numbers and labels ([`Pool`]), and is only written in that language.

mod answer;
mod case;
mod distance;
mod draw;
mod impute;
mod law;
mod network;
mod plain;
mod pool;
mod quadrature;
mod real;
mod reference;

pub use case::{Case, Clause, Test};
pub use distance::{Bins, Distance};
pub use draw::Maker;
pub use impute::{Imputing, impute};
pub use law::{Against, Laws, laws};
pub use network::Network;
pub use pool::{Column, MISSING, Pool};
pub use real::{Real, real};
