//! The tables of a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::Shell;

/// A table's two files.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// Path below the folder without the ending, such as `sim/ring`.
    pub(super) name: String,
    pub(super) train: PathBuf,
    pub(super) test: PathBuf,
}

impl Table {
    /// The name as the beginning of a file's name.
    pub(super) fn file_name(&self) -> String {
        self.name.replace('/', "-")
    }
}

const TRAIN: &str = ".train.csv";
const TEST: &str = ".test.csv";

/// The tables of a folder and of those below it, by name: the named ones, all if there are no names.
///
/// # Errors
/// A name that is not there; a folder without tables, or that cannot be read.
pub(super) fn tables_of(sh: &Shell, folder: &Path, names: &[String]) -> Result<Vec<Table>> {
    let mut found = Vec::new();
    search(sh, folder, "", &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(
        !found.is_empty(),
        "{} has no pair of files NAME{TRAIN} and NAME{TEST}",
        folder.display()
    );
    if names.is_empty() {
        return Ok(found);
    }
    let find = |name: &String| {
        let known = || {
            found
                .iter()
                .map(|t| t.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let table = found.iter().find(|table| table.name == *name).cloned();
        table.with_context(|| format!("there is no table '{name}'; there are {}", known()))
    };
    names.iter().map(find).collect()
}

fn search(sh: &Shell, folder: &Path, prefix: &str, found: &mut Vec<Table>) -> Result<()> {
    for path in sh.read_dir(folder)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if path.is_dir() {
            search(sh, &path, &format!("{prefix}{name}/"), found)?;
        } else if let Some(name) = name.strip_suffix(TRAIN) {
            let test = folder.join(format!("{name}{TEST}"));
            if test.is_file() {
                found.push(Table {
                    name: format!("{prefix}{name}"),
                    train: path,
                    test,
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_also_below() {
        let sh = Shell::new().expect("a shell");
        let folder = sh.create_temp_dir().expect("a folder");
        let top = folder.path();
        for file in [
            "b.train.csv",
            "b.test.csv",
            "sim/a.train.csv",
            "sim/a.test.csv",
            "alone.train.csv",
            "note.md",
        ] {
            sh.write_file(top.join(file), "x\n1\n").expect("a file");
        }
        let names = |asked: &[&str]| -> Result<Vec<String>> {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            Ok(tables_of(&sh, top, &asked)?
                .into_iter()
                .map(|table| table.name)
                .collect())
        };
        assert_eq!(names(&[]).expect("tables"), ["b", "sim/a"]);
        assert_eq!(names(&["sim/a"]).expect("a table"), ["sim/a"]);
        assert!(names(&["alone"]).is_err());
        assert!(tables_of(&sh, &top.join("sim"), &["b".to_owned()]).is_err());
    }
}
