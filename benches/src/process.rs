//! What the system says of this process (Linux: `/proc`).

use std::fs;

use anyhow::{Context, Result};
use cpu_time::ProcessTime;

/// Clock ticks a second in `/proc/self/stat`: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// CPU seconds of all threads so far. A call takes less than a microsecond, so that it may stand around a training step.
///
/// # Errors
/// If the system has no such clock.
pub fn cpu_seconds() -> Result<f64> {
    let now = ProcessTime::try_now().context("the system does not tell this process's CPU time")?;
    Ok(now.as_duration().as_secs_f64())
}

/// Seconds since this process began.
///
/// # Errors
/// Without `/proc`.
pub fn age() -> Result<f64> {
    let read = |path: &str| fs::read_to_string(path).context("this program needs Linux's /proc");
    let up = read("/proc/uptime")?;
    let up: f64 = up
        .split_whitespace()
        .next()
        .context("/proc/uptime is empty")?
        .parse()?;
    let stat = read("/proc/self/stat")?;
    // the fields behind the name, which may hold spaces
    let fields = stat.rsplit_once(')').context("/proc/self/stat has no name")?.1;
    let started = fields.split_whitespace().nth(19);
    let started: f64 = started.context("/proc/self/stat is too short")?.parse()?;
    Ok(up - started / TICKS)
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

/// CPU seconds of the processes that this one has waited for, and the largest of their peaks of resident memory, MiB.
///
/// # Errors
/// On other systems.
pub fn of_children() -> Result<(f64, f64)> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::sys::time::TimeValLike;
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Ok((micros as f64 / 1e6, usage.max_rss() as f64 / 1024.0))
    }
    #[cfg(not(target_os = "linux"))]
    anyhow::bail!("this program needs Linux, which tells a process's peak of memory in KiB")
}

/// A line on the machine: processor, cores this process may use, instruction set of the kernels, compiler, system.
pub fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let level = ef_tensor::simd::detected().name();
    format!(
        "{processor}, {cores} cores, kernels for {level}, {}",
        std::env::consts::OS
    )
}
