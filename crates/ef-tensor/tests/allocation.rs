//! After the first pass, layers allocate nothing. (The `gemm` crate does.)

#![cfg(not(feature = "gemm"))]

use std::alloc::System;

use ef_tensor::ndarray::Array2;
use ef_tensor::{Activation, Linear, Mlp, MlpConfig, SparseLinear, Tape, Workspace};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations() -> usize {
    COUNTING.stats().allocations + COUNTING.stats().reallocations
}

/// One test, so that no other allocates meanwhile.
#[test]
fn a_pass_allocates_nothing() {
    for residual in [false, true] {
        for activation in [Activation::Relu, Activation::Tanh, Activation::Silu] {
            let config = MlpConfig {
                hidden: 32,
                blocks: 3,
                residual,
                activation,
            };
            let (rows, inputs, outputs) = (40, 6, 5);
            let input = Linear::new(inputs, 32);
            let cells = SparseLinear::new(32).with_variable(4, &[], 0);
            let net = Mlp::new(config, outputs);
            let (p_input, p_cells) = (vec![0.1_f32; input.num_params()], vec![0.1; cells.num_params()]);
            let p_net = vec![0.1_f32; net.num_params()];
            let (mut g_input, mut g_cells) = (p_input.clone(), p_cells.clone());
            let mut g_net = p_net.clone();
            let x = Array2::<f32>::ones((rows, inputs));
            let codes = Array2::<u32>::ones((rows, 1));
            let gy = Array2::<f32>::ones((rows, outputs));
            let mut y = Array2::<f32>::zeros((rows, outputs));
            let (mut tape, mut ws) = (Tape::default(), Workspace::default());
            let mut pass = |recycled: Option<(&mut Tape<f32>, &mut Workspace<f32>)>| {
                let (mut own_tape, mut own_ws) = (Tape::default(), Workspace::default());
                let (tape, ws) = recycled.unwrap_or((&mut own_tape, &mut own_ws));
                let mut h = ws.take(rows, 32);
                input.forward(&p_input, x.view(), h.view_mut());
                cells.forward_add(&p_cells, codes.view(), h.view_mut());
                net.forward(&p_net, h, y.view_mut(), None, Some(tape), ws);
                let gh = net.backward(&p_net, gy.view(), false, &mut g_net, tape, ws);
                input.backward(x.view(), gh.view(), &mut g_input);
                cells.backward(codes.view(), gh.view(), &mut g_cells);
                ws.give(gh);
            };
            pass(Some((&mut tape, &mut ws)));
            let mut count = |recycle: bool| {
                // The test harness may allocate beside us: the least of a few counts is ours.
                (0..5)
                    .map(|_| {
                        let before = allocations();
                        pass(recycle.then_some((&mut tape, &mut ws)));
                        allocations() - before
                    })
                    .min()
                    .unwrap()
            };
            let (recycled, fresh) = (count(true), count(false));
            assert_eq!(recycled, 0, "{activation:?}, residual {residual}");
            assert!(fresh > recycled, "the count sees allocations");
        }
    }
}
