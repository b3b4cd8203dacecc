//! What a column's texts say about its kind and how it is written.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use crate::arrow_in::EXACT;
use crate::date::Date;
use crate::error::TableError;
use crate::format::{
    BooleanSpelling, MISSING_MARKERS, NumberFormat, NumberText, missing_marker, parse_number,
};
use crate::schema::{ColumnSchema, Kind};

/// The texts of one column, end to end.
#[derive(Debug)]
pub(crate) struct Texts {
    bytes: String,
    offsets: Vec<i32>,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self {
            bytes: String::new(),
            offsets: vec![0],
        }
    }

    /// False if the column would outgrow an Arrow array.
    pub(crate) fn push(&mut self, text: &str) -> bool {
        self.bytes.push_str(text);
        i32::try_from(self.bytes.len())
            .map(|end| self.offsets.push(end))
            .is_ok()
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.offsets
            .windows(2)
            .map(|ends| &self.bytes[ends[0] as usize..ends[1] as usize])
    }

    fn into_array(self, present: Vec<bool>) -> Result<StringArray, TableError> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let nulls = Some(NullBuffer::from(present)).filter(|nulls| nulls.null_count() > 0);
        Ok(StringArray::try_new(
            offsets,
            Buffer::from_vec(self.bytes.into_bytes()),
            nulls,
        )?)
    }
}

/// A column ready for the table.
#[derive(Debug)]
pub(crate) struct Inferred {
    pub(crate) schema: ColumnSchema,
    pub(crate) array: ArrayRef,
    /// The texts as read, if the array and the format alone would not give them back.
    pub(crate) texts: Option<StringArray>,
}

/// Finds kind and format; `as_text` keeps every cell as it is. An infinite number is refused with its row.
pub(crate) fn infer(name: &str, texts: Texts, as_text: bool) -> Result<Inferred, InferError> {
    let mut marker_counts = [0usize; MISSING_MARKERS.len()];
    let mut present = Vec::with_capacity(texts.offsets.len());
    for text in texts.iter() {
        let marker = missing_marker(text);
        if let Some(marker) = marker {
            marker_counts[marker] += 1;
        }
        present.push(marker.is_none());
    }
    let commonest = (0..MISSING_MARKERS.len())
        .rev()
        .max_by_key(|marker| marker_counts[*marker])
        .unwrap_or(0);
    let mut schema = ColumnSchema {
        name: name.to_owned(),
        kind: Kind::Category,
        format: NumberFormat::Shortest { min_decimals: 0 },
        missing_marker: MISSING_MARKERS[commonest].to_owned(),
        boolean: BooleanSpelling::default(),
    };
    if !as_text && present.contains(&true) {
        if let Some((spelling, values)) = booleans(&texts, &present) {
            schema.kind = Kind::Boolean;
            schema.boolean = spelling;
            return Ok(Inferred {
                schema,
                array: Arc::new(BooleanArray::from(values)),
                texts: None,
            });
        }
        if let Some(days) = dates(&texts, &present) {
            schema.kind = Kind::Date;
            let spaces = texts
                .iter()
                .zip(&present)
                .any(|(text, there)| *there && text != text.trim());
            return Ok(Inferred {
                schema,
                array: Arc::new(Date32Array::from(days)),
                texts: if spaces {
                    Some(texts.into_array(present)?)
                } else {
                    None
                },
            });
        }
        if let Some(column) = numbers(&texts, &present)? {
            schema.kind = if column.whole {
                Kind::Integer
            } else {
                Kind::Decimal
            };
            schema.format = column.format;
            let array: ArrayRef = if column.whole {
                let values = column
                    .values
                    .iter()
                    .zip(&present)
                    .map(|(value, there)| there.then_some(*value as i64));
                Arc::new(values.collect::<Int64Array>())
            } else {
                let values = column
                    .values
                    .iter()
                    .zip(&present)
                    .map(|(value, there)| there.then_some(*value));
                Arc::new(values.collect::<Float64Array>())
            };
            let texts = if column.exact {
                None
            } else {
                Some(texts.into_array(present)?)
            };
            return Ok(Inferred { schema, array, texts });
        }
    }
    Ok(Inferred {
        schema,
        array: Arc::new(texts.into_array(present)?),
        texts: None,
    })
}

/// Why a column could not be inferred.
#[derive(Debug)]
pub(crate) enum InferError {
    /// An infinite number among numbers.
    Infinite { row: usize, text: String },
    /// Arrow's refusal.
    Table(TableError),
}

impl From<TableError> for InferError {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

/// All cells that are there are true or false in one spelling.
fn booleans(texts: &Texts, present: &[bool]) -> Option<(BooleanSpelling, Vec<Option<bool>>)> {
    let mut column_spelling = None;
    let mut values = Vec::new();
    for (text, there) in texts.iter().zip(present) {
        if !there {
            values.push(None);
            continue;
        }
        let (spelling, value) = BooleanSpelling::parse(text)?;
        if *column_spelling.get_or_insert(spelling) != spelling {
            return None;
        }
        values.push(Some(value));
    }
    column_spelling.map(|spelling| (spelling, values))
}

/// All cells that are there are dates `YYYY-MM-DD`; the day number of each.
fn dates(texts: &Texts, present: &[bool]) -> Option<Vec<Option<i32>>> {
    let cells = texts.iter().zip(present);
    cells
        .map(|(text, there)| {
            if *there {
                Date::parse(text.trim()).map(|date| Some(date.day_number()))
            } else {
                Some(None)
            }
        })
        .collect()
}

struct Numbers {
    whole: bool,
    format: NumberFormat,
    /// The format gives every text back.
    exact: bool,
    values: Vec<f64>,
}

/// All cells that are there are numbers. Whole numbers beyond 2^53 without any decimals around are identifiers: text.
fn numbers(texts: &Texts, present: &[bool]) -> Result<Option<Numbers>, InferError> {
    let mut values = Vec::new();
    let (mut all_whole, mut all_integral, mut too_large, mut any_point_free) = (true, true, false, false);
    let (mut least_decimals, mut most_decimals, mut any_exponent) = (usize::MAX, 0, false);
    let mut infinite = None;
    for (row, (text, there)) in texts.iter().zip(present).enumerate() {
        if !there {
            values.push(f64::NAN);
            continue;
        }
        match parse_number(text.trim()) {
            NumberText::Finite {
                value,
                whole,
                decimals,
                point,
                exponent,
            } => {
                let exact = whole.is_some_and(|whole| i128::from(whole).abs() < EXACT);
                all_whole &= exact;
                too_large |= !exact && !point && !exponent;
                all_integral &= !point && !exponent;
                any_point_free |= !point && !exponent;
                any_exponent |= exponent;
                least_decimals = least_decimals.min(if point { decimals } else { 0 });
                most_decimals = most_decimals.max(decimals);
                values.push(value);
            }
            NumberText::Infinite => {
                infinite.get_or_insert_with(|| (row, text.trim().to_owned()));
                values.push(f64::NAN);
            }
            NumberText::Text => return Ok(None),
        }
    }
    if let Some((row, text)) = infinite {
        let any_number = values.iter().any(|value| !value.is_nan());
        return if any_number {
            Err(InferError::Infinite { row, text })
        } else {
            Ok(None)
        };
    }
    if all_integral && too_large {
        return Ok(None);
    }
    let format = if all_whole {
        NumberFormat::Integer
    } else {
        match u8::try_from(most_decimals) {
            Ok(decimals) if decimals > 0 && least_decimals == most_decimals && !any_exponent => {
                NumberFormat::Fixed(decimals)
            }
            _ => NumberFormat::Shortest {
                min_decimals: u8::from(!any_point_free),
            },
        }
    };
    if all_whole {
        // whole numbers know no -0
        values.iter_mut().for_each(|value| *value += 0.0);
    }
    let mut written = String::new();
    let exact = texts
        .iter()
        .zip(present)
        .zip(&values)
        .filter(|((_, there), _)| **there)
        .all(|((text, _), value)| {
            written.clear();
            format.write(*value, &mut written);
            written == text
        });
    Ok(Some(Numbers {
        whole: all_whole,
        format,
        exact,
        values,
    }))
}
