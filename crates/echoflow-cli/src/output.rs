//! Tables in from files or standard input, out to files or standard output.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use echoflow::{EchoFlow, IoError, Table};

pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a table; `-` is standard input.
pub(crate) fn read_table(path: &Path) -> Result<Table> {
    if is_dash(path) {
        Ok(echoflow::read_csv_from(io::stdin().lock(), "standard input")?)
    } else {
        Ok(echoflow::read_csv(path)?)
    }
}

/// Reads a table for a model: the model's categories are text, whatever they look like in this file.
pub(crate) fn read_table_for(model: &EchoFlow, path: &Path) -> Result<Table> {
    let schema = model.full_schema();
    if is_dash(path) {
        Ok(echoflow::read_csv_from_like(
            io::stdin().lock(),
            "standard input",
            &schema,
        )?)
    } else {
        Ok(echoflow::read_csv_like(path, &schema)?)
    }
}

/// Writes a table; `-` is standard output.
pub(crate) fn write_table(table: &Table, path: &Path) -> Result<()> {
    if is_dash(path) {
        to_stdout(|out| {
            echoflow::write_csv_to(table, out).map_err(|error| match error {
                IoError::Stream { error, .. } => error,
                other => io::Error::other(other),
            })
        })
    } else {
        echoflow::write_csv(table, path)?;
        note(&format!(
            "wrote {} to {}",
            count(table.num_rows(), "row"),
            path.display()
        ));
        Ok(())
    }
}

/// What a person calls a file to read.
pub(crate) fn named(path: &Path) -> String {
    if is_dash(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Refuses a table that already has one of the columns that a command adds.
pub(crate) fn refuse_taken(table: &Table, path: &Path, names: &[&str], what: &str) -> Result<()> {
    match names.iter().find(|name| table.column_index(name).is_ok()) {
        None => Ok(()),
        Some(name) => bail!(
            "{} already has a column \"{name}\", where {what}; rename it or take it out first",
            named(path)
        ),
    }
}

/// Writes one JSON object and a line end; `-` is standard output.
pub(crate) fn write_json(object: &serde_json::Value, path: &Path) -> Result<()> {
    if is_dash(path) {
        return to_stdout(|out| writeln!(out, "{object}"));
    }
    echoflow::files::write_atomically(path, |out| writeln!(out, "{object}")).map_err(|error| {
        anyhow!(
            "cannot write {}: {error}; check that the folder exists, may be written and has room",
            path.display()
        )
    })
}

/// Writes to standard output.
pub(crate) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    // what is still in the buffer would fail once more
    drop(out.into_parts());
    written.map_err(|error| {
        let text = format!("cannot write to standard output: {error}; make room, or send it elsewhere");
        anyhow::Error::new(error).context(text)
    })
}

/// A line on standard error, for a person; where nobody can read it, nothing.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// `1 row`, `2 rows`.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// An estimated probability or density, with as many digits as its standard error allows: `0.1234 +- 0.0006`.
pub(crate) fn estimate(value: f64, error: f64) -> String {
    match (value < 1e-4, error == 0.0) {
        _ if value == 0.0 || value == 1.0 => return value.to_string(),
        (true, true) => return format!("{value:.4e}"),
        (true, false) => return format!("{value:.2e} +- {error:.1e}"),
        (false, true) => return format!("{value:.6}"),
        (false, false) => {}
    }
    // two digits of the error
    let digits = (1.0 - error.log10().floor()).clamp(1.0, 12.0) as usize;
    format!("{value:.digits$} +- {error:.digits$}")
}

/// Whether the reader of our output went away, as `head` does: no error of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
