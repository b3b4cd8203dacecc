//! One table of bijectors through all laws.

use ef_bijectors::{
    ActNorm, Activation, AffineCoupling, Bijector, Chain, ElementwiseAffine, Ends, FlowConfig, Inverted,
    LeakyRelu, LuLinear, MaskedAffine, MlpConfig, Permute, Planar, Radial, Real, ScaleClamp, Sylvester, Tanh,
    UnitMap, maf, planar_chain, real_nvp,
};
use ef_check::{CheckConfig, assert_bijector, assert_f32_agrees};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Tanh, Activation::Silu];

fn net(activation: Activation, residual: bool) -> MlpConfig {
    MlpConfig {
        hidden: 7,
        blocks: 2,
        residual,
        activation,
    }
}

/// Every bijector of the crate, at a dimension and a context width; `true` where it is autoregressive.
fn table<T: Real>(dim: usize, context: usize) -> Vec<(String, Box<dyn Bijector<T>>, bool)> {
    let mut rng = ChaCha8Rng::seed_from_u64(dim as u64);
    let clamp = ScaleClamp::default();
    let mut all: Vec<(String, Box<dyn Bijector<T>>, bool)> = vec![
        ("reverse".into(), Box::new(Permute::reverse(dim).unwrap()), false),
        (
            "random order".into(),
            Box::new(Permute::random(dim, &mut rng).unwrap()),
            false,
        ),
        (
            "elementwise affine".into(),
            Box::new(ElementwiseAffine::new(dim).unwrap()),
            true,
        ),
        ("actnorm".into(), Box::new(ActNorm::new(dim).unwrap()), true),
    ];
    for activation in ACTIVATIONS {
        for residual in [false, true] {
            let config = net(activation, residual);
            let tag = format!("{activation:?}, residual {residual}");
            let layer = MaskedAffine::new(dim, context, config, clamp).unwrap();
            all.push((format!("maf layer, {tag}"), Box::new(layer), true));
            let mask: Vec<bool> = (0..dim).map(|j| j % 2 == 0).collect();
            let layer = AffineCoupling::new(&mask, context, config, clamp).unwrap();
            all.push((format!("coupling, {tag}"), Box::new(layer), false));
        }
    }
    let flow = FlowConfig {
        layers: 3,
        conditioner: net(Activation::Silu, true),
        clamp,
    };
    all.push((
        "maf".into(),
        Box::new(maf::<T>(dim, context, &flow).unwrap()),
        false,
    ));
    all.push((
        "real_nvp".into(),
        Box::new(real_nvp::<T>(dim, context, &flow).unwrap()),
        false,
    ));
    let mixed: Vec<Box<dyn Bijector<T>>> = vec![
        Box::new(ActNorm::new(dim).unwrap()),
        Box::new(MaskedAffine::new(dim, context, net(Activation::Tanh, false), clamp).unwrap()),
        Box::new(Permute::random(dim, &mut rng).unwrap()),
        Box::new(ElementwiseAffine::new(dim).unwrap()),
    ];
    all.push(("mixed chain".into(), Box::new(Chain::new(mixed).unwrap()), false));
    all.extend(residual_flows(dim, context));
    all
}

/// Planar flows and their kin, linear maps, inverses, maps of the unit interval.
fn residual_flows<T: Real>(dim: usize, context: usize) -> Vec<(String, Box<dyn Bijector<T>>, bool)> {
    let leaky = LeakyRelu::new(0.2).unwrap();
    let m = dim.div_ceil(2);
    let order = Permute::random(dim, &mut ChaCha8Rng::seed_from_u64(7)).unwrap();
    let flow = FlowConfig {
        layers: 2,
        conditioner: net(Activation::Tanh, true),
        clamp: ScaleClamp { bound: 1.0 },
    };
    let masked = || MaskedAffine::new(dim, context, flow.conditioner, flow.clamp).unwrap();
    let inverted = |inner: Box<dyn Bijector<T>>| Box::new(Inverted::new(inner));
    let to_unit = |ends| Box::new(UnitMap::to_unit(dim, ends).unwrap());
    let from_unit = |ends| Box::new(UnitMap::from_unit(dim, ends).unwrap());
    // Any data reach these through the line.
    let line: Vec<Box<dyn Bijector<T>>> = vec![to_unit(Ends::Logistic), from_unit(Ends::Normal)];
    let unit: Vec<Box<dyn Bijector<T>>> = vec![
        to_unit(Ends::Logistic),
        from_unit(Ends::Normal),
        to_unit(Ends::Normal),
    ];
    let back: Vec<Box<dyn Bijector<T>>> = vec![to_unit(Ends::Logistic), inverted(to_unit(Ends::Normal))];
    let all: Vec<Box<dyn Bijector<T>>> = vec![
        Box::new(LuLinear::new(dim).unwrap()),
        Box::new(Planar::new(dim, context, Tanh).unwrap()),
        Box::new(Radial::new(dim, context).unwrap()),
        inverted(Box::new(masked())),
        Box::new(Sylvester::householder(dim, m, m, context, Tanh).unwrap()),
        inverted(Box::new(LuLinear::new(dim).unwrap())),
    ];
    let rows: Vec<(&str, Box<dyn Bijector<T>>, bool)> = vec![
        (
            "planar, tanh",
            Box::new(Planar::new(dim, context, Tanh).unwrap()),
            false,
        ),
        (
            "planar, leaky",
            Box::new(Planar::new(dim, context, leaky).unwrap()),
            false,
        ),
        (
            "planar chain",
            Box::new(planar_chain(dim, context, 4, Tanh).unwrap()),
            false,
        ),
        ("radial", Box::new(Radial::new(dim, context).unwrap()), false),
        (
            "sylvester, householder",
            Box::new(Sylvester::householder(dim, m, m, context, Tanh).unwrap()),
            false,
        ),
        (
            "sylvester, all columns, one reflection, leaky",
            Box::new(Sylvester::householder(dim, dim, 1, context, leaky).unwrap()),
            false,
        ),
        (
            "sylvester, triangular",
            Box::new(Sylvester::triangular(dim, false, context, Tanh).unwrap()),
            false,
        ),
        (
            "sylvester, reversed",
            Box::new(Sylvester::triangular(dim, true, context, Tanh).unwrap()),
            false,
        ),
        ("lu", Box::new(LuLinear::new(dim).unwrap()), false),
        ("lu, permuted", Box::new(LuLinear::with_permutation(order)), false),
        (
            "inverted affine",
            inverted(Box::new(ElementwiseAffine::new(dim).unwrap())),
            true,
        ),
        ("iaf", inverted(Box::new(masked())), true),
        (
            "inverted maf",
            inverted(Box::new(maf(dim, context, &flow).unwrap())),
            false,
        ),
        (
            "inverted planar",
            inverted(Box::new(Planar::new(dim, context, Tanh).unwrap())),
            false,
        ),
        ("to unit, logistic", to_unit(Ends::Logistic), true),
        ("logistic to normal", Box::new(Chain::new(line).unwrap()), true),
        ("to unit, normal", Box::new(Chain::new(unit).unwrap()), true),
        (
            "through the unit interval",
            Box::new(Chain::new(back).unwrap()),
            true,
        ),
        ("chain of all", Box::new(Chain::new(all).unwrap()), false),
    ];
    rows.into_iter()
        .map(|(name, b, autoregressive)| (name.into(), b, autoregressive))
        .collect()
}

fn prove(dim: usize, context: usize) {
    for (name, b, autoregressive) in table::<f64>(dim, context) {
        let mut config = CheckConfig {
            cases: 8,
            ..CheckConfig::default()
        };
        if autoregressive {
            config = config.autoregressive();
        }
        println!(
            "{name}, {dim} columns, context {context}: {}",
            assert_bijector(&*b, &config)
        );
    }
}

#[test]
fn laws_of_one_column() {
    prove(1, 0);
    prove(1, 2);
}

#[test]
fn laws_of_two_columns() {
    prove(2, 0);
    prove(2, 3);
}

#[test]
fn laws_of_five_columns() {
    prove(5, 0);
    prove(5, 2);
}

#[test]
fn f32_agrees_with_f64_at_every_simd_level() {
    for (dim, context) in [(1, 0), (2, 2), (6, 0), (6, 3)] {
        for ((_, b32, _), (_, b64, _)) in table::<f32>(dim, context).iter().zip(&table::<f64>(dim, context)) {
            assert_f32_agrees(
                &**b32,
                &**b64,
                &CheckConfig {
                    cases: 4,
                    ..CheckConfig::default()
                },
            );
        }
    }
}
