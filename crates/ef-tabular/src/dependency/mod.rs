//! Columns that are an exact function of others, in every training row.
//!
//! Four kinds of relation are looked for, each verified on every row:
//!
//! | relation | example |
//! | --- | --- |
//! | copy | `city_name = city` |
//! | lookup of a column of categories or few numbers, or of a part of a date | `education-num = lookup of education (16 values)` |
//! | scaling of a number | `fahrenheit = 1.8 * celsius + 32` |
//! | sum or difference of two or three numbers and a constant | `cnt = casual + registered`, `rest = 100 - a - b` |
//!
//! Numbers are compared and computed on the columns' rounding grids, in whole steps: a derived number is the exact
//! decimal. Columns without a grid can only be copies. A relation holds only if the derived cell is missing exactly where
//! a source is. One that chance could have made is not believed: the rule is in `evidence.rs`.
//!
//! Relations overlap (`education` is a function of `education-num` too). Derivations never form a circle, and, where
//! there is a choice, a column is derived from columns to its left: of copies and one-to-one codes the first stays, of a
//! sum the last column is derived. Of several lookups the one with the fewest entries is taken.

mod date_part;
mod evidence;
mod level;
mod linear;
mod lookup;
mod search;
mod steps;

use serde::{Deserialize, Serialize};

use crate::condition::ValueSet;
use crate::error::TableError;
use crate::marginal::{ColumnMarginal, Grid};
use crate::table::Table;
use crate::value::Value;
use level::snapped;
use linear::Linear;
use lookup::Lookup;

/// One derived column and what it is derived from. Its `Display` says it in words: `cnt = casual + registered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dependency {
    derived: String,
    /// The derived column's rounding grid.
    grid: Grid,
    /// Whether cells were missing at fit, those of sources and derived column together.
    missing: bool,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Copy(String),
    Lookup(Lookup),
    Linear(Linear),
}

impl Dependency {
    /// The derived column.
    pub fn derived(&self) -> &str {
        &self.derived
    }

    /// The columns it is derived from.
    pub fn sources(&self) -> Vec<&str> {
        match &self.rule {
            Rule::Copy(source) => vec![source],
            Rule::Lookup(lookup) => vec![lookup.source()],
            Rule::Linear(linear) => linear.sources().collect(),
        }
    }

    /// The derived column's value in each row of a table that has the sources. `None` where the relation says nothing: a
    /// source value that a lookup has no entry for, a number off the rounding grid that a sum is taken on, a missing source
    /// where none was missing at fit, a sum beyond 2^53.
    ///
    /// # Errors
    /// A source that the table lacks.
    pub fn derive<'a>(&'a self, table: &'a Table) -> Result<Vec<Option<Value<'a>>>, TableError> {
        let sources = self.sources();
        let columns: Vec<usize> = sources
            .iter()
            .map(|name| table.column_index(name))
            .collect::<Result<_, _>>()?;
        let derive = |row: usize| {
            let values = || columns.iter().map(|column| table.value(row, *column));
            if values().any(|value| value == Value::Missing) {
                return self.missing.then_some(Value::Missing);
            }
            match &self.rule {
                Rule::Copy(_) => values().next(),
                Rule::Lookup(lookup) => values().next().and_then(|value| lookup.derive(value)),
                Rule::Linear(linear) => linear.derive(values()).map(Value::Number),
            }
        };
        Ok((0..table.num_rows()).map(derive).collect())
    }

    /// The values of the one source whose derived values lie in a set, so that a condition on the derived column can be
    /// asked of the source instead. `None` for a sum of several sources.
    ///
    /// `source` is the marginal of the source column: where a lookup reads a part of a date, the days are those that
    /// the marginal can draw; numbers are those on the source's rounding grid. A source value of which the relation
    /// says nothing is not in the set.
    pub fn preimage(&self, set: &ValueSet, source: &ColumnMarginal) -> Option<ValueSet> {
        let known = match &self.rule {
            Rule::Copy(_) => set.intersect(&ValueSet::known(set.kind())),
            Rule::Lookup(lookup) => lookup.preimage(set, source),
            Rule::Linear(linear) => linear.preimage(set)?,
        };
        Some(if self.missing && set.has_missing() {
            known.union(&ValueSet::missing(known.kind()))
        } else {
            known
        })
    }

    /// The value of the source `unknown` in a row whose derived cell is `derived`, where `known` gives the row's cells of
    /// all other sources. `None` where they do not tell it: only sums of several sources can be solved, and only if a
    /// number of the source's rounding grid gives the sum exactly. Of a single source [`preimage`](Self::preimage) says
    /// what there is to say.
    pub fn solve<'a>(
        &self,
        unknown: &str,
        derived: Value<'_>,
        known: impl Fn(&str) -> Value<'a>,
    ) -> Option<Value<'static>> {
        match &self.rule {
            Rule::Linear(linear) => linear.solve(unknown, derived, known).map(Value::Number),
            Rule::Copy(_) | Rule::Lookup(_) => None,
        }
    }

    /// Whether two values of the derived column are the same: numbers on its rounding grid.
    pub fn same(&self, one: Value<'_>, other: Value<'_>) -> bool {
        snapped(one, self.grid) == snapped(other, self.grid)
    }

    /// How many values of training rows it holds: the entries of a lookup.
    pub fn stored_training_values(&self) -> usize {
        match &self.rule {
            Rule::Lookup(lookup) => lookup.entries(),
            Rule::Copy(_) | Rule::Linear(_) => 0,
        }
    }
}

impl std::fmt::Display for Dependency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = ", self.derived)?;
        match &self.rule {
            Rule::Copy(source) => f.write_str(source),
            Rule::Lookup(lookup) => lookup.fmt(f),
            Rule::Linear(linear) => linear.fmt(f),
        }
    }
}

/// The dependencies of a table, in an order in which they can be derived: sources before what is derived from them.
///
/// Scoring with them needs an `eps` for rows that break a relation: with `n` training rows that all keep it,
/// `p(derived | sources) = (1 - eps) [derived is right] + eps p(derived)`, `eps = 1 / (n + 2)`, `p` the column's own
/// marginal. Its sum over all values is 1.
///
/// ```
/// use ef_tabular::Dependencies;
/// let mut text = "casual,registered,cnt\n".to_owned();
/// for i in 0..50u32 {
///     let (casual, registered) = (i * i % 31, i * 7 % 43);
///     text += &format!("{casual},{registered},{}\n", casual + registered);
/// }
/// let table = ef_io::read_csv_from(text.as_bytes(), "bikes.csv")?;
/// let found = Dependencies::find(&table, &[]);
/// let words: Vec<String> = found.iter().map(ToString::to_string).collect();
/// assert_eq!(words, ["cnt = casual + registered"]);
/// # Ok::<(), ef_io::IoError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dependencies {
    found: Vec<Dependency>,
}

impl Dependencies {
    /// The dependencies among the columns of a table. The columns `given` are never derived, but others may be derived
    /// from them.
    ///
    /// Sums of two columns are looked for among at most 300 columns of numbers, sums of three among at most 100.
    pub fn find(table: &Table, given: &[&str]) -> Self {
        search::find(table, given)
    }

    /// One by one, in the order of derivation.
    pub fn iter(&self) -> impl Iterator<Item = &Dependency> {
        self.found.iter()
    }

    /// How many columns are derived.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether no column is derived.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The dependency that derives a column.
    pub fn of(&self, derived: &str) -> Option<&Dependency> {
        self.found.iter().find(|dependency| dependency.derived == derived)
    }

    /// The same, but for one column, which is no longer derived.
    #[must_use]
    pub fn without(mut self, derived: &str) -> Self {
        self.found.retain(|dependency| dependency.derived != derived);
        self
    }
}
