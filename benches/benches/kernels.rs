//! Products of the shapes that layers ask for, and elementary functions over slices.

mod clock;

use std::hint::black_box;

use clock::{CpuTime, criterion};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ef_bench::data::mixture;
use ef_bijectors::ndarray::Array2;
use ef_tensor::simd::{Level, detected, with_level};
use ef_tensor::{Linear, gemm, vmath};

/// `(rows, inputs, outputs)` of layers: shards of the small and of the large configurations.
const SHAPES: [(usize, usize, usize); 5] = [
    (64, 64, 64),
    (512, 64, 64),
    (128, 43, 256),
    (128, 256, 256),
    (128, 512, 512),
];

fn products(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("gemm");
    for (m, k, n) in SHAPES {
        let (x, w, g) = (mixture(m, k, 1), mixture(k, n, 2), mixture(m, n, 3));
        // an element is a multiplication and an addition
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        let shape = format!("{m} rows, {k} to {n}");
        let mut y = Array2::zeros((m, n));
        group.bench_function(BenchmarkId::new("x W", &shape), |b| {
            b.iter(|| gemm(1.0, black_box(&x).view(), w.view(), 0.0, y.view_mut()));
        });
        let mut gx = Array2::zeros((m, k));
        group.bench_function(BenchmarkId::new("g W^T", &shape), |b| {
            b.iter(|| gemm(1.0, black_box(&g).view(), w.t(), 0.0, gx.view_mut()));
        });
        let mut gw = Array2::zeros((k, n));
        group.bench_function(BenchmarkId::new("x^T g", &shape), |b| {
            b.iter(|| gemm(1.0, black_box(&x).t(), g.view(), 1.0, gw.view_mut()));
        });
    }
    group.finish();
}

/// A masked layer beside a dense one of its size: how much of the zeros' price is saved.
fn masked_layers(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("layer");
    for size in [64, 256, 512] {
        let rows = 128;
        let limits: Vec<usize> = (1..=size).collect();
        let masked = Linear::masked(size, &limits).expect("limits rise");
        for (name, layer) in [("dense", Linear::new(size, size)), ("masked", masked)] {
            let (x, g) = (mixture(rows, size, 1), mixture(rows, size, 2));
            let mut params: Vec<f32> = mixture(layer.num_params(), 1, 3).into_raw_vec_and_offset().0;
            layer.project(&mut params);
            let mut y = Array2::zeros((rows, size));
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(BenchmarkId::new(format!("{name} forward"), size), |b| {
                b.iter(|| layer.forward(&params, black_box(&x).view(), y.view_mut()));
            });
            let (mut gx, mut grads) = (Array2::zeros((rows, size)), vec![0.0; params.len()]);
            group.bench_function(BenchmarkId::new(format!("{name} backward"), size), |b| {
                b.iter(|| {
                    layer.backward(black_box(&x).view(), g.view(), &mut grads);
                    layer.backward_input(&params, g.view(), gx.view_mut());
                });
            });
        }
    }
    group.finish();
}

fn functions(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("vmath");
    let x: Vec<f32> = mixture(4096, 1, 1).into_raw_vec_and_offset().0;
    group.throughput(Throughput::Elements(x.len() as u64));
    let functions: [(&str, fn(&mut [f32])); 4] = [
        ("exp", vmath::exp),
        ("tanh", vmath::tanh),
        ("sigmoid", vmath::sigmoid),
        ("ln", vmath::ln),
    ];
    for (name, function) in functions {
        let mut y = x.clone();
        for level in Level::ALL.into_iter().filter(|level| *level <= detected()) {
            group.bench_function(BenchmarkId::new(name, level.name()), |b| {
                with_level(level, || {
                    b.iter(|| {
                        y.copy_from_slice(black_box(&x));
                        function(&mut y);
                    });
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = products, masked_layers, functions
}
criterion_main!(benches);
