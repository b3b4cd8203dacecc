//! Columns of few distinct values, as small whole numbers.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::marginal::{DateMarginal, Grid, NumberMarginalBuilder};
use crate::schema::Kind;
use crate::table::Table;
use crate::value::Value;

/// The code of a missing cell.
pub(super) const MISSING: u32 = u32::MAX;

/// One distinct value, kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Level {
    Boolean(bool),
    Number(f64),
    Text(String),
    Date {
        /// Days since 1970-01-01.
        day: i32,
    },
}

impl Level {
    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self::Text(text.to_owned())),
            Value::Number(x) => Some(Self::Number(x)),
            Value::Boolean(flag) => Some(Self::Boolean(flag)),
            Value::Date(date) => Some(Self::Date {
                day: date.day_number(),
            }),
            Value::Missing => None,
        }
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text),
            Self::Number(x) => Value::Number(*x),
            Self::Boolean(flag) => Value::Boolean(*flag),
            Self::Date { day } => Date::from_day_number(*day).map_or(Value::Missing, Value::Date),
        }
    }
}

/// A number as its column's marginal sees it: the point of its rounding grid that it stands for. Other values stay, a
/// number between grid points among them.
pub(super) fn snapped(value: Value<'_>, grid: Grid) -> Value<'_> {
    match value {
        Value::Number(x) => Value::Number(grid.point(x).map_or(x, |index| grid.value(index)) + 0.0),
        other => other,
    }
}

/// The positions of levels of one kind; numbers by their bits, dates by their day.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct LevelIndex<T: Hash + Eq> {
    texts: HashMap<T, u32>,
    others: HashMap<u64, u32>,
}

impl<T: Borrow<str> + Hash + Eq> LevelIndex<T> {
    pub(super) fn get(&self, value: Value<'_>) -> Option<u32> {
        match value {
            Value::Text(text) => self.texts.get(text).copied(),
            other => self.others.get(&bits(other)?).copied(),
        }
    }
}

fn bits(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Number(x) => Some(x.to_bits()),
        Value::Boolean(flag) => Some(u64::from(flag)),
        Value::Date(date) => Some(date.day_number() as u64),
        Value::Text(_) | Value::Missing => None,
    }
}

impl LevelIndex<String> {
    pub(super) fn new(levels: &[Level]) -> Self {
        let mut index = Self::default();
        for (at, level) in levels.iter().enumerate() {
            match level {
                Level::Text(text) => drop(index.texts.insert(text.clone(), at as u32)),
                other => drop(bits(other.value()).map(|bits| index.others.insert(bits, at as u32))),
            }
        }
        index
    }
}

/// A column as codes: one a row, counted from 0 in the order of first use.
#[derive(Debug)]
pub(super) struct Coded {
    /// `(rows)`; [`MISSING`] for a missing cell.
    pub(super) codes: Vec<u32>,
    pub(super) levels: Vec<Level>,
    /// Rows of each level.
    pub(super) counts: Vec<u64>,
    /// Rows without a value.
    pub(super) missing: u64,
    pub(super) grid: Grid,
}

impl Coded {
    /// The codes of a column of at most `most` levels.
    pub(super) fn new(table: &Table, column: usize, most: usize) -> Option<Self> {
        let rows = table.num_rows();
        let values = || (0..rows).map(|row| table.value(row, column));
        let number = table.schema().columns[column].kind.is_number();
        let grid = if number { grid_of(values()) } else { Grid::NONE };
        let mut index = LevelIndex::<&str>::default();
        let mut coded = Self {
            codes: Vec::with_capacity(rows),
            levels: Vec::new(),
            counts: Vec::new(),
            missing: 0,
            grid,
        };
        for value in values() {
            let value = snapped(value, grid);
            let next = coded.levels.len() as u32;
            let code = match value {
                Value::Text(text) => *index.texts.entry(text).or_insert(next),
                other => match bits(other) {
                    Some(bits) => *index.others.entry(bits).or_insert(next),
                    None => MISSING,
                },
            };
            coded.codes.push(code);
            if code == MISSING {
                coded.missing += 1;
                continue;
            }
            if code == next {
                if coded.levels.len() == most {
                    return None;
                }
                coded.levels.extend(Level::of(value));
                coded.counts.push(0);
            }
            coded.counts[code as usize] += 1;
        }
        Some(coded)
    }

    /// Rows with a value.
    pub(super) fn present(&self) -> u64 {
        self.codes.len() as u64 - self.missing
    }
}

/// The rounding grid of a column's numbers.
pub(super) fn grid_of<'a>(values: impl Iterator<Item = Value<'a>>) -> Grid {
    let numbers: Vec<f64> = values.filter_map(number).collect();
    Grid::find(&numbers)
}

pub(super) fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Number(x) if x.is_finite() => Some(x),
        _ => None,
    }
}

/// Whether a column drawn by its marginal only takes values it was fitted on, so that a lookup finds them.
pub(super) fn draws_seen_values(kind: Kind, coded: &Coded) -> bool {
    let builder = match kind {
        Kind::Category | Kind::Boolean => return true,
        Kind::Integer | Kind::Decimal => NumberMarginalBuilder::default(),
        Kind::Date => DateMarginal::builder(),
    };
    builder.lists(coded.levels.len(), coded.present() as usize)
}
