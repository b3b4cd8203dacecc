//! A step of training: gather, forward, backward, reduction, Adam. One thread; the figures are rows a second.

mod clock;

use std::time::Duration;

use clock::{CpuTime, criterion};
use cpu_time::ProcessTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ef_bench::data::mixture;
use ef_bench::model::{FlowArgs, Model};
use ef_bench::speed::plain_adam;
use ef_density::FlowScratch;
use ef_density::{Density, FlowRows};
use ef_random::Key;
use ef_random::StepKey;
use ef_train::{Observer, StepReport, fit};

fn args(dim: usize, hidden: usize) -> FlowArgs {
    FlowArgs {
        model: Model::Maf,
        dim,
        layers: 5,
        hidden,
        blocks: 2,
        bins: 8,
    }
}

/// Times so many steps of a fit, without what lies between two epochs.
struct Steps {
    left: u64,
    last: Option<(usize, ProcessTime)>,
    time: Duration,
}

impl Observer for Steps {
    fn on_step(&mut self, report: &StepReport) {
        if let Some((epoch, then)) = self.last
            && epoch == report.epoch
        {
            self.time += then.elapsed();
            self.left -= 1;
        }
        self.last = Some((report.epoch, ProcessTime::now()));
    }

    fn should_stop(&mut self) -> bool {
        self.left == 0
    }
}

fn training(c: &mut Criterion<CpuTime>) {
    for (name, dim, hidden, batch) in [("maf-8", 8, 64, 256), ("maf-43", 43, 256, 512)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(batch as u64));
        let rows = FlowRows::new(mixture(20_000, dim, 0));
        let (flow, start) = args(dim, hidden).start().expect("sizes in range");

        let (mut params, config) = (start.clone(), plain_adam(batch, 1e-3, 1));
        group.bench_function("step of fit", |b| {
            b.iter_custom(|steps| {
                let mut clock = Steps {
                    left: steps,
                    last: None,
                    time: Duration::ZERO,
                };
                fit(&flow, &mut params, &rows, &config, &mut clock).expect("training works");
                clock.time
            });
        });

        // The density's share of it, in one piece, in the two shards of a fit, and in four.
        let index: Vec<usize> = (0..batch).collect();
        let mut scratch = FlowScratch::default();
        let mut grads = vec![0.0; start.len()];
        for shards in [1, 2, 4] {
            group.bench_function(format!("gradient, {shards} shards"), |b| {
                b.iter(|| {
                    for shard in index.chunks(batch / shards) {
                        let key = StepKey {
                            key: Key::new(0),
                            step: 1,
                            row: shard[0] as u64,
                        };
                        flow_gradient(&flow, &start, &rows, shard, key, &mut scratch, &mut grads);
                    }
                });
            });
        }
        group.finish();
    }
}

fn flow_gradient<D: Density<f32>>(
    density: &D,
    params: &[f32],
    rows: &D::Rows,
    index: &[usize],
    key: StepKey,
    scratch: &mut D::Scratch,
    grads: &mut [f32],
) {
    std::hint::black_box(density.nll_backward(params, rows, index, key, scratch, grads));
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = training
}
criterion_main!(benches);
