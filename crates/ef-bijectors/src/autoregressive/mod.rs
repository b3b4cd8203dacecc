//! Masked autoregressive layers and flows.

mod flows;
mod layer;
mod reordered;

pub use flows::{any_order_autoregressive, autoregressive_flow, iaf, maf, neural_spline_autoregressive};
pub use layer::Autoregressive;
pub use reordered::Reordered;
