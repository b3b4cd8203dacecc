//! Arrow batches of other makers into our column types.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Int8Type, Int16Type, Int32Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, Date32Array, DictionaryArray, Float64Array, Int64Array, LargeStringArray,
    PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow_schema::DataType;

use crate::date::Date;
use crate::error::{Location, TableError};
use crate::table::{Table, check_names, column_schema, field_of};

/// Whole numbers below this size are exact in a 64-bit float.
pub(crate) const EXACT: i128 = 1 << 53;

impl Table {
    /// Takes an Arrow batch: `Utf8`, `LargeUtf8`, `Utf8View` and `Dictionary(Int32, Utf8)` become text, every integer
    /// type whole numbers, floats decimals, `Boolean` and `Date32` stay, and `Null` is a column of missing cells.
    ///
    /// NaN is a missing cell. A 32-bit float is read by its shortest decimal digits, so that `0.1f32` is `0.1`.
    ///
    /// # Errors
    /// Other Arrow types, empty or doubled names, infinite numbers, whole numbers beyond 2^53, dates
    /// outside the years 0001 to 9999.
    pub fn from_record_batch(batch: &RecordBatch) -> Result<Self, TableError> {
        let schema = batch.schema_ref();
        check_names(
            schema.fields().iter().map(|field| field.name().as_str()),
            "the table",
        )?;
        let mut fields = Vec::with_capacity(batch.num_columns());
        let mut arrays = Vec::with_capacity(batch.num_columns());
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let array = convert(field.name(), array)?;
            let plain = field.as_ref().clone().with_data_type(array.data_type().clone());
            fields.push(field_of(&column_schema(&plain)));
            arrays.push(array);
        }
        Self::assemble(
            fields,
            arrays,
            batch.num_rows(),
            None,
            std::collections::BTreeMap::new(),
        )
    }
}

fn convert(column: &str, array: &ArrayRef) -> Result<ArrayRef, TableError> {
    let any = array.as_any();
    let unsupported = || TableError::UnsupportedType {
        column: column.to_owned(),
        data_type: array.data_type().to_string(),
    };
    match array.data_type() {
        DataType::Utf8 | DataType::Boolean => Ok(Arc::clone(array)),
        DataType::Null => Ok(Arc::new(StringArray::new_null(array.len()))),
        DataType::LargeUtf8 => {
            let texts = any.downcast_ref::<LargeStringArray>().ok_or_else(unsupported)?;
            Ok(Arc::new(texts.iter().collect::<StringArray>()))
        }
        DataType::Utf8View => {
            let texts = any.downcast_ref::<StringViewArray>().ok_or_else(unsupported)?;
            Ok(Arc::new(texts.iter().collect::<StringArray>()))
        }
        DataType::Dictionary(_, _) => {
            let dictionary = any
                .downcast_ref::<DictionaryArray<arrow_array::types::Int32Type>>()
                .ok_or_else(unsupported)?;
            let texts = dictionary
                .downcast_dict::<StringArray>()
                .ok_or_else(unsupported)?;
            Ok(Arc::new(texts.into_iter().collect::<StringArray>()))
        }
        DataType::Int64 => {
            let values = any.downcast_ref::<Int64Array>().ok_or_else(unsupported)?;
            exact(column, values.iter().map(|value| value.map(i128::from)))?;
            Ok(Arc::clone(array))
        }
        DataType::Int32 => whole::<Int32Type>(column, array).ok_or_else(unsupported)?,
        DataType::Int16 => whole::<Int16Type>(column, array).ok_or_else(unsupported)?,
        DataType::Int8 => whole::<Int8Type>(column, array).ok_or_else(unsupported)?,
        DataType::UInt64 => whole::<UInt64Type>(column, array).ok_or_else(unsupported)?,
        DataType::UInt32 => whole::<UInt32Type>(column, array).ok_or_else(unsupported)?,
        DataType::UInt16 => whole::<UInt16Type>(column, array).ok_or_else(unsupported)?,
        DataType::UInt8 => whole::<UInt8Type>(column, array).ok_or_else(unsupported)?,
        DataType::Float64 => {
            let values = any.downcast_ref::<Float64Array>().ok_or_else(unsupported)?;
            finite(column, values.iter())
        }
        DataType::Float32 => {
            let values = any
                .downcast_ref::<PrimitiveArray<Float32Type>>()
                .ok_or_else(unsupported)?;
            let digits = |value: f32| format!("{value:e}").parse().unwrap_or(f64::from(value));
            finite(column, values.iter().map(|value| value.map(digits)))
        }
        DataType::Date32 => {
            let days = any.downcast_ref::<Date32Array>().ok_or_else(unsupported)?;
            in_range(column, days)?;
            Ok(Arc::clone(array))
        }
        _ => Err(unsupported()),
    }
}

fn in_range(column: &str, days: &Date32Array) -> Result<(), TableError> {
    let beyond = |day: &Option<i32>| day.is_some_and(|day| Date::from_day_number(day).is_none());
    match days.iter().enumerate().find(|(_, day)| beyond(day)) {
        Some((row, Some(day))) => Err(TableError::DateOutOfRange {
            location: Location {
                source_name: None,
                line: None,
                row,
            },
            column: column.to_owned(),
            day,
        }),
        _ => Ok(()),
    }
}

fn whole<T: ArrowPrimitiveType>(column: &str, array: &ArrayRef) -> Option<Result<ArrayRef, TableError>>
where
    T::Native: Into<i128>,
{
    let values = array.as_any().downcast_ref::<PrimitiveArray<T>>()?;
    Some(
        exact(column, values.iter().map(|value| value.map(Into::into)))
            .map(|values| Arc::new(values) as ArrayRef),
    )
}

fn exact(column: &str, values: impl Iterator<Item = Option<i128>>) -> Result<Int64Array, TableError> {
    let mut checked = Vec::with_capacity(values.size_hint().0);
    for (row, value) in values.enumerate() {
        match value {
            Some(value) if value.abs() >= EXACT => {
                let location = Location {
                    source_name: None,
                    line: None,
                    row,
                };
                return Err(TableError::IntegerTooLarge {
                    location,
                    column: column.to_owned(),
                    value,
                });
            }
            value => checked.push(value.map(|value| value as i64)),
        }
    }
    Ok(checked.into())
}

fn finite(column: &str, values: impl Iterator<Item = Option<f64>>) -> Result<ArrayRef, TableError> {
    let mut checked = Vec::with_capacity(values.size_hint().0);
    for (row, value) in values.enumerate() {
        match value {
            Some(value) if value.is_infinite() => {
                let location = Location {
                    source_name: None,
                    line: None,
                    row,
                };
                return Err(TableError::NotFinite {
                    location,
                    column: column.to_owned(),
                    text: value.to_string(),
                });
            }
            value => checked.push(value.filter(|value| !value.is_nan())),
        }
    }
    Ok(Arc::new(Float64Array::from(checked)))
}
