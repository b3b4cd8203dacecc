//! `cargo xtask deps`: the crate graph and the sources, held to the design.
//!
//! Every rule is a function from plain data to a list of failure sentences, so that tests can show it a graph or a
//! file that breaks it. This file gathers the data and prints the outcome.

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use graph::Graph;

mod circles;
mod code;
mod graph;
mod rules;
mod sources;

/// The most crates that a user of ef-bijectors builds.
const MOST_CRATES: usize = 30;

/// What a rule found: nothing, or sentences that name the crate and the way out.
type Failures = Vec<String>;

/// Checks everything, prints a line a rule, and fails if any rule does.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    // this platform only: the others' crates would have to be downloaded to be looked at
    let about = cmd!(sh, "rustc -vV").quiet().read()?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("`rustc -vV` does not say which platform it builds for")?;
    let metadata = cmd!(
        sh,
        "cargo metadata --format-version 1 --all-features --filter-platform {host}"
    )
    .quiet()
    .read()?;
    let graph = Graph::from_metadata(&metadata)?;
    let tree = cmd!(sh, "cargo tree -p ef-bijectors -e normal --prefix none")
        .quiet()
        .read()?;
    let scoring = cmd!(
        sh,
        "cargo tree -p echoflow --no-default-features -e normal --prefix none"
    )
    .quiet()
    .read()?;
    let files = sources::tracked(sh)?;

    let checks: Vec<(&str, Failures)> = vec![
        (
            "crates depend on each other only as the design draws it",
            rules::edges(&graph),
        ),
        (
            "what the design keeps apart is not joined through a third crate",
            rules::never(&graph),
        ),
        (
            "tests that use a crate above their own name its path only",
            rules::tests_upwards(&graph),
        ),
        (
            "ef-check is a path-only dev-dependency everywhere",
            rules::test_kit(&graph),
        ),
        (
            "no arrow, serde_json or clap below the lean crates",
            rules::lean(&graph),
        ),
        (
            "ef-column and ef-plot depend on nothing, ef-random and ef-files on one crate",
            rules::alone(&graph),
        ),
        ("the arrow facade is nowhere", rules::no_facade(&graph)),
        ("matrixmultiply's own threads are off", rules::no_threads(&graph)),
        (
            "one version of ndarray, arrow-array and rand (0.9) in what users build",
            rules::one_version(&graph),
        ),
        (
            "ef-bijectors builds on at most 30 crates",
            rules::few_crates(&tree, MOST_CRATES),
        ),
        (
            "a program that only scores builds no formats, pictures or demos",
            rules::only_scores(&scoring),
        ),
        (
            "unsafe code is in ef-tensor only, each block under its SAFETY line",
            sources::one_home_for_unsafe(&files),
        ),
        (
            "no file names a machine's path or a package registry's host",
            sources::private_names(&files),
        ),
        (
            "every crate has a README and the workspace's lints and version",
            sources::layout(&files),
        ),
        (
            "files of different folders of a crate do not use each other in a circle",
            circles::between_folders(&files),
        ),
    ];
    let mut failures = Vec::new();
    for (rule, found) in checks {
        println!("{} {rule}", if found.is_empty() { "ok  " } else { "FAIL" });
        found.iter().for_each(|sentence| println!("       {sentence}"));
        failures.extend(found);
    }
    if !failures.is_empty() {
        bail!(
            "{} of the design's rules are broken; the sentences above say how to mend each",
            failures.len()
        );
    }
    Ok(())
}
