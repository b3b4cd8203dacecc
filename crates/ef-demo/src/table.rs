//! A demo's table as plain data: ordered, named columns of optional values.

use std::io::{self, Write};

use super::DemoError;

/// One column of a demo table; `None` is a missing cell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DemoColumn {
    /// Categories.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Numbers with a fraction.
    Decimal {
        /// The cells.
        values: Vec<Option<f64>>,
        /// Digits after the point to which every value is rounded; `None` for numbers that are on no grid and are
        /// written with up to nine significant digits.
        decimals: Option<u8>,
    },
    /// Yes or no.
    Boolean(Vec<Option<bool>>),
}

impl DemoColumn {
    /// The number of cells.
    pub fn len(&self) -> usize {
        match self {
            DemoColumn::Text(cells) => cells.len(),
            DemoColumn::Integer(cells) => cells.len(),
            DemoColumn::Decimal { values, .. } => values.len(),
            DemoColumn::Boolean(cells) => cells.len(),
        }
    }

    /// Whether the column has no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cell as a file holds it; empty when the cell is missing or there is no such row.
    pub fn cell_text(&self, row: usize) -> String {
        match self {
            DemoColumn::Text(cells) => cells.get(row).cloned().flatten().unwrap_or_default(),
            DemoColumn::Integer(cells) => written(cells, row, |value| value.to_string()),
            DemoColumn::Decimal {
                values,
                decimals: Some(digits),
            } => written(values, row, |value| format!("{value:.*}", usize::from(*digits))),
            DemoColumn::Decimal {
                values,
                decimals: None,
            } => written(values, row, |value| value.to_string()),
            DemoColumn::Boolean(cells) => written(cells, row, |value| value.to_string()),
        }
    }

    pub(super) fn as_text(&self) -> Option<&[Option<String>]> {
        if let DemoColumn::Text(cells) = self {
            Some(cells)
        } else {
            None
        }
    }

    pub(super) fn as_integer(&self) -> Option<&[Option<i64>]> {
        if let DemoColumn::Integer(cells) = self {
            Some(cells)
        } else {
            None
        }
    }

    pub(super) fn as_decimal(&self) -> Option<&[Option<f64>]> {
        if let DemoColumn::Decimal { values, .. } = self {
            Some(values)
        } else {
            None
        }
    }

    pub(super) fn as_boolean(&self) -> Option<&[Option<bool>]> {
        if let DemoColumn::Boolean(cells) = self {
            Some(cells)
        } else {
            None
        }
    }
}

fn written<V: Copy>(cells: &[Option<V>], row: usize, write: impl Fn(V) -> String) -> String {
    cells.get(row).copied().flatten().map(write).unwrap_or_default()
}

/// Named columns of one length, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoTable {
    columns: Vec<(String, DemoColumn)>,
}

impl DemoTable {
    /// A table of these columns.
    ///
    /// # Errors
    /// [`DemoError::UnequalColumns`] when their lengths differ.
    pub fn new(columns: Vec<(String, DemoColumn)>) -> Result<Self, DemoError> {
        let expected = columns.first().map_or(0, |(_, column)| column.len());
        match columns.iter().find(|(_, column)| column.len() != expected) {
            Some((name, column)) => Err(DemoError::UnequalColumns {
                column: name.clone(),
                found: column.len(),
                expected,
            }),
            None => Ok(Self { columns }),
        }
    }

    /// A table of columns that the generators filled row by row, so that their lengths agree.
    pub(super) fn from_generated<const N: usize>(columns: [(&str, DemoColumn); N]) -> Self {
        debug_assert!(
            columns
                .iter()
                .all(|(_, column)| column.len() == columns[0].1.len())
        );
        Self {
            columns: columns
                .into_iter()
                .map(|(name, column)| (name.to_owned(), column))
                .collect(),
        }
    }

    /// A table of two unrounded numbers a row.
    pub(super) fn from_pairs(names: [&str; 2], pairs: Vec<[f64; 2]>) -> Self {
        let (first, second) = pairs.into_iter().map(|[a, b]| (Some(a), Some(b))).unzip();
        Self::from_generated([
            (
                names[0],
                DemoColumn::Decimal {
                    values: first,
                    decimals: None,
                },
            ),
            (
                names[1],
                DemoColumn::Decimal {
                    values: second,
                    decimals: None,
                },
            ),
        ])
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// The columns with their names, in order.
    pub fn columns(&self) -> &[(String, DemoColumn)] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&DemoColumn> {
        self.columns
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, column)| column)
    }

    /// The columns with their names, to move their cells elsewhere without a copy.
    pub fn into_columns(self) -> Vec<(String, DemoColumn)> {
        self.columns
    }

    /// Writes the table as CSV with a header line; missing cells are empty, and a text is quoted where it must be.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn write_csv(&self, mut out: impl Write) -> io::Result<()> {
        let mut line = Vec::with_capacity(self.columns.len());
        line.extend(self.columns.iter().map(|(name, _)| quoted(name)));
        writeln!(out, "{}", line.join(","))?;
        for row in 0..self.rows() {
            line.clear();
            line.extend(
                self.columns
                    .iter()
                    .map(|(_, column)| quoted(&column.cell_text(row))),
            );
            writeln!(out, "{}", line.join(","))?;
        }
        out.flush()
    }

    /// Scores rows of two numbers; `None` when a column is not there. A missing cell scores `-inf`.
    pub(super) fn score_pairs(
        &self,
        first: &str,
        second: &str,
        log_density: fn(f64, f64) -> f64,
    ) -> Option<Vec<f64>> {
        let first = self.column(first)?.as_decimal()?;
        let second = self.column(second)?.as_decimal()?;
        let score = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
            (Some(a), Some(b)) => log_density(*a, *b),
            _ => f64::NEG_INFINITY,
        };
        Some(first.iter().zip(second).map(score).collect())
    }
}

/// A CSV field, in quotes where a reader would otherwise misread it.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> DemoTable {
        DemoTable::new(vec![
            (
                "who, when".into(),
                DemoColumn::Text(vec![Some("a \"b\"".into()), None]),
            ),
            ("n".into(), DemoColumn::Integer(vec![Some(-3), None])),
            (
                "x".into(),
                DemoColumn::Decimal {
                    values: vec![Some(1.5), Some(0.1)],
                    decimals: Some(2),
                },
            ),
            (
                "z".into(),
                DemoColumn::Decimal {
                    values: vec![Some(0.123_456_789), None],
                    decimals: None,
                },
            ),
            ("b".into(), DemoColumn::Boolean(vec![Some(true), Some(false)])),
        ])
        .expect("columns of two rows each")
    }

    #[test]
    fn csv_holds_every_cell_as_written() {
        let mut out = Vec::new();
        small().write_csv(&mut out).expect("writing to memory");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "\"who, when\",n,x,z,b\n\"a \"\"b\"\"\",-3,1.50,0.123456789,true\n,,0.10,,false\n"
        );
    }

    #[test]
    fn unequal_columns_are_refused_by_name() {
        let error = DemoTable::new(vec![
            ("a".into(), DemoColumn::Integer(vec![Some(1)])),
            ("b".into(), DemoColumn::Boolean(vec![])),
        ])
        .expect_err("lengths differ");
        assert!(error.to_string().contains("'b' has 0 rows"));
    }

    #[test]
    fn a_cell_outside_the_table_is_empty() {
        let table = small();
        assert!(
            table
                .columns()
                .iter()
                .all(|(_, column)| column.cell_text(99).is_empty())
        );
        assert!(table.column("absent").is_none());
    }
}
