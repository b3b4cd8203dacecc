//! The peers' Python environment: made when it is missing, from the lists in `benches/peers`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

/// The libraries, in the order in which they run.
pub(super) const PEERS: [&str; 4] = ["zuko", "nflows", "normflows", "flowjax"];
/// The peer whose loss ours is held against.
pub(super) const JUDGE: &str = "zuko";

const FOLDER: &str = "benches/peers";

/// The Python of an environment in `target` that has all peers.
///
/// # Errors
/// Without Python 3 or its `venv`, or when pip cannot install a library.
pub(super) fn python(sh: &Shell, target: &Path) -> Result<PathBuf> {
    let environment = target.join("peers-venv");
    let folder = if cfg!(windows) { "Scripts" } else { "bin" };
    let python = environment.join(folder).join("python");
    let lists = ["requirements.txt", "requirements-no-deps.txt"].map(|name| Path::new(FOLDER).join(name));
    let mut wanted = String::new();
    for list in &lists {
        wanted += &sh.read_file(list)?;
    }
    // Written last: an environment that was left half made, or made from other lists, is made again.
    let stamp = environment.join("installed.txt");
    if sh.read_file(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }

    let base = ["python3", "python"].into_iter().find(|name| {
        let version = cmd!(sh, "{name} --version").quiet().ignore_stderr().read();
        version.is_ok_and(|version| version.starts_with("Python 3"))
    });
    let Some(base) = base else {
        bail!(
            "python3 is not there, and the peers are Python libraries: install Python 3.11 or later, or measure ours \
             alone with `--peer none`"
        );
    };
    println!("installing the peers into {} (several GB)", environment.display());
    cmd!(sh, "{base} -m venv --clear {environment}")
        .run()
        .context("python3 has no working `venv` module: install it (Debian: the package python3-venv)")?;
    let [with, without] = &lists;
    cmd!(sh, "{python} -m pip install --quiet -r {with}").run()?;
    cmd!(sh, "{python} -m pip install --quiet --no-deps -r {without}").run()?;
    sh.write_file(&stamp, wanted)?;
    Ok(python)
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
