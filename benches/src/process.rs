//! What the system says of this process (Linux: `/proc`).

use std::fs;

use anyhow::{Context, Result};

/// Clock ticks a second in `/proc/self/stat`: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// The fields of `/proc/self/stat` behind the name, which may hold spaces.
fn stat() -> Result<Vec<String>> {
    let text = fs::read_to_string("/proc/self/stat").context("this program needs Linux's /proc")?;
    let rest = text.rsplit_once(')').context("/proc/self/stat has no name")?.1;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// CPU seconds of all threads so far, to a hundredth.
///
/// # Errors
/// Without `/proc`.
pub fn cpu_seconds() -> Result<f64> {
    let fields = stat()?;
    let ticks = |i: usize| fields[i].parse::<f64>();
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// Seconds since this process began.
///
/// # Errors
/// Without `/proc`.
pub fn age() -> Result<f64> {
    let up = fs::read_to_string("/proc/uptime").context("this program needs Linux's /proc")?;
    let up: f64 = up
        .split_whitespace()
        .next()
        .context("/proc/uptime is empty")?
        .parse()?;
    Ok(up - stat()?[19].parse::<f64>()? / TICKS)
}

/// The most memory that was resident, MiB.
///
/// # Errors
/// Without `/proc`.
pub fn peak_memory() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("this program needs Linux's /proc")?;
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM:"))
        .context("no VmHWM in /proc/self/status")?;
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .context("VmHWM is empty")?
        .parse()?;
    Ok(kib / 1024.0)
}
