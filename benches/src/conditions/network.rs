//! Bayesian networks of categories, read from the Bayesian Interchange Format.
//!
//! `P(row) = prod_i P(x_i | parents of i)`, each factor a table. What is read of the format: `variable` blocks with
//! `type discrete [ n ] { labels };`, `probability` blocks with `table p, ..;` or a line `(labels of parents) p, ..;` for
//! each combination.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use echoflow::Table;
use ef_random::{Key, uniform};
use ef_tabular::ColumnData;

/// A network whose rows can be drawn.
#[derive(Debug, Clone)]
pub struct Network {
    variables: Vec<Variable>,
    /// Parents before children.
    order: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Variable {
    name: String,
    labels: Vec<String>,
    parents: Vec<usize>,
    /// A distribution of the labels for each combination of parents' labels, the last parent's running fastest.
    tables: Vec<Vec<f64>>,
}

impl Network {
    /// Reads a network.
    ///
    /// # Errors
    /// Text of another form, tables that do not sum to 1, combinations left out, parents in a circle.
    pub fn parse(text: &str) -> Result<Self> {
        let mut variables = Vec::new();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("variable ") {
                let name = name.trim_end_matches('{').trim();
                let kind = lines.next().context("the file ends inside a variable")?;
                variables.push(Variable {
                    name: name.to_owned(),
                    labels: listed(between(kind, '{', '}')?),
                    parents: Vec::new(),
                    tables: Vec::new(),
                });
            } else if line.starts_with("probability ") {
                let names = between(line, '(', ')')?;
                let (child, parents) = names.split_once('|').unwrap_or((names, ""));
                let at = |name: &str| {
                    let found = variables.iter().position(|v| v.name == name.trim());
                    found.with_context(|| format!("there is no variable '{name}'"))
                };
                let child = at(child)?;
                let parents = listed(parents)
                    .iter()
                    .map(|name| at(name))
                    .collect::<Result<_>>()?;
                let tables = tables(&variables, child, &parents, &mut lines)?;
                (variables[child].parents, variables[child].tables) = (parents, tables);
            }
        }
        let order = order(&variables)?;
        Ok(Self { variables, order })
    }

    /// Rows of the endless table of a key.
    ///
    /// # Errors
    /// None: the columns have names and one length.
    pub fn sample(&self, rows: Range<usize>, key: Key) -> Result<Table> {
        let mut columns: Vec<Vec<Option<String>>> =
            vec![Vec::with_capacity(rows.len()); self.variables.len()];
        let mut row = vec![0; self.variables.len()];
        for r in rows {
            let mut rng = key.row(r as u64);
            for i in &self.order {
                let chances = &self.variables[*i].tables[self.combination(*i, &row)];
                let mut left = uniform(&mut rng);
                let first = chances.iter().position(|p| {
                    left -= p;
                    left < 0.0
                });
                row[*i] = first.unwrap_or(chances.len() - 1);
            }
            for (i, column) in columns.iter_mut().enumerate() {
                column.push(Some(self.variables[i].labels[row[i]].clone()));
            }
        }
        let named = self.variables.iter().zip(columns);
        let named = named.map(|(variable, cells)| (variable.name.clone(), ColumnData::Text(cells)));
        Ok(Table::from_columns(named.collect())?)
    }

    /// The log-probability of every row of a table with these columns, nats; `-inf` where a label is unknown.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn log_prob(&self, table: &Table) -> Result<Vec<f64>> {
        let at = self.variables.iter().map(|v| table.column_index(&v.name));
        let at: Vec<usize> = at.collect::<Result<_, _>>()?;
        let score = |row: usize| {
            let cell = |i: usize| match table.value(row, at[i]) {
                ef_tabular::Value::Text(text) => self.variables[i].labels.iter().position(|l| l == text),
                ef_tabular::Value::Boolean(value) => {
                    let text = if value { "yes" } else { "no" };
                    self.variables[i].labels.iter().position(|l| l == text)
                }
                _ => None,
            };
            let cells: Option<Vec<usize>> = (0..at.len()).map(cell).collect();
            cells.map_or(f64::NEG_INFINITY, |cells| {
                let factor = |i: usize| self.variables[i].tables[self.combination(i, &cells)][cells[i]].ln();
                (0..cells.len()).map(factor).sum()
            })
        };
        Ok((0..table.num_rows()).map(score).collect())
    }

    /// Which table of a variable a row's parents call for.
    fn combination(&self, i: usize, row: &[usize]) -> usize {
        let parents = self.variables[i].parents.iter();
        parents.fold(0, |index, p| index * self.variables[*p].labels.len() + row[*p])
    }
}

/// The tables of a probability block, whose heading has been read.
fn tables<'t>(
    variables: &[Variable],
    child: usize,
    parents: &Vec<usize>,
    lines: &mut impl Iterator<Item = &'t str>,
) -> Result<Vec<Vec<f64>>> {
    let name = &variables[child].name;
    let sizes = parents.iter().map(|p| variables[*p].labels.len());
    let mut tables: Vec<Vec<f64>> = vec![Vec::new(); sizes.product()];
    for line in lines.take_while(|line| *line != "}") {
        let (index, numbers) = if let Some(numbers) = line.strip_prefix("table ") {
            (0, numbers)
        } else {
            let given = between(line, '(', ')')?;
            let labels: HashMap<usize, String> = parents.iter().copied().zip(listed(given)).collect();
            let mut index = 0;
            for p in parents {
                let known = &variables[*p].labels;
                let at = known.iter().position(|label| labels.get(p) == Some(label));
                index = index * known.len() + at.with_context(|| format!("{name}: no label of '{given}'"))?;
            }
            (index, line.split_once(')').map_or("", |(_, numbers)| numbers))
        };
        let numbers = listed(numbers.trim().trim_end_matches(';'));
        let numbers = numbers.iter().map(|number| number.parse::<f64>());
        let numbers: Vec<f64> = numbers
            .collect::<Result<_, _>>()
            .with_context(|| format!("{name}: '{line}'"))?;
        let total: f64 = numbers.iter().sum();
        ensure!(
            numbers.len() == variables[child].labels.len() && (total - 1.0).abs() < 1e-6,
            "{name}: '{line}' is no distribution of its labels"
        );
        tables[index] = numbers;
    }
    ensure!(
        tables.iter().all(|table| !table.is_empty()),
        "{name}: a combination of its parents is left out"
    );
    Ok(tables)
}

fn order(variables: &[Variable]) -> Result<Vec<usize>> {
    let mut order = Vec::new();
    while order.len() < variables.len() {
        let ready = (0..variables.len())
            .find(|i| !order.contains(i) && variables[*i].parents.iter().all(|p| order.contains(p)));
        let Some(ready) = ready else {
            bail!("the network's parents run in a circle");
        };
        ensure!(
            !variables[ready].tables.is_empty(),
            "{} has no probabilities",
            variables[ready].name
        );
        order.push(ready);
    }
    Ok(order)
}

fn between(line: &str, open: char, close: char) -> Result<&str> {
    let inside = line.split_once(open).and_then(|(_, rest)| rest.split_once(close));
    let (inside, _) = inside.with_context(|| format!("'{line}' has no {open} .. {close}"))?;
    Ok(inside)
}

fn listed(text: &str) -> Vec<String> {
    let parts = text.split(',').map(|part| part.trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    const RAIN: &str = "network n {\n}\nvariable wet {\n  type discrete [ 2 ] { yes, no };\n}\n\
        variable sky {\n  type discrete [ 3 ] { clear, <5, rain };\n}\nvariable on {\n  type discrete [ 2 ] { on, off };\n}\n\
        probability ( wet | sky, on ) {\n  (clear, on) 0.7, 0.3;\n  (<5, on) 0.8, 0.2;\n  (rain, on) 1.0, 0.0;\n  \
        (clear, off) 0.1, 0.9;\n  (<5, off) 0.2, 0.8;\n  (rain, off) 0.9, 0.1;\n}\n\
        probability ( sky ) {\n  table 0.5, 0.3, 0.2;\n}\nprobability ( on ) {\n  table 0.25, 0.75;\n}\n";

    #[test]
    fn rows_follow_the_network() {
        let network = Network::parse(RAIN).expect("a network");
        let rows = 40_000;
        let table = network.sample(0..rows, Key::new(1)).expect("rows");
        let mut counts: HashMap<Vec<String>, f64> = HashMap::new();
        for row in 0..rows {
            let cells = (0..3).map(|j| format!("{:?}", table.value(row, j)));
            *counts.entry(cells.collect()).or_default() += 1.0 / rows as f64;
        }
        let scores = network.log_prob(&table).expect("scores");
        let mut total = 0.0;
        for (cells, share) in &counts {
            let same = |row: &usize| (0..3).all(|j| cells[j] == format!("{:?}", table.value(*row, j)));
            let first = (0..rows).find(same).expect("a row that was counted");
            assert_abs_diff_eq!(scores[first].exp(), *share, epsilon = 0.012);
            total += scores[first].exp();
        }
        assert_abs_diff_eq!(total, 1.0, epsilon = 1e-9);
        let again = network.sample(10..20, Key::new(1)).expect("rows");
        assert!((0..10).all(|r| (0..3).all(|j| again.value(r, j) == table.value(r + 10, j))));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        assert!(Network::parse(&RAIN.replace("0.8, 0.2", "0.8, 0.1")).is_err());
        assert!(Network::parse(&RAIN.replace("  (rain, off) 0.9, 0.1;\n", "")).is_err());
        assert!(Network::parse(&RAIN.replace("( sky )", "( sky | wet )")).is_err());
        assert!(Network::parse(&RAIN.replace("probability ( on )", "probability ( no )")).is_err());
    }
}
