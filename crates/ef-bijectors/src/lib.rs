#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | what it is | source |
//! | --- | --- | --- |
//! | [`Bijector`] | the trait; `forward` runs data -> latent | |
//! | [`Chain`] | composition | |
//! | [`Permute`] | reverse, random or given column orders | |
//! | [`ElementwiseAffine`], [`ActNorm`] | per-column scale and shift; started from data | Kingma & Dhariwal 2018, 1807.03039, sec. 3.1 |
//! | [`AffineCoupling`], [`real_nvp`] | RealNVP | Dinh et al. 2017, 1605.08803 |
//! | [`MaskedAffine`], [`maf`] | masked autoregressive flow | Papamakarios et al. 2017, 1705.07057 |
//! | [`Conditioner`] | the network inside the two above; masked, it is MADE | Germain et al. 2015, 1502.03509 |

mod affine;
mod autoregressive;
mod bijector;
mod chain;
mod conditioner;
mod coupling;
mod error;
mod permute;
mod scale;

pub use affine::{ActNorm, ElementwiseAffine};
pub use autoregressive::{MaskedAffine, maf};
pub use bijector::Bijector;
pub use chain::Chain;
pub use conditioner::Conditioner;
pub use coupling::{AffineCoupling, real_nvp};
pub use error::BijectorError;
pub use permute::Permute;
pub use scale::ScaleClamp;

pub use ef_tensor as tensor;
pub use ef_tensor::{Activation, MlpConfig, ParamVisitor, Real, Tape, Workspace, ndarray};
pub use rand::RngCore;

/// Size of a flow made of equal layers; see [`maf`] and [`real_nvp`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowConfig {
    /// Number of transforms.
    pub layers: usize,
    /// The network inside each.
    pub conditioner: MlpConfig,
    /// The bound on log-scales.
    pub clamp: ScaleClamp,
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            layers: 5,
            conditioner: MlpConfig::default(),
            clamp: ScaleClamp::default(),
        }
    }
}
