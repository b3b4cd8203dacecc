#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | what it is | source |
//! | --- | --- | --- |
//! | [`Bijector`] | the trait; `forward` runs data -> latent | |
//! | [`Chain`], [`Inverted`] | composition; the two directions swapped, with an exact backward for any inner bijector | |
//! | [`Autoregressive`], [`Coupling`] | the two kinds of layer, for any transformer | 1502.03509; 1410.8516 |
//! | [`Transformer`] | what a layer does to a column: the rows below with a `*` | 1912.02762, sec. 3.1 |
//! | [`Affine`]*, [`real_nvp`] | RealNVP | Dinh et al. 2017, 1605.08803 |
//! | [`Additive`]*, [`nice`] | NICE | Dinh et al. 2015, 1410.8516 |
//! | [`Standardize`]*, [`maf`] | masked autoregressive flow | Papamakarios et al. 2017, 1705.07057 |
//! | [`Gated`]*, [`iaf`] | inverse autoregressive flow | Kingma et al. 2016, 1606.04934 |
//! | [`RationalQuadratic`]*, [`neural_spline_autoregressive`], [`neural_spline_coupling`] | neural spline flows | Durkan et al. 2019, 1906.04032 |
//! | [`PiecewiseLinear`]*, [`PiecewiseQuadratic`]*, [`UnitMap`] | CDFs on the unit interval, and the way there | Müller et al. 2019, 1808.03856 |
//! | [`Planar`], [`Radial`] | one direction, one centre | Rezende & Mohamed 2015, 1505.05770 |
//! | [`Sylvester`] | many directions | van den Berg et al. 2018, 1803.05649 |
//! | [`LuLinear`], [`ActNorm`] | Glow's 1x1 convolution for tables; scale and shift started from data | Kingma & Dhariwal 2018, 1807.03039 |
//! | [`ElementwiseAffine`], [`Permute`] | per-column scale and shift; column orders | |
//! | [`Reordered`], [`any_order_autoregressive`], [`any_order_coupling`] | many orders, one parameter slice | Germain et al. 2015, 1502.03509 |
//! | [`Conditioner`], [`Degrees`] | the network inside a layer; masked, it is MADE | Germain et al. 2015, 1502.03509 |
//! | [`Monotone`], [`MonotoneEquation`] | the non-linearity of planar and Sylvester layers, built in or your own, and its inverse | |

mod affine;
mod autoregressive;
mod bijector;
mod chain;
mod columns;
mod conditioner;
mod coupling;
mod error;
mod inverted;
mod linear;
mod monotone;
mod permute;
mod planar;
mod radial;
mod scale;
mod softplus;
mod sylvester;
mod transformer;
mod unit;

pub use affine::{ActNorm, ElementwiseAffine};
pub use autoregressive::{
    Autoregressive, Reordered, any_order_autoregressive, autoregressive_flow, iaf, maf,
    neural_spline_autoregressive,
};
pub use bijector::Bijector;
pub use chain::Chain;
pub use conditioner::Conditioner;
pub use coupling::{
    Coupling, alternating_mask, any_order_coupling, coupling_flow, half_mask, neural_spline_coupling, nice,
    random_mask, real_nvp,
};
pub use error::BijectorError;
pub use inverted::Inverted;
pub use linear::LuLinear;
pub use monotone::{Jet, LeakyRelu, Monotone, MonotoneEquation, Root, Tanh};
pub use permute::Permute;
pub use planar::{Planar, planar_chain};
pub use radial::Radial;
pub use scale::ScaleClamp;
pub use sylvester::Sylvester;
pub use transformer::{
    Additive, Affine, Gated, PiecewiseLinear, PiecewiseQuadratic, RationalQuadratic, SplineFloors,
    Standardize, Transformer,
};
pub use unit::{Ends, UnitMap};

pub use ef_tensor as tensor;
pub use ef_tensor::{Activation, Degrees, MlpConfig, ParamVisitor, Real, Tape, Workspace, ndarray};
pub use rand_core::RngCore;

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
