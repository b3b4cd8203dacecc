//! After the first step, a step allocates nothing.

mod common;

use std::alloc::System;

use common::{Normal, Rows};
use ef_bijectors::{Tanh, planar_chain};
use ef_train::{
    Observer, StepReport, Target, TrainConfig, Variational, VariationalConfig, fit, fit_variational,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The count after each step of one epoch.
struct Counts {
    epoch: usize,
    after: Vec<usize>,
}

impl Observer for Counts {
    fn on_step(&mut self, report: &StepReport) {
        if report.epoch != self.epoch {
            self.after.clear();
            self.epoch = report.epoch;
        }
        self.after
            .push(COUNTING.stats().allocations + COUNTING.stats().reallocations);
    }
}

/// One test, so that no other allocates meanwhile.
#[test]
fn a_step_allocates_nothing() {
    let rows = Rows::random(2000, 2500, 3);
    for threads in [1, 2] {
        // The test harness may allocate beside us: the least of a few counts is ours.
        let least = (0..5).map(|_| in_an_epoch(&rows, threads)).min().unwrap();
        assert_eq!(least, 0, "with {threads} threads");
        let least = (0..5).map(|_| in_a_variational_fit(threads)).min().unwrap();
        assert_eq!(least, 0, "variational, with {threads} threads");
    }
}

/// Allocations between the first and the last step of an epoch.
fn in_an_epoch(rows: &Rows, threads: usize) -> usize {
    let mut counts = Counts {
        epoch: 0,
        after: Vec::with_capacity(1000),
    };
    let mut params = vec![0.0_f32; 5000];
    let config = TrainConfig::default().epochs(1).batch(64).threads(threads);
    fit(&Normal::new(2500), &mut params, rows, &config, &mut counts).unwrap();
    assert!(counts.after.len() > 20);
    counts.after[counts.after.len() - 1] - counts.after[0]
}

/// A density that costs no allocation either.
#[derive(Debug)]
struct Bowl;

impl Target for Bowl {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
        -0.5 * (x[0] * x[0] + x[1] * x[1])
    }
}

/// Allocations between the first and the last step of a variational fit: before its history's
/// first block ends, and before rayon's queues, every hundred jobs or so, allocate on their own account.
fn in_a_variational_fit(threads: usize) -> usize {
    let mut counts = Counts {
        epoch: 0,
        after: Vec::with_capacity(1000),
    };
    let q = Variational::<f32>::new(planar_chain(2, 0, 3, Tanh).unwrap()).unwrap();
    let mut params = vec![0.1; q.num_params()];
    let config = VariationalConfig::default().steps(25).batch(64).threads(threads);
    fit_variational(&q, &mut params, &Bowl, &config, &mut counts).unwrap();
    assert_eq!(counts.after.len(), 25);
    counts.after[23] - counts.after[0]
}
