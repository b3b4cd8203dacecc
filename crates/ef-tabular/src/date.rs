//! Days of the calendar, and how they are written.
//!
//! The Gregorian calendar, also before 1582 (ISO 8601), for the years 0001 to 9999. A year that starts in March has its
//! leap day at its end, so that day numbers are whole divisions without tables: Howard Hinnant, "chrono-Compatible
//! Low-Level Date Algorithms" (howardhinnant.github.io/date_algorithms.html), `days_from_civil` and `civil_from_days`.

use std::fmt;

/// Days of 400 years, after which the calendar repeats.
const ERA: i32 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i32 = 719_468;

/// A day of the years 0001 to 9999, written `YYYY-MM-DD`.
///
/// ```
/// use ef_tabular::Date;
/// let date = Date::parse("2012-02-29").unwrap();
/// assert_eq!((date.year(), date.month(), date.day()), (2012, 2, 29));
/// assert_eq!(date.day_number(), 15_399);
/// assert_eq!(date.to_string(), "2012-02-29");
/// assert_eq!(Date::parse("2011-02-29"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Days since 1970-01-01.
    day_number: i32,
}

impl Date {
    /// 0001-01-01.
    pub const FIRST: Self = Self { day_number: -719_162 };
    /// 9999-12-31.
    pub const LAST: Self = Self {
        day_number: 2_932_896,
    };

    /// The date so many days after 1970-01-01; `None` outside the years 0001 to 9999.
    pub fn from_day_number(day_number: i32) -> Option<Self> {
        let date = Self { day_number };
        (Self::FIRST..=Self::LAST).contains(&date).then_some(date)
    }

    /// The date nearest to a number of days after 1970-01-01.
    pub(crate) fn nearest(days: f64) -> Self {
        Self {
            day_number: days.round() as i32,
        }
        .clamp(Self::FIRST, Self::LAST)
    }

    /// The date of a year (1 to 9999), a month (1 to 12) and a day of the month (from 1); `None` if there is no such day.
    pub fn from_year_month_day(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let date = Self {
            day_number: day_number(year, month, day),
        };
        // a day that the month does not have is one of the next month
        (date.day() == day).then_some(date)
    }

    /// Reads `YYYY-MM-DD`; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text.as_bytes() else {
            return None;
        };
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0u32, |number, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| 10 * number + u32::from(digit - b'0'))
            })
        };
        Self::from_year_month_day(
            number(&[y0, y1, y2, y3])? as i32,
            number(&[m0, m1])?,
            number(&[d0, d1])?,
        )
    }

    /// Days since 1970-01-01.
    pub fn day_number(self) -> i32 {
        self.day_number
    }

    /// The year, 1 to 9999.
    pub fn year(self) -> i32 {
        self.year_month_day().0
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u32 {
        self.year_month_day().1
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u32 {
        self.year_month_day().2
    }

    fn year_month_day(self) -> (i32, u32, u32) {
        let days = self.day_number + EPOCH;
        let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        // without the leap days of 4 years (1460 days), of 100 (36524) and of 400 every year has 365
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - days_before(month_from_march) + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i32::from(month <= 2);
        (year, month as u32, day as u32)
    }

    /// The day of the week, 0 (Monday) to 6 (Sunday).
    pub fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday
        (self.day_number + 3).rem_euclid(7) as u32
    }

    /// The day of the year, 1 to 366.
    pub fn day_of_year(self) -> u32 {
        (self.day_number - day_number(self.year(), 1, 1) + 1) as u32
    }

    /// Days of this date's year, 365 or 366.
    pub fn days_in_year(self) -> u32 {
        (day_number(self.year() + 1, 1, 1) - day_number(self.year(), 1, 1)) as u32
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.year_month_day();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Days since 1970-01-01 of a day of the Gregorian calendar.
fn day_number(year: i32, month: u32, day: u32) -> i32 {
    let year_from_march = year - i32::from(month <= 2);
    let (era, year_of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let day_of_year = days_before((month as i32 + 9) % 12) + day as i32 - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA + day_of_era - EPOCH
}

/// Days of a year from March before a month, March being 0: lengths 31, 30, 31, 30, 31 again and again, 153 days.
fn days_before(month_from_march: i32) -> i32 {
    (153 * month_from_march + 2) / 5
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Walks the calendar day by day with the rules everybody knows.
    #[test]
    fn all_days_of_ten_thousand_years() {
        let mut number = Date::FIRST.day_number();
        // 0001-01-01 was a Monday
        let mut weekday = 0;
        let mut text = String::new();
        for year in 1..=9999 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if leap { 29 } else { 28 };
            let mut day_of_year = 0;
            for (month, days) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                for day in 1..=days {
                    day_of_year += 1;
                    let date = Date::from_day_number(number).unwrap();
                    assert_eq!((date.year(), date.month(), date.day()), (year, month, day));
                    assert_eq!(Date::from_year_month_day(year, month, day), Some(date));
                    assert_eq!((date.weekday(), date.day_of_year()), (weekday, day_of_year));
                    text.clear();
                    write!(text, "{date}").unwrap();
                    assert_eq!(Date::parse(&text), Some(date), "{text}");
                    number += 1;
                    weekday = (weekday + 1) % 7;
                }
                assert_eq!(Date::from_year_month_day(year, month, days + 1), None);
            }
            let last = Date::from_day_number(number - 1).unwrap();
            assert_eq!(last.days_in_year(), day_of_year);
        }
        assert_eq!(number - 1, Date::LAST.day_number());
        assert_eq!(Date::from_day_number(number), None);
        assert_eq!(Date::from_day_number(Date::FIRST.day_number() - 1), None);
    }

    #[test]
    fn known_days() {
        let days = [
            ("1970-01-01", 0, 3),
            ("1969-12-31", -1, 2),
            ("2000-02-29", 11_016, 1),
            ("2026-11-22", 20_779, 6),
            ("0001-01-01", -719_162, 0),
            ("9999-12-31", 2_932_896, 4),
        ];
        for (text, number, weekday) in days {
            let date = Date::parse(text).unwrap();
            assert_eq!((date.day_number(), date.weekday()), (number, weekday), "{text}");
            assert_eq!(date.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "2011-1-01",
            "2011-01-1",
            "11-01-01",
            "2011/01/01",
            "2011-13-01",
            "2011-00-10",
            "2011-04-31",
            "2011-02-29",
            "1900-02-29",
            "0000-01-01",
            "+011-01-01",
            "2011-01-01 ",
            "2011-01-01T00:00",
            "10000-01-01",
            "\u{0662}011-01-01",
            "20110101",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_nearest_date_is_always_one() {
        assert_eq!(Date::nearest(-0.4).to_string(), "1970-01-01");
        assert_eq!(Date::nearest(f64::INFINITY), Date::LAST);
        assert_eq!(Date::nearest(-1e300), Date::FIRST);
    }
}
