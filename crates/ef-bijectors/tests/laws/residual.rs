//! Planar flows and their kin, linear maps, inverses.

use ef_bijectors::{
    Activation, Autoregressive, Bijector, Chain, ElementwiseAffine, FlowConfig, Inverted, LeakyRelu,
    LuLinear, Permute, Planar, Radial, Real, ScaleClamp, Standardize, Sylvester, Tanh, maf, planar_chain,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::table::{Entry, entry, net};

/// Planar flows and their kin, linear maps, inverses.
pub(crate) fn residual<T: Real>(dim: usize, context: usize) -> Vec<Entry<T>> {
    let leaky = LeakyRelu::new(0.2).unwrap();
    let m = dim.div_ceil(2);
    let order = Permute::random(dim, &mut ChaCha8Rng::seed_from_u64(7)).unwrap();
    let flow = FlowConfig {
        layers: 2,
        conditioner: net(Activation::Tanh, true),
        clamp: ScaleClamp { bound: 1.0 },
    };
    let masked =
        || Autoregressive::new(dim, context, flow.conditioner, Standardize::new(flow.clamp)).unwrap();
    let inverted = |inner: Box<dyn Bijector<T>>| Inverted::new(inner);
    let all: Vec<Box<dyn Bijector<T>>> = vec![
        Box::new(LuLinear::new(dim).unwrap()),
        Box::new(Planar::new(dim, context, Tanh).unwrap()),
        Box::new(Radial::new(dim, context).unwrap()),
        Box::new(inverted(Box::new(masked()))),
        Box::new(Sylvester::householder(dim, m, m, context, Tanh).unwrap()),
        Box::new(inverted(Box::new(LuLinear::new(dim).unwrap()))),
    ];
    vec![
        entry("planar, tanh", Planar::new(dim, context, Tanh).unwrap()),
        entry("planar, leaky", Planar::new(dim, context, leaky).unwrap()),
        entry("planar chain", planar_chain(dim, context, 4, Tanh).unwrap()),
        entry("radial", Radial::new(dim, context).unwrap()),
        entry(
            "sylvester, householder",
            Sylvester::householder(dim, m, m, context, Tanh).unwrap(),
        ),
        entry(
            "sylvester, all columns, one reflection, leaky",
            Sylvester::householder(dim, dim, 1, context, leaky).unwrap(),
        ),
        entry(
            "sylvester, triangular",
            Sylvester::triangular(dim, false, context, Tanh).unwrap(),
        ),
        entry(
            "sylvester, reversed",
            Sylvester::triangular(dim, true, context, Tanh).unwrap(),
        ),
        entry("lu", LuLinear::new(dim).unwrap()),
        entry("lu, permuted", LuLinear::with_permutation(order)),
        entry(
            "inverted affine",
            inverted(Box::new(ElementwiseAffine::new(dim).unwrap())),
        )
        .autoregressive(),
        entry("inverted masked layer", inverted(Box::new(masked()))).autoregressive(),
        entry(
            "inverted maf",
            inverted(Box::new(maf(dim, context, &flow).unwrap())),
        ),
        entry(
            "inverted planar",
            inverted(Box::new(Planar::new(dim, context, Tanh).unwrap())),
        ),
        entry("chain of all", Chain::new(all).unwrap()).mild(),
    ]
}
