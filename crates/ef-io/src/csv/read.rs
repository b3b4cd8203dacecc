//! CSV files into tables.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use ef_tabular::{Schema, Table, TextRows};

use super::scan::{OpenQuote, Scanner};
use crate::error::IoError;

/// Reads a CSV file: UTF-8 (a byte order mark is skipped), commas, RFC 4180 quotes, `\n` or `\r\n`, one header row.
///
/// What a column is, and which cells are missing, is found out from its texts: [`TextRows`] has the rules. Blank lines
/// hold no row, except in a file of one column, where a blank line is a missing cell.
///
/// # Errors
/// A file that cannot be read or has no header; doubled or empty names; rows of the wrong length; text that is not
/// UTF-8; a quote that is never closed; an infinite number in a column of numbers. Each names line and column.
pub fn read_csv(path: impl AsRef<Path>) -> Result<Table, IoError> {
    let (bytes, name) = read_file(path.as_ref())?;
    parse(bytes, &name, None)
}

/// Reads a CSV file as [`read_csv`], but where `schema` has categories its columns are text, whatever they look like.
/// Use it to score a table with a model of another table, where `1`, `01` and `1.0` may be three labels. All columns
/// are kept, in the file's order; [`Schema::conform`] then brings them to the schema.
///
/// # Errors
/// As [`read_csv`].
pub fn read_csv_like(path: impl AsRef<Path>, schema: &Schema) -> Result<Table, IoError> {
    let (bytes, name) = read_file(path.as_ref())?;
    parse(bytes, &name, Some(schema))
}

/// [`read_csv`] from any reader; `source_name` is what errors call it.
///
/// # Errors
/// As [`read_csv`].
pub fn read_csv_from(reader: impl Read, source_name: &str) -> Result<Table, IoError> {
    parse(read_all(reader, source_name)?, source_name, None)
}

/// [`read_csv_like`] from any reader; `source_name` is what errors call it.
///
/// # Errors
/// As [`read_csv`].
pub fn read_csv_from_like(reader: impl Read, source_name: &str, schema: &Schema) -> Result<Table, IoError> {
    parse(read_all(reader, source_name)?, source_name, Some(schema))
}

fn read_file(path: &Path) -> Result<(Vec<u8>, String), IoError> {
    let bytes = std::fs::read(path).map_err(|error| IoError::Read {
        path: path.to_owned(),
        error,
    })?;
    Ok((bytes, path.display().to_string()))
}

fn read_all(mut reader: impl Read, source_name: &str) -> Result<Vec<u8>, IoError> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| IoError::Stream {
        source_name: source_name.to_owned(),
        error,
    })?;
    Ok(bytes)
}

fn parse(bytes: Vec<u8>, source_name: &str, known: Option<&Schema>) -> Result<Table, IoError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', valid).count() as u64 + 1;
        IoError::NotUtf8 {
            source_name: source_name.to_owned(),
            line,
        }
    })?;
    let rows = split(text.strip_prefix('\u{feff}').unwrap_or(&text), source_name)?;
    // from here on the columns' own copies are enough
    drop(text);
    Ok(match known {
        None => rows.into_table()?,
        Some(schema) => rows.into_table_like(schema)?,
    })
}

fn split(text: &str, source_name: &str) -> Result<TextRows, IoError> {
    let source = || source_name.to_owned();
    let open_quote = |quote: OpenQuote| IoError::UnterminatedQuote {
        source_name: source_name.to_owned(),
        line: quote.line,
    };
    let mut scanner = Scanner::new(text);
    let mut fields: Vec<Cow<'_, str>> = Vec::new();
    loop {
        match scanner.record(&mut fields).map_err(open_quote)? {
            None => {
                return Err(IoError::EmptyFile {
                    source_name: source(),
                });
            }
            Some(_) if fields.is_empty() => {}
            Some(_) => break,
        }
    }
    let mut rows = TextRows::new(source_name, fields.iter().map(ToString::to_string))?;
    while let Some(line) = scanner.record(&mut fields).map_err(open_quote)? {
        if fields.is_empty() {
            if rows.num_columns() > 1 {
                continue;
            }
            fields.push(Cow::Borrowed(""));
        }
        if fields.len() != rows.num_columns() {
            let (expected, found) = (rows.num_columns(), fields.len());
            return Err(IoError::RaggedRow {
                source_name: source(),
                line,
                expected,
                found,
            });
        }
        rows.push(line, &fields)?;
    }
    Ok(rows)
}
