//! What can go wrong with files, and what to do about it.

use std::path::PathBuf;

use ef_tabular::TableError;

/// Everything that reading or writing a table can refuse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// A file could not be opened or read.
    #[error("cannot read {}: {error}; check the path and that the file may be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: std::io::Error,
    },
    /// A file could not be written; nothing half-written is left behind.
    #[error("cannot write {}: {error}; check that the folder exists, may be written and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: std::io::Error,
    },
    /// A stream could not be read or written.
    #[error("{source_name}: {error}")]
    Stream {
        /// Name of the stream.
        source_name: String,
        /// The system's error.
        #[source]
        error: std::io::Error,
    },
    /// No header row at all.
    #[error("{source_name} is empty; a table needs a header row with the column names")]
    EmptyFile {
        /// File or stream.
        source_name: String,
    },
    /// Bytes that are not UTF-8.
    #[error("{source_name}, line {line}: the text is not UTF-8; save the file as UTF-8 and try again")]
    NotUtf8 {
        /// File or stream.
        source_name: String,
        /// 1-based line.
        line: u64,
    },
    /// A quoted field that never ends.
    #[error(
        "{source_name}, line {line}: the quote opened here is never closed; close it, or double a quote that belongs to the text (\"\")"
    )]
    UnterminatedQuote {
        /// File or stream.
        source_name: String,
        /// 1-based line where the quote opened.
        line: u64,
    },
    /// A row with more or fewer fields than the header.
    #[error(
        "{source_name}, line {line}: the row has {}, the header {expected}; quote a field that contains a comma, or mend the row",
        count(*found, "field")
    )]
    RaggedRow {
        /// File or stream.
        source_name: String,
        /// 1-based line where the row starts.
        line: u64,
        /// Fields of the header.
        expected: usize,
        /// Fields of the row.
        found: usize,
    },
    /// The contents are not a table: doubled names, an infinite number.
    #[error(transparent)]
    Table(Box<TableError>),
}

impl From<TableError> for IoError {
    fn from(error: TableError) -> Self {
        Self::Table(Box::new(error))
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
