//! The programs that do the work of the chores that measure models of tables.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};
use xshell::{Cmd, Shell, cmd};

use crate::e2e::target_directory;
use crate::json_lines::joined;
use crate::venv::{self, List};

const SCORER: &str = "benches/quality";

/// Our programs, built and copied, so that a build during a measurement does not change them.
pub(crate) struct Programs {
    pub(crate) target: PathBuf,
    /// Where tables, models and samples go.
    pub(crate) folder: PathBuf,
    threads: usize,
}

impl Programs {
    /// Builds `echoflow` and `measured` and what else is named of `benches`, into a folder of the target directory.
    pub(crate) fn build(sh: &Shell, threads: usize, folder: &str, benches: &[&str]) -> Result<Self> {
        let names = [&["echoflow", "measured"], benches].concat();
        let bins = names.iter().flat_map(|name| ["--bin", name]);
        cmd!(sh, "cargo build --release -p echoflow-cli -p ef-bench {bins...}").run()?;
        let target = PathBuf::from(target_directory(sh)?);
        let folder = sh.create_dir(target.join(folder))?;
        for name in &names {
            let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            sh.copy_file(target.join("release").join(&file), folder.join(&file))?;
        }
        Ok(Self {
            target,
            folder,
            threads,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// The Python that the scorer runs with.
    pub(crate) fn python(&self, sh: &Shell) -> Result<PathBuf> {
        let list = |file: &str, options| List {
            file: Path::new(SCORER).join(file),
            options,
        };
        let lists = [
            list("requirements.txt", &[]),
            list("requirements-no-deps.txt", &["--no-deps"]),
        ];
        venv::python(sh, &self.target.join("quality-venv"), &lists, "the scorer", "")
    }

    /// Runs `echoflow` with these arguments; what it took, each key after `prefix_`.
    pub(crate) fn echoflow(
        &self,
        sh: &Shell,
        prefix: &str,
        arguments: &[&str],
    ) -> Result<Map<String, Value>> {
        let (measured, echoflow) = (self.path("measured"), self.path("echoflow"));
        let threads = self.threads.to_string();
        let printed = cmd!(sh, "{measured} {echoflow} {arguments...} --threads {threads}")
            .quiet()
            .read()?;
        let Value::Object(took) = joined(json!({}), &printed)? else {
            anyhow::bail!("`measured` printed '{printed}'");
        };
        Ok(took
            .into_iter()
            .map(|(key, value)| (format!("{prefix}_{key}"), value))
            .collect())
    }

    /// Runs `echoflow` with these arguments, unmeasured.
    pub(crate) fn echoflow_quietly(&self, sh: &Shell, arguments: &[&str]) -> Result<()> {
        let echoflow = self.path("echoflow");
        Ok(cmd!(sh, "{echoflow} {arguments...}")
            .quiet()
            .ignore_stderr()
            .run()?)
    }

    /// One of the programs of `benches`.
    pub(crate) fn bench<'s>(&self, sh: &'s Shell, name: &str) -> Cmd<'s> {
        let program = self.path(name);
        cmd!(sh, "{program}").quiet()
    }

    /// A program of the scorer, which takes `--threads`.
    pub(crate) fn scorer<'s>(&self, sh: &'s Shell, python: &Path) -> Cmd<'s> {
        let scorer = self.python_program(sh, python, "score.py");
        if self.threads == 0 {
            scorer
        } else {
            scorer.args(["--threads", &self.threads.to_string()])
        }
    }

    /// Any program of the scorer.
    pub(crate) fn python_program<'s>(&self, sh: &'s Shell, python: &Path, file: &str) -> Cmd<'s> {
        let program = Path::new(SCORER).join(file);
        // no folder of compiled files beside the sources
        cmd!(sh, "{python} {program}")
            .quiet()
            .env("PYTHONDONTWRITEBYTECODE", "1")
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| anyhow::anyhow!("the path {} is no text", path.display()))
}
