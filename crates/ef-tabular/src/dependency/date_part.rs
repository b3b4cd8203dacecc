//! Parts of a date, as keys of a lookup.

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::value::Value;

/// What of a date a lookup reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DatePart {
    Year,
    /// 1 to 12.
    Month,
    /// Of the month, 1 to 31.
    Day,
    /// 0, Monday, to 6, Sunday.
    Weekday,
    /// `100 year + month`.
    YearAndMonth,
    /// `100 month + day`: the same day of every year.
    MonthAndDay,
}

impl DatePart {
    pub(super) const ALL: [Self; 6] = [
        Self::Year,
        Self::Month,
        Self::Day,
        Self::Weekday,
        Self::YearAndMonth,
        Self::MonthAndDay,
    ];

    /// The part of a date; `None` if the value is none.
    pub(super) fn of(self, value: Value<'_>) -> Option<u32> {
        let date = date(value)?;
        let year = date.year() as u32;
        Some(match self {
            Self::Year => year,
            Self::Month => date.month(),
            Self::Day => date.day(),
            Self::Weekday => date.weekday(),
            Self::YearAndMonth => 100 * year + date.month(),
            Self::MonthAndDay => 100 * date.month() + date.day(),
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day of the month",
            Self::Weekday => "weekday",
            Self::YearAndMonth => "year and month",
            Self::MonthAndDay => "month and day",
        }
    }
}

/// A date, or a text that is one, such as a column of categories may hold.
pub(super) fn date(value: Value<'_>) -> Option<Date> {
    match value {
        Value::Date(date) => Some(date),
        Value::Text(text) => Date::parse(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_dates_and_of_texts_that_are_dates() {
        let expected = [2012, 2, 29, 2, 201_202, 229];
        for (part, expected) in DatePart::ALL.into_iter().zip(expected) {
            assert_eq!(part.of(Value::Text("2012-02-29")), Some(expected), "{part:?}");
            let date = Date::from_year_month_day(2012, 2, 29).unwrap();
            assert_eq!(part.of(Value::Date(date)), Some(expected), "{part:?}");
        }
        for value in [Value::Text("2011-02-29"), Value::Number(2011.0), Value::Missing] {
            assert_eq!(DatePart::Year.of(value), None, "{value:?}");
        }
    }
}
