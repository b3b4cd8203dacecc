//! The language of conditions: what a row must satisfy, as values of a typed API or as text.
//!
//! ```
//! use ef_tabular::condition::column;
//! use ef_tabular::Condition;
//! let text = "sex,age,hours-per-week,occupation\nFemale,34,40,Sales\nMale,51,,\nFemale,,60,Tech-support\n";
//! let people = ef_io::read_csv_from(text.as_bytes(), "people.csv")?;
//! let written: Condition = "sex = Female and (age between 30 and 40 or hours-per-week >= 50)".parse()?;
//! let built = column("sex")
//!     .equals("Female")
//!     .and(column("age").between(30, 40).or(column("hours-per-week").at_least(50)));
//! assert_eq!(written, built);
//! assert_eq!(written.matches(&people)?, [true, false, true]);
//! // a missing age is neither 34 nor anything else
//! assert_eq!(Condition::parse("age != 34")?.matches(&people)?, [false, true, false]);
//! assert_eq!(Condition::parse("age is missing")?.matches(&people)?, [false, false, true]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Grammar
//!
//! ```text
//! condition  = all { "or" all }
//! all        = negation { "and" negation }
//! negation   = { "not" } ( test | "(" condition ")" | "(" ")" )
//! test       = name compare ( value | column )
//!            | name [ "not" ] "between" value "and" value
//!            | name [ "not" ] "in" "(" [ value { "," value } ] ")"
//!            | name "is" [ "not" ] ( "missing" | "null" | "known" )
//! compare    = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
//! name       = [ "column" ] ( word { word } | quoted )
//! column     = "column" ( word { word } | quoted ) | back-quoted
//! value      = word | single-quoted | double-quoted
//! quoted     = single-quoted | double-quoted | back-quoted
//! ```
//!
//! A word is of letters, digits and the signs `_ - . : / % + # $ @ * ?`, so that `hours-per-week` is one name and `-5` one
//! value; a name may be several words (`native country = US`), a value of several words is in quotes. Keywords are read in
//! any case, and as names or values they are in quotes. A quote inside quotes of its kind is doubled: `'O''Brien'`. `()`
//! is met by every row.
//!
//! **The right side of a comparison is a value, unless it is marked as a column**: by back quotes, or by the word `column`
//! before it. `capital-gain > capital-loss` compares with the text "capital-loss" and is refused for a column of numbers;
//! ``capital-gain > `capital-loss` `` and `capital-gain > column capital-loss` compare two cells of a row.
//!
//! # Operators
//!
//! | written | built by | columns |
//! | --- | --- | --- |
//! | `a = 3`, `a == 3` | `equals` | all |
//! | `a != 3`, `a <> 3` | `differs_from` | all |
//! | `a < 3`, `a <= 3`, `a > 3`, `a >= 3` | `less_than`, `at_most`, `more_than`, `at_least` | numbers, dates |
//! | `a between 3 and 5` | `between`, both ends included | numbers, dates |
//! | `a in (x, y)`, `a not in (x, y)` | `one_of`, `none_of` | all |
//! | `a is missing`, `a is not missing` | `is_missing`, `is_known` | all |
//! | ``a < `b` `` | `less_than_column`, and so on | both numbers, or of one kind; `=` and `!=` alone for labels and booleans |
//! | `not`, `and`, `or`, from the tightest | `negated` or `!`, `and`, `or`, `Condition::all`, `Condition::any` | |
//!
//! A value is read by the kind of its column when the condition meets a table or schema: `30` is a number to a column of
//! numbers and a label to one of labels, `2024-01-31` a date to a column of dates. Labels are compared letter by letter.
//!
//! # Missing cells
//!
//! As in SQL, a missing cell meets `is missing` and nothing else: neither `age > 30` nor `not age > 30`, nor `sex != Male`.
//! `not` is pushed down to the tests of columns, where it turns each into its opposite among known values; `not (a = 1 and
//! b = 2)` is `a != 1 or b != 2`, and is written so.

mod boxes;
mod display;
mod error;
mod expression;
mod matches;
mod near;
mod parse;
mod ranges;
mod resolve;
mod token;
mod value_set;
mod worded;

pub use boxes::{Boxes, ConditionBox};
pub use error::ConditionError;
pub(crate) use error::did_you_mean;
pub use expression::{Condition, ConditionColumn, Literal, column};
pub(crate) use near::near;
pub use ranges::NumberRange;
pub use value_set::{LabelSet, ValueSet};
