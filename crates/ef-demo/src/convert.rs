//! Demo tables as tables.

use ef_tabular::{Table, TableError, TextRows};

use super::DemoTable;

impl DemoTable {
    /// The table a reader of its CSV gets: texts, whole numbers, decimals and booleans, written as they are here.
    ///
    /// # Errors
    /// Never for a demo's own columns.
    pub fn to_table(&self) -> Result<Table, TableError> {
        let columns = self.columns();
        let mut rows = TextRows::new("demo", columns.iter().map(|(name, _)| name.as_str()))?;
        for row in 0..self.rows() {
            let cells: Vec<String> = columns.iter().map(|(_, column)| column.cell_text(row)).collect();
            // its line in the file that `write_csv` makes
            rows.push(row as u64 + 2, &cells)?;
        }
        rows.into_table()
    }
}
