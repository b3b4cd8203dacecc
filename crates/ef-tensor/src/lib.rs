#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | module | holds |
//! | --- | --- |
//! | [`real`] | [`Real`], the sealed scalar: `f32` for speed, `f64` for proofs |
//! | [`gemm`](gemm()) | general matrix products, on strided views; layers have kernels of their own |
//! | [`simd`], [`vmath`] | run-time choice of instruction set; vector `exp`, `tanh`, `sigmoid`, `ln`, `ln(1 + x)` |
//! | [`Linear`], [`SparseLinear`] | affine layers, dense, masked (block-triangular) or gathered |
//! | [`Degrees`] | what the hidden units of a masked network see |
//! | [`Mlp`], [`Incremental`] | hidden layers, plain or residual, masked or not; one degree at a time |
//! | [`Tape`], [`Workspace`] | where a forward pass leaves what its backward needs; recycled scratch memory |
//! | [`normal`] | the normal distribution: density, CDF, quantile |
//! | [`column_moments`], [`bounds_within`] | columns' means and deviations; intervals in narrower numbers |
//! | [`params`], [`shards`] | names and shapes inside a flat parameter vector; fixed splits of rows |

mod activation;
mod bounds;
mod degrees;
mod error;
mod gemm;
mod incremental;
mod linear;
mod mlp;
mod moments;
pub mod normal;
pub mod params;
mod product;
#[cfg(feature = "gemm")]
mod product_by_gemm;
pub mod real;
pub mod shards;
pub mod simd;
mod sparse;
mod tape;
pub mod vmath;

pub use activation::Activation;
pub use bounds::bounds_within;
pub use degrees::Degrees;
pub use error::TensorError;
pub use gemm::gemm;
pub use incremental::Incremental;
pub use linear::Linear;
pub use mlp::{DropoutMask, Mlp, MlpConfig};
pub use moments::column_moments;
pub use params::{ParamVisitor, Scope};
pub use real::Real;
pub use sparse::SparseLinear;
pub use tape::{Tape, Workspace};

/// The `ndarray` this crate's views come from, so that a user's version cannot differ.
pub use ndarray;
