//! The marginal of dates: a marginal of day numbers, and the calendar as network inputs.
//!
//! A date is its number of days since 1970-01-01, so its marginal is a [`NumberMarginal`] on a grid of step 1, with two
//! differences. Up to 1024 distinct days are listed if they have 2 rows or more on average, so that a model can know
//! each day by itself: weather or a holiday is one day's, not its neighbours'. And the support is the calendar,
//! 0001-01-01 to 9999-12-31: there is no bound at day 0, and nothing beyond the ends.

use std::f64::consts::TAU;

use ef_column::Place;
use serde::{Deserialize, Serialize};

use super::number::{NUMBER_FEATURES, NumberMarginal, NumberMarginalBuilder};
use crate::date::Date;
use crate::value::Value;

/// Width of the network inputs a date gives: those of its day number, weekday and month one-hot, and the place in the
/// year as sine and cosine.
pub const DATE_FEATURES: usize = NUMBER_FEATURES + WEEKDAYS + MONTHS + 2;
const WEEKDAYS: usize = 7;
const MONTHS: usize = 12;

/// The marginal of one column of dates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DateMarginal {
    days: NumberMarginal,
}

impl DateMarginal {
    /// Fits the marginal; `None` is a missing cell.
    ///
    /// # Errors
    /// A sentence that says why these days cannot be smoothed; no column of dates is known that cannot.
    pub fn fit(dates: impl Iterator<Item = Option<Date>>) -> Result<Self, String> {
        let day = |date: Option<Date>| date.map_or(f64::NAN, |date| f64::from(date.day_number()));
        let days: Vec<f64> = dates.map(day).collect();
        Ok(Self {
            days: Self::builder().fit(&days)?,
        })
    }

    pub(crate) fn builder() -> NumberMarginalBuilder {
        NumberMarginalBuilder {
            most_listed: 1024,
            rows_a_value: 2,
            confined: Some([Date::FIRST, Date::LAST].map(|end| f64::from(end.day_number()))),
            ..NumberMarginalBuilder::default()
        }
    }

    /// The marginal of the day numbers.
    pub fn days(&self) -> &NumberMarginal {
        &self.days
    }

    /// First and last training date.
    pub fn range(&self) -> (Date, Date) {
        let (min, max) = self.days.range();
        (Date::nearest(min), Date::nearest(max))
    }

    pub(super) fn place(&self, value: Value<'_>) -> Place {
        match value {
            Value::Date(date) => self.days.place(Value::Number(f64::from(date.day_number()))),
            Value::Missing => self.days.place(Value::Missing),
            Value::Number(_) | Value::Text(_) | Value::Boolean(_) => Place::discrete(None, f64::NEG_INFINITY),
        }
    }

    pub(super) fn draw(&self, level: u32, rank: f64) -> Value<'static> {
        match self.days.draw(level, rank) {
            Value::Number(day) => Value::Date(Date::nearest(day)),
            _ => Value::Missing,
        }
    }

    pub(super) fn features(&self, value: Value<'_>, out: &mut [f32]) {
        let (number, calendar) = out[..DATE_FEATURES].split_at_mut(NUMBER_FEATURES);
        calendar.fill(0.0);
        let Value::Date(date) = value else {
            return self.days.features(Value::Missing, number);
        };
        self.days
            .features(Value::Number(f64::from(date.day_number())), number);
        let (weekdays, rest) = calendar.split_at_mut(WEEKDAYS);
        let (months, wave) = rest.split_at_mut(MONTHS);
        weekdays[date.weekday() as usize] = 1.0;
        months[date.month() as usize - 1] = 1.0;
        let turn = f64::from(date.day_of_year() - 1) / f64::from(date.days_in_year());
        let (sine, cosine) = (TAU * turn).sin_cos();
        wave.copy_from_slice(&[sine as f32, cosine as f32]);
    }
}
