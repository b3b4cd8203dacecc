//! `cargo xtask bench-peers`: our flows and those of Python libraries, measured in turn on the same machine.
//!
//! Ours is `flow_speed` of `benches`, the peers' is `benches/peers/flow_speed.py`; both train on the same rows. Every
//! run is a process and a JSON line, appended to a file as soon as it is there; the tables are printed from that file,
//! so they can be printed again without measuring. `docs/performance.md` says what the figures mean.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::e2e::target_directory;
use crate::json_lines::{Lines, joined, read_lines};
use cases::Case;

mod cases;
mod peers;
mod report;

/// What to measure.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Cases, such as maf-43,realnvp-8; all if left out.
    #[arg(long = "case", value_delimiter = ',')]
    cases: Vec<String>,
    /// Peers (zuko, nflows, normflows, flowjax), or none; all if left out.
    #[arg(long = "peer", value_delimiter = ',')]
    peers: Vec<String>,
    /// Threads. The bars are for one.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Measure ours a second time with the feature `gemm`.
    #[arg(long)]
    gemm: bool,
    /// CPU seconds of training that count in each run; scoring and sampling take a quarter each.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// The step at which losses are compared; each case has its own if left out.
    #[arg(long)]
    steps: Option<u64>,
    /// Runs of everything; the fastest counts.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Where the JSON lines go (added to what is there); `bench-peers.jsonl` in the target directory if left out.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure nothing: print the tables of the JSON lines in these files.
    #[arg(long, value_delimiter = ',')]
    tables: Vec<PathBuf>,
}

/// Our programs, once a set of features.
struct Ours {
    folder: PathBuf,
    features: &'static str,
}

/// Measures, or reads what was measured, and prints the tables.
pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let cases = Case::named(&options.cases)?;
    if !options.tables.is_empty() {
        let mut lines = Vec::new();
        for file in &options.tables {
            lines.extend(read_lines(sh, file)?);
        }
        print!("{}", report::tables(&cases, &lines));
        return Ok(());
    }

    let peers = peers::named(&options.peers)?;
    let target = PathBuf::from(target_directory(sh)?);
    let python = if peers.is_empty() {
        None
    } else {
        Some(peers::python(sh, &target)?)
    };
    let folder = sh.create_dir(target.join("bench-peers"))?;
    let mut ours = vec![build(sh, &target, &folder, "")?];
    if options.gemm {
        ours.push(build(sh, &target, &folder, "gemm")?);
    }
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| target.join("bench-peers.jsonl"));
    let out = Lines(out);
    let mut lines: Vec<Value> = Vec::new();
    let peak = ours[0].folder.join("peak");
    let mixture = ours[0].folder.join("mixture");
    let threads = options.threads.to_string();
    for line in cmd!(sh, "{peak} --threads {threads}").read()?.lines() {
        lines.push(out.append(serde_json::from_str(line)?)?);
    }
    for case in &cases {
        let dim = case.dim.to_string();
        let rows = folder.join(format!("mixture-{dim}.f32"));
        sh.write_file(&rows, cmd!(sh, "{mixture} --dim {dim}").output()?.stdout)?;
        for repeat in 0..options.repeat.max(1) {
            let about = |features: &str| json!({"case": case.name, "repeat": repeat, "features": features});
            for own in &ours {
                let arguments = arguments(case, options, true);
                let program = own.folder.join("flow_speed");
                let line = cmd!(sh, "{program} {arguments...}").read()?;
                lines.push(out.append(joined(about(own.features), &line)?)?);
            }
            for &peer in peers.iter().filter(|_| case.bars.is_some()) {
                let Some(python) = &python else { continue };
                let program = peers::program();
                let arguments = arguments(case, options, peer == peers::JUDGE);
                let run = cmd!(
                    sh,
                    "{python} -W ignore {program} --lib {peer} --data {rows} {arguments...}"
                )
                .ignore_status()
                .output()?;
                let (line, said) = (
                    String::from_utf8_lossy(&run.stdout),
                    String::from_utf8_lossy(&run.stderr),
                );
                let reason = said.lines().last().unwrap_or("it gives no reason");
                if run.status.success() {
                    lines.push(out.append(joined(about(""), &line)?)?);
                } else if !reason.starts_with("skip:") {
                    eprintln!(
                        "{peer} cannot run {}, and its figure is missing: {reason}",
                        case.name
                    );
                }
            }
        }
    }
    println!("\n{}", report::tables(&cases, &lines));
    println!("JSON lines: {}", out.0.display());
    Ok(())
}

/// Builds our programs and copies them, so that a build during a measurement does not change them.
fn build(sh: &Shell, target: &Path, folder: &Path, features: &'static str) -> Result<Ours> {
    cmd!(
        sh,
        "cargo build --release -p ef-bench --bins --features={features}"
    )
    .run()?;
    let kind = if features.is_empty() { "default" } else { features };
    let folder = sh.create_dir(folder.join(kind))?;
    for program in ["flow_speed", "mixture", "peak"] {
        let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        sh.copy_file(target.join("release").join(&file), folder.join(&file))?;
    }
    Ok(Ours { folder, features })
}

/// The arguments of a run. Only two runs need losses at the same step; the others would train longer for nothing.
fn arguments(case: &Case, options: &Options, with_steps: bool) -> Vec<String> {
    let mut arguments = case.arguments();
    let settings = [
        ("--threads", options.threads.to_string()),
        ("--train-seconds", options.seconds.to_string()),
        ("--eval-seconds", (options.seconds / 4.0).to_string()),
    ];
    for (name, value) in settings {
        arguments.extend([name.to_owned(), value]);
    }
    if with_steps {
        let steps = options.steps.unwrap_or(case.steps);
        arguments.extend(["--steps".to_owned(), steps.to_string()]);
    }
    arguments
}
