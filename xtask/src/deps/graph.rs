//! The crate graph of `cargo metadata`, reduced to what the rules need.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

/// Every crate of a resolved build.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) packages: BTreeMap<String, Package>,
}

/// One crate in one version.
#[derive(Debug, Default, Clone)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// Whether it is one of ours that lies in `crates/`.
    pub(super) ours: bool,
    /// Features that are switched on.
    pub(super) features: Vec<String>,
    /// Ids of the crates that it needs to be built and run.
    pub(super) normal: Vec<String>,
    /// What its manifest asks for.
    pub(super) declared: Vec<Declared>,
}

/// A line of a manifest's dependencies.
#[derive(Debug, Default, Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    /// Only for tests, examples and benches.
    pub(super) dev: bool,
    /// It has a path and no version.
    pub(super) path_only: bool,
    pub(super) optional: bool,
    pub(super) features: Vec<String>,
}

impl Graph {
    /// Reads the output of `cargo metadata --format-version 1`.
    pub(super) fn from_metadata(json: &str) -> Result<Self> {
        let metadata: Value = serde_json::from_str(json).context("cargo metadata is not JSON")?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let members: BTreeSet<String> = list(&metadata["workspace_members"]).iter().map(text).collect();
        let mut packages = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let id = text(&package["id"]);
            let manifest = text(&package["manifest_path"]).replace('\\', "/");
            let folder = manifest.rsplit('/').nth(2).unwrap_or_default();
            let declare = |line: &Value| Declared {
                name: text(&line["name"]),
                dev: line["kind"] == "dev",
                path_only: line["path"].is_string() && line["req"] == "*",
                optional: line["optional"] == true,
                features: list(&line["features"]).iter().map(text).collect(),
            };
            let own = Package {
                name: text(&package["name"]),
                version: text(&package["version"]),
                ours: members.contains(&id) && folder == "crates",
                declared: list(&package["dependencies"]).iter().map(declare).collect(),
                ..Package::default()
            };
            packages.insert(id, own);
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let Some(package) = packages.get_mut(&text(&node["id"])) else {
                continue;
            };
            package.features = list(&node["features"]).iter().map(text).collect();
            let normal = |edge: &&Value| list(&edge["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            package.normal = list(&node["deps"])
                .iter()
                .filter(normal)
                .map(|edge| text(&edge["pkg"]))
                .collect();
        }
        anyhow::ensure!(
            packages.values().any(|package| package.ours),
            "cargo metadata lists no crate of crates/"
        );
        Ok(Self { packages })
    }

    /// Our own crates.
    pub(super) fn ours(&self) -> impl Iterator<Item = (&String, &Package)> {
        self.packages.iter().filter(|(_, package)| package.ours)
    }

    /// Every crate that these need over normal edges, themselves included.
    pub(super) fn below<'a>(&'a self, roots: impl Iterator<Item = &'a String>) -> Vec<&'a Package> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&String> = roots.collect();
        while let Some(id) = waiting.pop() {
            if let Some(package) = self.packages.get(id)
                && seen.insert(id)
            {
                waiting.extend(&package.normal);
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_reduced_to_normal_edges_and_our_crates() {
        let json = r#"{
            "workspace_members": ["a 1", "tool"],
            "packages": [
                {"id": "a 1", "name": "a", "version": "1.0.0", "manifest_path": "x/crates/a/Cargo.toml",
                 "dependencies": [
                    {"name": "b", "kind": null, "req": "^2", "optional": true, "features": ["f"]},
                    {"name": "kit", "kind": "dev", "req": "*", "path": "x/crates/kit"}]},
                {"id": "b 2", "name": "b", "version": "2.0.0", "manifest_path": "y/b/Cargo.toml"},
                {"id": "c 3", "name": "c", "version": "3.0.0", "manifest_path": "y/c/Cargo.toml"},
                {"id": "tool", "name": "tool", "version": "0.0.0", "manifest_path": "x/tool/Cargo.toml"}],
            "resolve": {"nodes": [
                {"id": "a 1", "features": [], "deps": [
                    {"pkg": "b 2", "dep_kinds": [{"kind": "dev"}, {"kind": null}]},
                    {"pkg": "c 3", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b 2", "features": ["f"], "deps": []}]}}"#;
        let graph = Graph::from_metadata(json).expect("metadata");
        assert_eq!(
            graph
                .ours()
                .map(|(_, package)| package.name.as_str())
                .collect::<Vec<_>>(),
            ["a"]
        );
        let root = "a 1".to_owned();
        let below: Vec<_> = graph
            .below([&root].into_iter())
            .iter()
            .map(|package| package.name.clone())
            .collect();
        assert_eq!(below, ["a", "b"]);
        assert_eq!(graph.packages["b 2"].features, ["f"]);
        let [b, kit] = &graph.packages["a 1"].declared[..] else {
            panic!("two dependencies")
        };
        assert!(!b.dev && b.optional && !b.path_only && kit.dev && kit.path_only);
    }

    #[test]
    fn a_build_without_our_crates_is_an_error() {
        assert!(Graph::from_metadata("{}").is_err());
        assert!(Graph::from_metadata("no json").is_err());
    }
}
