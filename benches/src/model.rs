//! The flows that are measured, by name and size.

use anyhow::Result;
use clap::{Args, ValueEnum};
use ef_bijectors::{
    Activation, Chain, FlowConfig, LeakyRelu, MlpConfig, RationalQuadratic, Tanh, maf,
    neural_spline_autoregressive, neural_spline_coupling, planar_chain, real_nvp,
};
use ef_density::{Density, Flow};
use ef_random::Key;

/// A kind of flow.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Masked autoregressive, affine.
    Maf,
    /// Coupling, affine.
    Realnvp,
    /// Masked autoregressive, rational-quadratic splines.
    NsfAr,
    /// Coupling, rational-quadratic splines.
    NsfCoupling,
    /// Planar with leaky ReLU of slope 0.2, whose inverse is in closed form.
    Planar,
    /// Planar with tanh, whose inverse is a root.
    PlanarTanh,
}

impl Model {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Kind and size of a flow.
#[derive(Args, Debug, Clone)]
pub struct FlowArgs {
    /// Kind of flow
    #[arg(long)]
    pub model: Model,
    /// Columns
    #[arg(long)]
    pub dim: usize,
    /// Layers
    #[arg(long)]
    pub layers: usize,
    /// Units of a hidden layer
    #[arg(long, default_value_t = 64)]
    pub hidden: usize,
    /// Hidden layers of each network
    #[arg(long, default_value_t = 2)]
    pub blocks: usize,
    /// Bins of a spline
    #[arg(long, default_value_t = 8)]
    pub bins: usize,
}

impl FlowArgs {
    /// The bijector: networks with plain ReLU layers; autoregressive orders are reversed from layer to layer, coupling
    /// masks alternate; splines on `[-5, 5]`.
    ///
    /// # Errors
    /// Sizes that are out of range.
    pub fn chain(&self) -> Result<Chain<f32>> {
        let config = FlowConfig {
            layers: self.layers,
            conditioner: MlpConfig {
                hidden: self.hidden,
                blocks: self.blocks,
                residual: false,
                activation: Activation::Relu,
            },
            ..FlowConfig::default()
        };
        let spline = RationalQuadratic::new(self.bins, 5.0)?;
        Ok(match self.model {
            Model::Maf => maf(self.dim, 0, &config)?,
            Model::Realnvp => real_nvp(self.dim, 0, &config)?,
            Model::NsfAr => neural_spline_autoregressive(self.dim, 0, &config, spline)?,
            Model::NsfCoupling => neural_spline_coupling(self.dim, 0, &config, spline)?,
            Model::Planar => planar_chain(self.dim, 0, self.layers, LeakyRelu::new(0.2)?)?,
            Model::PlanarTanh => planar_chain(self.dim, 0, self.layers, Tanh)?,
        })
    }

    /// The flow over a standard normal, with its starting values.
    ///
    /// # Errors
    /// Sizes that are out of range.
    pub fn start(&self) -> Result<(Flow<f32>, Vec<f32>)> {
        let flow = Flow::new(self.chain()?);
        let mut params = vec![0.0; flow.num_params()];
        Density::init(&flow, &mut Key::new(1).purpose("init").row(0), &mut params);
        Ok((flow, params))
    }
}
