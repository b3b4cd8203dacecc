//! A column that is a function of one other: `derived = table[key(source)]`, the key a value or a part of a date.

use serde::{Deserialize, Serialize};

use super::date_part::DatePart;
use super::evidence;
use super::level::{Coded, Level, LevelIndex, MISSING, draws_seen_values, number, snapped};
use crate::condition::{NumberRange, ValueSet};
use crate::date::Date;
use crate::marginal::{ColumnMarginal, Grid};
use crate::schema::Kind;
use crate::value::Value;

/// Most entries of a lookup.
pub(super) const MOST_ENTRIES: usize = 5_000;
/// Most distinct days of a column whose parts are read.
pub(super) const MOST_DAYS: usize = 50_000;
/// Rows looked at before all are.
const SAMPLE: usize = 1_000;
/// A key that no row has had yet.
const UNSET: u32 = u32::MAX;

/// The value of the derived column for each key of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub(super) struct Lookup {
    saved: Saved,
    index: LevelIndex<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    source: String,
    /// The part of a date that is the key; the value itself if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<DatePart>,
    source_grid: Grid,
    keys: Vec<Level>,
    values: Vec<Level>,
}

impl TryFrom<Saved> for Lookup {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        if saved.keys.len() != saved.values.len() {
            return Err("a lookup is damaged; its keys and values do not fit together".to_owned());
        }
        let index = LevelIndex::new(&saved.keys);
        Ok(Self { saved, index })
    }
}

impl From<Lookup> for Saved {
    fn from(lookup: Lookup) -> Self {
        lookup.saved
    }
}

impl Lookup {
    pub(super) fn source(&self) -> &str {
        &self.saved.source
    }

    pub(super) fn entries(&self) -> usize {
        self.saved.keys.len()
    }

    /// The derived value; `None` for a key that was never seen.
    pub(super) fn derive(&self, source: Value<'_>) -> Option<Value<'_>> {
        let key = match self.saved.part {
            None => snapped(source, self.saved.source_grid),
            Some(part) => Value::Number(f64::from(part.of(source)?)),
        };
        let at = self.index.get(key)?;
        Some(self.saved.values[at as usize].value())
    }

    /// The known values of the source that stand for a value of the set.
    pub(super) fn preimage(&self, set: &ValueSet, source: &ColumnMarginal) -> ValueSet {
        let inside = |value: &Value<'_>| self.derive(*value).is_some_and(|derived| set.contains(derived));
        let day = |day: i32| Date::from_day_number(day).is_some_and(|date| inside(&Value::Date(date)));
        let point = |x: f64| NumberRange::closed(x, x);
        match source {
            ColumnMarginal::Category(marginal) if marginal.is_boolean() => ValueSet::booleans(
                [false, true]
                    .into_iter()
                    .filter(|flag| inside(&Value::Boolean(*flag))),
            ),
            ColumnMarginal::Category(marginal) => {
                let labels = marginal.labels().iter();
                ValueSet::labels(labels.filter(|label| inside(&Value::Text(label))))
            }
            ColumnMarginal::Number(_) => {
                let keys = self.saved.keys.iter().map(Level::value);
                let numbers = keys.filter(inside).filter_map(number).map(point);
                ValueSet::ranges(Kind::Decimal, numbers)
            }
            ColumnMarginal::Date(marginal) => {
                let (first, last) = marginal.days().reach().unwrap_or((0.0, -1.0));
                let days = (first as i32..=last as i32).filter(|at| day(*at));
                ValueSet::ranges(Kind::Date, days.map(|day| point(f64::from(day))))
            }
        }
    }
}

impl std::fmt::Display for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = self.entries();
        match self.saved.part {
            None => write!(f, "lookup of {} ({entries} values)", self.saved.source),
            Some(part) => write!(
                f,
                "lookup of the {} of {} ({entries} values)",
                part.name(),
                self.saved.source
            ),
        }
    }
}

/// What a lookup can read of a column: its codes, through a map from codes to keys.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) column: usize,
    pub(super) part: Option<DatePart>,
    /// The key of each code.
    key_of: Vec<u32>,
    keys: Vec<Level>,
    /// Rows of each key.
    rows: Vec<u64>,
}

impl Key {
    /// The keys that a column offers: its value if there are few, and the parts of its dates if it holds dates.
    pub(super) fn all(column: usize, kind: Kind, coded: &Coded) -> Vec<Self> {
        let mut keys = Vec::new();
        if coded.levels.len() <= MOST_ENTRIES && draws_seen_values(kind, coded) {
            keys.push(Self {
                column,
                part: None,
                key_of: (0..coded.levels.len() as u32).collect(),
                keys: coded.levels.clone(),
                rows: coded.counts.clone(),
            });
        }
        keys.extend(
            DatePart::ALL
                .into_iter()
                .filter_map(|part| Self::part(column, part, coded)),
        );
        keys
    }

    /// A part that the column's days share: 1.5 days or more have the same one, on average.
    fn part(column: usize, part: DatePart, coded: &Coded) -> Option<Self> {
        let parts: Option<Vec<u32>> = coded.levels.iter().map(|level| part.of(level.value())).collect();
        let parts = parts?;
        let mut distinct = parts.clone();
        distinct.sort_unstable();
        distinct.dedup();
        // of a few days each has a part of its own, which says no more than the day
        if 2 * parts.len() < 3 * distinct.len() {
            return None;
        }
        let mut rows = vec![0; distinct.len()];
        let key_of: Vec<u32> = parts
            .iter()
            .zip(&coded.counts)
            .map(|(part, count)| {
                let key = distinct.partition_point(|other| other < part);
                rows[key] += count;
                key as u32
            })
            .collect();
        Some(Self {
            column,
            part: Some(part),
            key_of,
            keys: distinct
                .iter()
                .map(|part| Level::Number(f64::from(*part)))
                .collect(),
            rows,
        })
    }

    pub(super) fn entries(&self) -> usize {
        self.keys.len()
    }

    /// The derived code of each key, if the derived column is a function of it in every row, cells missing together.
    pub(super) fn determines(&self, source: &Coded, derived: &Coded) -> Option<Vec<u32>> {
        let levels = derived.levels.len();
        if !evidence::varies(derived.counts.iter().copied())
            || levels > self.entries()
            || self.entries() > MOST_ENTRIES
        {
            return None;
        }
        if source.missing != derived.missing {
            return None;
        }
        let mut map = vec![UNSET; self.entries()];
        let mut agrees = |row: usize| match (source.codes[row], derived.codes[row]) {
            (MISSING, value) => value == MISSING,
            (_, MISSING) => false,
            (code, value) => {
                let entry = &mut map[self.key_of[code as usize] as usize];
                if *entry == UNSET {
                    *entry = value;
                }
                *entry == value
            }
        };
        let rows = source.codes.len();
        // a sorted table shows its exceptions late
        let sample = (0..rows).step_by((rows / SAMPLE).max(1));
        (sample.chain(0..rows).all(&mut agrees)).then_some(map)
    }

    /// The evidence for what [`determines`](Self::determines) found, nats.
    pub(super) fn evidence(&self, map: &[u32], derived: &Coded) -> f64 {
        let groups: Vec<(u64, f64)> = self
            .rows
            .iter()
            .zip(map)
            .map(|(rows, value)| {
                let share = derived.counts[*value as usize] as f64 / derived.present() as f64;
                (*rows, share)
            })
            .collect();
        evidence::of_lookup(&groups)
    }

    pub(super) fn lookup(&self, name: &str, source: &Coded, map: &[u32], derived: &Coded) -> Lookup {
        let saved = Saved {
            source: name.to_owned(),
            part: self.part,
            source_grid: source.grid,
            keys: self.keys.clone(),
            values: map
                .iter()
                .map(|value| derived.levels[*value as usize].clone())
                .collect(),
        };
        let index = LevelIndex::new(&saved.keys);
        Lookup { saved, index }
    }
}
