//! Values that a condition asks for and that a marginal cannot draw, with those nearest to them.

use std::fmt;

use super::{CategoryMarginal, ColumnMarginal, NumberMarginal, Value};
use crate::condition::{LabelSet, NumberRange, ValueSet, did_you_mean, near};
use crate::date::Date;
use crate::format::NumberFormat;

/// A value, or a range of values, that no training row has and that the marginal of its column cannot draw. Its
/// `Display` says so in words that follow "no training row has": `"Femal" (did you mean "Female"?)`, `3.5 (the nearest
/// are 3 and 4)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValue {
    /// The value as text: a label, a number, `20 to 30`.
    pub value: String,
    /// Values that the marginal can draw: labels like it, or the nearest numbers or dates below and above.
    pub near: Vec<String>,
    label: bool,
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.label, &self.near[..]) {
            (false, []) => f.write_str(&self.value),
            (false, [one]) => write!(f, "{} (the nearest is {one})", self.value),
            (false, several) => write!(f, "{} (the nearest are {})", self.value, several.join(" and ")),
            (true, near) => write!(f, "\"{}\"{}", self.value, did_you_mean(near)),
        }
    }
}

impl ColumnMarginal {
    /// What a set names that the marginal cannot draw: labels never seen at fit (also those it excludes), ranges of
    /// numbers or dates without any value of the marginal, a missing cell if the set holds nothing else and none was
    /// missing.
    pub fn unknown_in(&self, set: &ValueSet) -> Vec<UnknownValue> {
        let mut unknown = match self {
            Self::Category(marginal) => marginal.unknown_labels(set),
            Self::Number(marginal) => marginal.unknown_ranges(self, set, &number_text),
            Self::Date(marginal) => marginal.days().unknown_ranges(self, set, &day_text),
        };
        if set.single() == Some(Value::Missing) && self.missing_level().is_none() {
            unknown.push(UnknownValue {
                value: "a missing cell".to_owned(),
                near: Vec::new(),
                label: false,
            });
        }
        unknown
    }
}

impl CategoryMarginal {
    fn unknown_labels(&self, set: &ValueSet) -> Vec<UnknownValue> {
        let flags = [false, true].map(|flag| flag.to_string());
        let named: Vec<&str> = match set.label_set() {
            Some(LabelSet::Listed(labels) | LabelSet::AllBut(labels)) => {
                labels.iter().map(String::as_str).collect()
            }
            None => match set.single() {
                Some(Value::Boolean(flag)) => vec![&flags[usize::from(flag)]],
                _ => Vec::new(),
            },
        };
        named
            .into_iter()
            .filter(|label| self.place(Value::Text(label)).level.is_none())
            .map(|label| UnknownValue {
                value: label.to_owned(),
                near: near(label, self.labels().iter().map(String::as_str)),
                label: true,
            })
            .collect()
    }
}

impl NumberMarginal {
    fn unknown_ranges(
        &self,
        marginal: &ColumnMarginal,
        set: &ValueSet,
        text: &dyn Fn(f64) -> String,
    ) -> Vec<UnknownValue> {
        let without_value = |range: &NumberRange| {
            // without a grid a number alone has a density, and is no less known than its neighbours
            let dense = self.is_continuous() && self.decimals().is_none() && range.low == range.high;
            let known = if dense {
                self.place(Value::Number(range.low)).level.is_some()
            } else {
                !marginal
                    .levels_within(&ValueSet::ranges(set.kind(), [*range]))
                    .is_empty()
            };
            !known
        };
        set.number_ranges()
            .filter(without_value)
            .map(|range| UnknownValue {
                value: match (range.low.is_finite(), range.high.is_finite()) {
                    _ if range.low == range.high => text(range.low),
                    (true, true) => format!("{} to {}", text(range.low), text(range.high)),
                    (true, false) if range.low_closed => format!("{} or more", text(range.low)),
                    (true, false) => format!("more than {}", text(range.low)),
                    (false, _) if range.high_closed => format!("{} or less", text(range.high)),
                    (false, _) => format!("less than {}", text(range.high)),
                },
                near: self.nearest(range).into_iter().map(text).collect(),
                label: false,
            })
            .collect()
    }

    /// The greatest known number below a range, and the smallest above it.
    fn nearest(&self, range: NumberRange) -> Vec<f64> {
        let grid = self.grid();
        let (min, max) = self.range();
        let mut candidates = self.atoms().to_vec();
        candidates.extend([min, max]);
        if grid.decimals().is_some() {
            candidates.extend([grid.floor(range.low), grid.ceil(range.high)].map(|index| grid.value(index)));
        }
        candidates.retain(|x| !range.contains(*x) && self.place(Value::Number(*x)).level.is_some());
        let below = candidates.iter().copied().filter(|x| *x <= range.low);
        let above = candidates.iter().copied().filter(|x| *x >= range.high);
        let below = below.max_by(f64::total_cmp);
        below.into_iter().chain(above.min_by(f64::total_cmp)).collect()
    }
}

fn number_text(x: f64) -> String {
    let mut text = String::new();
    NumberFormat::Shortest { min_decimals: 0 }.write(x, &mut text);
    text
}

fn day_text(day: f64) -> String {
    Date::nearest(day).to_string()
}
