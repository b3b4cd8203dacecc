//! Flows made of coupling and masked layers.

use ef_bijectors::{
    Activation, Chain, FlowConfig, Permute, RationalQuadratic, Real, ScaleClamp, Standardize,
    any_order_autoregressive, any_order_coupling, autoregressive_flow, iaf, maf,
    neural_spline_autoregressive, neural_spline_coupling, nice, real_nvp,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::table::{Entry, entry, net};

/// Every flow.
pub(crate) fn flows<T: Real>(dim: usize, context: usize) -> Vec<Entry<T>> {
    let config = FlowConfig {
        layers: 3,
        conditioner: net(Activation::Silu, true),
        clamp: ScaleClamp::default(),
    };
    let spline = RationalQuadratic::new(5, 3.0).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let orders: Vec<Permute> = (0..2).map(|_| Permute::random(dim, rng).unwrap()).collect();
    let mut all: Vec<(&str, Chain<T>)> = vec![
        ("maf", maf(dim, context, &config).unwrap()),
        ("iaf", iaf(dim, context, &config).unwrap()),
        ("nice", nice(dim, context, &config).unwrap()),
        ("real_nvp", real_nvp(dim, context, &config).unwrap()),
        (
            "neural spline, autoregressive",
            neural_spline_autoregressive(dim, context, &config, spline).unwrap(),
        ),
        (
            "neural spline, coupling",
            neural_spline_coupling(dim, context, &config, spline).unwrap(),
        ),
        (
            "maf in random orders",
            autoregressive_flow(
                dim,
                context,
                3,
                config.conditioner,
                Standardize::default(),
                &orders,
            )
            .unwrap(),
        ),
    ];
    let masked =
        any_order_autoregressive(dim, context, &config, Standardize::default(), 2, &mut *rng).unwrap();
    all.extend(masked.into_iter().map(|flow| ("any order, autoregressive", flow)));
    let coupled = any_order_coupling(dim, context, &config, spline, 2, rng).unwrap();
    all.extend(coupled.into_iter().map(|flow| ("any order, coupling", flow)));
    all.into_iter()
        .map(|(name, flow)| entry(name, flow).mild())
        .collect()
}
