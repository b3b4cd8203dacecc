//! Flows made of coupling layers.

use ef_tensor::{MlpConfig, Real};
use rand_core::RngCore;

use super::layer::Coupling;
use super::mask::{alternating_mask, random_mask};
use crate::FlowConfig;
use crate::affine::ElementwiseAffine;
use crate::bijector::Bijector;
use crate::chain::Chain;
use crate::error::BijectorError;
use crate::transformer::{Additive, Affine, RationalQuadratic, Transformer};

/// One [`Coupling`] layer for each mask, all with the same transformer and the same size of network.
///
/// # Errors
/// If there are no masks, or one is empty, or they have different lengths.
pub fn coupling_flow<T: Real, Tr: Transformer + Copy + 'static>(
    masks: &[Vec<bool>],
    context_dim: usize,
    conditioner: MlpConfig,
    transformer: Tr,
) -> Result<Chain<T>, BijectorError> {
    let layer = |mask: &Vec<bool>| -> Result<Box<dyn Bijector<T>>, BijectorError> {
        Ok(Box::new(Coupling::new(
            mask,
            context_dim,
            conditioner,
            transformer,
        )?))
    };
    Chain::new(masks.iter().map(layer).collect::<Result<_, _>>()?)
}

fn alternating(dim: usize, layers: usize) -> Vec<Vec<bool>> {
    (0..layers).map(|layer| alternating_mask(dim, layer)).collect()
}

/// NICE (Dinh et al. 2015, 1410.8516): additive coupling layers on odd and even columns in turn, and a diagonal scaling
/// at the end (sec. 3.3), which alone changes volumes.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, nice};
/// let flow = nice::<f32>(3, 0, &FlowConfig::default())?;
/// assert_eq!(flow.parts().len(), 6);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn nice<T: Real>(dim: usize, context_dim: usize, config: &FlowConfig) -> Result<Chain<T>, BijectorError> {
    let couplings = coupling_flow(
        &alternating(dim, config.layers),
        context_dim,
        config.conditioner,
        Additive,
    )?;
    let mut parts = couplings.into_parts();
    parts.push(Box::new(ElementwiseAffine::scaling(dim)?));
    Chain::new(parts)
}

/// RealNVP (Dinh et al. 2017, 1605.08803): affine coupling layers on odd and even columns in turn.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, real_nvp};
/// let flow = real_nvp::<f32>(3, 2, &FlowConfig { layers: 8, ..FlowConfig::default() })?;
/// assert_eq!((flow.dim(), flow.context_dim()), (3, 2));
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn real_nvp<T: Real>(
    dim: usize,
    context_dim: usize,
    config: &FlowConfig,
) -> Result<Chain<T>, BijectorError> {
    let masks = alternating(dim, config.layers);
    coupling_flow(&masks, context_dim, config.conditioner, Affine::new(config.clamp))
}

/// The coupling form of neural spline flows (Durkan et al. 2019, 1906.04032): rational-quadratic coupling layers on odd
/// and even columns in turn. `config.clamp` is not used.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, RationalQuadratic, neural_spline_coupling};
/// let spline = RationalQuadratic::new(8, 4.0)?;
/// let flow = neural_spline_coupling::<f32>(3, 0, &FlowConfig::default(), spline)?;
/// assert_eq!(flow.dim(), 3);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn neural_spline_coupling<T: Real>(
    dim: usize,
    context_dim: usize,
    config: &FlowConfig,
    spline: RationalQuadratic,
) -> Result<Chain<T>, BijectorError> {
    coupling_flow(
        &alternating(dim, config.layers),
        context_dim,
        config.conditioner,
        spline,
    )
}

/// Flows over `count` random orders of the columns that **share one parameter slice**: each has `layers` layers of the
/// [`Coupling::shared`] form, which move one random half of the columns and the other in turn. Trained with a new order
/// every mini-batch and averaged over all orders in scoring, they make one model: `ef_density::OrderEnsemble`.
///
/// # Errors
/// If `dim`, `config.layers` or `count` is 0.
pub fn any_order_coupling<T: Real, Tr: Transformer + Copy + 'static>(
    dim: usize,
    context_dim: usize,
    config: &FlowConfig,
    transformer: Tr,
    count: usize,
    rng: &mut (impl RngCore + ?Sized),
) -> Result<Vec<Chain<T>>, BijectorError> {
    BijectorError::unless(count > 0, "the number of orders", count, "at least 1")?;
    let flow = |_| {
        let first = random_mask(dim, rng);
        let layer = |layer: usize| -> Result<Box<dyn Bijector<T>>, BijectorError> {
            let flip = dim > 1 && layer % 2 == 1;
            let mask: Vec<bool> = first.iter().map(|&m| m != flip).collect();
            Ok(Box::new(Coupling::shared(
                &mask,
                context_dim,
                config.conditioner,
                transformer,
            )?))
        };
        Chain::new((0..config.layers).map(layer).collect::<Result<_, _>>()?)
    };
    (0..count).map(flow).collect()
}
