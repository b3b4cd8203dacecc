//! Flows made of masked autoregressive layers.

use ef_tensor::{MlpConfig, Real};
use rand::seq::SliceRandom;
use rand_core::RngCore;

use super::layer::Autoregressive;
use super::reordered::Reordered;
use crate::FlowConfig;
use crate::bijector::Bijector;
use crate::chain::Chain;
use crate::error::BijectorError;
use crate::permute::Permute;
use crate::transformer::{Gated, RationalQuadratic, Standardize, Transformer};

/// `layers` layers of [`Autoregressive`] with one transformer, and `orders[l - 1]` between layers `l - 1` and `l`: the
/// order of columns that layer `l` sees, in terms of the one before it.
///
/// # Errors
/// If `dim` or `layers` is 0, an order is of another number of columns, or there are orders, but not `layers - 1`.
pub fn autoregressive_flow<T: Real, Tr: Transformer + Copy + 'static>(
    dim: usize,
    context_dim: usize,
    layers: usize,
    conditioner: MlpConfig,
    transformer: Tr,
    orders: &[Permute],
) -> Result<Chain<T>, BijectorError> {
    if !orders.is_empty() && orders.len() + 1 != layers {
        return Err(BijectorError::Setting {
            what: "the number of orders between layers",
            value: format!("{} for {layers} layers", orders.len()),
            expected: "one less than the layers, or 0",
        });
    }
    let mut parts: Vec<Box<dyn Bijector<T>>> = Vec::new();
    for layer in 0..layers {
        if let Some(order) = layer.checked_sub(1).and_then(|l| orders.get(l)) {
            parts.push(Box::new(order.clone()));
        }
        parts.push(Box::new(Autoregressive::new(
            dim,
            context_dim,
            conditioner,
            transformer,
        )?));
    }
    Chain::new(parts)
}

/// The reversed order between any two layers.
fn reversed(dim: usize, layers: usize) -> Result<Vec<Permute>, BijectorError> {
    let between = if dim > 1 { layers.saturating_sub(1) } else { 0 };
    (0..between).map(|_| Permute::reverse(dim)).collect()
}

/// Masked autoregressive flow (Papamakarios et al. 2017, 1705.07057): layers of [`Autoregressive`] with
/// [`Standardize`], the column order reversed between them.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, maf};
/// let flow = maf::<f32>(3, 0, &FlowConfig::default())?;
/// assert_eq!(flow.dim(), 3);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn maf<T: Real>(dim: usize, context_dim: usize, config: &FlowConfig) -> Result<Chain<T>, BijectorError> {
    let (layers, orders) = (config.layers, reversed(dim, config.layers)?);
    let transformer = Standardize::new(config.clamp);
    autoregressive_flow(dim, context_dim, layers, config.conditioner, transformer, &orders)
}

/// Inverse autoregressive flow (Kingma et al. 2016, 1606.04934): layers of [`Autoregressive`] with [`Gated`], the
/// column order reversed between them.
///
/// The base stands at the **input** of `forward`, so that a draw with its density is one pass, and the density of a
/// given point is the slow direction. This suits variational inference. As a density of data, put it inside
/// [`Inverted`](crate::Inverted). `config.clamp` is not used.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
pub fn iaf<T: Real>(dim: usize, context_dim: usize, config: &FlowConfig) -> Result<Chain<T>, BijectorError> {
    let (layers, orders) = (config.layers, reversed(dim, config.layers)?);
    autoregressive_flow(
        dim,
        context_dim,
        layers,
        config.conditioner,
        Gated::default(),
        &orders,
    )
}

/// The autoregressive form of neural spline flows (Durkan et al. 2019, 1906.04032): rational-quadratic layers, the
/// column order reversed between them. `config.clamp` is not used.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, RationalQuadratic, neural_spline_autoregressive};
/// let spline = RationalQuadratic::new(8, 4.0)?;
/// let flow = neural_spline_autoregressive::<f32>(3, 0, &FlowConfig::default(), spline)?;
/// assert_eq!(flow.dim(), 3);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn neural_spline_autoregressive<T: Real>(
    dim: usize,
    context_dim: usize,
    config: &FlowConfig,
    spline: RationalQuadratic,
) -> Result<Chain<T>, BijectorError> {
    let (layers, orders) = (config.layers, reversed(dim, config.layers)?);
    autoregressive_flow(dim, context_dim, layers, config.conditioner, spline, &orders)
}

/// Flows over `count` random orders of the columns that **share one parameter slice**: each has `layers` layers
/// [`Reordered`], the order reversed from one to the next. Trained with a new order every mini-batch and averaged over
/// all orders in scoring, they make one model: `ef_density::OrderEnsemble`.
///
/// # Errors
/// If `dim`, `config.layers` or `count` is 0.
pub fn any_order_autoregressive<T: Real, Tr: Transformer + Copy + 'static>(
    dim: usize,
    context_dim: usize,
    config: &FlowConfig,
    transformer: Tr,
    count: usize,
    rng: &mut (impl RngCore + ?Sized),
) -> Result<Vec<Chain<T>>, BijectorError> {
    BijectorError::unless(count > 0, "the number of orders", count, "at least 1")?;
    let flow = |_| {
        let mut order: Vec<usize> = (0..dim).collect();
        order.shuffle(rng);
        let mut parts: Vec<Box<dyn Bijector<T>>> = Vec::new();
        for _ in 0..config.layers {
            let layer = Autoregressive::new(dim, context_dim, config.conditioner, transformer)?;
            parts.push(Box::new(Reordered::new(layer, order.clone())?));
            order.reverse();
        }
        Chain::new(parts)
    };
    (0..count).map(flow).collect()
}
