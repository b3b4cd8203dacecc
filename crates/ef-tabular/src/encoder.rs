//! All columns of a table at once: fit their marginals, encode tables, decode what models draw.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use serde::{Deserialize, Serialize};

use ef_column::Place;

use crate::date::Date;
use crate::error::TableError;
use crate::marginal::{CategoryMarginal, ColumnMarginal, DateMarginal, NumberMarginalBuilder};
use crate::note::note;
use crate::schema::{ColumnSchema, Kind, Schema};
use crate::table::{Table, field_of, value_at};
use crate::transform::Transformer;
use crate::value::Value;

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

/// The schema of a table and one marginal a column.
///
/// ```
/// use ef_tabular::{DecodedColumn, EncoderOptions, TableEncoder};
/// let text = "size,color\n1.5,red\n2.5,blue\n3.5,red\n";
/// let table = ef_io::read_csv_from(text.as_bytes(), "demo.csv")?;
/// let encoder = TableEncoder::fit(&table, &EncoderOptions::default())?;
/// let encoded = encoder.encode(&table)?;
/// // back again, from each value's level and the middle of its ranks
/// let columns: Vec<DecodedColumn> = encoded.columns.iter().map(|column| DecodedColumn {
///     levels: column.levels.iter().map(|level| level.unwrap_or(0)).collect(),
///     ranks: column.low.iter().zip(&column.high).map(|(low, high)| 0.5 * (low + high)).collect(),
/// }).collect();
/// assert_eq!(encoder.decode(&columns)?, table);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEncoder {
    schema: Schema,
    #[serde(rename = "laws")]
    marginals: Vec<ColumnMarginal>,
    #[serde(skip)]
    notes: Vec<String>,
}

/// One column of a table under its marginal; all vectors have one entry a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EncodedColumn {
    /// Discrete level; `None` for values never seen at fit.
    pub levels: Vec<Option<u32>>,
    /// Lower rank within the continuous level; 0 outside it.
    pub low: Vec<f64>,
    /// Upper rank within the continuous level; 1 outside it.
    pub high: Vec<f64>,
    /// Context-free part of the log-probability, nats.
    pub log_measure: Vec<f64>,
}

impl EncodedColumn {
    /// All of one row.
    pub fn place(&self, row: usize) -> Option<Place> {
        Some(Place {
            level: *self.levels.get(row)?,
            low: *self.low.get(row)?,
            high: *self.high.get(row)?,
            log_measure: *self.log_measure.get(row)?,
        })
    }

    fn push(&mut self, place: Place) {
        self.levels.push(place.level);
        self.low.push(place.low);
        self.high.push(place.high);
        self.log_measure.push(place.log_measure);
    }
}

/// A table under its marginals.
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
    /// Discrete level of each row.
    pub levels: Vec<u32>,
    /// Rank of each row in (0, 1), for continuous and pooled levels; may be empty if the marginal has neither, and then
    /// stands for 1/2 everywhere.
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
    /// Fits one marginal a column.
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
        let (mut marginals, mut notes) = (Vec::with_capacity(schema.columns.len()), Vec::new());
        for (position, column) in schema.columns.iter().enumerate() {
            let array = table.batch.column(position);
            let marginal = fit_column(column, array, options.transformers.get(&column.name))?;
            notes.extend(note(column, array, &marginal));
            marginals.push(marginal);
        }
        Ok(Self {
            schema,
            marginals,
            notes,
        })
    }

    /// Names, kinds and formats of the columns.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The marginals, one a column.
    pub fn marginals(&self) -> &[ColumnMarginal] {
        &self.marginals
    }

    /// What a person should know about the columns, found while fitting ("column x: all cells are missing"). Not saved.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Gives `sink` where every value stands, column by column and within a column row by row: position of the column
    /// in the schema, row, place. The table's columns are found by name.
    ///
    /// # Errors
    /// As [`Schema::conform`]; nothing is given then.
    pub fn encode_into(
        &self,
        table: &Table,
        mut sink: impl FnMut(usize, usize, Place),
    ) -> Result<(), TableError> {
        let table = self.schema.conform(table)?;
        for (column, marginal) in self.marginals.iter().enumerate() {
            let array = table.batch.column(column).as_ref();
            for row in 0..array.len() {
                sink(column, row, marginal.place(value_at(array, row)));
            }
        }
        Ok(())
    }

    /// Encodes every column at once, each into vectors of its own: for small tables.
    ///
    /// # Errors
    /// As [`encode_into`](Self::encode_into).
    pub fn encode(&self, table: &Table) -> Result<EncodedTable, TableError> {
        let rows = table.num_rows();
        let mut columns = vec![EncodedColumn::default(); self.marginals.len()];
        self.encode_into(table, |column, _, place| columns[column].push(place))?;
        Ok(EncodedTable { rows, columns })
    }

    /// Network inputs of the columns at these positions, side by side; categories have none (use their levels).
    ///
    /// # Errors
    /// As [`Schema::conform`]; a position beyond the last column.
    pub fn features(&self, table: &Table, columns: &[usize]) -> Result<Features, TableError> {
        self.check(columns)?;
        let table = self.schema.subset(columns).conform(table)?;
        let width: usize = columns
            .iter()
            .map(|column| self.marginals[*column].num_features())
            .sum();
        let mut values = vec![0.0; width * table.num_rows()];
        let mut start = 0;
        for (position, &column) in columns.iter().enumerate() {
            let marginal = &self.marginals[column];
            let array = table.batch.column(position).as_ref();
            let end = start + marginal.num_features();
            if end > start {
                for (row, out) in values.chunks_exact_mut(width).enumerate() {
                    marginal.features(value_at(array, row), &mut out[start..end]);
                }
            }
            start = end;
        }
        Ok(Features { values, width })
    }

    fn check(&self, columns: &[usize]) -> Result<(), TableError> {
        match columns.iter().find(|column| **column >= self.marginals.len()) {
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

    /// Builds a table from levels and ranks, one [`DecodedColumn`] a column: names, order, kinds, number formats and
    /// missing markers are those of the table that was fitted.
    ///
    /// # Errors
    /// The wrong number of columns, columns of different lengths, a level that its marginal does not have.
    pub fn decode(&self, columns: &[DecodedColumn]) -> Result<Table, TableError> {
        if columns.len() != self.marginals.len() {
            let reason = format!(
                "{} columns were given, the table has {}",
                columns.len(),
                self.marginals.len()
            );
            return Err(TableError::Decode {
                column: "all".to_owned(),
                reason,
            });
        }
        let rows = columns.first().map_or(0, |column| column.levels.len());
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for ((schema, marginal), drawn) in self.schema.columns.iter().zip(&self.marginals).zip(columns) {
            let refuse = |reason: String| TableError::Decode {
                column: schema.name.clone(),
                reason,
            };
            if drawn.levels.len() != rows {
                return Err(TableError::LengthMismatch {
                    name: schema.name.clone(),
                    expected: rows,
                    found: drawn.levels.len(),
                });
            }
            if !drawn.ranks.is_empty() && drawn.ranks.len() != rows {
                return Err(refuse(format!(
                    "{} ranks were given for {rows} levels",
                    drawn.ranks.len()
                )));
            }
            if let Some(level) = drawn
                .levels
                .iter()
                .find(|level| **level as usize >= marginal.levels())
            {
                return Err(refuse(format!(
                    "level {level} was given, its marginal has {}",
                    marginal.levels()
                )));
            }
            fields.push(field_of(schema));
            let array = decode_column(schema.kind, marginal, drawn);
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
) -> Result<ColumnMarginal, TableError> {
    let any = array.as_any();
    if let Some(texts) = any.downcast_ref::<StringArray>() {
        return Ok(ColumnMarginal::Category(CategoryMarginal::fit(texts.iter())));
    }
    if let Some(values) = any.downcast_ref::<BooleanArray>() {
        return Ok(ColumnMarginal::Category(CategoryMarginal::fit_booleans(
            values.iter(),
        )));
    }
    let unfit = |kind: &str, reason: String| TableError::Transformer {
        kind: kind.to_owned(),
        column: column.name.clone(),
        reason,
    };
    if any.is::<Date32Array>() {
        let dates = (0..array.len()).map(|row| date(value_at(array.as_ref(), row)));
        let marginal = DateMarginal::fit(dates).map_err(|reason| unfit("automatic", reason))?;
        return Ok(ColumnMarginal::Date(Box::new(marginal)));
    }
    let numbers: Vec<f64> = (0..array.len())
        .map(|row| number(value_at(array.as_ref(), row)))
        .collect();
    ColumnMarginal::fit_numbers(&numbers, transformer.cloned())
        .map_err(|reason| unfit(transformer.map_or("automatic", |map| map.kind()), reason))
}

impl ColumnMarginal {
    /// Fits the marginal of a column of numbers; NaN is a missing cell. Without a transformer the column chooses its
    /// own.
    ///
    /// # Errors
    /// A sentence that says why the transformer does not fit these values.
    pub fn fit_numbers(values: &[f64], transformer: Option<Arc<dyn Transformer>>) -> Result<Self, String> {
        Ok(Self::Number(Box::new(
            NumberMarginalBuilder {
                transformer,
                ..NumberMarginalBuilder::default()
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

fn decode_column(kind: Kind, marginal: &ColumnMarginal, drawn: &DecodedColumn) -> Option<ArrayRef> {
    let values = drawn.levels.iter().enumerate().map(|(row, level)| {
        let rank = drawn.ranks.get(row).copied().unwrap_or(0.5);
        match (marginal, marginal.draw(*level, rank)) {
            (ColumnMarginal::Number(marginal), Value::Number(x)) => Value::Number(marginal.written(x)),
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
