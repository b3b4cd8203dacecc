//! Sets of values and boxes as the conditions that ask for them, for whoever is to read them.

use super::boxes::ConditionBox;
use super::expression::{Condition, Literal, column};
use super::ranges::NumberRange;
use super::value_set::{LabelSet, ValueSet};
use crate::date::Date;
use crate::schema::Kind;
use crate::value::Value;

impl ConditionBox {
    /// The condition that asks for the rows of the box.
    pub fn condition(&self) -> Condition {
        let sets = self.sets().iter().map(|(name, set)| set.condition(name));
        Condition::all(sets.chain(self.residual()))
    }
}

impl ValueSet {
    /// The condition that asks for these values of a column.
    ///
    /// ```
    /// use ef_tabular::{Kind, NumberRange, ValueSet};
    /// let teens = ValueSet::ranges(Kind::Integer, [NumberRange::closed(13.0, 19.0)]);
    /// assert_eq!(teens.condition("age").to_string(), "age between 13 and 19");
    /// assert_eq!(teens.complement().condition("age").to_string(), "age is missing or age < 13 or age > 19");
    /// ```
    pub fn condition(&self, name: &str) -> Condition {
        let missing = self.has_missing().then(|| column(name).is_missing());
        let known = ValueSet::known(self.kind());
        let present = self.intersect(&known);
        if present == known {
            return match missing {
                Some(_) => Condition::all([]),
                None => column(name).is_known(),
            };
        }
        let present = (!present.is_empty()).then(|| present.asked(name));
        match (missing, present) {
            // a set without any value is asked for by an empty list
            (None, None) => column(name).one_of::<&str>([]),
            (missing, present) => Condition::any(missing.into_iter().chain(present)),
        }
    }

    /// The condition for some of the known values, but not for all of them.
    fn asked(&self, name: &str) -> Condition {
        let others = self.complement().intersect(&ValueSet::known(self.kind()));
        let single = |set: &ValueSet| set.single().and_then(literal);
        match (single(self), single(&others), self.label_set()) {
            (Some(value), _, _) => column(name).equals(value),
            (None, Some(other), _) => column(name).differs_from(other),
            (None, None, Some(LabelSet::Listed(labels))) => {
                column(name).one_of(labels.iter().map(String::as_str))
            }
            (None, None, Some(LabelSet::AllBut(labels))) => {
                column(name).none_of(labels.iter().map(String::as_str))
            }
            (None, None, None) => {
                Condition::any(self.number_ranges().map(|range| inside(name, self.kind(), range)))
            }
        }
    }
}

/// The condition for one range, with no more bounds than it has.
fn inside(name: &str, kind: Kind, range: NumberRange) -> Condition {
    let end = |at: f64| match kind {
        Kind::Date => Literal::from(Date::nearest(at)),
        _ => Literal::from(at),
    };
    let days = [Date::FIRST, Date::LAST].map(|date| f64::from(date.day_number()));
    let bounded = |at: f64| at.is_finite() && (kind != Kind::Date || !days.contains(&at));
    let (low, high) = (end(range.low), end(range.high));
    if range.low == range.high {
        return column(name).equals(low);
    }
    if bounded(range.low) && bounded(range.high) && range.low_closed && range.high_closed {
        return column(name).between(low, high);
    }
    let above = bounded(range.low).then(|| {
        if range.low_closed {
            column(name).at_least(low)
        } else {
            column(name).more_than(low)
        }
    });
    let below = bounded(range.high).then(|| {
        if range.high_closed {
            column(name).at_most(high)
        } else {
            column(name).less_than(high)
        }
    });
    Condition::all(above.into_iter().chain(below))
}

/// A value as a condition writes it; a missing cell is not written.
fn literal(value: Value<'_>) -> Option<Literal> {
    match value {
        Value::Missing => None,
        Value::Text(label) => Some(label.into()),
        Value::Number(x) => Some(x.into()),
        Value::Boolean(flag) => Some(flag.into()),
        Value::Date(date) => Some(date.into()),
    }
}
