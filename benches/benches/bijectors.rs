//! One layer of each kind, 43 columns, 128 rows, a network of two hidden layers of 128 units: what a shard of a training
//! step asks for. Figures are rows a second.

mod clock;

use std::hint::black_box;

use clock::{CpuTime, criterion};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ef_bench::data::mixture;
use ef_bijectors::ndarray::Array2;
use ef_bijectors::{
    Activation, Affine, Autoregressive, Bijector, Coupling, LeakyRelu, MlpConfig, Planar, RationalQuadratic,
    ScaleClamp, Standardize, Tanh, Tape, Workspace, alternating_mask,
};
use ef_random::Key;

const DIM: usize = 43;
const ROWS: usize = 128;

fn layers() -> Vec<(&'static str, Box<dyn Bijector<f32>>)> {
    let net = MlpConfig {
        hidden: 128,
        blocks: 2,
        residual: false,
        activation: Activation::Relu,
    };
    let (mask, clamp) = (alternating_mask(DIM, 0), ScaleClamp::default());
    let spline = RationalQuadratic::new(8, 5.0).expect("valid");
    let affine_ar = Autoregressive::new(DIM, 0, net, Standardize::new(clamp)).expect("valid");
    let spline_ar = Autoregressive::new(DIM, 0, net, spline).expect("valid");
    let affine_coupling = Coupling::new(&mask, 0, net, Affine::new(clamp)).expect("valid");
    let spline_coupling = Coupling::new(&mask, 0, net, spline).expect("valid");
    let leaky = Planar::new(DIM, 0, LeakyRelu::new(0.2).expect("valid")).expect("valid");
    let tanh = Planar::new(DIM, 0, Tanh).expect("valid");
    vec![
        ("affine autoregressive", Box::new(affine_ar)),
        ("spline autoregressive", Box::new(spline_ar)),
        ("affine coupling", Box::new(affine_coupling)),
        ("spline coupling", Box::new(spline_coupling)),
        ("planar, leaky ReLU", Box::new(leaky)),
        ("planar, tanh", Box::new(tanh)),
    ]
}

fn bijectors(c: &mut Criterion<CpuTime>) {
    for (name, layer) in layers() {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(ROWS as u64));
        let mut params = vec![0.0; layer.num_params()];
        layer.init(&mut Key::new(1).row(0), &mut params);
        // Away from the start, where a layer is the identity.
        let noise = mixture(params.len(), 1, 5);
        for (p, noise) in params.iter_mut().zip(&noise) {
            *p += 0.05 * noise;
        }
        layer.project(&mut params);
        let (x, none) = (mixture(ROWS, DIM, 2), Array2::zeros((ROWS, 0)));
        let (mut y, mut log_det, mut ws) = (x.clone(), vec![0.0; ROWS], Workspace::default());

        group.bench_function("forward", |b| {
            b.iter(|| {
                y.assign(black_box(&x));
                layer.forward(&params, y.view_mut(), none.view(), &mut log_det, None, &mut ws);
            });
        });
        group.bench_function("inverse", |b| {
            b.iter(|| {
                y.assign(black_box(&x));
                layer.inverse(&params, y.view_mut(), none.view(), &mut log_det, &mut ws);
            });
        });
        let (mut tape, mut grads) = (Tape::default(), vec![0.0; params.len()]);
        let minus_ones = vec![-1.0; ROWS];
        group.bench_function("forward and backward", |b| {
            b.iter(|| {
                y.assign(black_box(&x));
                layer.forward(
                    &params,
                    y.view_mut(),
                    none.view(),
                    &mut log_det,
                    Some(&mut tape),
                    &mut ws,
                );
                // the gradient of a standard normal's loss is the latent itself
                layer.backward(
                    &params,
                    y.view_mut(),
                    &minus_ones,
                    none.view(),
                    None,
                    &mut grads,
                    &mut tape,
                    &mut ws,
                );
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = bijectors
}
criterion_main!(benches);
