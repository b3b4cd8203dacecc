//! One table of bijectors through all laws.

use ef_bijectors::{
    ActNorm, Activation, Additive, Affine, Autoregressive, Bijector, Chain, Coupling, Degrees,
    ElementwiseAffine, Ends, FlowConfig, Gated, Inverted, LeakyRelu, LuLinear, MlpConfig, Permute,
    PiecewiseLinear, PiecewiseQuadratic, Planar, Radial, RationalQuadratic, Real, ScaleClamp, Standardize,
    Sylvester, Tanh, Transformer, UnitMap, any_order_autoregressive, any_order_coupling, autoregressive_flow,
    half_mask, iaf, maf, neural_spline_autoregressive, neural_spline_coupling, nice, planar_chain, real_nvp,
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

/// Bijectors by name; `true` where autoregressive.
type Rows<T> = Vec<(String, Box<dyn Bijector<T>>, bool)>;

/// Every bijector of the crate, at a dimension and a context width.
fn table<T: Real>(dim: usize, context: usize) -> Rows<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(dim as u64);
    let mut all: Rows<T> = vec![
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
        (
            "diagonal scaling".into(),
            Box::new(ElementwiseAffine::scaling(dim).unwrap()),
            true,
        ),
        ("actnorm".into(), Box::new(ActNorm::new(dim).unwrap()), true),
    ];
    for activation in ACTIVATIONS {
        for residual in [false, true] {
            let config = net(activation, residual);
            let tag = format!("{activation:?}, residual {residual}");
            all.extend(layers(dim, context, &tag, config, Standardize::default()));
            all.extend(layers(dim, context, &tag, config, Affine::default()));
        }
    }
    all.extend(transformers(dim, context));
    all.extend(flows(dim, context));
    let mixed: Vec<Box<dyn Bijector<T>>> = vec![
        Box::new(ActNorm::new(dim).unwrap()),
        Box::new(
            Autoregressive::new(dim, context, net(Activation::Tanh, false), Standardize::default()).unwrap(),
        ),
        Box::new(Permute::random(dim, &mut rng).unwrap()),
        Box::new(ElementwiseAffine::new(dim).unwrap()),
    ];
    all.push(("mixed chain".into(), Box::new(Chain::new(mixed).unwrap()), false));
    all.extend(residual_flows(dim, context));
    all
}

/// A masked and a coupling layer of one transformer.
fn layers<T: Real, Tr: Transformer + Copy + 'static>(
    dim: usize,
    context: usize,
    tag: &str,
    config: MlpConfig,
    transformer: Tr,
) -> Rows<T> {
    let mask: Vec<bool> = (0..dim).map(|j| j % 2 == 0).collect();
    let masked = Autoregressive::new(dim, context, config, transformer).unwrap();
    let coupling = Coupling::new(&mask, context, config, transformer).unwrap();
    vec![
        (format!("masked, {tag}, {transformer:?}"), Box::new(masked), true),
        (
            format!("coupling, {tag}, {transformer:?}"),
            Box::new(coupling),
            false,
        ),
    ]
}

/// Every transformer of the real line, in both kinds of layer.
fn transformers<T: Real>(dim: usize, context: usize) -> Rows<T> {
    let config = net(Activation::Silu, true);
    let mut all = layers(dim, context, "", config, Additive);
    all.extend(layers(dim, context, "", config, Gated::default()));
    for (bins, bound) in [(1, 2.0), (2, 1.0), (8, 4.0)] {
        let spline = RationalQuadratic::new(bins, bound).unwrap();
        all.extend(layers(dim, context, "", config, spline));
    }
    for ends in [Ends::Logistic, Ends::Normal] {
        let spline = RationalQuadratic::on_box(4, 0.0, 1.0).unwrap();
        let linear = PiecewiseLinear::new(4).unwrap();
        let quadratic = PiecewiseQuadratic::new(3).unwrap();
        let boxed = [
            layers(dim, context, "", config, spline),
            layers(dim, context, "", config, linear),
            layers(dim, context, "", config, quadratic),
        ];
        for (name, layer, autoregressive) in boxed.into_iter().flatten() {
            let parts: Vec<Box<dyn Bijector<T>>> = vec![
                Box::new(UnitMap::to_unit(dim, ends).unwrap()),
                layer,
                Box::new(UnitMap::from_unit(dim, ends).unwrap()),
            ];
            let line = Chain::new(parts).unwrap();
            all.push((
                format!("{name} between {ends:?} ends"),
                Box::new(line),
                autoregressive,
            ));
        }
    }
    let random = Degrees::Random { seed: 3 };
    let layer = Autoregressive::with_degrees(dim, context, config, &random, Standardize::default()).unwrap();
    all.push(("masked, random degrees".into(), Box::new(layer), true));
    for mask in [
        half_mask(dim, 0),
        half_mask(dim, 1),
        vec![true; dim],
        vec![false; dim],
    ] {
        let layer = Coupling::new(&mask, context, config, Affine::default()).unwrap();
        all.push((format!("coupling of {mask:?}"), Box::new(layer), false));
        let layer = Coupling::shared(&mask, context, config, Affine::default()).unwrap();
        all.push((format!("shared coupling of {mask:?}"), Box::new(layer), false));
    }
    all
}

/// Every flow.
fn flows<T: Real>(dim: usize, context: usize) -> Rows<T> {
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
        .map(|(name, flow)| (name.into(), Box::new(flow) as Box<dyn Bijector<T>>, false))
        .collect()
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
    let masked =
        || Autoregressive::new(dim, context, flow.conditioner, Standardize::new(flow.clamp)).unwrap();
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
