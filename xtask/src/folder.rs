//! The tables of a folder, for the chores that measure models of tables.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::Shell;

/// A table's two files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// Path below the folder without the ending, such as `sim/ring`.
    pub(crate) name: String,
    pub(crate) train: PathBuf,
    pub(crate) test: PathBuf,
}

impl Table {
    /// The name as the beginning of a file's name.
    pub(crate) fn file_name(&self) -> String {
        self.name.replace('/', "-")
    }
}

const TRAIN: &str = ".train.csv";
const TEST: &str = ".test.csv";

/// The tables of a folder and of those below it, by name: the named ones, all if there are no names. Without `tested`
/// the file to test on need not be there.
///
/// # Errors
/// A name that is not there; a folder without tables, or that cannot be read.
pub(crate) fn tables_of(sh: &Shell, folder: &Path, names: &[String], tested: bool) -> Result<Vec<Table>> {
    let mut found = Vec::new();
    search(sh, folder, "", &mut found)?;
    found.retain(|table| !tested || table.test.is_file());
    found.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(
        !found.is_empty(),
        "{} has no file NAME{TRAIN}{}",
        folder.display(),
        if tested {
            format!(" with NAME{TEST} beside it")
        } else {
            String::new()
        }
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
            found.push(Table {
                name: format!("{prefix}{name}"),
                test: folder.join(format!("{name}{TEST}")),
                train: path,
            });
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
        let names = |asked: &[&str], tested| -> Result<Vec<String>> {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            Ok(tables_of(&sh, top, &asked, tested)?
                .into_iter()
                .map(|table| table.name)
                .collect())
        };
        assert_eq!(names(&[], true).expect("tables"), ["b", "sim/a"]);
        assert_eq!(names(&["sim/a"], true).expect("a table"), ["sim/a"]);
        assert!(names(&["alone"], true).is_err());
        assert_eq!(names(&["alone"], false).expect("a table"), ["alone"]);
        assert!(tables_of(&sh, &top.join("sim"), &["b".to_owned()], true).is_err());
    }
}
