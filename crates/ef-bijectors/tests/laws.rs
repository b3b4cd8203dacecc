//! One table of bijectors through all laws.

use ef_bijectors::{
    ActNorm, Activation, AffineCoupling, Bijector, Chain, ElementwiseAffine, FlowConfig, MaskedAffine,
    MlpConfig, Permute, Real, ScaleClamp, maf, real_nvp,
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
    all
}

/// The columns and contexts every bijector is tried at.
const SIZES: [(usize, usize); 6] = [(1, 0), (1, 2), (2, 0), (2, 3), (5, 0), (5, 2)];

fn prove(dim: usize, context: usize) {
    let bijectors = SIZES
        .map(|(dim, context)| table::<f64>(dim, context).len())
        .iter()
        .sum();
    for (name, b, autoregressive) in table::<f64>(dim, context) {
        let mut config = CheckConfig {
            cases: 8,
            ..CheckConfig::default()
        }
        .share_of_asked_cases(bijectors);
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
