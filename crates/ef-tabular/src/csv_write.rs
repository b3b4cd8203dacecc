//! Tables into CSV files.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::TableError;
use crate::table::Table;

impl Table {
    /// Writes a CSV file with `\n` line ends and quotes only where they are needed. The file is written beside its
    /// final place and renamed, so that an error leaves what was there before.
    ///
    /// # Errors
    /// The folder is missing, may not be written, or is full.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<(), TableError> {
        let path = path.as_ref();
        let refused = |error| TableError::Write {
            path: path.to_owned(),
            error,
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".echoflow-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // as for any new file: the process's umask decides
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder).map_err(refused)?;
        let mut buffered = BufWriter::new(file);
        self.write_to(&mut buffered).map_err(refused)?;
        let file = buffered
            .into_inner()
            .map_err(|error| refused(error.into_error()))?;
        file.as_file().sync_all().map_err(refused)?;
        file.persist(path).map_err(|error| refused(error.error))?;
        Ok(())
    }

    /// Writes the table as CSV into any writer.
    ///
    /// # Errors
    /// The writer's own.
    pub fn to_csv_writer(&self, writer: impl Write) -> Result<(), TableError> {
        self.write_to(writer).map_err(|error| TableError::Stream {
            source_name: self.source_name(),
            error,
        })
    }

    fn write_to(&self, writer: impl Write) -> std::io::Result<()> {
        let mut csv = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Necessary)
            .from_writer(writer);
        csv.write_record(self.column_names())?;
        let columns = self.schema().columns;
        let mut cell = String::new();
        for row in 0..self.num_rows() {
            for (position, column) in columns.iter().enumerate() {
                cell.clear();
                self.write_cell(row, position, column, &mut cell);
                csv.write_field(&cell)?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
        csv.flush()
    }
}
