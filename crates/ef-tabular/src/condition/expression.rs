//! Conditions as values, and the calls that build them.
//!
//! A condition is kept with every `not` pushed down to the columns, so that its parts are tests of columns, `and` and
//! `or` alone. The three-valued logic of SQL then needs no third value: a test is met or not, a missing cell meets none
//! but `is missing`, and what a test does not meet its negation need not meet either.

use std::collections::BTreeSet;

use crate::date::Date;
use crate::format::NumberFormat;

/// A boolean expression over the columns of a table; see the [module](super) for its language.
///
/// Two conditions are equal if they are written alike but for spelling; equal meaning is not looked for. Its `Display`
/// reads back as the same condition, unless calls nested it more than 64 deep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub(super) node: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Test {
        column: String,
        test: Test,
    },
    Columns(ColumnComparison),
    /// Met if all are, none of which is `All`; never of one.
    All(Vec<Condition>),
    /// Met if one is, none of which is `Any`; never of one.
    Any(Vec<Condition>),
}

/// What is asked of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Compare(Comparison, Literal),
    Between {
        low: Literal,
        high: Literal,
        negated: bool,
    },
    OneOf {
        values: Vec<Literal>,
        negated: bool,
    },
    Missing,
    Known,
}

/// Two cells of a row, compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ColumnComparison {
    pub(super) left: String,
    pub(super) comparison: Comparison,
    pub(super) right: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    pub(super) fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether it asks which of two values is larger.
    pub(super) fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// A value in a condition, as it is written: what it means is the column's to say. 30 is a number to a column of numbers
/// and a label to one of labels; `2024-01-31` is a date to a column of dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal(pub(super) String);

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<f64> for Literal {
    /// With the shortest digits that read back as the same number.
    fn from(x: f64) -> Self {
        let mut text = String::new();
        NumberFormat::Shortest { min_decimals: 0 }.write(x, &mut text);
        Self(text)
    }
}

macro_rules! literal_from {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Literal {
            fn from(value: $kind) -> Self {
                Self(value.to_string())
            }
        }
    )*};
}

literal_from!(i32, i64, u32, u64, usize, bool, Date);

/// A column, to ask something of its cells.
///
/// ```
/// use ef_tabular::condition::column;
/// let condition = column("age").between(30, 40).and(!column("income").equals("<=50K"));
/// assert_eq!(condition.to_string(), "age between 30 and 40 and income != \"<=50K\"");
/// ```
pub fn column(name: impl Into<String>) -> ConditionColumn {
    ConditionColumn { name: name.into() }
}

/// A column's name, on which tests are built; made by [`column()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionColumn {
    name: String,
}

impl ConditionColumn {
    fn test(self, test: Test) -> Condition {
        Condition {
            node: Node::Test {
                column: self.name,
                test,
            },
        }
    }

    pub(super) fn compare(self, comparison: Comparison, value: impl Into<Literal>) -> Condition {
        self.test(Test::Compare(comparison, value.into()))
    }

    pub(super) fn compare_column(self, comparison: Comparison, right: impl Into<String>) -> Condition {
        Condition {
            node: Node::Columns(ColumnComparison {
                left: self.name,
                comparison,
                right: right.into(),
            }),
        }
    }

    /// `column = value`
    pub fn equals(self, value: impl Into<Literal>) -> Condition {
        self.compare(Comparison::Equal, value)
    }

    /// `column != value`; a missing cell does not differ.
    pub fn differs_from(self, value: impl Into<Literal>) -> Condition {
        self.compare(Comparison::NotEqual, value)
    }

    /// `column < value`, for numbers and dates.
    pub fn less_than(self, value: impl Into<Literal>) -> Condition {
        self.compare(Comparison::Less, value)
    }

    /// `column <= value`, for numbers and dates.
    pub fn at_most(self, value: impl Into<Literal>) -> Condition {
        self.compare(Comparison::AtMost, value)
    }

    /// `column > value`, for numbers and dates.
    pub fn more_than(self, value: impl Into<Literal>) -> Condition {
        self.compare(Comparison::More, value)
    }

    /// `column >= value`, for numbers and dates.
    pub fn at_least(self, value: impl Into<Literal>) -> Condition {
        self.compare(Comparison::AtLeast, value)
    }

    /// `column between low and high`, both included, for numbers and dates.
    pub fn between(self, low: impl Into<Literal>, high: impl Into<Literal>) -> Condition {
        self.test(Test::Between {
            low: low.into(),
            high: high.into(),
            negated: false,
        })
    }

    /// `column in (values)`; met by no row if there are none.
    pub fn one_of<V: Into<Literal>>(self, values: impl IntoIterator<Item = V>) -> Condition {
        self.test(Test::OneOf {
            values: values.into_iter().map(Into::into).collect(),
            negated: false,
        })
    }

    /// `column not in (values)`; a missing cell does not meet it.
    pub fn none_of<V: Into<Literal>>(self, values: impl IntoIterator<Item = V>) -> Condition {
        self.one_of(values).negated()
    }

    /// `column is missing`
    pub fn is_missing(self) -> Condition {
        self.test(Test::Missing)
    }

    /// `column is not missing`
    pub fn is_known(self) -> Condition {
        self.test(Test::Known)
    }

    /// The two columns hold the same; both are numbers, or of one kind.
    pub fn equals_column(self, other: impl Into<String>) -> Condition {
        self.compare_column(Comparison::Equal, other)
    }

    /// The two columns hold different values, neither of them missing.
    pub fn differs_from_column(self, other: impl Into<String>) -> Condition {
        self.compare_column(Comparison::NotEqual, other)
    }

    /// This column's number or date is below the other's.
    pub fn less_than_column(self, other: impl Into<String>) -> Condition {
        self.compare_column(Comparison::Less, other)
    }

    /// This column's number or date is the other's or below it.
    pub fn at_most_column(self, other: impl Into<String>) -> Condition {
        self.compare_column(Comparison::AtMost, other)
    }

    /// This column's number or date is above the other's.
    pub fn more_than_column(self, other: impl Into<String>) -> Condition {
        self.compare_column(Comparison::More, other)
    }

    /// This column's number or date is the other's or above it.
    pub fn at_least_column(self, other: impl Into<String>) -> Condition {
        self.compare_column(Comparison::AtLeast, other)
    }
}

impl Condition {
    /// Met by a row that meets every condition; by every row if there is none.
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for condition in conditions {
            match condition.node {
                Node::All(inner) => parts.extend(inner),
                node => parts.push(Self { node }),
            }
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => Self {
                node: Node::All(parts),
            },
        }
    }

    /// Met by a row that meets one of the conditions or more; by no row if there is none.
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for condition in conditions {
            match condition.node {
                Node::Any(inner) => parts.extend(inner),
                node => parts.push(Self { node }),
            }
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => Self {
                node: Node::Any(parts),
            },
        }
    }

    /// Met by a row that meets both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::all([self, other])
    }

    /// Met by a row that meets one or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::any([self, other])
    }

    /// The negation of every test in it, `and` and `or` changing places. Where a cell is missing neither a comparison nor
    /// its negation is met.
    #[must_use]
    pub fn negated(self) -> Self {
        let node = match self.node {
            Node::Test { column, test } => Node::Test {
                column,
                test: test.negated(),
            },
            Node::Columns(columns) => Node::Columns(ColumnComparison {
                comparison: columns.comparison.negated(),
                ..columns
            }),
            Node::All(parts) => Node::Any(parts.into_iter().map(Self::negated).collect()),
            Node::Any(parts) => Node::All(parts.into_iter().map(Self::negated).collect()),
        };
        Self { node }
    }

    /// The names of the columns it asks about.
    pub fn columns(&self) -> BTreeSet<&str> {
        match &self.node {
            Node::Test { column, .. } => BTreeSet::from([column.as_str()]),
            Node::Columns(columns) => BTreeSet::from([columns.left.as_str(), columns.right.as_str()]),
            Node::All(parts) | Node::Any(parts) => parts.iter().flat_map(Self::columns).collect(),
        }
    }
}

impl std::ops::Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        self.negated()
    }
}

impl Test {
    fn negated(self) -> Self {
        match self {
            Self::Compare(comparison, value) => Self::Compare(comparison.negated(), value),
            Self::Between { low, high, negated } => Self::Between {
                low,
                high,
                negated: !negated,
            },
            Self::OneOf { values, negated } => Self::OneOf {
                values,
                negated: !negated,
            },
            Self::Missing => Self::Known,
            Self::Known => Self::Missing,
        }
    }
}
