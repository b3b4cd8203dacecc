//! Tables in from files or standard input, out to files or standard output.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use echoflow::{Table, TableError};

pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a table; `-` is standard input.
pub(crate) fn read_table(path: &Path) -> Result<Table> {
    if is_dash(path) {
        Ok(Table::from_csv_reader(io::stdin().lock(), "standard input")?)
    } else {
        Ok(Table::read_csv(path)?)
    }
}

/// Writes a table; `-` is standard output.
pub(crate) fn write_table(table: &Table, path: &Path) -> Result<()> {
    if is_dash(path) {
        let mut out = BufWriter::new(io::stdout().lock());
        table.to_csv_writer(&mut out)?;
        out.flush().context("cannot write to standard output")?;
    } else {
        table.write_csv(path)?;
        note(&format!("wrote {} rows to {}", table.num_rows(), path.display()));
    }
    Ok(())
}

/// Fails now, and not after minutes of work, if `path` cannot be written.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    if is_dash(path) {
        bail!("a model cannot be written to standard output; name a file with -o");
    }
    if path.is_dir() {
        bail!("{} is a folder; name a file in it with -o", path.display());
    }
    let folder = path
        .parent()
        .filter(|f| !f.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    echoflow::check_folder(folder).map_err(|error| {
        anyhow::anyhow!(
            "cannot write {}: {error}; check that the folder exists and may be written",
            path.display()
        )
    })
}

/// A line on standard error, for a person.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Whether the reader of our output went away, as `head` does: no error of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause
            .downcast_ref::<io::Error>()
            .or(match cause.downcast_ref::<TableError>() {
                Some(TableError::Stream { error, .. }) => Some(error),
                _ => None,
            });
        io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}
