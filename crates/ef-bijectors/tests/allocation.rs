//! After the first pass, these bijectors allocate nothing; `matrixmultiply` allocates one packing buffer a product.

use std::alloc::System;

use ef_bijectors::ndarray::Array2;
use ef_bijectors::{
    Bijector, ElementwiseAffine, Ends, Inverted, LeakyRelu, LuLinear, Planar, Radial, Sylvester, Tanh, Tape,
    UnitMap, Workspace,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations() -> usize {
    COUNTING.stats().allocations + COUNTING.stats().reallocations
}

/// One test, so that no other allocates meanwhile. With each bijector, the products of a recorded forward, a backward
/// and an inverse pass together.
#[test]
fn passes_allocate_one_packing_buffer_a_product() {
    let (dim, context_dim, rows) = (4, 2, 70);
    let affine = Box::new(ElementwiseAffine::new(dim).unwrap());
    let leaky = LeakyRelu::new(0.1).unwrap();
    let cases: Vec<(Box<dyn Bijector<f32>>, usize)> = vec![
        (Box::new(Planar::new(dim, context_dim, Tanh).unwrap()), 0),
        (Box::new(Radial::new(dim, 0).unwrap()), 0),
        (Box::new(Radial::new(dim, context_dim).unwrap()), 5),
        (Box::new(Sylvester::householder(dim, 2, 2, 0, Tanh).unwrap()), 16),
        (Box::new(Sylvester::triangular(dim, true, 0, leaky).unwrap()), 7),
        (Box::new(LuLinear::new(dim).unwrap()), 6),
        (Box::new(Inverted::new(affine)), 0),
        (Box::new(UnitMap::to_unit(dim, Ends::Normal).unwrap()), 0),
    ];
    let context = Array2::<f32>::ones((rows, context_dim));
    let g_log_det = vec![1.0; rows];
    for (b, products) in cases {
        let mut params = vec![0.0; b.num_params()];
        b.init(&mut ChaCha8Rng::seed_from_u64(1), &mut params);
        let mut grads = params.clone();
        let (mut x, mut g_context) = (Array2::ones((rows, dim)), Array2::zeros(context.dim()));
        let mut log_det = vec![0.0; rows];
        let (mut tape, mut ws) = (Tape::default(), Workspace::default());
        let mut pass = |tape: &mut Tape<f32>, ws: &mut Workspace<f32>| {
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
            b.inverse(&params, x.view_mut(), context, &mut log_det, ws);
        };
        pass(&mut tape, &mut ws);
        pass(&mut tape, &mut ws);
        // The test harness may allocate beside us: the least of a few counts is ours.
        let count = (0..5)
            .map(|_| {
                let before = allocations();
                pass(&mut tape, &mut ws);
                allocations() - before
            })
            .min();
        assert_eq!(count, Some(products), "{b:?}");
        let before = allocations();
        pass(&mut Tape::default(), &mut Workspace::default());
        assert!(allocations() - before > products, "the count sees allocations");
    }
}
