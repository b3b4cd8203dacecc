//! Every refusal of a constructor is one sentence that fits what was asked for.

use ef_bijectors::{
    ActNorm, Additive, Affine, Autoregressive, Bijector, BijectorError, Chain, Coupling, ElementwiseAffine,
    Ends, FlowConfig, LeakyRelu, LuLinear, MlpConfig, Permute, PiecewiseLinear, Planar, Radial,
    RationalQuadratic, Reordered, ScaleClamp, SplineFloors, Sylvester, Tanh, UnitMap,
    any_order_autoregressive, any_order_coupling, autoregressive_flow, maf,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What is said where something is refused.
fn said<B>(built: Result<B, BijectorError>) -> String {
    match built {
        Ok(_) => "built".to_owned(),
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn every_refusal_says_what_is_wrong() {
    let (net, affine) = (MlpConfig::default(), Affine::default());
    let config = FlowConfig::default();
    let rng = &mut ChaCha8Rng::seed_from_u64(0);
    let tanh = Tanh;
    let chain = |parts: Vec<Box<dyn Bijector<f64>>>| said(Chain::new(parts));
    let act = |dim| -> Box<dyn Bijector<f64>> { Box::new(ActNorm::new(dim).unwrap()) };
    let given = |context| -> Box<dyn Bijector<f64>> { Box::new(Radial::new(2, context).unwrap()) };
    let flow =
        |layers, orders: &[Permute]| said(autoregressive_flow::<f64, _>(2, 0, layers, net, affine, orders));
    let order = |order: &[usize]| said(Permute::new(order.to_vec()));
    let swap = Permute::new(vec![1, 0]).unwrap();
    let layer = || Autoregressive::new(3, 0, net, affine).unwrap();
    let cases = [
        // no columns
        (
            said(Radial::new(0, 0)),
            "a radial layer needs at least one column",
        ),
        (
            said(Planar::new(0, 0, tanh)),
            "a planar layer needs at least one column",
        ),
        (
            said(Sylvester::householder(0, 1, 1, 0, tanh)),
            "a Sylvester layer needs at least one column",
        ),
        (
            said(Sylvester::triangular(0, false, 0, tanh)),
            "a Sylvester layer needs at least one column",
        ),
        (
            said(ElementwiseAffine::new(0)),
            "an elementwise affine map needs at least one column",
        ),
        (
            said(UnitMap::to_unit(0, Ends::Normal)),
            "a map to or from the unit interval needs at least one column",
        ),
        (said(LuLinear::new(0)), "a permutation needs at least one column"),
        (
            said(Autoregressive::new(0, 0, net, affine)),
            "a masked autoregressive layer needs at least one column",
        ),
        (
            said(Coupling::new(&[], 0, net, affine)),
            "a coupling layer needs at least one column",
        ),
        // none of something else
        (
            chain(vec![]),
            "the number of layers or parts is 0, but must be at least 1",
        ),
        (
            said(maf::<f64>(2, 0, &FlowConfig { layers: 0, ..config })),
            "the number of layers or parts is 0, but must be at least 1",
        ),
        (
            said(any_order_autoregressive::<f64, _>(2, 0, &config, affine, 0, rng)),
            "the number of orders is 0, but must be at least 1",
        ),
        (
            said(any_order_coupling::<f64, _>(2, 0, &config, affine, 0, rng)),
            "the number of orders is 0, but must be at least 1",
        ),
        (
            said(RationalQuadratic::new(0, 3.0)),
            "the number of a spline's bins is 0, but must be at least 1",
        ),
        (
            said(Sylvester::householder(3, 0, 1, 0, tanh)),
            "the span of a Sylvester layer is 0 of 3 columns, but must be at least 1 and at most the columns",
        ),
        // too many
        (
            said(Sylvester::householder(3, 4, 1, 0, tanh)),
            "the span of a Sylvester layer is 4 of 3 columns, but must be at least 1 and at most the columns",
        ),
        (
            flow(3, std::slice::from_ref(&swap)),
            "the number of orders between layers is 1 for 3 layers, but must be one less than the layers, or 0",
        ),
        (
            said(PiecewiseLinear::new(2000)),
            "the floor of a spline's bins is 0.001 for 2000 bins, but must be at least 1e-6 and below 1 / bins",
        ),
        // parts that do not fit
        (
            chain(vec![act(2), act(3)]),
            "part 1 of the chain has dimension 3, but 2 is needed here",
        ),
        (
            chain(vec![given(1), given(2)]),
            "parts 0 and 1 of the chain read contexts of 1 and 2 columns; give them one width, or none",
        ),
        (
            said(Reordered::new(layer(), vec![1, 0])),
            "the order of columns has dimension 2, but 3 is needed here",
        ),
        (
            order(&[0, 0]),
            "not a permutation of 0..2: 0 is out of range or occurs twice",
        ),
        (
            order(&[0, 7]),
            "not a permutation of 0..2: 7 is out of range or occurs twice",
        ),
        // numbers out of range
        (
            said(LeakyRelu::new(2.0)),
            "the slope of a leaky ReLU is 2, but must be between 0 and 1",
        ),
        (
            said(Autoregressive::new(
                2,
                0,
                net,
                Affine::new(ScaleClamp { bound: 0.0 }),
            )),
            "the bound on log-scales is 0, but must be above 0 and at most 80",
        ),
        (
            said(RationalQuadratic::on_box(4, 1.0, -1.0)),
            "a spline's box is 1..-1, but must be within 1e30 of 0, with its lower end first",
        ),
        (
            said(RationalQuadratic::new(4, 3.0).unwrap().with_floors(SplineFloors {
                slope: 1.0,
                ..SplineFloors::default()
            })),
            "the least slope of a spline is 1, but must be between 0 and 1",
        ),
        // what may be built
        (flow(2, &[swap]), "built"),
        (said(Sylvester::householder(3, 3, 1, 0, tanh)), "built"),
        (said(Coupling::new(&[true], 0, net, Additive)), "built"),
    ];
    for (said, sentence) in cases {
        assert_eq!(said, sentence);
    }
}
