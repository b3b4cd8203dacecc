//! The rule that files of different folders of one crate do not use each other in a circle.
//!
//! A file uses another when its code names something that the other defines, in a `use` or by a path such as
//! `crate::a::b`. Names that a module re-exports lead to the file that defines them. Code for tests only does not
//! count, and neither does the crate's root, which joins everything.
//!
//! Paths are followed without a compiler: a module under `#[path]`, a macro that is exported, and a name that a macro
//! makes up are not found where they are, and what is called as a method is not looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::Failures;
use super::sources::File;
use modules::Modules;
use shortest::Arrows;

mod modules;
mod references;
mod resolve;
mod shortest;
mod test_code;
mod tokens;
mod use_tree;

/// Files of different folders that use each other, in every crate of `crates/`.
pub(super) fn between_folders(files: &[File]) -> Failures {
    let crates: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("crates/")?.split_once("/src/"))
        .map(|(name, _)| name)
        .collect();
    let mut failures = Vec::new();
    for name in crates {
        let source = format!("crates/{name}/src/");
        let texts: BTreeMap<&str, &str> = files
            .iter()
            .filter_map(|file| Some((file.path.strip_prefix(&source)?, file.text.as_str())))
            .filter(|(path, _)| path.ends_with(".rs"))
            .collect();
        let mut arrows = Arrows::new();
        let mut reached = BTreeSet::new();
        for root in ["lib.rs", "main.rs"]
            .into_iter()
            .filter(|root| texts.contains_key(root))
        {
            let modules = Modules::of(&texts, root);
            reached.extend(modules.files().map(str::to_owned));
            for (arrow, reference) in references::between_files(&modules) {
                arrows.entry(arrow).or_insert(reference);
            }
        }
        let circles = shortest::circles(arrows, |file| folder(file, &reached));
        failures.extend(circles.iter().map(|circle| sentence(name, circle)));
    }
    failures
}

/// The folder that a file belongs to: `a/mod.rs`, and `a.rs` beside files in `a/`, belong to `a`.
fn folder(file: &str, all: &BTreeSet<String>) -> String {
    let below = format!("{}/", file.trim_end_matches(".rs"));
    if all.iter().any(|other| other.starts_with(&below)) {
        return below.trim_end_matches('/').to_owned();
    }
    file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

/// A circle's files in order, and where each names the next.
fn sentence(name: &str, circle: &[shortest::Step]) -> String {
    let first = circle.first().map(|step| &step.file);
    let files: Vec<&str> = circle
        .iter()
        .map(|step| &step.file)
        .chain(first)
        .map(String::as_str)
        .collect();
    let uses: Vec<String> = circle
        .iter()
        .map(|step| {
            let (file, reference) = (&step.file, &step.names_next);
            format!(
                "`{}` at crates/{name}/src/{file}:{}",
                reference.text, reference.line
            )
        })
        .collect();
    let way_out = match circle.len() {
        2 => "move what both need into a file below both",
        _ => "move what they need of each other into a file below them all",
    };
    format!(
        "{name} has files of different folders that use each other, {}, by {}: {way_out}",
        files.join(" -> "),
        uses.join(", ")
    )
}

#[cfg(test)]
mod tests;
