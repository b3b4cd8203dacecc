//! What a test means for a column of a kind: the set of values that meet it.

use super::error::ConditionError;
use super::expression::{Comparison, Literal, Test};
use super::near::near;
use super::ranges::NumberRange;
use super::value_set::ValueSet;
use crate::date::Date;
use crate::schema::{Kind, Schema};

impl Schema {
    /// The position of a column, or an error that names those like it.
    pub(super) fn position(&self, name: &str) -> Result<usize, ConditionError> {
        self.index(name).ok_or_else(|| {
            let names = || self.columns.iter().map(|column| column.name.as_str());
            ConditionError::UnknownColumn {
                name: name.to_owned(),
                near: near(name, names()),
                present: names().map(str::to_owned).collect(),
            }
        })
    }

    /// The positions of two columns that can be compared.
    pub(super) fn comparable(
        &self,
        left: &str,
        comparison: Comparison,
        right: &str,
    ) -> Result<(usize, usize), ConditionError> {
        let (a, b) = (self.position(left)?, self.position(right)?);
        let (left_kind, right_kind) = (self.columns[a].kind, self.columns[b].kind);
        if left_kind != right_kind && !(left_kind.is_number() && right_kind.is_number()) {
            return Err(ConditionError::DifferentKinds {
                left: left.to_owned(),
                left_kind,
                right: right.to_owned(),
                right_kind,
            });
        }
        if comparison.orders() && !has_order(left_kind) {
            return Err(ConditionError::NoOrder {
                column: left.to_owned(),
                kind: left_kind,
            });
        }
        Ok((a, b))
    }
}

fn has_order(kind: Kind) -> bool {
    !matches!(kind, Kind::Category | Kind::Boolean)
}

impl Test {
    /// The values that meet the test.
    pub(super) fn set(&self, column: &str, kind: Kind) -> Result<ValueSet, ConditionError> {
        let no_order = || ConditionError::NoOrder {
            column: column.to_owned(),
            kind,
        };
        let set = match self {
            Self::Compare(comparison, value) => match (comparison, value.read(column, kind)?) {
                (Comparison::Equal, value) => set_of(kind, [value]),
                (Comparison::NotEqual, value) => others(&set_of(kind, [value])),
                (_, Read::At(at)) => ValueSet::ranges(kind, [side(*comparison, at)]),
                _ => return Err(no_order()),
            },
            Self::Between { low, high, negated } => {
                let ends = (low.read(column, kind)?, high.read(column, kind)?);
                let (Read::At(low), Read::At(high)) = ends else {
                    return Err(no_order());
                };
                let inside = ValueSet::ranges(kind, [NumberRange::closed(low, high)]);
                if *negated { others(&inside) } else { inside }
            }
            Self::OneOf { values, negated } => {
                let values: Vec<Read<'_>> = values
                    .iter()
                    .map(|value| value.read(column, kind))
                    .collect::<Result<_, _>>()?;
                let inside = set_of(kind, values);
                if *negated { others(&inside) } else { inside }
            }
            Self::Missing => ValueSet::missing(kind),
            Self::Known => ValueSet::known(kind),
        };
        Ok(set)
    }
}

/// The known values that are not in a set.
fn others(set: &ValueSet) -> ValueSet {
    set.complement().intersect(&ValueSet::known(set.kind()))
}

/// The numbers on one side of `at`.
fn side(comparison: Comparison, at: f64) -> NumberRange {
    let (low, high) = match comparison {
        Comparison::Less | Comparison::AtMost => (f64::NEG_INFINITY, at),
        _ => (at, f64::INFINITY),
    };
    NumberRange {
        low,
        low_closed: comparison != Comparison::More,
        high,
        high_closed: comparison != Comparison::Less,
    }
}

/// A literal as a column of some kind reads it.
enum Read<'a> {
    Label(&'a str),
    Flag(bool),
    /// A number, or the days of a date.
    At(f64),
}

/// The values that a column of the kind has read.
fn set_of<'a>(kind: Kind, values: impl IntoIterator<Item = Read<'a>>) -> ValueSet {
    let (mut labels, mut flags, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        match value {
            Read::Label(label) => labels.push(label),
            Read::Flag(flag) => flags.push(flag),
            Read::At(at) => points.push(NumberRange::closed(at, at)),
        }
    }
    match kind {
        Kind::Category => ValueSet::labels(labels),
        Kind::Boolean => ValueSet::booleans(flags),
        Kind::Integer | Kind::Decimal | Kind::Date => ValueSet::ranges(kind, points),
    }
}

impl Literal {
    fn read(&self, column: &str, kind: Kind) -> Result<Read<'_>, ConditionError> {
        let text = self.0.trim();
        let read = match kind {
            Kind::Category => Some(Read::Label(&self.0)),
            Kind::Integer | Kind::Decimal => {
                let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
                number.map(Read::At)
            }
            Kind::Boolean => [("true", true), ("false", false)]
                .into_iter()
                .find(|(word, _)| text.eq_ignore_ascii_case(word))
                .map(|(_, flag)| Read::Flag(flag)),
            Kind::Date => Date::parse(text).map(|date| Read::At(f64::from(date.day_number()))),
        };
        read.ok_or_else(|| ConditionError::WrongValue {
            column: column.to_owned(),
            kind,
            value: self.0.clone(),
        })
    }
}
