//! What the columns of a table are, and how a table from elsewhere is brought to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::error::{Location, TableError};
use crate::format::{BooleanSpelling, NumberFormat, NumberText, parse_number};
use crate::table::{Table, column_schema, field_of, value_at};
use crate::value::Value;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Labels without order.
    Category,
    /// Whole numbers.
    Integer,
    /// Numbers with decimals.
    Decimal,
    /// True and false.
    Boolean,
    /// Days of the calendar, `YYYY-MM-DD`. Times of day and other spellings are [`Kind::Category`].
    Date,
}

impl Kind {
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Integer,
            DataType::Float64 => Self::Decimal,
            DataType::Boolean => Self::Boolean,
            DataType::Date32 => Self::Date,
            _ => Self::Category,
        }
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Category => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Decimal => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
        }
    }

    /// Whether the column holds numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal)
    }
}

/// One column: its name, its kind and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSchema {
    /// The name in the header.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// How its numbers are written (of no account for other kinds).
    pub format: NumberFormat,
    /// How a missing cell is written.
    pub missing_marker: String,
    /// How its booleans are written (of no account for other kinds).
    pub boolean: BooleanSpelling,
}

/// The columns of a table, left to right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<ColumnSchema>,
}

impl Schema {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Position of the column of that name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The columns at these positions, in this order; positions beyond the end are left out.
    #[must_use]
    pub fn subset(&self, positions: &[usize]) -> Self {
        Self {
            columns: positions
                .iter()
                .filter_map(|position| self.columns.get(*position).cloned())
                .collect(),
        }
    }

    /// Brings a table to this schema: columns are found by name in any order, further columns are left out.
    ///
    /// Where this schema has categories, numbers, booleans and dates become the text they were written with. Where it
    /// has numbers, whole numbers and decimals are both welcome (`3` and `3.0` are one number); a column of whole numbers
    /// that brings decimals comes out as decimals.
    ///
    /// # Errors
    /// A missing column (the error lists what is there); text in a column of numbers, booleans or dates, with line and
    /// column.
    pub fn conform(&self, table: &Table) -> Result<Table, TableError> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for column in &self.columns {
            let position = table.column_index(&column.name)?;
            let array = match column.kind {
                Kind::Category => as_texts(table, position),
                Kind::Integer | Kind::Decimal => as_numbers(table, position, column)?,
                Kind::Boolean => as_booleans(table, position, column)?,
                Kind::Date => as_dates(table, position, column)?,
            };
            let field = field_of(column).with_data_type(array.data_type().clone());
            fields.push(field);
            arrays.push(array);
        }
        let conformed = Table::assemble(
            fields,
            arrays,
            table.num_rows(),
            table.source.clone(),
            BTreeMap::new(),
        )?;
        Ok(Table {
            offset: table.offset,
            ..conformed
        })
    }
}

/// The cells as text: as written in the file if that is known, else in the table's own format.
fn as_texts(table: &Table, position: usize) -> ArrayRef {
    let array = table.batch.column(position);
    if array.data_type() == &DataType::Utf8 {
        return Arc::clone(array);
    }
    let own = column_schema(table.batch.schema_ref().field(position));
    let mut text = String::new();
    let texts = (0..table.num_rows()).map(|row| {
        array.is_valid(row).then(|| {
            text.clear();
            table.write_cell(row, position, &own, &mut text);
            text.clone()
        })
    });
    Arc::new(texts.collect::<StringArray>())
}

fn as_numbers(table: &Table, position: usize, column: &ColumnSchema) -> Result<ArrayRef, TableError> {
    let array = table.batch.column(position);
    let not_a_number = |row: usize, text: &str| TableError::NotANumber {
        location: table.location(row),
        column: column.name.clone(),
        text: text.to_owned(),
    };
    let any = array.as_any();
    let values: Vec<Option<f64>> = if let Some(values) = any.downcast_ref::<Int64Array>() {
        if column.kind == Kind::Integer {
            return Ok(Arc::clone(array));
        }
        values
            .iter()
            .map(|value| value.map(|value| value as f64))
            .collect()
    } else if let Some(values) = any.downcast_ref::<Float64Array>() {
        if column.kind == Kind::Decimal {
            return Ok(Arc::clone(array));
        }
        values.iter().collect()
    } else if let Some(texts) = any.downcast_ref::<StringArray>() {
        let parse = |(row, text): (usize, Option<&str>)| {
            let Some(text) = text else { return Ok(None) };
            match parse_number(text.trim()) {
                NumberText::Finite { value, .. } => Ok(Some(value)),
                NumberText::Infinite => Err(TableError::NotFinite {
                    location: table.location(row),
                    column: column.name.clone(),
                    text: text.to_owned(),
                }),
                NumberText::Text => Err(not_a_number(row, text)),
            }
        };
        texts.iter().enumerate().map(parse).collect::<Result<_, _>>()?
    } else {
        // booleans and dates are no numbers; a column of missing cells passes
        if let Some(row) = (0..array.len()).find(|row| array.is_valid(*row)) {
            let own = column_schema(table.batch.schema_ref().field(position));
            let mut text = String::new();
            table.write_cell(row, position, &own, &mut text);
            return Err(not_a_number(row, &text));
        }
        vec![None; array.len()]
    };
    let whole =
        |value: &Option<f64>| value.is_none_or(|value| value.fract() == 0.0 && value.abs() < 2f64.powi(53));
    if column.kind == Kind::Integer && values.iter().all(whole) {
        let values = values.into_iter().map(|value| value.map(|value| value as i64));
        return Ok(Arc::new(values.collect::<Int64Array>()));
    }
    Ok(Arc::new(Float64Array::from(values)))
}

fn as_booleans(table: &Table, position: usize, column: &ColumnSchema) -> Result<ArrayRef, TableError> {
    if table.batch.column(position).data_type() == &DataType::Boolean {
        return Ok(Arc::clone(table.batch.column(position)));
    }
    let parse = |text: &str| BooleanSpelling::parse(text).map(|(_, value)| value);
    let values: BooleanArray =
        parse_texts(table, position, parse, |location, text| TableError::NotABoolean {
            location,
            column: column.name.clone(),
            text,
        })?;
    Ok(Arc::new(values))
}

fn as_dates(table: &Table, position: usize, column: &ColumnSchema) -> Result<ArrayRef, TableError> {
    if table.batch.column(position).data_type() == &DataType::Date32 {
        return Ok(Arc::clone(table.batch.column(position)));
    }
    let parse = |text: &str| Date::parse(text).map(Date::day_number);
    let values: Date32Array = parse_texts(table, position, parse, |location, text| TableError::NotADate {
        location,
        column: column.name.clone(),
        text,
    })?;
    Ok(Arc::new(values))
}

/// The cells read from their texts, spaces around them trimmed, or the refusal of the first that cannot be read.
fn parse_texts<V, A: FromIterator<Option<V>>>(
    table: &Table,
    position: usize,
    parse: impl Fn(&str) -> Option<V>,
    refuse: impl Fn(Location, String) -> TableError,
) -> Result<A, TableError> {
    let texts = as_texts(table, position);
    let cells = (0..texts.len()).map(|row| match value_at(texts.as_ref(), row) {
        Value::Text(text) => match parse(text.trim()) {
            Some(value) => Ok(Some(value)),
            None => Err(refuse(table.location(row), text.to_owned())),
        },
        _ => Ok(None),
    });
    cells.collect()
}
