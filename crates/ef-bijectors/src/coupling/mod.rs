//! Coupling layers and flows.

mod flows;
mod layer;
mod mask;

pub use flows::{any_order_coupling, coupling_flow, neural_spline_coupling, nice, real_nvp};
pub use layer::Coupling;
pub use mask::{alternating_mask, half_mask, random_mask};
