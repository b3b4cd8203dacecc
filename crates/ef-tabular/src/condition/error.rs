//! What is wrong with a condition.

use crate::schema::Kind;

/// Everything that reading a condition, or bringing it to a table's columns, can refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// A text that is no condition.
    #[error("at character {} of the condition: {message}\n{}", at + 1, excerpt(text, *at))]
    Syntax {
        /// The text.
        text: String,
        /// The character where reading stopped, counted from 0.
        at: usize,
        /// What was expected there and what was found, with an example.
        message: String,
    },
    /// A text that is too long.
    #[error("the condition has {length} bytes, and at most {most} are read; list fewer values")]
    TooLong {
        /// Bytes of the text.
        length: usize,
        /// Most bytes.
        most: usize,
    },
    /// A column that is not there.
    #[error("there is no column \"{name}\"{}; the columns are: {}", did_you_mean(near), present.join(", "))]
    UnknownColumn {
        /// The name that was looked for.
        name: String,
        /// Names like it, nearest first.
        near: Vec<String>,
        /// The names that are there.
        present: Vec<String>,
    },
    /// A value that a column of its kind cannot hold.
    #[error("column \"{column}\" holds {}, and \"{value}\" is none; {}", plural(*kind), way_out(*kind))]
    WrongValue {
        /// The column.
        column: String,
        /// What it holds.
        kind: Kind,
        /// The value.
        value: String,
    },
    /// Values without an order, compared by one.
    #[error(
        "column \"{column}\" holds {}, which have no order; use =, != or in, as in {column} in (a, b)",
        plural(*kind)
    )]
    NoOrder {
        /// The column.
        column: String,
        /// What it holds.
        kind: Kind,
    },
    /// Two columns of kinds that cannot be compared.
    #[error(
        "columns \"{left}\" and \"{right}\" cannot be compared: one holds {}, the other {}",
        plural(*left_kind),
        plural(*right_kind)
    )]
    DifferentKinds {
        /// The first column.
        left: String,
        /// What it holds.
        left_kind: Kind,
        /// The second column.
        right: String,
        /// What it holds.
        right_kind: Kind,
    },
    /// A condition that falls apart into too many cases.
    #[error(
        "the condition has more than {most} separate cases once every \"and\" is inside every \"or\"; ask for them one by one, or write values of one column as a list: column in (a, b)"
    )]
    TooManyBoxes {
        /// Most cases.
        most: usize,
    },
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Category => "labels",
        Kind::Integer | Kind::Decimal => "numbers",
        Kind::Boolean => "true and false",
        Kind::Date => "dates",
    }
}

fn way_out(kind: Kind) -> &'static str {
    match kind {
        Kind::Category => "write a label",
        Kind::Integer | Kind::Decimal => "write digits and a decimal point, such as 3.5",
        Kind::Boolean => "write true or false",
        Kind::Date => "write YYYY-MM-DD, such as 2024-01-31",
    }
}

/// ` (did you mean "age" or "wage"?)`, or nothing.
pub(crate) fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = near.iter().map(|name| format!("\"{name}\"")).collect();
    format!(" (did you mean {}?)", quoted.join(" or "))
}

/// The text around a place, and a caret below it.
fn excerpt(text: &str, at: usize) -> String {
    const AROUND: usize = 40;
    let from = at.saturating_sub(AROUND);
    // one line, whatever the text holds
    let shown = text
        .chars()
        .skip(from)
        .take(2 * AROUND)
        .map(|c| if c.is_control() { ' ' } else { c });
    format!("  {}\n  {}^", shown.collect::<String>(), " ".repeat(at - from))
}
