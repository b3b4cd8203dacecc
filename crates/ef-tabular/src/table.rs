//! The table: an Arrow record batch that knows how its cells were written.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, RecordBatchOptions,
    StringArray,
};
use arrow_schema::{Field, Schema as ArrowSchema};

use crate::date::Date;
use crate::error::{Location, TableError};
use crate::format::{BooleanSpelling, MISSING_MARKERS, NumberFormat};
use crate::schema::{ColumnSchema, Kind, Schema};
use crate::value::Value;

pub(crate) const FORMAT_KEY: &str = "ef_tabular.format";
pub(crate) const MISSING_KEY: &str = "ef_tabular.missing";
pub(crate) const BOOLEAN_KEY: &str = "ef_tabular.boolean";

/// What the keys began with before `ef_tabular.`: batches that were saved with those are still read.
const OLD_PREFIX: &str = "echoflow.";

/// A table in memory: named columns of text, whole numbers, decimals, booleans or dates, each cell possibly missing.
///
/// A newtype over an Arrow [`RecordBatch`] of `Utf8`, `Int64`, `Float64`, `Boolean` and `Date32` columns. How a column was
/// written (number format, missing marker, spelling of booleans) stands in its field's metadata under `ef_tabular.*`.
///
/// ```
/// let text = "age,city\n31,Oslo\n,Rome\n";
/// let table = ef_io::read_csv_from(text.as_bytes(), "people.csv")?;
/// assert_eq!((table.num_rows(), table.column_names()), (2, vec!["age", "city"]));
/// let mut out = Vec::new();
/// ef_io::write_csv_to(&table, &mut out)?;
/// assert_eq!(out, text.as_bytes());
/// # Ok::<(), ef_io::IoError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) batch: RecordBatch,
    pub(crate) source: Option<Arc<Source>>,
    /// First row of the source that this table still holds.
    pub(crate) offset: usize,
    /// Cell texts of the columns whose numbers or dates would not come out as they were written (`1` beside `1.0`).
    pub(crate) texts: BTreeMap<String, StringArray>,
}

/// The file a table was read from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// Line of each row, kept only if a row is not simply on line `row + 2`.
    pub(crate) lines: Option<Vec<u64>>,
}

/// The values of one column, to build a table with; `None` is a missing cell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ColumnData {
    /// Categories.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Decimals; written with the shortest digits that read back.
    Decimal(Vec<Option<f64>>),
    /// True and false.
    Boolean(Vec<Option<bool>>),
    /// Dates.
    Date(Vec<Option<Date>>),
}

impl ColumnData {
    fn into_array(self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(StringArray::from(values)),
            Self::Integer(values) => Arc::new(Int64Array::from(values)),
            Self::Decimal(values) => Arc::new(Float64Array::from(values)),
            Self::Boolean(values) => Arc::new(BooleanArray::from(values)),
            Self::Date(values) => {
                let days = values.into_iter().map(|date| date.map(Date::day_number));
                Arc::new(days.collect::<Date32Array>())
            }
        }
    }
}

impl PartialEq for Table {
    /// The same columns, kinds, formats and cells; where the table came from does not count.
    fn eq(&self, other: &Self) -> bool {
        self.batch == other.batch
    }
}

impl Table {
    /// A table of named columns of one length. NaN in a decimal column is a missing cell.
    ///
    /// # Errors
    /// Names that are empty or twice there, columns of different lengths, infinite decimals, whole numbers beyond 2^53.
    pub fn from_columns(columns: Vec<(String, ColumnData)>) -> Result<Self, TableError> {
        let rows = columns.first().map_or(0, |(_, data)| data.len());
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for (name, data) in columns {
            let array = data.into_array();
            if array.len() != rows {
                return Err(TableError::LengthMismatch {
                    name,
                    expected: rows,
                    found: array.len(),
                });
            }
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::new(ArrowSchema::new(fields));
        Self::from_record_batch(&RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }

    /// Puts columns that are already of our types together.
    pub(crate) fn assemble(
        fields: Vec<Field>,
        arrays: Vec<ArrayRef>,
        rows: usize,
        source: Option<Arc<Source>>,
        texts: BTreeMap<String, StringArray>,
    ) -> Result<Self, TableError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), arrays, &options)?;
        Ok(Self {
            batch,
            source,
            offset: 0,
            texts,
        })
    }

    /// The Arrow batch below.
    pub fn record_batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Number of columns.
    pub fn num_columns(&self) -> usize {
        self.batch.num_columns()
    }

    /// Names of the columns, left to right.
    pub fn column_names(&self) -> Vec<&str> {
        self.batch
            .schema_ref()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect()
    }

    /// Position of a column.
    ///
    /// # Errors
    /// No column of that name; the error lists those that are there.
    pub fn column_index(&self, name: &str) -> Result<usize, TableError> {
        self.batch
            .schema_ref()
            .fields()
            .iter()
            .position(|field| field.name() == name)
            .ok_or_else(|| {
                let present = self.column_names().into_iter().map(str::to_owned).collect();
                TableError::UnknownColumn {
                    source_name: self.source_name(),
                    name: name.to_owned(),
                    present,
                }
            })
    }

    /// Names, kinds and formats of the columns.
    pub fn schema(&self) -> Schema {
        Schema {
            columns: self
                .batch
                .schema_ref()
                .fields()
                .iter()
                .map(|field| column_schema(field))
                .collect(),
        }
    }

    /// One cell; missing if there is no such row or column.
    pub fn value(&self, row: usize, column: usize) -> Value<'_> {
        if column >= self.num_columns() || row >= self.num_rows() {
            return Value::Missing;
        }
        value_at(self.batch.column(column).as_ref(), row)
    }

    /// The numbers of an integer or decimal column, NaN where missing; `None` for other columns.
    ///
    /// # Errors
    /// No column of that name.
    pub fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, TableError> {
        let array = self.batch.column(self.column_index(name)?);
        let any = array.as_any();
        if let Some(values) = any.downcast_ref::<Float64Array>() {
            return Ok(Some(
                values.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
            ));
        }
        let values = any.downcast_ref::<Int64Array>();
        Ok(values.map(|values| {
            values
                .iter()
                .map(|value| value.map_or(f64::NAN, |value| value as f64))
                .collect()
        }))
    }

    /// The table with one more column of decimals (NaN is missing), at the right.
    ///
    /// # Errors
    /// The name is taken, or there is not one value a row.
    pub fn with_column(&self, name: &str, values: &[f64]) -> Result<Self, TableError> {
        let column: Float64Array = values
            .iter()
            .map(|value| Some(*value).filter(|value| !value.is_nan()))
            .collect();
        let field = Field::new(name, column.data_type().clone(), true);
        self.append(field, Arc::new(column))
    }

    /// The table with one more column, at the right.
    pub(crate) fn append(&self, field: Field, column: ArrayRef) -> Result<Self, TableError> {
        let name = field.name();
        if self.column_index(name).is_ok() {
            return Err(TableError::ColumnExists {
                source_name: self.source_name(),
                name: name.clone(),
            });
        }
        if column.len() != self.num_rows() {
            return Err(TableError::LengthMismatch {
                name: name.clone(),
                expected: self.num_rows(),
                found: column.len(),
            });
        }
        let mut fields: Vec<Field> = self
            .batch
            .schema_ref()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        fields.push(field);
        let mut arrays = self.batch.columns().to_vec();
        arrays.push(column);
        let table = Self::assemble(
            fields,
            arrays,
            self.num_rows(),
            self.source.clone(),
            self.texts.clone(),
        )?;
        Ok(Self {
            offset: self.offset,
            ..table
        })
    }

    /// The named columns, in the order asked for.
    ///
    /// # Errors
    /// A name that is not there.
    pub fn select(&self, names: &[&str]) -> Result<Self, TableError> {
        let positions: Vec<usize> = names
            .iter()
            .map(|name| self.column_index(name))
            .collect::<Result<_, _>>()?;
        self.project(&positions)
    }

    /// The table without the named columns.
    ///
    /// # Errors
    /// A name that is not there.
    pub fn drop(&self, names: &[&str]) -> Result<Self, TableError> {
        let gone: Vec<usize> = names
            .iter()
            .map(|name| self.column_index(name))
            .collect::<Result<_, _>>()?;
        let kept: Vec<usize> = (0..self.num_columns())
            .filter(|position| !gone.contains(position))
            .collect();
        self.project(&kept)
    }

    fn project(&self, positions: &[usize]) -> Result<Self, TableError> {
        let batch = self.batch.project(positions)?;
        let mut texts = self.texts.clone();
        texts.retain(|name, _| batch.schema_ref().field_with_name(name).is_ok());
        Ok(Self {
            batch,
            source: self.source.clone(),
            offset: self.offset,
            texts,
        })
    }

    /// Rows `offset .. offset + len`, cut at the table's end; no copy is made.
    #[must_use]
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        let offset = offset.min(self.num_rows());
        let len = len.min(self.num_rows() - offset);
        let texts = self
            .texts
            .iter()
            .map(|(name, texts)| (name.clone(), texts.slice(offset, len)))
            .collect();
        let batch = self.batch.slice(offset, len);
        Self {
            batch,
            source: self.source.clone(),
            offset: self.offset + offset,
            texts,
        }
    }

    /// Where a row stands in the file it was read from.
    pub fn location(&self, row: usize) -> Location {
        let line = self.source.as_ref().map(|source| {
            let at = self.offset + row;
            source
                .lines
                .as_ref()
                .and_then(|lines| lines.get(at).copied())
                .unwrap_or(at as u64 + 2)
        });
        Location {
            source_name: self.source.as_ref().map(|source| source.name.clone()),
            line,
            row,
        }
    }

    pub(crate) fn source_name(&self) -> String {
        self.source
            .as_ref()
            .map_or_else(|| "the table".to_owned(), |source| source.name.clone())
    }

    /// Appends a cell as it is written in a file: the text that was read, if it is known.
    pub(crate) fn write_cell(&self, row: usize, column: usize, schema: &ColumnSchema, out: &mut String) {
        match self.value(row, column) {
            Value::Missing => out.push_str(&schema.missing_marker),
            Value::Text(text) => out.push_str(text),
            Value::Boolean(value) => out.push_str(schema.boolean.text(value)),
            Value::Number(value) => match self.kept_text(row, schema) {
                Some(text) => out.push_str(text),
                None => schema.format.write(value, out),
            },
            Value::Date(date) => match self.kept_text(row, schema) {
                Some(text) => out.push_str(text),
                // writing into a String cannot fail
                None => drop(write!(out, "{date}")),
            },
        }
    }

    fn kept_text(&self, row: usize, schema: &ColumnSchema) -> Option<&str> {
        let texts = self.texts.get(&schema.name)?;
        (row < texts.len()).then(|| texts.value(row))
    }
}

impl ColumnData {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Decimal(values) => values.len(),
            Self::Boolean(values) => values.len(),
            Self::Date(values) => values.len(),
        }
    }
}

/// One cell of an array of one of our types.
pub(crate) fn value_at(array: &dyn Array, row: usize) -> Value<'_> {
    if array.is_null(row) {
        return Value::Missing;
    }
    let any = array.as_any();
    if let Some(values) = any.downcast_ref::<StringArray>() {
        Value::Text(values.value(row))
    } else if let Some(values) = any.downcast_ref::<Int64Array>() {
        Value::Number(values.value(row) as f64)
    } else if let Some(values) = any.downcast_ref::<Float64Array>() {
        Value::Number(values.value(row))
    } else if let Some(values) = any.downcast_ref::<BooleanArray>() {
        Value::Boolean(values.value(row))
    } else if let Some(days) = any.downcast_ref::<Date32Array>() {
        Date::from_day_number(days.value(row)).map_or(Value::Missing, Value::Date)
    } else {
        Value::Missing
    }
}

/// What a field of our own says about its column.
pub(crate) fn column_schema(field: &Field) -> ColumnSchema {
    let kind = Kind::of(field.data_type());
    let metadata = |key: &str| {
        let of_old = || key.split_once('.').map(|(_, name)| format!("{OLD_PREFIX}{name}"));
        let all = field.metadata();
        all.get(key).or_else(|| all.get(&of_old()?))
    };
    let default = if kind == Kind::Integer {
        NumberFormat::Integer
    } else {
        NumberFormat::Shortest { min_decimals: 0 }
    };
    let format = metadata(FORMAT_KEY)
        .and_then(|text| NumberFormat::from_metadata(text))
        .unwrap_or(default);
    let boolean = metadata(BOOLEAN_KEY)
        .and_then(|text| BooleanSpelling::parse(text))
        .unwrap_or_default()
        .0;
    let marker = metadata(MISSING_KEY).filter(|text| MISSING_MARKERS.contains(&text.as_str()));
    ColumnSchema {
        name: field.name().clone(),
        kind,
        format,
        boolean,
        missing_marker: marker.cloned().unwrap_or_default(),
    }
}

/// The Arrow field of a column, with what is worth remembering as metadata.
pub(crate) fn field_of(column: &ColumnSchema) -> Field {
    let mut metadata = HashMap::new();
    match column.kind {
        Kind::Integer | Kind::Decimal => {
            drop(metadata.insert(FORMAT_KEY.to_owned(), column.format.to_metadata()));
        }
        Kind::Boolean => drop(metadata.insert(BOOLEAN_KEY.to_owned(), column.boolean.text(true).to_owned())),
        Kind::Category | Kind::Date => {}
    }
    if !column.missing_marker.is_empty() {
        metadata.insert(MISSING_KEY.to_owned(), column.missing_marker.clone());
    }
    Field::new(&column.name, column.kind.data_type(), true).with_metadata(metadata)
}

/// Names must be there and differ.
pub(crate) fn check_names<'a>(
    names: impl Iterator<Item = &'a str>,
    source_name: &str,
) -> Result<(), TableError> {
    let mut seen = std::collections::HashSet::new();
    for (position, name) in names.enumerate() {
        if name.trim().is_empty() {
            return Err(TableError::EmptyColumnName {
                source_name: source_name.to_owned(),
                position: position + 1,
            });
        }
        if !seen.insert(name) {
            return Err(TableError::DuplicateColumn {
                source_name: source_name.to_owned(),
                name: name.to_owned(),
            });
        }
    }
    Ok(())
}
