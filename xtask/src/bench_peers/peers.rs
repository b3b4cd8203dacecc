//! The peers' Python environment: made when it is missing, from the lists in `benches/peers`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::Shell;

use crate::venv::{self, List};

/// The libraries, in the order in which they run.
pub(super) const PEERS: [&str; 4] = ["zuko", "nflows", "normflows", "flowjax"];
/// The peer whose loss ours is held against.
pub(super) const JUDGE: &str = "zuko";

const FOLDER: &str = "benches/peers";

/// The Python of an environment in `target` that has all peers (several GB).
///
/// # Errors
/// Without Python 3 or its `venv`, or when pip cannot install a library.
pub(super) fn python(sh: &Shell, target: &Path) -> Result<PathBuf> {
    let list = |name: &str, options| List {
        file: Path::new(FOLDER).join(name),
        options,
    };
    let lists = [
        list("requirements.txt", &[]),
        list("requirements-no-deps.txt", &["--no-deps"]),
    ];
    let without = ", or measure ours alone with `--peer none`";
    venv::python(sh, &target.join("peers-venv"), &lists, "the peers", without)
}

/// The peers with these names, all if there are none, none if the only name is `none`.
///
/// # Errors
/// A name that no peer has.
pub(super) fn named(names: &[String]) -> Result<Vec<&'static str>> {
    match names {
        [] => Ok(PEERS.to_vec()),
        [none] if none == "none" => Ok(Vec::new()),
        names => names
            .iter()
            .map(|name| {
                let known = PEERS.join(", ");
                let found = PEERS.into_iter().find(|peer| peer == name);
                found.with_context(|| format!("there is no peer '{name}'; there are {known} and none"))
            })
            .collect(),
    }
}

/// The peers' program.
pub(super) fn program() -> PathBuf {
    Path::new(FOLDER).join("flow_speed.py")
}
