//! Demo tables as tables.

use ef_tabular::{Table, TableError};

use super::DemoTable;

impl DemoTable {
    /// The table a reader of its CSV gets: texts, whole numbers, decimals and booleans, written as they are here.
    ///
    /// # Errors
    /// None that a demo's own columns can cause.
    pub fn to_table(&self) -> Result<Table, TableError> {
        let mut text = Vec::new();
        self.write_csv(&mut text).map_err(|error| TableError::Stream {
            source_name: "demo".to_owned(),
            error,
        })?;
        Table::from_csv_reader(text.as_slice(), "demo")
    }
}
