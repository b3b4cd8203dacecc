//! Many rows in little memory: numbers as they are, labels as codes.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use echoflow::demo::Demo;
use echoflow::{EchoFlow, Sample, Table};
use ef_random::Key;
use ef_tabular::{Kind, Value};

use super::network::Network;

/// The code of a missing label.
pub const MISSING: u16 = u16::MAX;

/// Rows that are drawn at a time.
const CHUNK: usize = 200_000;

/// The cells of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers, NaN where missing; dates as day numbers.
    Numbers(Vec<f64>),
    /// Codes of labels, [`MISSING`] where missing.
    Labels(Vec<u16>),
}

/// Rows of a table by columns. Pools that were made from one another give a label the same code.
#[derive(Debug, Clone)]
pub struct Pool {
    names: Vec<String>,
    kinds: Vec<Kind>,
    labels: Vec<Vec<String>>,
    codes: Vec<HashMap<String, u16>>,
    columns: Vec<Column>,
}

impl Pool {
    /// The rows of a table.
    ///
    /// # Errors
    /// More labels in a column than codes.
    pub fn of(table: &Table) -> Result<Self> {
        Self::without_rows(table).like(table)
    }

    /// The columns of a table.
    fn without_rows(table: &Table) -> Self {
        let schema = table.schema();
        let numbers = |kind: Kind| kind.is_number() || kind == Kind::Date;
        let columns = schema.columns.iter().map(|column| {
            if numbers(column.kind) {
                Column::Numbers(Vec::new())
            } else {
                Column::Labels(Vec::new())
            }
        });
        Self {
            names: schema.columns.iter().map(|column| column.name.clone()).collect(),
            kinds: schema.columns.iter().map(|column| column.kind).collect(),
            labels: vec![Vec::new(); schema.columns.len()],
            codes: vec![HashMap::new(); schema.columns.len()],
            columns: columns.collect(),
        }
    }

    /// The rows of another table with these columns, in any order.
    ///
    /// # Errors
    /// A column that is not there, or that has become another kind.
    pub fn like(&self, table: &Table) -> Result<Self> {
        let mut pool = self.emptied();
        pool.append(table)?;
        Ok(pool)
    }

    fn emptied(&self) -> Self {
        let empty = |column: &Column| match column {
            Column::Numbers(_) => Column::Numbers(Vec::new()),
            Column::Labels(_) => Column::Labels(Vec::new()),
        };
        Self {
            names: self.names.clone(),
            kinds: self.kinds.clone(),
            labels: self.labels.clone(),
            codes: self.codes.clone(),
            columns: self.columns.iter().map(empty).collect(),
        }
    }

    /// So many rows that a model draws, without conditions; with the codes of another pool if there is one.
    ///
    /// # Errors
    /// Those of [`EchoFlow::sample`], and those of [`like`](Self::like).
    pub fn of_model(model: &EchoFlow, like: Option<&Self>, rows: usize, key: Key) -> Result<Self> {
        by_chunks(like, rows, |range| {
            let request = Sample::rows(range.len()).from_row(range.start as u64);
            Ok(request.run(model, key)?)
        })
    }

    /// The rows `first ..` of a demo table, so many.
    ///
    /// # Errors
    /// None that occur with a demo's tables.
    pub fn of_demo(demo: Demo, first: usize, rows: usize, seed: u64) -> Result<Self> {
        by_chunks(None, rows, |range| {
            let range = (first + range.start) as u64..(first + range.end) as u64;
            Ok(demo.generate_range(range, seed).to_table()?)
        })
    }

    /// So many rows that a network draws.
    ///
    /// # Errors
    /// None that occur with a network's tables.
    pub fn of_network(network: &Network, rows: usize, key: Key) -> Result<Self> {
        by_chunks(None, rows, |range| network.sample(range, key))
    }

    fn append(&mut self, table: &Table) -> Result<()> {
        for j in 0..self.names.len() {
            let at = table.column_index(&self.names[j])?;
            for row in 0..table.num_rows() {
                match (&mut self.columns[j], table.value(row, at)) {
                    (Column::Numbers(cells), Value::Number(value)) => cells.push(value),
                    (Column::Numbers(cells), Value::Date(date)) => cells.push(f64::from(date.day_number())),
                    (Column::Numbers(cells), Value::Missing) => cells.push(f64::NAN),
                    (Column::Labels(cells), Value::Missing) => cells.push(MISSING),
                    (Column::Labels(cells), value) => {
                        let label = match value {
                            Value::Text(text) => text,
                            Value::Boolean(true) => "true",
                            Value::Boolean(false) => "false",
                            _ => anyhow::bail!("column '{}' has become one of numbers", self.names[j]),
                        };
                        cells.push(code(&mut self.labels[j], &mut self.codes[j], label)?);
                    }
                    _ => anyhow::bail!("column '{}' is no longer one of numbers", self.names[j]),
                }
            }
        }
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| match column {
            Column::Numbers(cells) => cells.len(),
            Column::Labels(cells) => cells.len(),
        })
    }

    /// Names of the columns, left to right.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The kind of a column.
    pub fn kind(&self, column: usize) -> Kind {
        self.kinds[column]
    }

    /// The cells of a column.
    pub fn column(&self, column: usize) -> &Column {
        &self.columns[column]
    }

    /// The label of a code.
    pub fn label(&self, column: usize, code: u16) -> &str {
        &self.labels[column][usize::from(code)]
    }

    /// Number of labels a column has had so far; 0 for numbers.
    pub fn levels(&self, column: usize) -> usize {
        self.labels[column].len()
    }
}

/// A pool of rows that are made a chunk at a time.
fn by_chunks(
    like: Option<&Pool>,
    rows: usize,
    mut table: impl FnMut(Range<usize>) -> Result<Table>,
) -> Result<Pool> {
    let first = table(0..rows.min(CHUNK))?;
    let mut pool = match like {
        Some(pool) => pool.like(&first)?,
        None => Pool::of(&first)?,
    };
    for start in (CHUNK..rows).step_by(CHUNK) {
        pool.append(&table(start..rows.min(start + CHUNK))?)?;
    }
    Ok(pool)
}

fn code(labels: &mut Vec<String>, codes: &mut HashMap<String, u16>, label: &str) -> Result<u16> {
    if let Some(code) = codes.get(label) {
        return Ok(*code);
    }
    let next = u16::try_from(labels.len()).ok().filter(|code| *code != MISSING);
    let next = next.context("a column has more than 65,534 labels")?;
    ensure!(!label.is_empty(), "a label is empty");
    labels.push(label.to_owned());
    codes.insert(label.to_owned(), next);
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_codes_from_table_to_table() {
        let read = |text: &str| echoflow::read_csv_from(text.as_bytes(), "t").expect("a table");
        let one = Pool::of(&read("a,b\nx,1\ny,\nx,3\n")).expect("a pool");
        let other = one.like(&read("b,a\n5,z\n6,y\n")).expect("a pool");
        assert_eq!(one.column(0), &Column::Labels(vec![0, 1, 0]));
        assert_eq!(other.column(0), &Column::Labels(vec![2, 1]));
        assert_eq!(other.column(1), &Column::Numbers(vec![5.0, 6.0]));
        assert_eq!((other.label(0, 2), one.levels(0), other.rows()), ("z", 2, 2));
        let Column::Numbers(cells) = one.column(1) else {
            panic!("numbers")
        };
        assert!(cells[1].is_nan());
    }

    #[test]
    fn rows_drawn_in_chunks_are_the_rows_of_the_demo() {
        let pool = Pool::of_demo(Demo::Loans, 100, 50, 3).expect("a pool");
        let table = Demo::Loans.generate(150, 3).to_table().expect("a table");
        let all = pool.like(&table).expect("a pool");
        for j in 0..pool.names().len() {
            if let (Column::Labels(some), Column::Labels(all)) = (pool.column(j), all.column(j)) {
                assert_eq!(some[..], all[100..]);
            }
        }
    }
}
