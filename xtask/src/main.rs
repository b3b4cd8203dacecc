//! The repository's own chores: `cargo xtask ci`, `bench-conditions`, `bench-peers`, `bench-quality`, `deps`, `docs`, `e2e`, `laws`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use xshell::Shell;

mod bench_conditions;
mod bench_peers;
mod bench_quality;
mod ci;
mod deps;
mod e2e;
mod folder;
mod json_lines;
mod laws;
mod programs;
mod venv;

/// Chores of the EchoFlow repository.
#[derive(Parser, Debug)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand, Debug)]
enum Chore {
    /// Everything that must hold before a change lands: format, lints, tests, documentation, `deps`, each crate
    /// alone, the example of a bijector, `e2e`.
    Ci {
        /// Leave out the tests, where they have run already.
        #[arg(long)]
        skip_tests: bool,
    },
    /// Ask models for rows under conditions, for probabilities and for missing cells; hold the answers against what is
    /// known.
    BenchConditions(bench_conditions::Options),
    /// Measure our flows beside those of Python libraries, one after the other on this machine; print the ratios.
    BenchPeers(bench_peers::Options),
    /// Fit every table of a folder, draw from the model and judge what it drew; print what came out.
    BenchQuality(bench_quality::Options),
    /// Hold the crate graph and the sources to the design.
    Deps,
    /// Build the documentation; a warning is an error.
    Docs,
    /// One real fit through the echoflow program, from a demo table to samples and scores.
    E2e,
    /// The laws of all bijectors over many drawn cases, shared out among them.
    Laws {
        /// Cases in all.
        #[arg(long, default_value_t = 10_000)]
        cases: u64,
    },
}

fn main() -> Result<()> {
    let chore = Arguments::parse().chore;
    let sh = Shell::new()?;
    sh.change_dir(repository()?);
    match chore {
        Chore::Ci { skip_tests } => ci::run(&sh, skip_tests),
        Chore::BenchConditions(options) => bench_conditions::run(&sh, &options),
        Chore::BenchPeers(options) => bench_peers::run(&sh, &options),
        Chore::BenchQuality(options) => bench_quality::run(&sh, &options),
        Chore::Deps => deps::run(&sh),
        Chore::Docs => ci::docs(&sh),
        Chore::E2e => e2e::run(&sh),
        Chore::Laws { cases } => laws::run(&sh, cases),
    }
}

/// The top of the repository, from wherever the chore was started inside it.
fn repository() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("start the chores as `cargo xtask ..`, which says where the repository is")?;
    let top = PathBuf::from(manifest).parent().map(PathBuf::from);
    top.context("the xtask crate lies directly below the top of the repository")
}
