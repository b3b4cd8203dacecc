//! The laws of a bijector, one subject a file.

pub(crate) mod dependence;
pub(crate) mod edges;
pub(crate) mod gradients;
pub(crate) mod inverse;
pub(crate) mod mass;
pub(crate) mod params;
pub(crate) mod passes;
mod precision;
pub(crate) mod rows;

pub use mass::{Mass, total_mass};
pub use precision::assert_f32_agrees;
