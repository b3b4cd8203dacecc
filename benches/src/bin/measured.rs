//! Runs a program and prints what it took: a JSON line with `wall_s`, `cpu_s` (user and system, all threads) and
//! `peak_mib`. What the program itself prints goes to standard error.
//!
//! The system reports the total time and the largest peak of all processes that a process has waited for. A peak
//! includes the parent's memory at the fork. This program is small and waits for one program only, so the figures are
//! that program's.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use ef_bench::process::of_children;

/// Runs a program and prints what it took.
#[derive(Parser, Debug)]
struct Args {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let (program, arguments) = args.command.split_first().context("name a program")?;
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    let wall = started.elapsed().as_secs_f64();
    if !status.success() {
        return Ok(ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        ));
    }
    let (cpu, peak) = of_children()?;
    let line = serde_json::json!({"wall_s": wall, "cpu_s": cpu, "peak_mib": peak});
    println!("{line}");
    Ok(ExitCode::SUCCESS)
}
