//! Tables from texts and back: what a reader of text files fills, and what a writer of them asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Location, TableError};
use crate::infer::{InferError, Texts, infer};
use crate::schema::{ColumnSchema, Kind, Schema};
use crate::table::{Source, Table, check_names, field_of};

/// A table in the making whose cells come as texts, row by row.
///
/// What the columns are is found out from all their texts:
///
/// * Missing cells are [`MISSING_MARKERS`](crate::MISSING_MARKERS), spaces around them trimmed; the column's commonest
///   marker is written back.
/// * A column is boolean if all its cells are `true`/`false` in one spelling; dates if all are days `YYYY-MM-DD` of the
///   calendar; whole numbers if all are (below 2^53, no leading zeros or plus); decimals if all are finite numbers; else
///   categories, kept letter by letter. Identifiers such as `007` or whole numbers from 2^53 on stay categories: no digit
///   is lost. Times of day, and dates in other spellings, are categories too.
/// * Spaces around a number or date do not make it text; a table that is written again has them as they were.
/// * A column with no cell present stays, as text.
///
/// ```
/// use ef_tabular::{Kind, TextRows};
/// let mut rows = TextRows::new("people", ["age", "city"])?;
/// rows.push(1, &["31", "Oslo"])?;
/// rows.push(2, &["", "Rome"])?;
/// let people = rows.into_table()?;
/// assert_eq!(people.schema().columns[0].kind, Kind::Integer);
/// assert_eq!(people.numbers("age")?.unwrap()[0], 31.0);
/// # Ok::<(), ef_tabular::TableError>(())
/// ```
#[derive(Debug)]
pub struct TextRows {
    source_name: String,
    names: Vec<String>,
    columns: Vec<Texts>,
    rows: usize,
    /// The line of each row, once one is not simply row + 2.
    lines: Option<Vec<u64>>,
}

impl TextRows {
    /// No rows yet of columns of these names; `source_name` is what errors call the table.
    ///
    /// # Errors
    /// Names that are empty or twice there.
    pub fn new<S: Into<String>>(
        source_name: &str,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self, TableError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        check_names(names.iter().map(String::as_str), source_name)?;
        Ok(Self {
            source_name: source_name.to_owned(),
            columns: names.iter().map(|_| Texts::new()).collect(),
            names,
            rows: 0,
            lines: None,
        })
    }

    /// Number of columns.
    pub fn num_columns(&self) -> usize {
        self.names.len()
    }

    /// One more row. `line` is where it starts in its source, the first line being 1; [`Table::location`] names it.
    ///
    /// # Errors
    /// Not one text a column; more than 2 GB of text in a column.
    pub fn push(&mut self, line: u64, cells: &[impl AsRef<str>]) -> Result<(), TableError> {
        if cells.len() != self.names.len() {
            return Err(TableError::RowLength {
                location: Location {
                    source_name: Some(self.source_name.clone()),
                    line: Some(line),
                    row: self.rows,
                },
                expected: self.names.len(),
                found: cells.len(),
            });
        }
        for ((column, cell), name) in self.columns.iter_mut().zip(cells).zip(&self.names) {
            if !column.push(cell.as_ref()) {
                return Err(TableError::TooMuchText {
                    source_name: self.source_name.clone(),
                    column: name.clone(),
                });
            }
        }
        match &mut self.lines {
            Some(lines) => lines.push(line),
            None if line != self.rows as u64 + 2 => {
                let mut all: Vec<u64> = (0..self.rows as u64).map(|row| row + 2).collect();
                all.push(line);
                self.lines = Some(all);
            }
            None => {}
        }
        self.rows += 1;
        Ok(())
    }

    /// The table, its columns of the kinds that their texts look like.
    ///
    /// # Errors
    /// An infinite number in a column of numbers, with its line and column.
    pub fn into_table(self) -> Result<Table, TableError> {
        self.build(None)
    }

    /// The table, its columns as texts where this schema has categories, whatever they look like; other columns, and
    /// those that the schema lacks, as in [`into_table`](Self::into_table).
    ///
    /// # Errors
    /// As [`into_table`](Self::into_table).
    pub fn into_table_like(self, schema: &Schema) -> Result<Table, TableError> {
        self.build(Some(schema))
    }

    fn build(self, known: Option<&Schema>) -> Result<Table, TableError> {
        let source = Arc::new(Source {
            name: self.source_name,
            lines: self.lines,
        });
        let (mut fields, mut arrays, mut kept) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (name, texts) in self.names.iter().zip(self.columns) {
            let expected = known.and_then(|schema| schema.column(name));
            let as_text = expected.is_some_and(|column| column.kind == Kind::Category);
            let column = infer(name, texts, as_text).map_err(|error| match error {
                InferError::Table(error) => error,
                InferError::Infinite { row, text } => {
                    let line = source.lines.as_ref().map_or(row as u64 + 2, |lines| lines[row]);
                    let location = Location {
                        source_name: Some(source.name.clone()),
                        line: Some(line),
                        row,
                    };
                    TableError::NotFinite {
                        location,
                        column: name.clone(),
                        text,
                    }
                }
            })?;
            fields.push(field_of(&column.schema));
            arrays.push(column.array);
            if let Some(texts) = column.texts {
                kept.insert(name.clone(), texts);
            }
        }
        Table::assemble(fields, arrays, self.rows, Some(source), kept)
    }
}

/// The cells of a table as they are written in a file: the text that was read, if it is known, else in the column's format.
/// Made by [`Table::cell_texts`].
#[derive(Debug)]
pub struct CellTexts<'a> {
    table: &'a Table,
    columns: Vec<ColumnSchema>,
}

impl Table {
    /// The cells as they are written, for a writer of text files.
    ///
    /// ```
    /// use ef_tabular::TextRows;
    /// let mut rows = TextRows::new("prices", ["price"])?;
    /// rows.push(2, &["1.50"])?;
    /// let table = rows.into_table()?;
    /// let mut text = String::new();
    /// table.cell_texts().write(0, 0, &mut text);
    /// assert_eq!(text, "1.50");
    /// # Ok::<(), ef_tabular::TableError>(())
    /// ```
    pub fn cell_texts(&self) -> CellTexts<'_> {
        CellTexts {
            table: self,
            columns: self.schema().columns,
        }
    }
}

impl CellTexts<'_> {
    /// Appends one cell; nothing if there is no such row or column.
    pub fn write(&self, row: usize, column: usize, out: &mut String) {
        if let Some(schema) = self.columns.get(column)
            && row < self.table.num_rows()
        {
            self.table.write_cell(row, column, schema, out);
        }
    }
}
