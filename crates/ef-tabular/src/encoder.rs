//! All columns of a table at once: fit their laws, encode tables, decode what models draw.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::error::TableError;
use crate::law::{CategoryLaw, ColumnLaw, DateLaw, NumberLawBuilder, Place, Value};
use crate::note::note;
use crate::schema::{ColumnSchema, Kind, Schema};
use crate::table::{Table, field_of, value_at};
use crate::transform::Transformer;

/// Choices for [`TableEncoder::fit`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EncoderOptions {
    /// Maps of number columns, by column name; other columns choose their own.
    pub transformers: BTreeMap<String, Arc<dyn Transformer>>,
}

impl EncoderOptions {
    /// Attaches a map to a number column.
    #[must_use]
    pub fn transformer(mut self, column: &str, transformer: impl Transformer + 'static) -> Self {
        self.transformers.insert(column.to_owned(), Arc::new(transformer));
        self
    }
}

/// The schema of a table and one law a column.
///
/// ```
/// use ef_tabular::{DecodedColumn, EncoderOptions, TableEncoder};
/// let text = "size,color\n1.5,red\n2.5,blue\n3.5,red\n";
/// let table = ef_io::read_csv_from(text.as_bytes(), "demo.csv")?;
/// let encoder = TableEncoder::fit(&table, &EncoderOptions::default())?;
/// let encoded = encoder.encode(&table)?;
/// // back again, from each value's cell and the middle of its ranks
/// let columns: Vec<DecodedColumn> = encoded.columns.iter().map(|column| DecodedColumn {
///     cells: column.cells.iter().map(|cell| cell.unwrap_or(0)).collect(),
///     ranks: column.lo.iter().zip(&column.hi).map(|(lo, hi)| 0.5 * (lo + hi)).collect(),
/// }).collect();
/// assert_eq!(encoder.decode(&columns)?, table);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEncoder {
    schema: Schema,
    laws: Vec<ColumnLaw>,
    #[serde(skip)]
    notes: Vec<String>,
}

/// One column of a table under its law; all vectors have one entry a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EncodedColumn {
    /// Position of the column in the schema.
    pub column: usize,
    /// Discrete cell; `None` for values never seen at fit.
    pub cells: Vec<Option<u32>>,
    /// Lower rank within the continuous cell; 0 outside it.
    pub lo: Vec<f64>,
    /// Upper rank within the continuous cell; 1 outside it.
    pub hi: Vec<f64>,
    /// Context-free part of the log-probability, nats.
    pub log_measure: Vec<f64>,
}

impl EncodedColumn {
    /// All of one row.
    pub fn place(&self, row: usize) -> Option<Place> {
        let (cell, lo) = (*self.cells.get(row)?, *self.lo.get(row)?);
        Some(Place {
            cell,
            lo,
            hi: *self.hi.get(row)?,
            log_measure: *self.log_measure.get(row)?,
        })
    }

    fn push(&mut self, place: Place) {
        self.cells.push(place.cell);
        self.lo.push(place.lo);
        self.hi.push(place.hi);
        self.log_measure.push(place.log_measure);
    }
}

/// A table under its laws.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedTable {
    /// Rows of the table.
    pub rows: usize,
    /// The columns, in the order asked for.
    pub columns: Vec<EncodedColumn>,
}

/// One column as a model drew it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecodedColumn {
    /// Discrete cell of each row.
    pub cells: Vec<u32>,
    /// Rank of each row in (0, 1), for continuous and pooled cells; may be empty if the law has neither, and then stands
    /// for 1/2 everywhere.
    pub ranks: Vec<f64>,
}

/// A row-major matrix of network inputs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Features {
    /// `(rows, width)`, row after row.
    pub values: Vec<f32>,
    /// Inputs a row.
    pub width: usize,
}

impl TableEncoder {
    /// Fits one law a column.
    ///
    /// # Errors
    /// Fewer than two rows; a transformer for a column that is not there, is no number, or that it does not fit.
    pub fn fit(table: &Table, options: &EncoderOptions) -> Result<Self, TableError> {
        if table.num_rows() < 2 {
            return Err(TableError::TooFewRows {
                source_name: table.source_name(),
                rows: table.num_rows(),
            });
        }
        let schema = table.schema();
        for (name, transformer) in &options.transformers {
            let column = &schema.columns[table.column_index(name)?];
            if !column.kind.is_number() {
                let reason = "the column does not hold numbers; attach it to one that does".to_owned();
                return Err(TableError::Transformer {
                    kind: transformer.kind().to_owned(),
                    column: name.clone(),
                    reason,
                });
            }
        }
        let (mut laws, mut notes) = (Vec::with_capacity(schema.columns.len()), Vec::new());
        for (position, column) in schema.columns.iter().enumerate() {
            let array = table.batch.column(position);
            let law = fit_column(column, array, options.transformers.get(&column.name))?;
            notes.extend(note(column, array, &law));
            laws.push(law);
        }
        Ok(Self { schema, laws, notes })
    }

    /// Names, kinds and formats of the columns.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The laws, one a column.
    pub fn laws(&self) -> &[ColumnLaw] {
        &self.laws
    }

    /// What a person should know about the columns, found while fitting ("column x: all cells are missing"). Not saved.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Encodes every column; the table's columns are found by name.
    ///
    /// # Errors
    /// As [`Schema::conform`].
    pub fn encode(&self, table: &Table) -> Result<EncodedTable, TableError> {
        self.encode_columns(table, &(0..self.laws.len()).collect::<Vec<_>>())
    }

    /// Encodes the columns at these positions of the schema; others may be absent from the table.
    ///
    /// # Errors
    /// As [`Schema::conform`]; a position beyond the last column.
    pub fn encode_columns(&self, table: &Table, columns: &[usize]) -> Result<EncodedTable, TableError> {
        self.check(columns)?;
        let table = self.schema.subset(columns).conform(table)?;
        let encode = |(position, &column): (usize, &usize)| {
            encode_array(column, &self.laws[column], table.batch.column(position).as_ref())
        };
        Ok(EncodedTable {
            rows: table.num_rows(),
            columns: columns.iter().enumerate().map(encode).collect(),
        })
    }

    /// Network inputs of the columns at these positions, side by side; categories have none (use their cells).
    ///
    /// # Errors
    /// As [`TableEncoder::encode_columns`].
    pub fn features(&self, table: &Table, columns: &[usize]) -> Result<Features, TableError> {
        self.check(columns)?;
        let table = self.schema.subset(columns).conform(table)?;
        let width: usize = columns
            .iter()
            .map(|column| self.laws[*column].num_features())
            .sum();
        let mut values = vec![0.0; width * table.num_rows()];
        let mut start = 0;
        for (position, &column) in columns.iter().enumerate() {
            let law = &self.laws[column];
            let array = table.batch.column(position).as_ref();
            let end = start + law.num_features();
            if end > start {
                for (row, out) in values.chunks_exact_mut(width).enumerate() {
                    law.features(value_at(array, row), &mut out[start..end]);
                }
            }
            start = end;
        }
        Ok(Features { values, width })
    }

    fn check(&self, columns: &[usize]) -> Result<(), TableError> {
        match columns.iter().find(|column| **column >= self.laws.len()) {
            None => Ok(()),
            Some(column) => Err(TableError::UnknownColumn {
                source_name: "the table".to_owned(),
                name: format!("number {column}"),
                present: self
                    .schema
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .collect(),
            }),
        }
    }

    /// Builds a table from cells and ranks, one [`DecodedColumn`] a column: names, order, kinds, number formats and
    /// missing markers are those of the table that was fitted.
    ///
    /// # Errors
    /// The wrong number of columns, columns of different lengths, a cell that its law does not have.
    pub fn decode(&self, columns: &[DecodedColumn]) -> Result<Table, TableError> {
        if columns.len() != self.laws.len() {
            let reason = format!(
                "{} columns were given, the table has {}",
                columns.len(),
                self.laws.len()
            );
            return Err(TableError::Decode {
                column: "all".to_owned(),
                reason,
            });
        }
        let rows = columns.first().map_or(0, |column| column.cells.len());
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for ((schema, law), drawn) in self.schema.columns.iter().zip(&self.laws).zip(columns) {
            let refuse = |reason: String| TableError::Decode {
                column: schema.name.clone(),
                reason,
            };
            if drawn.cells.len() != rows {
                return Err(TableError::LengthMismatch {
                    name: schema.name.clone(),
                    expected: rows,
                    found: drawn.cells.len(),
                });
            }
            if !drawn.ranks.is_empty() && drawn.ranks.len() != rows {
                return Err(refuse(format!(
                    "{} ranks were given for {rows} cells",
                    drawn.ranks.len()
                )));
            }
            if let Some(cell) = drawn.cells.iter().find(|cell| **cell as usize >= law.cells()) {
                return Err(refuse(format!(
                    "cell {cell} was given, its law has {}",
                    law.cells()
                )));
            }
            fields.push(field_of(schema));
            let array = decode_column(schema.kind, law, drawn);
            arrays.push(
                array.ok_or_else(|| refuse("its text exceeds 2 GB; draw fewer rows at a time".to_owned()))?,
            );
        }
        Table::assemble(fields, arrays, rows, None, BTreeMap::new())
    }
}

fn fit_column(
    column: &ColumnSchema,
    array: &ArrayRef,
    transformer: Option<&Arc<dyn Transformer>>,
) -> Result<ColumnLaw, TableError> {
    let any = array.as_any();
    if let Some(texts) = any.downcast_ref::<StringArray>() {
        return Ok(ColumnLaw::Category(CategoryLaw::fit(texts.iter())));
    }
    if let Some(values) = any.downcast_ref::<BooleanArray>() {
        return Ok(ColumnLaw::Category(CategoryLaw::fit_booleans(values.iter())));
    }
    let unfit = |kind: &str, reason: String| TableError::Transformer {
        kind: kind.to_owned(),
        column: column.name.clone(),
        reason,
    };
    if any.is::<Date32Array>() {
        let dates = (0..array.len()).map(|row| date(value_at(array.as_ref(), row)));
        let law = DateLaw::fit(dates).map_err(|reason| unfit("automatic", reason))?;
        return Ok(ColumnLaw::Date(Box::new(law)));
    }
    let numbers: Vec<f64> = (0..array.len())
        .map(|row| number(value_at(array.as_ref(), row)))
        .collect();
    ColumnLaw::fit_numbers(&numbers, transformer.cloned())
        .map_err(|reason| unfit(transformer.map_or("automatic", |map| map.kind()), reason))
}

impl ColumnLaw {
    /// Fits the law of a column of numbers; NaN is a missing cell. Without a transformer the column chooses its own.
    ///
    /// # Errors
    /// A sentence that says why the transformer does not fit these values.
    pub fn fit_numbers(values: &[f64], transformer: Option<Arc<dyn Transformer>>) -> Result<Self, String> {
        Ok(Self::Number(Box::new(
            NumberLawBuilder {
                transformer,
                ..NumberLawBuilder::default()
            }
            .fit(values)?,
        )))
    }
}

fn number(value: Value<'_>) -> f64 {
    if let Value::Number(value) = value {
        value
    } else {
        f64::NAN
    }
}

fn date(value: Value<'_>) -> Option<Date> {
    if let Value::Date(date) = value {
        Some(date)
    } else {
        None
    }
}

fn encode_array(column: usize, law: &ColumnLaw, array: &dyn Array) -> EncodedColumn {
    let rows = array.len();
    let mut encoded = EncodedColumn {
        column,
        cells: Vec::with_capacity(rows),
        lo: Vec::with_capacity(rows),
        hi: Vec::with_capacity(rows),
        log_measure: Vec::with_capacity(rows),
    };
    for row in 0..rows {
        encoded.push(law.place(value_at(array, row)));
    }
    encoded
}

fn decode_column(kind: Kind, law: &ColumnLaw, drawn: &DecodedColumn) -> Option<ArrayRef> {
    let values = drawn.cells.iter().enumerate().map(|(row, cell)| {
        let rank = drawn.ranks.get(row).copied().unwrap_or(0.5);
        match (law, law.draw(*cell, rank)) {
            (ColumnLaw::Number(law), Value::Number(x)) => Value::Number(law.written(x)),
            (_, other) => other,
        }
    });
    array_of(kind, values)
}

/// The Arrow array of these values; what is not of the kind becomes a missing cell. `None` beyond 2 GB of text.
pub(crate) fn array_of<'a>(kind: Kind, values: impl Iterator<Item = Value<'a>> + Clone) -> Option<ArrayRef> {
    let finite = |value| Some(number(value)).filter(|x| !x.is_nan());
    let array: ArrayRef = match kind {
        Kind::Category => {
            let texts = values.map(|value| {
                if let Value::Text(text) = value {
                    Some(text)
                } else {
                    None
                }
            });
            // an Arrow text array counts its bytes in 31 bits
            let bytes: usize = texts.clone().flatten().map(str::len).sum();
            if bytes > i32::MAX as usize {
                return None;
            }
            Arc::new(texts.collect::<StringArray>())
        }
        Kind::Boolean => {
            let flags = values.map(|value| {
                if let Value::Boolean(flag) = value {
                    Some(flag)
                } else {
                    None
                }
            });
            Arc::new(flags.collect::<BooleanArray>())
        }
        Kind::Integer => {
            let whole = values.map(|value| finite(value).map(|x| x.round() as i64));
            Arc::new(whole.collect::<Int64Array>())
        }
        Kind::Decimal => Arc::new(values.map(finite).collect::<Float64Array>()),
        Kind::Date => {
            let days = values.map(|value| date(value).map(Date::day_number));
            Arc::new(days.collect::<Date32Array>())
        }
    };
    Some(array)
}
