//! Parts of a date, as keys of a lookup.

use serde::{Deserialize, Serialize};

use crate::law::Value;

/// What of a date a lookup reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DatePart {
    Year,
    /// 1 to 12.
    Month,
    /// Of the month, 1 to 31.
    Day,
    /// 1, Monday, to 7, Sunday.
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
        let (year, month, day) = year_month_day(value)?;
        Some(match self {
            Self::Year => year,
            Self::Month => month,
            Self::Day => day,
            Self::Weekday => weekday(year, month, day),
            Self::YearAndMonth => 100 * year + month,
            Self::MonthAndDay => 100 * month + day,
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

/// Year, month and day of a value that is the text `YYYY-MM-DD` of a day of the Gregorian calendar.
pub(super) fn year_month_day(value: Value<'_>) -> Option<(u32, u32, u32)> {
    let Value::Text(text) = value else { return None };
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| 10 * number + u32::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (year >= 1 && (1..=days).contains(&day)).then_some((year, month, day))
}

/// 1, Monday, to 7, Sunday. T. Sakamoto's method: years counted from March, and the days by which each month shifts the
/// week.
fn weekday(year: u32, month: u32, day: u32) -> u32 {
    const SHIFT: [u32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let year = year - u32::from(month < 3);
    let sunday_is_0 = (year + year / 4 - year / 100 + year / 400 + SHIFT[month as usize - 1] + day) % 7;
    (sunday_is_0 + 6) % 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_has_the_next_weekday() {
        let mut last = weekday(1600, 1, 1);
        assert_eq!(weekday(2000, 1, 1), 6);
        assert_eq!(weekday(2026, 7, 4), 6);
        let mut days = 0;
        for (year, month) in (1600..2400).flat_map(|year| (1..=12).map(move |month| (year, month))) {
            for day in 1..=31 {
                let text = format!("{year}-{month:02}-{day:02}");
                let Some(found) = year_month_day(Value::Text(&text)) else {
                    continue;
                };
                assert_eq!(found, (year, month, day));
                if days > 0 {
                    assert_eq!(DatePart::Weekday.of(Value::Text(&text)), Some(last % 7 + 1));
                }
                last = weekday(year, month, day);
                days += 1;
            }
        }
        assert_eq!(days, 2 * 146_097);
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "2011-02-29",
            "2011-13-01",
            "2011-00-10",
            "2011-01-00",
            "2011-1-1",
            "20110101",
            "2011/01/01",
            "0000-01-01",
            "2011-01-01 ",
            "+011-01-01",
        ] {
            assert_eq!(DatePart::Year.of(Value::Text(text)), None, "{text}");
        }
        assert_eq!(DatePart::Year.of(Value::Number(2011.0)), None);
        assert_eq!(DatePart::MonthAndDay.of(Value::Text("2012-02-29")), Some(229));
        assert_eq!(
            DatePart::YearAndMonth.of(Value::Text("2012-02-29")),
            Some(201_202)
        );
    }
}
