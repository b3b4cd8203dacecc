//! Drawn conditions with a second meaning of their own: SQL's three-valued logic, read off slowly.

use ef_tabular::condition::{ConditionColumn, column};
use ef_tabular::{ColumnData, Condition, Date, Table, Value};
use proptest::prelude::*;

/// Names of columns by kind, some that need quotes; the columns of a kind can be compared.
pub(crate) const LABELS: [&str; 2] = ["color", "home \"town\""];
pub(crate) const NUMBERS: [&str; 3] = ["count", "size", "not"];
pub(crate) const FLAGS: [&str; 2] = ["flag", "a`b"];
pub(crate) const DAYS: [&str; 2] = ["day", "last day"];

/// A value as a test writes it and as a table holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Held {
    Label(String),
    Number(f64),
    Flag(bool),
    Day(Date),
}

impl Held {
    fn literal(&self) -> ef_tabular::Literal {
        match self {
            Self::Label(label) => label.as_str().into(),
            Self::Number(x) => (*x).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Day(day) => (*day).into(),
        }
    }

    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Missing => None,
            Value::Text(label) => Some(Self::Label(label.to_owned())),
            Value::Number(x) => Some(Self::Number(x)),
            Value::Boolean(flag) => Some(Self::Flag(flag)),
            Value::Date(day) => Some(Self::Day(day)),
        }
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Label(a), Self::Label(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b).unwrap(),
            (Self::Flag(a), Self::Flag(b)) => a.cmp(b),
            (Self::Day(a), Self::Day(b)) => a.cmp(b),
            _ => panic!("{self:?} and {other:?} are of two kinds"),
        }
    }
}

/// An expression that was not yet simplified.
#[derive(Debug, Clone)]
pub(crate) enum Drawn {
    Compare(&'static str, usize, Held),
    Between(&'static str, Held, Held),
    OneOf(&'static str, Vec<Held>),
    Missing(&'static str),
    Columns(&'static str, usize, &'static str),
    Not(Box<Drawn>),
    All(Vec<Drawn>),
    Any(Vec<Drawn>),
}

/// The six comparisons, in the order of `holds`.
fn compared(column: ConditionColumn, comparison: usize, value: &Held) -> Condition {
    let value = value.literal();
    match comparison {
        0 => column.equals(value),
        1 => column.differs_from(value),
        2 => column.less_than(value),
        3 => column.at_most(value),
        4 => column.more_than(value),
        _ => column.at_least(value),
    }
}

fn compared_columns(column: ConditionColumn, comparison: usize, other: &str) -> Condition {
    match comparison {
        0 => column.equals_column(other),
        1 => column.differs_from_column(other),
        2 => column.less_than_column(other),
        3 => column.at_most_column(other),
        4 => column.more_than_column(other),
        _ => column.at_least_column(other),
    }
}

fn holds(comparison: usize, order: std::cmp::Ordering) -> bool {
    match comparison {
        0 => order.is_eq(),
        1 => order.is_ne(),
        2 => order.is_lt(),
        3 => order.is_le(),
        4 => order.is_gt(),
        _ => order.is_ge(),
    }
}

impl Drawn {
    pub(crate) fn condition(&self) -> Condition {
        match self {
            Self::Compare(name, comparison, value) => compared(column(*name), *comparison, value),
            Self::Between(name, low, high) => column(*name).between(low.literal(), high.literal()),
            Self::OneOf(name, values) => column(*name).one_of(values.iter().map(Held::literal)),
            Self::Missing(name) => column(*name).is_missing(),
            Self::Columns(name, comparison, other) => compared_columns(column(*name), *comparison, other),
            Self::Not(inner) => !inner.condition(),
            Self::All(parts) => Condition::all(parts.iter().map(Self::condition)),
            Self::Any(parts) => Condition::any(parts.iter().map(Self::condition)),
        }
    }

    /// True, false, or unknown.
    pub(crate) fn truth(&self, table: &Table, row: usize) -> Option<bool> {
        let cell = |name: &str| Held::of(table.value(row, table.column_index(name).unwrap()));
        match self {
            Self::Compare(name, comparison, value) => Some(holds(*comparison, cell(name)?.compare(value))),
            Self::Between(name, low, high) => {
                let value = cell(name)?;
                Some(value.compare(low).is_ge() && value.compare(high).is_le())
            }
            Self::OneOf(name, values) => {
                let value = cell(name)?;
                Some(values.iter().any(|other| value.compare(other).is_eq()))
            }
            Self::Missing(name) => Some(cell(name).is_none()),
            Self::Columns(name, comparison, other) => {
                Some(holds(*comparison, cell(name)?.compare(&cell(other)?)))
            }
            Self::Not(inner) => inner.truth(table, row).map(|truth| !truth),
            Self::All(parts) => kleene(parts.iter().map(|part| part.truth(table, row)), false),
            Self::Any(parts) => kleene(parts.iter().map(|part| part.truth(table, row)), true),
        }
    }
}

/// `and` where `decides` is false, `or` where it is true.
fn kleene(truths: impl Iterator<Item = Option<bool>>, decides: bool) -> Option<bool> {
    let truths: Vec<Option<bool>> = truths.collect();
    if truths.contains(&Some(decides)) {
        return Some(decides);
    }
    (!truths.contains(&None)).then_some(!decides)
}

pub(crate) fn label() -> impl Strategy<Value = Held> {
    let labels = ["red", "", "<=50K", "O'Brien", "in", "30", "a \"b\" c"];
    proptest::sample::select(labels.to_vec()).prop_map(|label| Held::Label(label.to_owned()))
}

pub(crate) fn number() -> impl Strategy<Value = Held> {
    (-4i32..5).prop_map(|x| Held::Number(f64::from(x) * 0.5))
}

pub(crate) fn flag() -> impl Strategy<Value = Held> {
    any::<bool>().prop_map(Held::Flag)
}

pub(crate) fn day() -> impl Strategy<Value = Held> {
    (-3i32..4).prop_map(|day| Held::Day(Date::from_day_number(day).unwrap()))
}

fn tests(names: &'static [&'static str], value: BoxedStrategy<Held>, ordered: bool) -> BoxedStrategy<Drawn> {
    let name = proptest::sample::select(names);
    let comparison = 0..if ordered { 6usize } else { 2 };
    let value = move || value.clone();
    let unordered = prop_oneof![
        (name.clone(), comparison.clone(), value()).prop_map(|(name, c, x)| Drawn::Compare(name, c, x)),
        (name.clone(), proptest::collection::vec(value(), 0..4)).prop_map(|(name, x)| Drawn::OneOf(name, x)),
        name.clone().prop_map(Drawn::Missing),
        (name.clone(), comparison, name.clone()).prop_map(|(name, c, other)| Drawn::Columns(name, c, other)),
    ];
    if ordered {
        let between = (name, value(), value()).prop_map(|(name, low, high)| Drawn::Between(name, low, high));
        prop_oneof![4 => unordered, 1 => between].boxed()
    } else {
        unordered.boxed()
    }
}

/// Conditions on the columns of [`table`].
pub(crate) fn expression() -> impl Strategy<Value = Drawn> {
    let leaf = prop_oneof![
        tests(&LABELS, label().boxed(), false),
        tests(&NUMBERS, number().boxed(), true),
        tests(&FLAGS, flag().boxed(), false),
        tests(&DAYS, day().boxed(), true),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Drawn::Not(Box::new(inner))),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Drawn::All),
            proptest::collection::vec(inner, 0..4).prop_map(Drawn::Any),
        ]
    })
}

fn cells<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = Held> + 'static,
    read: fn(Held) -> T,
) -> BoxedStrategy<Vec<Option<T>>> {
    let cell = proptest::option::weighted(0.8, value.prop_map(read));
    proptest::collection::vec(cell, 40).boxed()
}

/// Tables of forty rows, cells of every kind missing at random.
pub(crate) fn table() -> impl Strategy<Value = Table> {
    let labels = || {
        cells(label(), |held| match held {
            Held::Label(label) => label,
            other => panic!("{other:?}"),
        })
    };
    let numbers = || {
        cells(number(), |held| match held {
            Held::Number(x) => x,
            other => panic!("{other:?}"),
        })
    };
    let flags = || {
        cells(flag(), |held| match held {
            Held::Flag(flag) => flag,
            other => panic!("{other:?}"),
        })
    };
    let days = || {
        cells(day(), |held| match held {
            Held::Day(day) => day,
            other => panic!("{other:?}"),
        })
    };
    let whole = numbers().prop_map(|cells| cells.into_iter().map(|x| x.map(|x| x as i64)).collect());
    let columns = (
        labels(),
        labels(),
        whole,
        numbers(),
        numbers(),
        (flags(), flags(), days(), days()),
    );
    columns.prop_map(|(color, town, count, size, not, (flag, second, day, last))| {
        let columns = [
            (LABELS[0], ColumnData::Text(color)),
            (LABELS[1], ColumnData::Text(town)),
            (NUMBERS[0], ColumnData::Integer(count)),
            (NUMBERS[1], ColumnData::Decimal(size)),
            (NUMBERS[2], ColumnData::Decimal(not)),
            (FLAGS[0], ColumnData::Boolean(flag)),
            (FLAGS[1], ColumnData::Boolean(second)),
            (DAYS[0], ColumnData::Date(day)),
            (DAYS[1], ColumnData::Date(last)),
        ];
        let columns = columns.into_iter().map(|(name, data)| (name.to_owned(), data));
        Table::from_columns(columns.collect()).unwrap()
    })
}
