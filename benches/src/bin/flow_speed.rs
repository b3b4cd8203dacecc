//! How fast a flow trains, scores and samples: one configuration a process, one JSON line out.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use ef_bench::data::mixture;
use ef_bench::process::{age, cpu_seconds, peak_memory};
use ef_bijectors::ndarray::{Array2, Axis, s};
use ef_bijectors::{
    Activation, Chain, FlowConfig, LeakyRelu, MlpConfig, RationalQuadratic, Tanh, Workspace, maf,
    neural_spline_autoregressive, neural_spline_coupling, planar_chain, real_nvp,
};
use ef_density::{Density, Flow, FlowRows, Key};
use ef_train::{Observer, SplitConfig, StepReport, TrainConfig, TrainError, fit};

/// Measures one flow.
#[derive(Parser, Debug)]
struct Args {
    #[arg(long)]
    model: Model,
    #[arg(long)]
    dim: usize,
    #[arg(long)]
    layers: usize,
    #[arg(long, default_value_t = 64)]
    hidden: usize,
    /// Hidden layers of each network
    #[arg(long, default_value_t = 2)]
    blocks: usize,
    #[arg(long)]
    batch: usize,
    #[arg(long, default_value_t = 8)]
    bins: usize,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Shards of a mini-batch, if not as many as `fit` takes
    #[arg(long)]
    shards: Option<usize>,
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Training steps whose time counts, after as many seconds of warm-up as --warm
    #[arg(long, default_value_t = 8.0)]
    train_seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warm: f64,
    /// Seconds of scoring, and of sampling
    #[arg(long, default_value_t = 2.0)]
    eval_seconds: f64,
    /// Stop training after this many steps, to compare losses
    #[arg(long)]
    steps: Option<u64>,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Model {
    Maf,
    Realnvp,
    NsfAr,
    NsfCoupling,
    Planar,
    PlanarTanh,
}

/// Rows scored or drawn at a time: what stays in a core's own cache.
const CHUNK: usize = 512;
const ROWS: usize = 50_000;

fn flow(a: &Args) -> Result<Chain<f32>> {
    let config = FlowConfig {
        layers: a.layers,
        conditioner: MlpConfig {
            hidden: a.hidden,
            blocks: a.blocks,
            residual: false,
            activation: Activation::Relu,
        },
        ..FlowConfig::default()
    };
    let spline = RationalQuadratic::new(a.bins, 5.0)?;
    Ok(match a.model {
        Model::Maf => maf(a.dim, 0, &config)?,
        Model::Realnvp => real_nvp(a.dim, 0, &config)?,
        Model::NsfAr => neural_spline_autoregressive(a.dim, 0, &config, spline)?,
        Model::NsfCoupling => neural_spline_coupling(a.dim, 0, &config, spline)?,
        Model::Planar => planar_chain(a.dim, 0, a.layers, LeakyRelu::new(0.2)?)?,
        Model::PlanarTanh => planar_chain(a.dim, 0, a.layers, Tanh)?,
    })
}

/// Times steps: those within one epoch, because between two lies the validation pass.
struct Clock<'a> {
    args: &'a Args,
    started: Instant,
    first_step: Option<f64>,
    last: Option<(usize, f64, Instant)>,
    rows: f64,
    cpu: f64,
    wall: f64,
    steps: u64,
    losses: Vec<f64>,
}

impl Observer for Clock<'_> {
    fn on_step(&mut self, report: &StepReport) {
        let (cpu, now) = (cpu_seconds().unwrap_or(f64::NAN), Instant::now());
        if self.first_step.is_none() {
            self.first_step = age().ok();
        }
        self.steps = report.step;
        self.losses.push(report.nll);
        let warm = self.started.elapsed().as_secs_f64() > self.args.warm;
        if let Some((epoch, before, then)) = self.last
            && epoch == report.epoch
            && warm
        {
            self.rows += self.args.batch as f64;
            self.cpu += cpu - before;
            self.wall += (now - then).as_secs_f64();
        }
        self.last = Some((report.epoch, cpu, now));
    }

    fn should_stop(&mut self) -> bool {
        match self.args.steps {
            Some(steps) => self.steps >= steps,
            None => self.wall >= self.args.train_seconds,
        }
    }
}

/// Rows per CPU second of `work`, which handles so many rows a call.
fn rate(rows: usize, seconds: f64, mut work: impl FnMut()) -> Result<f64> {
    work();
    let (cpu, started) = (cpu_seconds()?, Instant::now());
    let mut done = 0;
    while started.elapsed().as_secs_f64() < seconds {
        work();
        done += rows;
    }
    Ok(done as f64 / (cpu_seconds()? - cpu).max(0.01))
}

fn main() -> Result<()> {
    let a = Args::parse();
    let rows = FlowRows::new(mixture(ROWS, a.dim, 0));
    let flow = Flow::new(flow(&a)?);
    let mut params = vec![0.0_f32; flow.num_params()];
    Density::init(&flow, &mut Key::new(1).purpose("init").row(0), &mut params);

    let config = TrainConfig::default();
    let shards = a.shards.unwrap_or(config.shards);
    let config = config
        .shards(shards)
        .epochs(1_000_000)
        .batch(a.batch)
        .lr(a.lr)
        .lr_min(a.lr)
        .warmup(0)
        .weight_decay(0.0)
        .clip_norm(None)
        .ema(0.0)
        .patience(None)
        .validation(SplitConfig {
            share: 0.01,
            min_rows: 100,
            max_share: 0.2,
        })
        .threads(a.threads);
    let mut clock = Clock {
        args: &a,
        started: Instant::now(),
        first_step: None,
        last: None,
        rows: 0.0,
        cpu: 0.0,
        wall: 0.0,
        steps: 0,
        losses: Vec::new(),
    };
    match fit(&flow, &mut params, &rows, &config, &mut clock) {
        Ok(_) => {}
        Err(TrainError::NonFinite { epoch, .. }) => bail!("training diverged in epoch {epoch}"),
        Err(error) => return Err(error.into()),
    }
    let last = &clock.losses[clock.losses.len().saturating_sub(100)..];
    let nll_last = last.iter().sum::<f64>() / last.len() as f64;

    let count = 10_000.min(ROWS);
    let (none, mut ws, mut out) = (Array2::zeros((CHUNK, 0)), Workspace::default(), vec![0.0; CHUNK]);
    let log_prob = rate(count, a.eval_seconds, || {
        for x in rows.x.slice(s![..count, ..]).axis_chunks_iter(Axis(0), CHUNK) {
            let n = x.nrows();
            flow.log_prob(&params, x, none.slice(s![..n, ..]), &mut out[..n], &mut ws);
        }
    })?;
    let mut at = 0;
    let sample = rate(CHUNK, a.eval_seconds, || {
        let drawn = flow.sample(&params, none.view(), at..at + CHUNK as u64, Key::new(3), &mut ws);
        at += drawn.nrows() as u64;
    })?;

    let round = |v: f64| (v * 10.0).round() / 10.0;
    let line = serde_json::json!({
        "lib": "echoflow",
        "model": a.model.to_possible_value().map(|v| v.get_name().to_owned()),
        "dim": a.dim, "layers": a.layers, "hidden": a.hidden, "blocks": a.blocks, "batch": a.batch,
        "threads": a.threads, "shards": config.shards,
        "params": params.len(),
        "train_rows_s": round(clock.rows / clock.wall),
        "train_rows_cpu_s": round(clock.rows / clock.cpu),
        "train_steps": clock.steps,
        "nll_first": clock.losses[0], "nll_last": nll_last,
        "logprob_rows_cpu_s": round(log_prob),
        "sample_rows_cpu_s": round(sample),
        "first_step_s": clock.first_step,
        "rss_mib": round(peak_memory()?),
    });
    println!("{line}");
    Ok(())
}
