//! Two tables side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::TableError;
use crate::table::Table;

impl Table {
    /// The columns `names`, in that order, each from this table or, if it is not here, from `other`; both have the same
    /// rows. How cells are written comes with the columns.
    ///
    /// # Errors
    /// A name that neither table has; tables of different lengths.
    ///
    /// ```
    /// use ef_tabular::Table;
    /// let left = Table::from_csv_reader("a,c\n1,3\n".as_bytes(), "left")?;
    /// let right = Table::from_csv_reader("b\n2\n".as_bytes(), "right")?;
    /// assert_eq!(left.join(&right, &["a", "b", "c"])?.column_names(), ["a", "b", "c"]);
    /// # Ok::<(), ef_tabular::TableError>(())
    /// ```
    pub fn join(&self, other: &Self, names: &[&str]) -> Result<Self, TableError> {
        if self.num_rows() != other.num_rows() {
            return Err(TableError::LengthMismatch {
                name: other
                    .column_names()
                    .first()
                    .copied()
                    .unwrap_or_default()
                    .to_owned(),
                expected: self.num_rows(),
                found: other.num_rows(),
            });
        }
        let (mut fields, mut arrays, mut texts) = (Vec::new(), Vec::new(), BTreeMap::new());
        for &name in names {
            let (table, at) = match self.column_index(name) {
                Ok(at) => (self, at),
                Err(_) => (other, other.column_index(name)?),
            };
            fields.push(table.batch.schema_ref().field(at).clone());
            arrays.push(Arc::clone(table.batch.column(at)));
            if let Some(written) = table.texts.get(name) {
                texts.insert(name.to_owned(), written.clone());
            }
        }
        Self::assemble(fields, arrays, self.num_rows(), None, texts)
    }
}
