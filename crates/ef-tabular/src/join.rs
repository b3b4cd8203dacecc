//! Two tables side by side; one more column.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::encoder::array_of;
use crate::error::TableError;
use crate::schema::{ColumnSchema, Kind};
use crate::table::{Table, column_schema, field_of};
use crate::value::Value;

impl Table {
    /// The columns `names`, in that order, each from this table or, if it is not here, from `other`; both have the same
    /// rows. How cells are written comes with the columns.
    ///
    /// # Errors
    /// A name that neither table has; tables of different lengths.
    ///
    /// ```
    /// let left = ef_io::read_csv_from("a,c\n1,3\n".as_bytes(), "left")?;
    /// let right = ef_io::read_csv_from("b\n2\n".as_bytes(), "right")?;
    /// assert_eq!(left.join(&right, &["a", "b", "c"])?.column_names(), ["a", "b", "c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&self, other: &Self, names: &[&str]) -> Result<Self, TableError> {
        self.check_length(other)?;
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

    /// The columns of `drawn`, in its order and kinds, with this table's cells wherever it has them: they stay as they are
    /// written. Missing cells and columns that this table lacks come from `drawn`, which has the same rows.
    ///
    /// # Errors
    /// Tables of different lengths; a cell that is not of its column's kind.
    ///
    /// ```
    /// let given = ef_io::read_csv_from("a\n1.50\n?\n".as_bytes(), "given")?;
    /// let drawn = ef_io::read_csv_from("b,a\nx,7.1\ny,8.1\n".as_bytes(), "drawn")?;
    /// let mut text = Vec::new();
    /// ef_io::write_csv_to(&given.completed_by(&drawn)?, &mut text)?;
    /// assert_eq!(String::from_utf8_lossy(&text), "b,a\nx,1.50\ny,8.1\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn completed_by(&self, drawn: &Self) -> Result<Self, TableError> {
        self.check_length(drawn)?;
        let schema = drawn.schema();
        let held: Vec<usize> = (0..schema.columns.len())
            .filter(|&at| self.column_index(&schema.columns[at].name).is_ok())
            .collect();
        let conformed = schema.subset(&held).conform(self)?;
        let (mut fields, mut arrays, mut texts) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (at, column) in schema.columns.iter().enumerate() {
            let Ok(own) = conformed.column_index(&column.name) else {
                fields.push(drawn.batch.schema_ref().field(at).clone());
                arrays.push(Arc::clone(drawn.batch.column(at)));
                continue;
            };
            let source = self.column_index(&column.name)?;
            let written = self.batch.schema_ref().field(source);
            let written = column_schema(written);
            let rows = 0..self.num_rows();
            let values = rows.clone().map(|row| match conformed.value(row, own) {
                Value::Missing => drawn.value(row, at),
                value => value,
            });
            // whole numbers beside decimals are decimals
            let kind = match Kind::of(conformed.batch.column(own).data_type()) {
                Kind::Decimal if column.kind == Kind::Integer => Kind::Decimal,
                _ => column.kind,
            };
            let array = array_of(kind, values).ok_or_else(|| TableError::TooMuchText {
                source_name: self.source_name(),
                column: column.name.clone(),
            })?;
            if kind.is_number() || kind == Kind::Date {
                let text = |row: usize| {
                    let mut text = String::new();
                    match conformed.value(row, own) {
                        Value::Missing => drawn.write_cell(row, at, column, &mut text),
                        _ => self.write_cell(row, source, &written, &mut text),
                    }
                    text
                };
                texts.insert(column.name.clone(), rows.map(|row| Some(text(row))).collect());
            }
            fields.push(field_of(column).with_data_type(kind.data_type()));
            arrays.push(array);
        }
        Self::assemble(fields, arrays, self.num_rows(), None, texts)
    }

    /// The table with other values in the column of that name, written as `column` says; what is not of its kind becomes a
    /// missing cell.
    ///
    /// # Errors
    /// No such column, not one value a row, or more than 2 GB of text.
    pub fn with_replaced(&self, column: &ColumnSchema, values: &[Value<'_>]) -> Result<Self, TableError> {
        self.column_index(&column.name)?;
        let names = self.column_names();
        self.drop(&[&column.name])?
            .with_values(column, values)?
            .select(&names)
    }

    fn check_length(&self, other: &Self) -> Result<(), TableError> {
        if self.num_rows() == other.num_rows() {
            return Ok(());
        }
        let name = other.column_names().first().copied().unwrap_or_default();
        Err(TableError::LengthMismatch {
            name: name.to_owned(),
            expected: self.num_rows(),
            found: other.num_rows(),
        })
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
