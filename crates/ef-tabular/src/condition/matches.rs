//! The rows of a table that meet a condition.

use std::cmp::Ordering;

use super::boxes::ConditionBox;
use super::error::ConditionError;
use super::expression::{ColumnComparison, Comparison, Condition, Node};
use super::value_set::ValueSet;
use crate::schema::Schema;
use crate::table::Table;
use crate::value::Value;

/// A condition whose columns are found and whose values are read.
enum Check {
    In(usize, ValueSet),
    Columns(usize, Comparison, usize),
    All(Vec<Check>),
    Any(Vec<Check>),
}

impl Condition {
    /// Whether each row of a table meets the condition: one entry a row.
    ///
    /// Values are read by the kinds of this table's columns and numbers compared as it holds them. Bring a table to the
    /// schema of another first ([`Schema::conform`]) to have its kinds.
    ///
    /// # Errors
    /// A column that is not there; a value or a comparison that is not of its column's kind.
    pub fn matches(&self, table: &Table) -> Result<Vec<bool>, ConditionError> {
        let check = self.check(&table.schema())?;
        Ok((0..table.num_rows()).map(|row| check.holds(table, row)).collect())
    }

    fn check(&self, schema: &Schema) -> Result<Check, ConditionError> {
        let each = |parts: &[Self]| -> Result<Vec<Check>, ConditionError> {
            parts.iter().map(|part| part.check(schema)).collect()
        };
        Ok(match &self.node {
            Node::Test { column, test } => {
                let position = schema.position(column)?;
                Check::In(position, test.set(column, schema.columns[position].kind)?)
            }
            Node::Columns(ColumnComparison {
                left,
                comparison,
                right,
            }) => {
                let (left, right) = schema.comparable(left, *comparison, right)?;
                Check::Columns(left, *comparison, right)
            }
            Node::All(parts) => Check::All(each(parts)?),
            Node::Any(parts) => Check::Any(each(parts)?),
        })
    }
}

impl ConditionBox {
    /// Whether each row of a table lies in the box, its residual included: one entry a row.
    ///
    /// # Errors
    /// A column that is not there, or two columns that cannot be compared.
    pub fn matches(&self, table: &Table) -> Result<Vec<bool>, ConditionError> {
        let schema = table.schema();
        let mut checks = Vec::new();
        for (column, set) in self.sets() {
            checks.push(Check::In(schema.position(column)?, set.clone()));
        }
        if let Some(residual) = self.residual() {
            checks.push(residual.check(&schema)?);
        }
        let check = Check::All(checks);
        Ok((0..table.num_rows()).map(|row| check.holds(table, row)).collect())
    }
}

impl Check {
    fn holds(&self, table: &Table, row: usize) -> bool {
        match self {
            Self::In(column, set) => set.contains(table.value(row, *column)),
            Self::Columns(left, comparison, right) => {
                let order = order(table.value(row, *left), table.value(row, *right));
                order.is_some_and(|order| comparison.holds(order))
            }
            Self::All(parts) => parts.iter().all(|part| part.holds(table, row)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(table, row)),
        }
    }
}

/// How two values of one kind compare; `None` if one is missing.
fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(&b),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(&b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(&b)),
        _ => None,
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}
