//! How fast a flow trains, scores and samples, in its steady state.

use std::time::Instant;

use anyhow::{Result, bail};
use ef_bijectors::Workspace;
use ef_bijectors::ndarray::{Array2, ArrayView2, Axis, s};
use ef_density::{Flow, FlowRows};
use ef_random::Key;
use ef_tensor::shards::chunks;
use ef_train::{FitStart, Observer, Plan, SplitConfig, StepReport, TrainConfig, TrainError, fit};
use rayon::prelude::*;

use crate::process::{age, cpu_seconds};

/// Rows scored or drawn at a time: what stays in a core's own cache.
pub const CHUNK: usize = 512;

/// How long to train. Seconds are CPU seconds a thread: a busy machine makes a run longer and not less exact.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Seconds before the measuring begins.
    pub warm: f64,
    /// Seconds that are measured, at the least.
    pub seconds: f64,
    /// Steps to do, at the least; the reported loss is the one of this step.
    pub steps: Option<u64>,
}

/// What training did.
#[derive(Debug, Clone, Copy)]
pub struct Training {
    /// Rows a second.
    pub rows_s: f64,
    /// Rows a CPU second.
    pub rows_cpu_s: f64,
    /// Steps done.
    pub steps: u64,
    /// Loss of the first step.
    pub nll_first: f64,
    /// Mean of the 100 losses up to step `nll_steps`.
    pub nll_last: f64,
    /// The step asked for, or the last.
    pub nll_steps: u64,
    /// Seconds from the start of the process to the end of the first step, and CPU seconds.
    pub first_step: Option<(f64, f64)>,
}

/// The settings that every library is measured with: Adam on the mean negative log-likelihood, nothing else.
pub fn plain_adam(batch: usize, lr: f64, threads: usize) -> TrainConfig {
    TrainConfig::default()
        .epochs(1_000_000)
        .batch(batch)
        .lr(lr)
        .lr_min(lr)
        .warmup(0)
        .weight_decay(0.0)
        .clip_norm(None)
        .ema(0.0)
        .plan(Plan::Cosine { patience: None })
        .validation(SplitConfig {
            share: 0.01,
            min_rows: 100,
            max_share: 0.2,
            ..SplitConfig::default()
        })
        .threads(threads)
}

/// Times steps: those within one epoch, because between two lies the validation pass.
struct Clock {
    span: Span,
    /// CPU second at which the measuring begins.
    start: f64,
    first_step: Option<(f64, f64)>,
    rows_a_step: f64,
    last: Option<(usize, f64, Instant)>,
    rows: f64,
    cpu: f64,
    wall: f64,
    steps: u64,
    losses: Vec<f64>,
}

impl Observer for Clock {
    fn on_start(&mut self, start: &FitStart) {
        self.rows_a_step = start.train_rows as f64 / start.steps_per_epoch as f64;
    }

    fn on_step(&mut self, report: &StepReport) {
        let (cpu, now) = (cpu_seconds().unwrap_or(f64::NAN), Instant::now());
        if self.first_step.is_none() {
            self.first_step = age().ok().map(|age| (age, cpu));
        }
        self.steps = report.step;
        self.losses.push(report.nll);
        if let Some((epoch, before, then)) = self.last
            && epoch == report.epoch
            && before >= self.start
        {
            self.rows += self.rows_a_step;
            self.cpu += cpu - before;
            self.wall += (now - then).as_secs_f64();
        }
        self.last = Some((report.epoch, cpu, now));
    }

    fn should_stop(&mut self) -> bool {
        self.cpu >= self.span.seconds && self.span.steps.is_none_or(|steps| self.steps >= steps)
    }
}

/// Trains `params` and measures.
///
/// # Errors
/// If training fails.
pub fn train(
    flow: &Flow<f32>,
    params: &mut [f32],
    rows: &FlowRows<f32>,
    config: &TrainConfig,
    span: Span,
) -> Result<Training> {
    let cores = if config.threads == 0 {
        std::thread::available_parallelism()?.get()
    } else {
        config.threads
    };
    let span = Span {
        warm: span.warm * cores as f64,
        seconds: span.seconds * cores as f64,
        ..span
    };
    let mut clock = Clock {
        span,
        start: cpu_seconds()? + span.warm,
        first_step: None,
        rows_a_step: 0.0,
        last: None,
        rows: 0.0,
        cpu: 0.0,
        wall: 0.0,
        steps: 0,
        losses: Vec::new(),
    };
    match fit(flow, params, rows, config, &mut clock) {
        Ok(_) => {}
        Err(TrainError::NonFinite { epoch, .. }) => bail!("training diverged in epoch {epoch}"),
        Err(error) => return Err(error.into()),
    }
    let nll_steps = span.steps.unwrap_or(clock.steps);
    let losses = &clock.losses[..nll_steps as usize];
    let last = &losses[losses.len().saturating_sub(100)..];
    Ok(Training {
        rows_s: clock.rows / clock.wall,
        rows_cpu_s: clock.rows / clock.cpu,
        steps: clock.steps,
        nll_first: losses[0],
        nll_last: last.iter().sum::<f64>() / last.len() as f64,
        nll_steps,
        first_step: clock.first_step,
    })
}

/// Rows a second and rows a CPU second.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// By the clock on the wall.
    pub wall: f64,
    /// By the CPU time of all threads.
    pub cpu: f64,
}

impl Rate {
    /// How many cores the work had, on average.
    pub fn cores(self) -> f64 {
        self.wall / self.cpu
    }
}

/// The rate of `work`, which handles so many rows a call.
fn rate(rows: usize, seconds: f64, mut work: impl FnMut()) -> Result<Rate> {
    work();
    let seconds = seconds * rayon::current_num_threads() as f64;
    let (before, started) = (cpu_seconds()?, Instant::now());
    let (mut done, mut cpu) = (0, 0.0);
    while cpu < seconds {
        work();
        done += rows;
        cpu = cpu_seconds()? - before;
    }
    Ok(Rate {
        wall: done as f64 / started.elapsed().as_secs_f64(),
        cpu: done as f64 / cpu,
    })
}

/// One worker's scratch memory.
struct Scratch {
    none: Array2<f32>,
    ws: Workspace<f32>,
    out: Vec<f64>,
}

impl Scratch {
    fn new(chunk: usize) -> Self {
        Self {
            none: Array2::zeros((chunk, 0)),
            ws: Workspace::default(),
            out: vec![0.0; chunk],
        }
    }
}

/// Calls `f` on each part: on this thread with `own` where the current rayon pool has one thread, else on all of them.
fn each<P: Copy + Send + Sync>(
    parts: &[P],
    chunk: usize,
    own: &mut Scratch,
    f: impl Fn(&mut Scratch, P) + Send + Sync,
) {
    if rayon::current_num_threads() == 1 {
        parts.iter().for_each(|part| f(own, *part));
    } else {
        let scratch = || Scratch::new(chunk);
        parts
            .par_iter()
            .for_each_init(scratch, |scratch, part| f(scratch, *part));
    }
}

/// Scores all of `x` again and again for so many CPU seconds a thread, `chunk` rows at a time, on the threads of the
/// current rayon pool.
///
/// # Errors
/// Without a clock.
pub fn log_prob(
    flow: &Flow<f32>,
    params: &[f32],
    x: ArrayView2<'_, f32>,
    chunk: usize,
    seconds: f64,
) -> Result<Rate> {
    let parts: Vec<_> = x.axis_chunks_iter(Axis(0), chunk).collect();
    let mut own = Scratch::new(chunk);
    rate(x.nrows(), seconds, || {
        each(&parts, chunk, &mut own, |scratch, x| {
            let n = x.nrows();
            let none = scratch.none.slice(s![..n, ..]);
            flow.log_prob(params, x, none, &mut scratch.out[..n], &mut scratch.ws);
        });
    })
}

/// Draws `rows` rows again and again, likewise.
///
/// # Errors
/// Without a clock.
pub fn sample(flow: &Flow<f32>, params: &[f32], rows: usize, chunk: usize, seconds: f64) -> Result<Rate> {
    let parts: Vec<_> = chunks(rows, chunk).map(|part| (part.start, part.len())).collect();
    let mut own = Scratch::new(chunk);
    let mut at = 0;
    rate(rows, seconds, || {
        each(&parts, chunk, &mut own, |scratch, (start, n)| {
            let (start, none) = (at + start as u64, scratch.none.slice(s![..n, ..]));
            let rows = start..start + n as u64;
            std::hint::black_box(flow.sample(params, none, rows, Key::new(3), &mut scratch.ws));
        });
        at += rows as u64;
    })
}
