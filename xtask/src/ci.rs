//! The whole check, one step after another; the first that fails ends it.

use anyhow::{Context, Result};
use std::time::Instant;
use xshell::{Shell, cmd};

use crate::{deps, e2e};

/// The libraries, each of which must build and be documented without the others' features.
const LIBRARIES: [&str; 14] = [
    "ef-column",
    "ef-random",
    "ef-tensor",
    "ef-bijectors",
    "ef-density",
    "ef-train",
    "ef-tabular",
    "ef-check",
    "ef-files",
    "ef-io",
    "ef-model",
    "ef-demo",
    "ef-plot",
    "echoflow",
];

/// Runs every step.
pub(crate) fn run(sh: &Shell, skip_tests: bool) -> Result<()> {
    step("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?))
        .context("run `cargo fmt --all` and commit what it changes")?;
    step("lints", || {
        Ok(cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings").run()?)
    })?;
    if skip_tests {
        println!("== tests: left out, as asked");
    } else {
        step("tests", || tests(sh))?;
    }
    step("documentation", || docs(sh))?;
    step("dependencies", || deps::run(sh))?;
    step("each library alone", || each_alone(sh))?;
    step("the example of a bijector", || {
        Ok(cmd!(sh, "cargo run -p write-a-bijector").run()?)
    })?;
    step("end to end", || e2e::run(sh))?;
    println!("== everything holds");
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let start = Instant::now();
    work().with_context(|| format!("the step '{name}' failed"))?;
    println!("== {name}: done in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// nextest where it is installed, plain `cargo test` elsewhere; the same tests either way.
fn tests(sh: &Shell) -> Result<()> {
    if cmd!(sh, "cargo nextest --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_ok()
    {
        cmd!(sh, "cargo nextest run --workspace").run()?;
        // nextest does not run the examples in the documentation
        cmd!(sh, "cargo test --doc --workspace").run()?;
    } else {
        cmd!(sh, "cargo test --workspace").run()?;
    }
    Ok(())
}

/// The documentation of the whole workspace.
pub(crate) fn docs(sh: &Shell) -> Result<()> {
    let _strict = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc --no-deps --workspace").run()?;
    Ok(())
}

/// In a build of the whole workspace one crate's features switch on code that another forgot to ask for. Built
/// alone, with its tests, a crate has only what its own manifest names.
fn each_alone(sh: &Shell) -> Result<()> {
    let _strict = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    for name in LIBRARIES {
        cmd!(sh, "cargo check -p {name} --all-targets")
            .run()
            .with_context(|| {
                format!("{name} does not build alone: name the missing feature in its manifest")
            })?;
        cmd!(sh, "cargo doc -p {name} --no-deps").run()?;
    }
    // features that no other crate's build may ask for
    cmd!(sh, "cargo check -p ef-check --all-targets --all-features").run()?;
    // files without a format
    cmd!(sh, "cargo check -p ef-io --no-default-features").run()?;
    // a program that only scores
    cmd!(sh, "cargo check -p echoflow --no-default-features").run()?;
    Ok(())
}
