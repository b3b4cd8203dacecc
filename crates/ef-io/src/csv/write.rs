//! Tables into CSV files.

use std::io::{self, Write};
use std::path::Path;

use ef_files::write_atomically;
use ef_tabular::Table;

use crate::error::IoError;

/// Writes a CSV file with `\n` line ends and quotes only where they are needed. The file is written beside its final place
/// and renamed, so that an error leaves what was there before.
///
/// # Errors
/// The folder is missing, may not be written, or is full.
pub fn write_csv(table: &Table, path: impl AsRef<Path>) -> Result<(), IoError> {
    let path = path.as_ref();
    write_atomically(path, |out| write_to(table, out)).map_err(|error| IoError::Write {
        path: path.to_owned(),
        error,
    })
}

/// Writes a table as CSV into any writer.
///
/// # Errors
/// The writer's own.
pub fn write_csv_to(table: &Table, writer: impl Write) -> Result<(), IoError> {
    write_to(table, writer).map_err(|error| IoError::Stream {
        source_name: "cannot write the table".to_owned(),
        error,
    })
}

fn write_to(table: &Table, writer: impl Write) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Necessary)
        .from_writer(writer);
    csv.write_record(table.column_names()).map_err(as_io)?;
    let texts = table.cell_texts();
    let mut cell = String::new();
    for row in 0..table.num_rows() {
        for column in 0..table.num_columns() {
            cell.clear();
            texts.write(row, column, &mut cell);
            csv.write_field(&cell).map_err(as_io)?;
        }
        csv.write_record(None::<&[u8]>).map_err(as_io)?;
    }
    csv.flush()
}

/// The writer's own error, whose kind distinguishes a full disk from a closed pipe; csv's conversion hides it.
fn as_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
