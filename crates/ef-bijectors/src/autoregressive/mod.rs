//! Masked autoregressive flows.

mod maf;

pub use maf::{MaskedAffine, maf};
