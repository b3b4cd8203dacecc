//! What the crate graph must satisfy.

use std::collections::BTreeSet;

use super::Failures;
use super::graph::{Graph, Package};

/// Our crates and which others of ours each may depend on, outside tests.
const ALLOWED: [(&str, &[&str]); 15] = [
    ("ef-column", &[]),
    ("ef-random", &[]),
    ("ef-tensor", &["ef-random"]),
    ("ef-bijectors", &["ef-tensor"]),
    (
        "ef-density",
        &["ef-column", "ef-random", "ef-tensor", "ef-bijectors"],
    ),
    (
        "ef-train",
        &["ef-random", "ef-tensor", "ef-bijectors", "ef-density"],
    ),
    ("ef-tabular", &["ef-column"]),
    ("ef-files", &[]),
    ("ef-io", &["ef-files", "ef-tabular"]),
    ("ef-demo", &["ef-random", "ef-tabular"]),
    ("ef-plot", &[]),
    ("ef-check", &["ef-tensor", "ef-bijectors", "ef-density"]),
    (
        "ef-model",
        &[
            "ef-column",
            "ef-random",
            "ef-tensor",
            "ef-bijectors",
            "ef-density",
            "ef-train",
            "ef-tabular",
            "ef-files",
        ],
    ),
    (
        "echoflow",
        &[
            "ef-column",
            "ef-random",
            "ef-tensor",
            "ef-bijectors",
            "ef-density",
            "ef-train",
            "ef-tabular",
            "ef-files",
            "ef-io",
            "ef-model",
            "ef-demo",
            "ef-plot",
        ],
    ),
    ("echoflow-cli", &["echoflow"]),
];

/// Crates that say in their README what little they depend on.
const ALONE: [(&str, &[&str]); 4] = [
    ("ef-column", &[]),
    ("ef-files", &["tempfile"]),
    ("ef-plot", &[]),
    ("ef-random", &["rand_core"]),
];

/// Crates that must never be among the direct or indirect dependencies of another, and why.
const NEVER: [(&str, &str, &str); 13] = [
    ("ef-tabular", "ef-io", "a table knows no files"),
    ("ef-tabular", "csv", "a table knows no files"),
    ("ef-tabular", "tempfile", "a table knows no files"),
    ("ef-io", "ef-tensor", "files know no networks"),
    ("ef-io", "ef-density", "files know no models"),
    ("ef-io", "ef-model", "files know no models"),
    ("ef-model", "ef-io", "a model knows no formats of tables"),
    ("ef-model", "csv", "a model knows no formats of tables"),
    ("ef-model", "ef-plot", "a model draws no pictures"),
    ("ef-model", "ef-demo", "a model is fitted to any table"),
    ("ef-demo", "ef-tensor", "demo tables know no networks"),
    (
        "ef-demo",
        "ef-density",
        "demo tables are what densities are held against",
    ),
    ("ef-demo", "ef-io", "demo tables are made in memory"),
];

/// Crates whose users bring their own tables: they depend on no crate for tables or files.
const LEAN: [&str; 5] = ["ef-tensor", "ef-bijectors", "ef-density", "ef-train", "ef-check"];

/// Dependencies between our crates point as the design draws them.
pub(super) fn edges(graph: &Graph) -> Failures {
    let names: BTreeSet<&str> = graph.ours().map(|(_, package)| package.name.as_str()).collect();
    let mut failures = Vec::new();
    for (_, package) in graph.ours() {
        let name = &package.name;
        let Some((_, allowed)) = ALLOWED.iter().find(|(own, _)| own == name) else {
            failures.push(format!(
                "{name} is not in the design: give it a place there, then a line in xtask's table of edges"
            ));
            continue;
        };
        for line in package
            .declared
            .iter()
            .filter(|line| !line.dev && names.contains(line.name.as_str()))
        {
            let other = &line.name;
            if !allowed.contains(&other.as_str()) {
                failures.push(format!(
                    "{name} depends on {other}: take that out, or move what it needs into a crate below both"
                ));
            } else if name == "ef-check" && other == "ef-density" && !line.optional {
                failures.push(format!(
                    "{name} always depends on {other}: make it optional, behind the feature `density`"
                ));
            }
        }
    }
    failures
}

/// Crates that the design keeps apart do not depend on each other through a third crate either.
pub(super) fn never(graph: &Graph) -> Failures {
    let mut failures = Vec::new();
    for (id, own) in graph.ours() {
        let below = graph.below([id].into_iter());
        for (upper, lower, why) in NEVER.iter().filter(|(upper, ..)| *upper == own.name) {
            if below.iter().any(|package| package.name == *lower) {
                failures.push(format!(
                    "{upper} brings in {lower}, but {why}: `cargo tree -p {upper} -e normal -i {lower}` shows \
                     through what"
                ));
            }
        }
        if own.name != "echoflow" && own.name != "echoflow-cli" && below.iter().any(|p| p.name == "echoflow")
        {
            failures.push(format!(
                "{} brings in echoflow, which only programs do: depend on the crates that echoflow re-exports",
                own.name
            ));
        }
    }
    failures
}

/// Tests may use a crate that stands above theirs, such as the reader of files in tests of tables; publishing may not.
pub(super) fn tests_upwards(graph: &Graph) -> Failures {
    let names: BTreeSet<&str> = graph.ours().map(|(_, package)| package.name.as_str()).collect();
    let mut failures = Vec::new();
    for (_, package) in graph.ours() {
        let allowed = ALLOWED.iter().find(|(own, _)| *own == package.name);
        let downwards = |other: &str| allowed.is_some_and(|(_, allowed)| allowed.contains(&other));
        for line in package.declared.iter().filter(|line| line.dev && !line.path_only) {
            let other = line.name.as_str();
            if names.contains(other) && other != "ef-check" && !downwards(other) {
                failures.push(format!(
                    "{} asks for a version of {other} in its tests, which stands above it: name its path only, or \
                     publishing runs in a circle",
                    package.name
                ));
            }
        }
    }
    failures
}

/// The test kit stands below nothing that is published, and carries no version where it is used.
pub(super) fn test_kit(graph: &Graph) -> Failures {
    let mut failures = Vec::new();
    for (_, package) in graph.ours() {
        for line in package.declared.iter().filter(|line| line.name == "ef-check") {
            let name = &package.name;
            if !line.dev {
                failures.push(format!("{name} depends on ef-check: make it a dev-dependency"));
            } else if !line.path_only {
                failures.push(format!(
                    "{name} asks for a version of ef-check: name its path only, or publishing runs in a circle"
                ));
            }
        }
    }
    failures
}

/// The lean crates depend on no crate for tables or files.
pub(super) fn lean(graph: &Graph) -> Failures {
    let heavy = |package: &&Package| {
        package.name.starts_with("arrow") || ["serde_json", "clap"].contains(&package.name.as_str())
    };
    let mut failures = Vec::new();
    for (id, own) in graph
        .ours()
        .filter(|(_, package)| LEAN.contains(&package.name.as_str()))
    {
        for package in graph.below([id].into_iter()).into_iter().filter(heavy) {
            let (name, found) = (&own.name, &package.name);
            failures.push(format!(
                "{name} brings in {found}: `cargo tree -p {name} -e normal -i {found}` shows through what; that \
                 belongs in ef-tabular, echoflow or echoflow-cli"
            ));
        }
    }
    failures
}

/// The crates that stand alone depend only on what their README names.
pub(super) fn alone(graph: &Graph) -> Failures {
    let mut failures = Vec::new();
    for (_, package) in graph.ours() {
        let Some((_, few)) = ALONE.iter().find(|(name, _)| *name == package.name) else {
            continue;
        };
        for line in package.declared.iter().filter(|line| !line.dev) {
            if !few.contains(&line.name.as_str()) {
                failures.push(format!(
                    "{} depends on {}: its README promises less; hand it plain numbers and texts",
                    package.name, line.name
                ));
            }
        }
    }
    failures
}

/// The `arrow` facade compiles kernels that nobody here calls.
pub(super) fn no_facade(graph: &Graph) -> Failures {
    let found = graph.packages.values().any(|package| package.name == "arrow");
    let mut failures = Vec::new();
    if found {
        failures.push(
            "the crate arrow is in the build: depend on arrow-array, arrow-schema or arrow-buffer (`cargo tree \
             -i arrow` shows who asks for it)"
                .to_owned(),
        );
    }
    failures
}

/// A thread pool inside a matrix product would fight the one around it.
pub(super) fn no_threads(graph: &Graph) -> Failures {
    let forbidden = [
        ("matrixmultiply", "threading"),
        ("ndarray", "matrixmultiply-threading"),
    ];
    let mut failures = Vec::new();
    for (name, feature) in forbidden {
        let on = graph
            .packages
            .values()
            .any(|package| package.name == name && package.features.iter().any(|own| own == feature));
        if on {
            failures.push(format!(
                "the feature {feature} of {name} is on: take it out (`cargo tree -e features -i {name}` shows who \
                 asks for it); rows are shared out in ef-train, never inside a product"
            ));
        }
        for (_, package) in graph.ours() {
            let asks = |line: &&super::graph::Declared| {
                line.name == name && line.features.iter().any(|f| f == feature)
            };
            if package.declared.iter().any(|line| asks(&line)) {
                failures.push(format!(
                    "{} asks for the feature {feature} of {name}: take it out",
                    package.name
                ));
            }
        }
    }
    failures
}

/// Types of two versions of a crate do not meet. proptest, below ef-check, has a rand of its own, which no type of
/// ours touches; so ef-check is left out.
pub(super) fn one_version(graph: &Graph) -> Failures {
    let roots = graph
        .ours()
        .filter(|(_, package)| package.name != "ef-check")
        .map(|(id, _)| id);
    let built = graph.below(roots);
    let mut failures = Vec::new();
    for name in ["ndarray", "rand", "arrow-array"] {
        let versions: BTreeSet<&str> = built
            .iter()
            .filter(|package| package.name == name)
            .map(|package| package.version.as_str())
            .collect();
        let listed = versions.iter().copied().collect::<Vec<_>>().join(" and ");
        if versions.len() > 1 {
            failures.push(format!(
                "{name} is built as {listed}: bring the workspace to one line of it (`cargo tree -d -e normal`)"
            ));
        }
        if name == "rand" && versions.iter().any(|version| !version.starts_with("0.9.")) {
            failures.push(format!(
                "rand is built as {listed}: stay on 0.9, the line ndarray-rand stands on"
            ));
        }
    }
    failures
}

/// Counts the distinct crates in the output of `cargo tree --prefix none`.
pub(super) fn few_crates(tree: &str, most: usize) -> Failures {
    let crates: BTreeSet<String> = tree
        .lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .filter(|name| !name.is_empty())
        .collect();
    if crates.is_empty() {
        return vec![
            "cargo tree lists no crate for ef-bijectors: see that its name has not changed".to_owned(),
        ];
    }
    if crates.len() <= most {
        return Vec::new();
    }
    vec![format!(
        "ef-bijectors builds on {} crates, more than {most}: take the last one added out, or its default features",
        crates.len()
    )]
}

/// Crates that a program has no use for if it only scores tables that it holds in memory.
const BESIDE_SCORING: [&str; 5] = ["ef-plot", "ef-demo", "ef-io", "csv", "clap"];

/// Looks for what scoring does not need in the output of `cargo tree --prefix none` for echoflow without features.
pub(super) fn only_scores(tree: &str) -> Failures {
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if names.is_empty() {
        return vec!["cargo tree lists no crate for echoflow: see that its name has not changed".to_owned()];
    }
    BESIDE_SCORING
        .iter()
        .filter(|name| names.contains(*name))
        .map(|name| {
            format!(
                "echoflow without features builds {name}, which scoring does not need: put it behind a feature \
                 (`cargo tree -p echoflow --no-default-features -e normal -i {name}` shows through what)"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::graph::Declared;
    use super::*;

    /// A crate of ours with these normal dependencies, declared and resolved.
    fn ours(name: &str, depends: &[&str]) -> Package {
        Package {
            name: name.into(),
            version: "0.1.0".into(),
            ours: true,
            normal: depends.iter().map(|other| (*other).into()).collect(),
            declared: depends
                .iter()
                .map(|other| Declared {
                    name: (*other).into(),
                    ..Declared::default()
                })
                .collect(),
            ..Package::default()
        }
    }

    fn foreign(name: &str, version: &str, depends: &[&str]) -> Package {
        Package {
            ours: false,
            version: version.into(),
            ..ours(name, depends)
        }
    }

    /// A graph whose ids are the names, with the version where a crate is not ours.
    fn graph(packages: impl IntoIterator<Item = Package>) -> Graph {
        let id = |package: &Package| {
            if package.name == "rand" {
                format!("rand {}", package.version)
            } else {
                package.name.clone()
            }
        };
        Graph {
            packages: packages
                .into_iter()
                .map(|package| (id(&package), package))
                .collect(),
        }
    }

    fn assert_one(failures: &Failures, words: &[&str]) {
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(
            words.iter().all(|word| failures[0].contains(word)),
            "{failures:?}"
        );
    }

    #[test]
    fn the_designed_graph_passes_and_an_edge_upwards_does_not() {
        let designed = |extra: &[&str]| {
            let tensor = ours("ef-tensor", extra);
            graph([
                tensor,
                ours("ef-bijectors", &["ef-tensor"]),
                ours("ef-density", &["ef-tensor", "ef-bijectors"]),
            ])
        };
        assert!(edges(&designed(&[])).is_empty());
        assert_one(
            &edges(&designed(&["ef-density"])),
            &["ef-tensor depends on ef-density"],
        );
        assert_one(
            &edges(&graph([ours("ef-new", &[])])),
            &["ef-new is not in the design"],
        );
        let cli = [ours("echoflow-cli", &["ef-tensor"]), ours("ef-tensor", &[])];
        assert_one(&edges(&graph(cli)), &["echoflow-cli depends on ef-tensor"]);
    }

    #[test]
    fn the_test_kit_reaches_densities_by_a_feature_only() {
        let mut kit = ours("ef-check", &["ef-density"]);
        assert_one(
            &edges(&graph([kit.clone(), ours("ef-density", &[])])),
            &["optional", "`density`"],
        );
        kit.declared[0].optional = true;
        assert!(edges(&graph([kit, ours("ef-density", &[])])).is_empty());
    }

    #[test]
    fn the_test_kit_is_for_tests_and_has_no_version() {
        let mut user = ours("ef-train", &["ef-check"]);
        assert_one(&test_kit(&graph([user.clone()])), &["ef-train", "dev-dependency"]);
        user.declared[0].dev = true;
        assert_one(&test_kit(&graph([user.clone()])), &["ef-train", "path only"]);
        user.declared[0].path_only = true;
        assert!(test_kit(&graph([user])).is_empty());
    }

    #[test]
    fn what_is_kept_apart_is_found_through_others() {
        let joined = [
            ours("ef-demo", &["ef-tabular"]),
            ours("ef-tabular", &["reader"]),
            foreign("reader", "1.0.0", &["csv"]),
            foreign("csv", "1.0.0", &[]),
        ];
        assert_one(&never(&graph(joined)), &["ef-tabular brings in csv", "no files"]);
        let above = [ours("ef-io", &["echoflow"]), ours("echoflow", &[])];
        assert_one(&never(&graph(above)), &["ef-io brings in echoflow"]);
        let designed = [ours("ef-io", &["ef-tabular", "csv"]), ours("ef-tabular", &[])];
        assert!(never(&graph(designed)).is_empty());
    }

    #[test]
    fn tests_that_use_a_crate_above_name_its_path_only() {
        let mut tables = ours("ef-tabular", &["ef-io"]);
        tables.declared[0].dev = true;
        let both = |tables: &Package| graph([tables.clone(), ours("ef-io", &["ef-tabular"])]);
        assert_one(&tests_upwards(&both(&tables)), &["ef-tabular", "path only"]);
        tables.declared[0].path_only = true;
        assert!(tests_upwards(&both(&tables)).is_empty());
        let mut io = ours("ef-io", &["ef-tabular"]);
        io.declared[0].dev = true;
        assert!(tests_upwards(&graph([io, ours("ef-tabular", &[])])).is_empty());
    }

    #[test]
    fn weight_below_a_lean_crate_is_found_through_others() {
        let build = |top| {
            graph([
                ours(top, &["middle"]),
                foreign("middle", "1.0.0", &["arrow-schema"]),
                foreign("arrow-schema", "59.0.0", &[]),
            ])
        };
        assert_one(&lean(&build("ef-train")), &["ef-train brings in arrow-schema"]);
        assert!(lean(&build("ef-tabular")).is_empty());
    }

    #[test]
    fn a_crate_that_stands_alone_has_no_dependency_but_for_tests() {
        let mut plot = ours("ef-plot", &["serde"]);
        assert_one(&alone(&graph([plot.clone()])), &["ef-plot depends on serde"]);
        plot.declared[0].dev = true;
        assert!(alone(&graph([plot])).is_empty());
        assert!(alone(&graph([ours("ef-random", &["rand_core"])])).is_empty());
        assert_one(
            &alone(&graph([ours("ef-random", &["rand_core", "rand"])])),
            &["ef-random depends on rand:"],
        );
    }

    #[test]
    fn the_facade_is_found_and_its_parts_are_not() {
        assert!(no_facade(&graph([foreign("arrow-array", "59.0.0", &[])])).is_empty());
        assert_one(
            &no_facade(&graph([foreign("arrow", "59.0.0", &[])])),
            &["arrow-array"],
        );
    }

    #[test]
    fn threads_are_found_where_resolved_and_where_asked_for() {
        let mut product = foreign("matrixmultiply", "0.3.11", &[]);
        product.features = vec!["std".into()];
        assert!(no_threads(&graph([product.clone()])).is_empty());
        product.features.push("threading".into());
        assert_one(&no_threads(&graph([product])), &["threading", "matrixmultiply"]);
        let mut user = ours("ef-tensor", &["ndarray"]);
        user.declared[0].features = vec!["matrixmultiply-threading".into()];
        assert_one(&no_threads(&graph([user])), &["ef-tensor asks"]);
    }

    #[test]
    fn a_second_rand_is_found_unless_the_test_kit_brought_it() {
        let two = |top| {
            graph([
                ours(top, &["rand 0.9.5", "rand 0.10.3"]),
                foreign("rand", "0.9.5", &[]),
                foreign("rand", "0.10.3", &[]),
            ])
        };
        assert_eq!(one_version(&two("ef-density")).len(), 2);
        assert!(one_version(&two("ef-check")).is_empty());
        let one = graph([ours("ef-density", &["rand 0.9.5"]), foreign("rand", "0.9.5", &[])]);
        assert!(one_version(&one).is_empty());
    }

    #[test]
    fn crates_are_counted_once() {
        let tree = "ef-bijectors v0.1.0 (folder)\nndarray v0.17.2\nndarray v0.17.2 (*)\nrand v0.9.5\n";
        assert!(few_crates(tree, 3).is_empty());
        assert_one(&few_crates(tree, 2), &["3 crates"]);
        assert_one(&few_crates("", 2), &["no crate"]);
        assert!(only_scores("echoflow v1 (x)\nef-model v1 (x)\n").is_empty());
        assert_one(
            &only_scores("echoflow v1 (x)\nef-plot v1 (x)\n"),
            &["ef-plot", "feature"],
        );
        assert_one(&only_scores(""), &["no crate"]);
    }
}
