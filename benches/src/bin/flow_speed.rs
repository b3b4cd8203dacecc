//! How fast a flow trains, scores and samples: one configuration a process, one JSON line out.

use anyhow::Result;
use clap::Parser;
use ef_bench::data::{ROWS, fingerprint, mixture};
use ef_bench::model::FlowArgs;
use ef_bench::process::peak_memory;
use ef_bench::speed::{CHUNK, Span, log_prob, plain_adam, sample, train};
use ef_bench::work::Work;
use ef_bijectors::ndarray::s;
use ef_density::FlowRows;

/// Measures one flow.
#[derive(Parser, Debug)]
struct Args {
    #[command(flatten)]
    flow: FlowArgs,
    #[arg(long)]
    batch: usize,
    /// Threads of training; scoring and sampling run on one
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Shards of a mini-batch, if not as many as `fit` takes
    #[arg(long)]
    shards: Option<usize>,
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// CPU seconds a thread of training that count, after --warm seconds that do not
    #[arg(long, default_value_t = 8.0)]
    train_seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warm: f64,
    /// CPU seconds of scoring, and of sampling
    #[arg(long, default_value_t = 2.0)]
    eval_seconds: f64,
    /// Take nll_last at this step, and train at least so long: to compare losses
    #[arg(long)]
    steps: Option<u64>,
}

fn main() -> Result<()> {
    let a = Args::parse();
    // The pool that scoring and sampling ask for their number of threads; training starts its own.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let rows = FlowRows::new(mixture(ROWS, a.flow.dim, 0));
    let (flow, mut params) = a.flow.start()?;
    let work = Work::of(&flow);
    let config = plain_adam(a.batch, a.lr, a.threads);
    let shards = a.shards.unwrap_or(config.shards);
    let config = config.shards(shards);
    let span = Span {
        warm: a.warm,
        seconds: a.train_seconds,
        steps: a.steps,
    };
    let trained = train(&flow, &mut params, &rows, &config, span)?;
    let scored = log_prob(
        &flow,
        &params,
        rows.x.slice(s![..10_000, ..]),
        CHUNK,
        a.eval_seconds,
    )?;
    let sampled = sample(&flow, &params, CHUNK, CHUNK, a.eval_seconds)?;

    let round = |v: f64| (v * 10.0).round() / 10.0;
    let intensity = |flop: usize, bytes: usize| flop as f64 / bytes as f64;
    let line = serde_json::json!({
        "lib": "echoflow",
        "model": a.flow.model.name(),
        "dim": a.flow.dim, "layers": a.flow.layers, "hidden": a.flow.hidden, "blocks": a.flow.blocks,
        "batch": a.batch, "threads": a.threads, "shards": config.shards,
        "simd": ef_tensor::simd::detected().name(),
        "rows": fingerprint(&rows.x),
        "params": params.len(),
        "train_rows_s": round(trained.rows_s),
        "train_rows_cpu_s": round(trained.rows_cpu_s),
        "train_steps": trained.steps,
        "nll_first": trained.nll_first, "nll_last": trained.nll_last, "nll_steps": trained.nll_steps,
        "logprob_rows_cpu_s": round(scored.cpu),
        "sample_rows_cpu_s": round(sampled.cpu),
        "first_step_s": trained.first_step.map(|s| s.0), "first_step_cpu_s": trained.first_step.map(|s| s.1),
        "rss_mib": round(peak_memory()?),
        // useful work of a row, and FLOP a byte moved at the least
        "step_flop": work.step_flop(), "pass_flop": work.pass_flop(),
        "step_intensity": intensity(a.batch * work.step_flop(), work.step_bytes(a.batch)),
        "pass_intensity": intensity(CHUNK * work.pass_flop(), work.pass_bytes(CHUNK)),
    });
    println!("{line}");
    Ok(())
}
