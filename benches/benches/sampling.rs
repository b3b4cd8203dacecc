//! Drawing and scoring 512 rows, one thread. Figures are rows a second.

mod clock;

use std::hint::black_box;

use clock::{CpuTime, criterion};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ef_bench::data::mixture;
use ef_bench::model::{FlowArgs, Model};
use ef_bench::speed::CHUNK;
use ef_bijectors::Workspace;
use ef_bijectors::ndarray::Array2;
use ef_random::Key;

fn sampling(c: &mut Criterion<CpuTime>) {
    let cases = [
        ("maf-8", Model::Maf, 8, 64),
        ("maf-43", Model::Maf, 43, 256),
        ("realnvp-43", Model::Realnvp, 43, 256),
        ("nsf-ar-43", Model::NsfAr, 43, 128),
        ("nsf-coupling-43", Model::NsfCoupling, 43, 128),
        ("planar-2", Model::Planar, 2, 64),
    ];
    for (name, model, dim, hidden) in cases {
        let layers = match model {
            Model::Realnvp => 10,
            Model::Planar => 16,
            _ => 5,
        };
        let args = FlowArgs {
            model,
            dim,
            layers,
            hidden,
            blocks: 2,
            bins: 8,
        };
        let (flow, params) = args.start().expect("sizes in range");
        let (x, none) = (mixture(CHUNK, dim, 0), Array2::zeros((CHUNK, 0)));
        let (mut ws, mut out) = (Workspace::default(), vec![0.0; CHUNK]);
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(CHUNK as u64));
        group.bench_function("sample", |b| {
            b.iter(|| {
                flow.sample(
                    black_box(&params),
                    none.view(),
                    0..CHUNK as u64,
                    Key::new(3),
                    &mut ws,
                )
            });
        });
        group.bench_function("log_prob", |b| {
            b.iter(|| flow.log_prob(&params, black_box(&x).view(), none.view(), &mut out, &mut ws));
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = sampling
}
criterion_main!(benches);
