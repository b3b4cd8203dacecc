//! Writing a condition as text that reads back as the same.

use std::fmt;

use super::expression::{ColumnComparison, Condition, Literal, Node, Test};
use super::token::{Keyword, is_bare};

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Test { column, test } => write_test(f, column, test),
            Node::Columns(columns) => columns.fmt(f),
            Node::All(parts) if parts.is_empty() => f.write_str("()"),
            Node::Any(parts) if parts.is_empty() => f.write_str("not ()"),
            Node::All(parts) => separated(f, parts, " and ", |part, f| match &part.node {
                // `or` binds less than `and`
                Node::Any(inner) if !inner.is_empty() => write!(f, "({part})"),
                _ => part.fmt(f),
            }),
            Node::Any(parts) => separated(f, parts, " or ", fmt::Display::fmt),
        }
    }
}

fn write_test(f: &mut fmt::Formatter<'_>, column: &str, test: &Test) -> fmt::Result {
    quoted_if_needed(f, column)?;
    let not = |negated: &bool| if *negated { " not" } else { "" };
    match test {
        Test::Compare(comparison, value) => write!(f, " {} {value}", comparison.symbol()),
        Test::Between { low, high, negated } => write!(f, "{} between {low} and {high}", not(negated)),
        Test::OneOf { values, negated } => {
            write!(f, "{} in (", not(negated))?;
            separated(f, values, ", ", fmt::Display::fmt)?;
            f.write_str(")")
        }
        Test::Missing => f.write_str(" is missing"),
        Test::Known => f.write_str(" is not missing"),
    }
}

impl fmt::Display for ColumnComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted_if_needed(f, &self.left)?;
        write!(f, " {} ", self.comparison.symbol())?;
        quoted(f, &self.right, '`')
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted_if_needed(f, &self.0)
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    parts: &[T],
    separator: &str,
    write: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (k, part) in parts.iter().enumerate() {
        if k > 0 {
            f.write_str(separator)?;
        }
        write(part, f)?;
    }
    Ok(())
}

fn quoted_if_needed(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if !text.is_empty() && text.chars().all(is_bare) && Keyword::of(text).is_none() {
        f.write_str(text)
    } else {
        quoted(f, text, '"')
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    let doubled = text.replace(quote, &format!("{quote}{quote}"));
    write!(f, "{quote}{doubled}{quote}")
}
