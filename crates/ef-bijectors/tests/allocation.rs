//! After the first pass, these bijectors allocate nothing; `matrixmultiply` allocates one packing buffer a general product.

use std::alloc::System;

use ef_bijectors::ndarray::Array2;
use ef_bijectors::{
    Activation, Additive, Affine, Autoregressive, Bijector, Coupling, ElementwiseAffine, Ends, Gated,
    Inverted, LeakyRelu, LuLinear, MlpConfig, PiecewiseLinear, PiecewiseQuadratic, Planar, Radial,
    RationalQuadratic, Reordered, Standardize, Sylvester, Tanh, Tape, Transformer, UnitMap, Workspace,
    half_mask,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations() -> usize {
    COUNTING.stats().allocations + COUNTING.stats().reallocations
}

const DIM: usize = 4;
const CONTEXT: usize = 2;
const ROWS: usize = 70;

/// What each pass allocates after the first ones: a recorded forward with its backward, and an inverse.
fn passes(b: &dyn Bijector<f32>) -> (usize, usize) {
    let mut params = vec![0.0; b.num_params()];
    b.init(&mut ChaCha8Rng::seed_from_u64(1), &mut params);
    let mut grads = params.clone();
    let context = Array2::<f32>::ones((ROWS, CONTEXT));
    let (mut x, mut g_context) = (Array2::ones((ROWS, DIM)), Array2::zeros(context.dim()));
    let (mut log_det, g_log_det) = (vec![0.0; ROWS], vec![1.0; ROWS]);
    let mut pass = |tape: &mut Tape<f32>, ws: &mut Workspace<f32>| {
        let start = allocations();
        x.fill(0.5);
        let context = context.view();
        b.forward(&params, x.view_mut(), context, &mut log_det, Some(tape), ws);
        let g_context = Some(g_context.view_mut());
        b.backward(
            &params,
            x.view_mut(),
            &g_log_det,
            context,
            g_context,
            &mut grads,
            tape,
            ws,
        );
        let between = allocations();
        x.fill(0.5);
        b.inverse(&params, x.view_mut(), context, &mut log_det, ws);
        (between - start, allocations() - between)
    };
    let (mut tape, mut ws) = (Tape::default(), Workspace::default());
    pass(&mut tape, &mut ws);
    pass(&mut tape, &mut ws);
    // The test harness may allocate beside us: the least of a few counts is ours.
    let counts: Vec<_> = (0..5).map(|_| pass(&mut tape, &mut ws)).collect();
    let (step, inverse) = (counts.iter().map(|c| c.0).min(), counts.iter().map(|c| c.1).min());
    let first = pass(&mut Tape::default(), &mut Workspace::default());
    assert!(first.0 > step.unwrap(), "the count sees allocations");
    (step.unwrap(), inverse.unwrap())
}

/// Layers with a network, of one transformer.
fn layers<Tr: Transformer + Copy + 'static>(transformer: Tr, net: MlpConfig) -> [Box<dyn Bijector<f32>>; 4] {
    let masked = || Autoregressive::new(DIM, CONTEXT, net, transformer).unwrap();
    let mask = half_mask(DIM, 0);
    [
        Box::new(masked()),
        Box::new(Reordered::new(masked(), vec![2, 0, 3, 1]).unwrap()),
        Box::new(Coupling::new(&mask, CONTEXT, net, transformer).unwrap()),
        Box::new(Coupling::shared(&mask, CONTEXT, net, transformer).unwrap()),
    ]
}

/// One test, so that no other allocates meanwhile.
#[test]
fn a_step_allocates_nothing() {
    let affine = Box::new(ElementwiseAffine::new(DIM).unwrap());
    let leaky = LeakyRelu::new(0.1).unwrap();
    let cases: Vec<(Box<dyn Bijector<f32>>, usize)> = vec![
        (Box::new(Planar::new(DIM, CONTEXT, Tanh).unwrap()), 0),
        (Box::new(Radial::new(DIM, 0).unwrap()), 0),
        (Box::new(Radial::new(DIM, CONTEXT).unwrap()), 5),
        (Box::new(Sylvester::householder(DIM, 2, 2, 0, Tanh).unwrap()), 16),
        (Box::new(Sylvester::triangular(DIM, true, 0, leaky).unwrap()), 7),
        (Box::new(LuLinear::new(DIM).unwrap()), 6),
        (Box::new(Inverted::new(affine)), 0),
        (Box::new(UnitMap::to_unit(DIM, Ends::Normal).unwrap()), 0),
    ];
    for (b, products) in cases {
        let (step, inverse) = passes(&*b);
        assert_eq!(step + inverse, products, "{b:?}");
    }

    let net = MlpConfig {
        hidden: 12,
        blocks: 2,
        residual: true,
        activation: Activation::Silu,
    };
    let mut with_networks = Vec::from(layers(Affine::default(), net));
    with_networks.extend(layers(Standardize::default(), net));
    with_networks.extend(layers(Additive, net));
    with_networks.extend(layers(Gated::default(), net));
    with_networks.extend(layers(RationalQuadratic::new(8, 3.0).unwrap(), net));
    with_networks.extend(layers(PiecewiseLinear::new(8).unwrap(), net));
    with_networks.extend(layers(PiecewiseQuadratic::new(8).unwrap(), net));
    for b in with_networks {
        // A step allocates nothing; an inverse, the list of a network's activations.
        let (step, inverse) = passes(&*b);
        assert!(step == 0 && inverse <= 1, "{step} {inverse} {b:?}");
    }
}
