//! Two tables side by side; one more column.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::encoder::array_of;
use crate::error::TableError;
use crate::law::Value;
use crate::schema::ColumnSchema;
use crate::table::{Table, field_of};

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

    /// The table with one more column at the right, its values as `column` says; what is not of its kind becomes a
    /// missing cell.
    ///
    /// # Errors
    /// The name is taken, there is not one value a row, or more than 2 GB of text.
    pub fn with_values(&self, column: &ColumnSchema, values: &[Value<'_>]) -> Result<Self, TableError> {
        let array = array_of(column.kind, values.iter().copied()).ok_or_else(|| TableError::TooMuchText {
            source_name: self.source_name(),
            column: column.name.clone(),
        })?;
        self.append(field_of(column), array)
    }
}
