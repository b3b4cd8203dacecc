//! Sets of values of one column.

use std::collections::BTreeSet;

use super::ranges::{NumberRange, Ranges};
use crate::date::Date;
use crate::schema::Kind;
use crate::value::Value;

/// A set of values of one column, by its kind: labels listed or all but those listed, unions of numeric ranges (dates by
/// their number of days since 1970-01-01), booleans; and whether a missing cell belongs to it.
///
/// Set operations are on sets of one kind, and whole numbers and decimals are one; of a value or set of another kind
/// only the missing cell counts.
///
/// ```
/// use ef_tabular::{Kind, NumberRange, Value, ValueSet};
/// let adults = ValueSet::ranges(Kind::Integer, [NumberRange { low: 18.0, ..NumberRange::ALL }]);
/// let young = ValueSet::ranges(Kind::Integer, [NumberRange::closed(0.0, 30.0)]);
/// let both = adults.intersect(&young);
/// assert!(both.contains(Value::Number(18.0)) && !both.contains(Value::Number(31.0)));
/// assert!(!both.contains(Value::Missing));
/// assert!(both.intersect(&both.complement()).is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ValueSet {
    missing: bool,
    present: Present,
}

#[derive(Debug, Clone, PartialEq)]
enum Present {
    Listed(BTreeSet<String>),
    AllBut(BTreeSet<String>),
    Numbers(Ranges),
    Days(Ranges),
    /// Whether false is in the set, and whether true is.
    Booleans([bool; 2]),
}

/// What a set says about labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LabelSet<'a> {
    /// These labels.
    Listed(&'a BTreeSet<String>),
    /// Every label but these.
    AllBut(&'a BTreeSet<String>),
}

/// All days of the calendar.
fn calendar() -> Ranges {
    let ends = [Date::FIRST, Date::LAST].map(|date| f64::from(date.day_number()));
    Ranges::new(true, [NumberRange::closed(ends[0], ends[1])])
}

fn numbers() -> Ranges {
    Ranges::new(false, [NumberRange::ALL])
}

impl ValueSet {
    /// No value at all, not even a missing one.
    pub fn none(kind: Kind) -> Self {
        let present = match kind {
            Kind::Category => Present::Listed(BTreeSet::new()),
            Kind::Integer | Kind::Decimal => Present::Numbers(Ranges::none(false)),
            Kind::Boolean => Present::Booleans([false; 2]),
            Kind::Date => Present::Days(Ranges::none(true)),
        };
        Self {
            missing: false,
            present,
        }
    }

    /// Every value, and a missing cell.
    pub fn all(kind: Kind) -> Self {
        Self::none(kind).complement()
    }

    /// Every value but a missing cell.
    pub fn known(kind: Kind) -> Self {
        Self {
            missing: false,
            ..Self::all(kind)
        }
    }

    /// A missing cell alone.
    pub fn missing(kind: Kind) -> Self {
        Self {
            missing: true,
            ..Self::none(kind)
        }
    }

    /// One value alone, a missing cell alone among them. Empty for a value that is not of the kind.
    pub fn only(kind: Kind, value: Value<'_>) -> Self {
        let point = |x: f64| Self::ranges(kind, [NumberRange::closed(x, x)]);
        match (kind, value) {
            (_, Value::Missing) => Self::missing(kind),
            (Kind::Integer | Kind::Decimal, Value::Number(x)) if x.is_nan() => Self::missing(kind),
            (Kind::Integer | Kind::Decimal, Value::Number(x)) => point(x),
            (Kind::Date, Value::Date(date)) => point(f64::from(date.day_number())),
            (Kind::Category, Value::Text(label)) => Self::labels([label]),
            (Kind::Boolean, Value::Boolean(flag)) => Self::booleans([flag]),
            _ => Self::none(kind),
        }
    }

    /// These labels.
    pub fn labels<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> Self {
        Self {
            missing: false,
            present: Present::Listed(labels.into_iter().map(Into::into).collect()),
        }
    }

    /// The union of ranges: of numbers, or of days since 1970-01-01 if the kind is [`Kind::Date`]. Empty for other kinds.
    pub fn ranges(kind: Kind, ranges: impl IntoIterator<Item = NumberRange>) -> Self {
        let present = match kind {
            Kind::Integer | Kind::Decimal => Present::Numbers(Ranges::new(false, ranges)),
            Kind::Date => Present::Days(Ranges::new(true, ranges).intersect(&calendar())),
            Kind::Category | Kind::Boolean => return Self::none(kind),
        };
        Self {
            missing: false,
            present,
        }
    }

    /// One of the booleans, or both.
    pub fn booleans(flags: impl IntoIterator<Item = bool>) -> Self {
        let mut held = [false; 2];
        flags.into_iter().for_each(|flag| held[usize::from(flag)] = true);
        Self {
            missing: false,
            present: Present::Booleans(held),
        }
    }

    /// Whether a value belongs to the set. NaN is a missing cell.
    pub fn contains(&self, value: Value<'_>) -> bool {
        match (value, &self.present) {
            (Value::Missing, _) => self.missing,
            (Value::Number(x), _) if x.is_nan() => self.missing,
            (Value::Text(text), Present::Listed(labels)) => labels.contains(text),
            (Value::Text(text), Present::AllBut(labels)) => !labels.contains(text),
            (Value::Number(x), Present::Numbers(ranges)) => ranges.contains(x),
            (Value::Date(date), Present::Days(ranges)) => ranges.contains(f64::from(date.day_number())),
            (Value::Boolean(flag), Present::Booleans(held)) => held[usize::from(flag)],
            _ => false,
        }
    }

    /// The values in both sets.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        use Present::{AllBut, Booleans, Days, Listed, Numbers};
        let present = match (&self.present, &other.present) {
            (Listed(a), Listed(b)) => Listed(a & b),
            (Listed(a), AllBut(b)) | (AllBut(b), Listed(a)) => Listed(a - b),
            (AllBut(a), AllBut(b)) => AllBut(a | b),
            (Numbers(a), Numbers(b)) => Numbers(a.intersect(b)),
            (Days(a), Days(b)) => Days(a.intersect(b)),
            (Booleans(a), Booleans(b)) => Booleans([a[0] && b[0], a[1] && b[1]]),
            _ => Self::none(self.kind()).present,
        };
        Self {
            missing: self.missing && other.missing,
            present,
        }
    }

    /// The values in one of the sets or in both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        use Present::{AllBut, Booleans, Days, Listed, Numbers};
        let present = match (&self.present, &other.present) {
            (Listed(a), Listed(b)) => Listed(a | b),
            (Listed(a), AllBut(b)) | (AllBut(b), Listed(a)) => AllBut(b - a),
            (AllBut(a), AllBut(b)) => AllBut(a & b),
            (Numbers(a), Numbers(b)) => Numbers(a.union(b)),
            (Days(a), Days(b)) => Days(a.union(b)),
            (Booleans(a), Booleans(b)) => Booleans([a[0] || b[0], a[1] || b[1]]),
            (own, _) => own.clone(),
        };
        Self {
            missing: self.missing || other.missing,
            present,
        }
    }

    /// The values that are not in the set, a missing cell among them if it is not.
    #[must_use]
    pub fn complement(&self) -> Self {
        let present = match &self.present {
            Present::Listed(labels) => Present::AllBut(labels.clone()),
            Present::AllBut(labels) => Present::Listed(labels.clone()),
            Present::Numbers(ranges) => Present::Numbers(ranges.complement(&numbers())),
            Present::Days(ranges) => Present::Days(ranges.complement(&calendar())),
            Present::Booleans(held) => Present::Booleans(held.map(|held| !held)),
        };
        Self {
            missing: !self.missing,
            present,
        }
    }

    /// Whether no value belongs to the set.
    pub fn is_empty(&self) -> bool {
        !self.missing
            && match &self.present {
                Present::Listed(labels) => labels.is_empty(),
                Present::AllBut(_) => false,
                Present::Numbers(ranges) | Present::Days(ranges) => ranges.is_empty(),
                Present::Booleans(held) => *held == [false; 2],
            }
    }

    /// Whether every value belongs to the set, and a missing cell.
    pub fn is_all(&self) -> bool {
        self.complement().is_empty()
    }

    /// Whether every value of this set is one of the other's.
    pub fn is_within(&self, other: &Self) -> bool {
        self.intersect(&other.complement()).is_empty()
    }

    /// Whether a missing cell belongs to the set.
    pub fn has_missing(&self) -> bool {
        self.missing
    }

    /// The one value of the set, if it has just one.
    pub fn single(&self) -> Option<Value<'_>> {
        let known = match &self.present {
            Present::Listed(labels) if labels.len() == 1 => labels.first().map(|label| Value::Text(label)),
            Present::Numbers(ranges) => ranges.single().map(Value::Number),
            Present::Days(ranges) => ranges.single().map(|day| Value::Date(Date::nearest(day))),
            Present::Booleans([false, true]) => Some(Value::Boolean(true)),
            Present::Booleans([true, false]) => Some(Value::Boolean(false)),
            _ => None,
        };
        if self.missing {
            (*self == Self::missing(self.kind())).then_some(Value::Missing)
        } else {
            known
        }
    }

    /// The kind of the column; [`Kind::Decimal`] for all numbers.
    pub fn kind(&self) -> Kind {
        match self.present {
            Present::Listed(_) | Present::AllBut(_) => Kind::Category,
            Present::Numbers(_) => Kind::Decimal,
            Present::Days(_) => Kind::Date,
            Present::Booleans(_) => Kind::Boolean,
        }
    }

    /// What the set says about labels; `None` for columns of another kind.
    pub fn label_set(&self) -> Option<LabelSet<'_>> {
        match &self.present {
            Present::Listed(labels) => Some(LabelSet::Listed(labels)),
            Present::AllBut(labels) => Some(LabelSet::AllBut(labels)),
            _ => None,
        }
    }

    /// The ranges of numbers, or of days since 1970-01-01: ascending, disjoint, no two of them touching. Those of days
    /// have whole closed ends. None for other kinds.
    pub fn number_ranges(&self) -> impl Iterator<Item = NumberRange> {
        let ranges = match &self.present {
            Present::Numbers(ranges) | Present::Days(ranges) => Some(ranges),
            _ => None,
        };
        ranges.into_iter().flat_map(Ranges::iter)
    }
}
