//! Files of JSON lines: one object a run.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::Shell;

/// The file that lines are added to.
pub(crate) struct Lines(pub(crate) PathBuf);

impl Lines {
    /// Adds a line, and gives it back.
    pub(crate) fn append(&self, line: Value) -> Result<Value> {
        let path = self.0.display();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.0)
            .with_context(|| format!("{path} cannot be written"))?;
        writeln!(file, "{line}").with_context(|| format!("{path} cannot be written"))?;
        Ok(line)
    }
}

/// All lines of a file.
pub(crate) fn read_lines(sh: &Shell, path: &Path) -> Result<Vec<Value>> {
    let text = sh.read_file(path)?;
    let lines = text.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} is no file of JSON lines", path.display()))?;
    ensure!(!lines.is_empty(), "{} is empty", path.display());
    Ok(lines)
}

/// The object that a program printed, with the keys of its run.
pub(crate) fn joined(about: Value, printed: &str) -> Result<Value> {
    let line = printed.trim().lines().last().unwrap_or_default();
    let printed: Value =
        serde_json::from_str(line).with_context(|| format!("a program printed no JSON line but '{line}'"))?;
    let (Value::Object(mut all), Value::Object(printed)) = (about, printed) else {
        anyhow::bail!("a program printed '{line}', which is no JSON object");
    };
    all.extend(printed);
    Ok(Value::Object(all))
}
