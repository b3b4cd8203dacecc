//! Tables into CSV files.

use std::io::{self, Write};
use std::path::Path;

use crate::error::TableError;
use crate::table::Table;
use crate::whole_file::write_atomically;

impl Table {
    /// Writes a CSV file with `\n` line ends and quotes only where they are needed. The file is written beside its
    /// final place and renamed, so that an error leaves what was there before.
    ///
    /// # Errors
    /// The folder is missing, may not be written, or is full.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<(), TableError> {
        let path = path.as_ref();
        write_atomically(path, |out| self.write_to(out)).map_err(|error| TableError::Write {
            path: path.to_owned(),
            error,
        })
    }

    /// Writes the table as CSV into any writer.
    ///
    /// # Errors
    /// The writer's own.
    pub fn to_csv_writer(&self, writer: impl Write) -> Result<(), TableError> {
        self.write_to(writer).map_err(|error| TableError::Stream {
            source_name: "cannot write the table".to_owned(),
            error,
        })
    }

    fn write_to(&self, writer: impl Write) -> io::Result<()> {
        let mut csv = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Necessary)
            .from_writer(writer);
        csv.write_record(self.column_names()).map_err(as_io)?;
        let columns = self.schema().columns;
        let mut cell = String::new();
        for row in 0..self.num_rows() {
            for (position, column) in columns.iter().enumerate() {
                cell.clear();
                self.write_cell(row, position, column, &mut cell);
                csv.write_field(&cell).map_err(as_io)?;
            }
            csv.write_record(None::<&[u8]>).map_err(as_io)?;
        }
        csv.flush()
    }
}

/// The writer's own error, whose kind tells a full disk from a reader that went away; csv's conversion hides it.
fn as_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
