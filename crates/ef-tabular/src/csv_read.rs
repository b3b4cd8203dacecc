//! CSV files into tables.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::csv_scan::Scanner;
use crate::error::{Location, TableError};
use crate::infer::{InferError, Texts, infer};
use crate::schema::{Kind, Schema};
use crate::table::{Source, Table, check_names, field_of};

impl Table {
    /// Reads a CSV file: UTF-8 (a byte order mark is skipped), commas, RFC 4180 quotes, `\n` or `\r\n`, one header row.
    ///
    /// * Missing cells are [`MISSING_MARKERS`](crate::MISSING_MARKERS), spaces around them trimmed; the column's
    ///   commonest marker is written back.
    /// * A column is boolean if all its cells are `true`/`false` in one spelling; dates if all are days `YYYY-MM-DD` of
    ///   the calendar; whole numbers if all are (below 2^53, no leading zeros or plus); decimals if all are finite
    ///   numbers; else categories, kept letter by letter. Identifiers such as `007` or whole numbers from 2^53 on stay
    ///   categories: no digit is lost. Times of day, and dates in other spellings, are categories too.
    /// * Spaces around a number or date do not make it text; a table that is written again has them as they were.
    /// * A column with no cell present stays, as text.
    /// * Blank lines hold no row, except in a file of one column, where a blank line is a missing cell.
    ///
    /// # Errors
    /// A file that cannot be read or has no header; doubled or empty names; rows of the wrong length; text that is not
    /// UTF-8; a quote that is never closed; an infinite number in a column of numbers. Each names line and column.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self, TableError> {
        let (bytes, name) = read_file(path.as_ref())?;
        parse(bytes, &name, Known::Nothing)
    }

    /// Reads a CSV file whose columns are known, for scoring: a column that `schema` holds as categories keeps its texts
    /// (`1`, `01`, `1.0` differ), other columns are read as ever, and the result has the schema's columns in its order.
    ///
    /// # Errors
    /// As [`Table::read_csv`] and [`Schema::conform`].
    pub fn read_csv_as(path: impl AsRef<Path>, schema: &Schema) -> Result<Self, TableError> {
        let (bytes, name) = read_file(path.as_ref())?;
        schema.conform(&parse(bytes, &name, Known::Only(schema))?)
    }

    /// Reads a table whose columns of this schema's categories are text, whatever they look like; all columns are kept.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn read_csv_like(path: impl AsRef<Path>, schema: &Schema) -> Result<Self, TableError> {
        let (bytes, name) = read_file(path.as_ref())?;
        parse(bytes, &name, Known::AndOthers(schema))
    }

    /// [`Table::read_csv_like`] from any reader.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn from_csv_reader_like(
        reader: impl Read,
        source_name: &str,
        schema: &Schema,
    ) -> Result<Self, TableError> {
        parse(
            read_all(reader, source_name)?,
            source_name,
            Known::AndOthers(schema),
        )
    }

    /// [`Table::read_csv`] from any reader; `source_name` is what errors call it.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn from_csv_reader(reader: impl Read, source_name: &str) -> Result<Self, TableError> {
        parse(read_all(reader, source_name)?, source_name, Known::Nothing)
    }

    /// [`Table::read_csv_as`] from any reader.
    ///
    /// # Errors
    /// As [`Table::read_csv_as`].
    pub fn from_csv_reader_as(
        reader: impl Read,
        source_name: &str,
        schema: &Schema,
    ) -> Result<Self, TableError> {
        schema.conform(&parse(
            read_all(reader, source_name)?,
            source_name,
            Known::Only(schema),
        )?)
    }
}

fn read_file(path: &Path) -> Result<(Vec<u8>, String), TableError> {
    let bytes = std::fs::read(path).map_err(|error| TableError::Read {
        path: path.to_owned(),
        error,
    })?;
    Ok((bytes, path.display().to_string()))
}

fn read_all(mut reader: impl Read, source_name: &str) -> Result<Vec<u8>, TableError> {
    let mut bytes = Vec::new();
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| TableError::Stream {
            source_name: source_name.to_owned(),
            error,
        })?;
    Ok(bytes)
}

/// The texts of all columns, and the line of each row unless it is row + 2.
struct Split {
    names: Vec<String>,
    columns: Vec<Texts>,
    rows: usize,
    lines: Option<Vec<u64>>,
}

/// Which columns are read, and how.
#[derive(Clone, Copy)]
enum Known<'a> {
    /// All, by what they look like.
    Nothing,
    /// Those of the schema alone, its categories as text.
    Only(&'a Schema),
    /// All, the schema's categories as text.
    AndOthers(&'a Schema),
}

fn parse(bytes: Vec<u8>, source_name: &str, known: Known<'_>) -> Result<Table, TableError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', valid).count() as u64 + 1;
        TableError::NotUtf8 {
            source_name: source_name.to_owned(),
            line,
        }
    })?;
    let split = split(text.strip_prefix('\u{feff}').unwrap_or(&text), source_name)?;
    // from here on the columns' own copies are enough
    drop(text);
    let source = Arc::new(Source {
        name: source_name.to_owned(),
        lines: split.lines,
    });
    let (mut fields, mut arrays, mut kept) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (name, texts) in split.names.iter().zip(split.columns) {
        let expected = match known {
            Known::Nothing => None,
            Known::Only(schema) | Known::AndOthers(schema) => schema.column(name),
        };
        if matches!(known, Known::Only(_)) && expected.is_none() {
            continue;
        }
        let as_text = expected.is_some_and(|column| column.kind == Kind::Category);
        let column = infer(name, texts, as_text).map_err(|error| match error {
            InferError::Table(error) => error,
            InferError::Infinite { row, text } => {
                let line = source.lines.as_ref().map_or(row as u64 + 2, |lines| lines[row]);
                let location = Location {
                    source_name: Some(source_name.to_owned()),
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
    Table::assemble(fields, arrays, split.rows, Some(source), kept)
}

fn split(text: &str, source_name: &str) -> Result<Split, TableError> {
    let source = || source_name.to_owned();
    let open_quote = |quote: crate::csv_scan::OpenQuote| TableError::UnterminatedQuote {
        source_name: source_name.to_owned(),
        line: quote.line,
    };
    let mut scanner = Scanner::new(text);
    let mut fields: Vec<Cow<'_, str>> = Vec::new();
    loop {
        match scanner.record(&mut fields).map_err(open_quote)? {
            None => {
                return Err(TableError::EmptyFile {
                    source_name: source(),
                });
            }
            Some(_) if fields.is_empty() => {}
            Some(_) => break,
        }
    }
    let names: Vec<String> = fields.iter().map(ToString::to_string).collect();
    check_names(names.iter().map(String::as_str), source_name)?;
    let mut columns: Vec<Texts> = names.iter().map(|_| Texts::new()).collect();
    let (mut rows, mut lines) = (0usize, None::<Vec<u64>>);
    while let Some(line) = scanner.record(&mut fields).map_err(open_quote)? {
        if fields.is_empty() {
            if names.len() > 1 {
                continue;
            }
            fields.push(Cow::Borrowed(""));
        }
        if fields.len() != names.len() {
            let (expected, found) = (names.len(), fields.len());
            return Err(TableError::RaggedRow {
                source_name: source(),
                line,
                expected,
                found,
            });
        }
        for ((column, field), name) in columns.iter_mut().zip(&fields).zip(&names) {
            if !column.push(field) {
                return Err(TableError::TooMuchText {
                    source_name: source(),
                    column: name.clone(),
                });
            }
        }
        match &mut lines {
            Some(lines) => lines.push(line),
            None if line != rows as u64 + 2 => {
                let mut all: Vec<u64> = (0..rows as u64).map(|row| row + 2).collect();
                all.push(line);
                lines = Some(all);
            }
            None => {}
        }
        rows += 1;
    }
    Ok(Split {
        names,
        columns,
        rows,
        lines,
    })
}
