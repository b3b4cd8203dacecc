//! Python environments in the target directory, made when they are missing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

/// A list of packages with pinned versions, and further arguments of pip.
pub(crate) struct List {
    pub(crate) file: PathBuf,
    pub(crate) options: &'static [&'static str],
}

/// The Python of the environment `folder`, which has the packages of `lists`. Messages name `what` it is for, and what
/// to do without it.
///
/// # Errors
/// Without Python 3 or its `venv`, or when pip cannot install a package.
pub(crate) fn python(
    sh: &Shell,
    folder: &Path,
    lists: &[List],
    what: &str,
    without: &str,
) -> Result<PathBuf> {
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    let python = folder.join(programs).join("python");
    let mut wanted = String::new();
    for list in lists {
        wanted += &sh.read_file(&list.file)?;
    }
    // Written last, so that a half-made environment, or one made from other lists, is made again.
    let stamp = folder.join("installed.txt");
    if sh.read_file(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }

    let base = ["python3", "python"].into_iter().find(|name| {
        let version = cmd!(sh, "{name} --version").quiet().ignore_stderr().read();
        version.is_ok_and(|version| version.starts_with("Python 3"))
    });
    let Some(base) = base else {
        bail!("python3 is not there, and {what} needs it: install Python 3.11 or later{without}");
    };
    println!("installing the packages of {what} into {}", folder.display());
    cmd!(sh, "{base} -m venv --clear {folder}")
        .run()
        .context("python3 has no working `venv` module: install it (Debian: the package python3-venv)")?;
    for list in lists {
        let (file, options) = (&list.file, list.options);
        cmd!(sh, "{python} -m pip install --quiet {options...} -r {file}").run()?;
    }
    sh.write_file(&stamp, wanted)?;
    Ok(python)
}
