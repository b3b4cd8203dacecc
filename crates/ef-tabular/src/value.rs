//! One cell of a table.

use crate::date::Date;

/// One cell of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value. NaN counts as missing too.
    Missing,
    /// A number.
    Number(f64),
    /// A category's label.
    Text(&'a str),
    /// True or false.
    Boolean(bool),
    /// A day of the calendar.
    Date(Date),
}
