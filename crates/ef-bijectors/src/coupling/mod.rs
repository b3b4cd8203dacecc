//! Coupling layers.

mod affine;

pub use affine::{AffineCoupling, real_nvp};
