//! The programs that do the work.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};
use xshell::{Cmd, Shell, cmd};

use crate::e2e::target_directory;
use crate::json_lines::joined;
use crate::venv::{self, List};

const SCORER: &str = "benches/quality";

/// Our programs, built and set aside: whatever is built while they work changes nothing.
pub(super) struct Programs {
    pub(super) target: PathBuf,
    /// Where tables, models and samples go.
    pub(super) folder: PathBuf,
    echoflow: PathBuf,
    measured: PathBuf,
    tables: PathBuf,
    threads: usize,
}

impl Programs {
    pub(super) fn build(sh: &Shell, threads: usize) -> Result<Self> {
        cmd!(
            sh,
            "cargo build --release -p echoflow-cli -p ef-bench --bin echoflow --bin measured --bin tables"
        )
        .run()?;
        let target = PathBuf::from(target_directory(sh)?);
        let folder = sh.create_dir(target.join("bench-quality"))?;
        let aside = |name: &str| -> Result<PathBuf> {
            let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            let to = folder.join(&file);
            sh.copy_file(target.join("release").join(&file), &to)?;
            Ok(to)
        };
        let (echoflow, measured, tables) = (aside("echoflow")?, aside("measured")?, aside("tables")?);
        Ok(Self {
            target,
            folder,
            echoflow,
            measured,
            tables,
            threads,
        })
    }

    /// The Python that the scorer runs with.
    pub(super) fn python(&self, sh: &Shell) -> Result<PathBuf> {
        let list = List {
            file: Path::new(SCORER).join("requirements.txt"),
            options: &[],
        };
        venv::python(sh, &self.target.join("quality-venv"), &[list], "the scorer", "")
    }

    /// Runs `echoflow` with these arguments; what it took, each key after `prefix_`.
    pub(super) fn echoflow(
        &self,
        sh: &Shell,
        prefix: &str,
        arguments: &[&str],
    ) -> Result<Map<String, Value>> {
        let (measured, echoflow, threads) = (&self.measured, &self.echoflow, self.threads.to_string());
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

    /// The program that handles tables.
    pub(super) fn tables<'s>(&self, sh: &'s Shell) -> Cmd<'s> {
        let tables = &self.tables;
        cmd!(sh, "{tables}").quiet()
    }

    /// The scorer.
    pub(super) fn scorer<'s>(&self, sh: &'s Shell, python: &Path) -> Cmd<'s> {
        let program = Path::new(SCORER).join("score.py");
        let scorer = cmd!(sh, "{python} {program}").quiet();
        // no folder of compiled files beside the sources
        let scorer = scorer.env("PYTHONDONTWRITEBYTECODE", "1");
        if self.threads == 0 {
            scorer
        } else {
            scorer.args(["--threads", &self.threads.to_string()])
        }
    }
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| anyhow::anyhow!("the path {} is no text", path.display()))
}
