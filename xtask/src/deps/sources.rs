//! What the files of the repository must satisfy.

use std::collections::BTreeSet;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::Failures;
use super::code::{code_only, words};

/// A text file of the repository.
#[derive(Debug)]
pub(super) struct File {
    /// From the top of the repository, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
}

/// Every text file that git tracks or would track; pictures and the like are left out.
pub(super) fn tracked(sh: &Shell) -> Result<Vec<File>> {
    let listed = cmd!(
        sh,
        "git -c core.quotePath=off ls-files --cached --others --exclude-standard"
    )
    .quiet()
    .read()?;
    let mut files = Vec::new();
    for path in listed.lines() {
        // a file that was deleted and not yet committed is listed too
        if let Ok(bytes) = sh.read_binary_file(path)
            && let Ok(text) = String::from_utf8(bytes)
        {
            files.push(File {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(files)
}

/// The only crate that may hold unsafe code.
const UNSAFE_HOME: &str = "crates/ef-tensor/";

/// Unsafe code has one home, and says there why it is sound.
pub(super) fn one_home_for_unsafe(files: &[File]) -> Failures {
    let mut failures = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let home = file.path.starts_with(UNSAFE_HOME);
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, code) in code_only(&file.text).lines().enumerate() {
            let place = format!("{} line {}", file.path, at + 1);
            // named at all outside a prohibition, since an attribute may run over several lines
            let lifted = words(code).any(|word| word == "unsafe_code")
                && !words(code).any(|word| word == "deny" || word == "forbid");
            if lifted && !home {
                failures.push(format!(
                    "{place} lifts the lint unsafe_code: only ef-tensor may; write it safely"
                ));
            }
            if !words(code).any(|word| word == "unsafe") {
                continue;
            }
            if !home {
                failures.push(format!(
                    "{place} has unsafe code: write it safely, or add a safe function to ef-tensor and call that"
                ));
            } else if !has_safety_line(&lines, at) {
                failures.push(format!(
                    "{place} has unsafe code without a reason: put `// SAFETY: ..` just above it"
                ));
            }
        }
    }
    failures
}

/// Whether the comment that ends just above line `at`, attributes between them aside, holds a reason.
fn has_safety_line(lines: &[&str], at: usize) -> bool {
    lines[..at]
        .iter()
        .rev()
        .map(|line| line.trim_start())
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line.contains("SAFETY") || line.contains("# Safety"))
}

/// Beginnings of paths that exist on one machine only, each in two parts so that this file does not contain them.
const MACHINE_PATHS: [&str; 7] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/mn", "t/"),
    concat!("C:\\Us", "ers\\"),
    concat!("/tm", "p/"),
];
/// Hosts of package registries.
const REGISTRY_HOSTS: [&str; 7] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("ana", "conda.org"),
    concat!("proxy.go", "lang.org"),
    concat!("maven", ".org"),
];
/// How every lock file names the registry, wherever the crates came from.
const LOCK_SOURCE: &str = concat!("registry+https://github.com/rust-lang/crates", ".io-index");

/// No file of the repository depends on the machine it was written on, or names it.
pub(super) fn private_names(files: &[File]) -> Failures {
    let mut failures = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            let line = if file.path == "Cargo.lock" {
                line.replace(LOCK_SOURCE, "")
            } else {
                line.to_owned()
            };
            let place = format!("{} line {}", file.path, at + 1);
            if let Some(path) = MACHINE_PATHS.into_iter().find(|path| starts_a_path(&line, path)) {
                failures.push(format!(
                    "{place} names {path}: write it relative to the repository"
                ));
            }
            if let Some(host) = REGISTRY_HOSTS.into_iter().find(|host| line.contains(host)) {
                failures.push(format!(
                    "{place} names {host}: leave the choice of a registry to the reader's tools"
                ));
            }
        }
    }
    failures
}

/// Whether `prefix` stands in the line where a path can start: a longer relative path or an address is not meant.
fn starts_a_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-~})".contains(c))
    })
}

/// Every crate can be read alone and follows the workspace.
pub(super) fn layout(files: &[File]) -> Failures {
    let crates: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
        .filter(|name| !name.contains('/'))
        .collect();
    let find = |path: String| files.iter().find(|file| file.path == path);
    let mut failures = Vec::new();
    for name in crates {
        if find(format!("crates/{name}/README.md")).is_none_or(|readme| readme.text.trim().is_empty()) {
            failures.push(format!(
                "{name} has no README.md: say what it is for and show its shortest use"
            ));
        }
        let manifest = find(format!("crates/{name}/Cargo.toml")).map_or("", |file| file.text.as_str());
        let has = |section: &str, line: &str| {
            let wanted: String = line.split_whitespace().collect();
            section_lines(manifest, section).any(|own| own.split_whitespace().collect::<String>() == wanted)
        };
        if !has("[package]", "version.workspace = true") {
            failures.push(format!(
                "{name} has a version of its own: write `version.workspace = true`"
            ));
        }
        if !has("[lints]", "workspace = true") {
            failures.push(format!(
                "{name} does not follow the workspace's lints: add `[lints] workspace = true`"
            ));
        }
    }
    failures
}

/// The lines of one section of a manifest.
fn section_lines<'a>(manifest: &'a str, section: &'a str) -> impl Iterator<Item = &'a str> {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(move |line| *line != section)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

#[cfg(test)]
mod tests;
