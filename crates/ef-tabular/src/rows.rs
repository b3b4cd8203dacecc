//! Rows of tables, picked by their numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::ArrowError;

use crate::encoder::array_of;
use crate::error::TableError;
use crate::schema::Kind;
use crate::table::{Source, Table, field_of};

impl Table {
    /// The rows at some positions, in the order asked for; a row may come more than once. [`location`](Self::location)
    /// still names the lines they were read from.
    ///
    /// ```
    /// let table = ef_io::read_csv_from("a\n1.50\n2\n3\n".as_bytes(), "table")?;
    /// let mut text = Vec::new();
    /// ef_io::write_csv_to(&table.take(&[2, 0, 0])?, &mut text)?;
    /// assert_eq!(String::from_utf8_lossy(&text), "a\n3\n1.50\n1.50\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A position beyond the last row; more than 2 GB of text.
    pub fn take(&self, rows: &[usize]) -> Result<Self, TableError> {
        let picks: Vec<(usize, usize)> = rows.iter().map(|&row| (0, row)).collect();
        let mut taken = Self::interleave(&[self], &picks)?;
        taken.source = self.source.as_ref().map(|source| {
            let line = |&row: &usize| self.location(row).line.unwrap_or(0);
            Arc::new(Source {
                name: source.name.clone(),
                lines: Some(rows.iter().map(line).collect()),
            })
        });
        Ok(taken)
    }

    /// One table of rows of several: each pick is the number of a table and of a row in it. The columns are those of the
    /// first table, found by name in the others; whole numbers beside decimals are decimals. Cells stay as they are
    /// written.
    ///
    /// # Errors
    /// A column that a table lacks, or that is of another kind there; a pick that is not there; more than 2 GB of text.
    pub fn interleave(tables: &[&Self], picks: &[(usize, usize)]) -> Result<Self, TableError> {
        let refused = |what: String| TableError::Arrow(ArrowError::InvalidArgumentError(what));
        if let Some((table, row)) = picks
            .iter()
            .find(|(table, row)| tables.get(*table).is_none_or(|t| *row >= t.num_rows()))
        {
            return Err(refused(format!("there is no row {row} in table {table}")));
        }
        let first = tables.first().ok_or_else(|| refused("of no table".to_owned()))?;
        let schemas: Vec<_> = tables.iter().map(|table| table.schema()).collect();
        let (mut fields, mut arrays, mut texts) = (Vec::new(), Vec::new(), BTreeMap::new());
        for column in &schemas[0].columns {
            let name = &column.name;
            let places: Vec<usize> = tables
                .iter()
                .map(|table| table.column_index(name))
                .collect::<Result<_, _>>()?;
            let columns = || {
                schemas
                    .iter()
                    .zip(&places)
                    .map(|(schema, at)| &schema.columns[*at])
            };
            let kind = if columns().any(|other| other.kind == Kind::Decimal) && column.kind.is_number() {
                Kind::Decimal
            } else {
                column.kind
            };
            if columns().any(|other| other.kind != kind && !(kind == Kind::Decimal && other.kind.is_number()))
            {
                return Err(refused(format!("column \"{name}\" is of several kinds")));
            }
            let values = picks
                .iter()
                .map(|&(table, row)| tables[table].value(row, places[table]));
            let array = array_of(kind, values).ok_or_else(|| TableError::TooMuchText {
                source_name: first.source_name(),
                column: name.clone(),
            })?;
            // one format says how all are written, unless texts do
            let mixed = columns().any(|other| (other.kind, other.format) != (column.kind, column.format))
                || tables.iter().any(|table| table.texts.contains_key(name));
            if mixed && (kind.is_number() || kind == Kind::Date) {
                let written = picks.iter().map(|&(table, row)| {
                    let mut text = String::new();
                    tables[table].write_cell(
                        row,
                        places[table],
                        &schemas[table].columns[places[table]],
                        &mut text,
                    );
                    Some(text)
                });
                texts.insert(name.clone(), written.collect());
            }
            fields.push(field_of(column).with_data_type(kind.data_type()));
            arrays.push(array);
        }
        Self::assemble(fields, arrays, picks.len(), None, texts)
    }
}
