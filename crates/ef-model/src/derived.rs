//! Columns that are derived from others instead of modelled: their scores, and their values in drawn rows.
//!
//! ```text
//! p(derived | sources) = (1 - eps) [derived is right] + eps p(derived)     where the relation says something
//! p(derived | sources) = p(derived)                                        where it does not
//! ```
//!
//! `p(derived)` is the column's own marginal, `eps = 1 / (n + 2)` with `n` training rows, of which none broke the
//! relation (Laplace's rule of succession). Either sums to 1 over all values of the derived column, so a row's density
//! keeps its mass. Of a column without a rounding step the right value is an atom, and the others have a density.

use ef_tabular::{
    ColumnMarginal, ColumnSchema, Dependencies, Dependency, EncoderOptions, Table, TableEncoder, Value,
};
use serde::{Deserialize, Serialize};

use crate::columns::drawn_by_marginals;
use crate::error::ModelError;
use crate::row_key::RowKey;

/// A column that is derived from others instead of modelled.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DerivedColumn<'a> {
    /// What it is derived from, and how.
    pub dependency: &'a Dependency,
    /// Its name and kind.
    pub schema: &'a ColumnSchema,
    /// Its own marginal, which scores values that break the relation.
    pub marginal: &'a ColumnMarginal,
}

/// The derived columns of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Derived {
    dependencies: Dependencies,
    /// The columns' own schemas and marginals, in the order of derivation.
    own: TableEncoder,
    /// Training rows.
    rows: u64,
}

impl Derived {
    /// The marginals of what `dependencies` derive.
    pub(crate) fn fit(
        table: &Table,
        dependencies: Dependencies,
        options: &EncoderOptions,
    ) -> Result<Self, ModelError> {
        let names: Vec<&str> = dependencies.iter().map(Dependency::derived).collect();
        let own = TableEncoder::fit(&table.select(&names)?, options)?;
        Ok(Self {
            dependencies,
            own,
            rows: table.num_rows() as u64,
        })
    }

    /// Each derived column, in the order of derivation.
    pub(crate) fn columns(&self) -> impl Iterator<Item = DerivedColumn<'_>> {
        let own = self.own.schema().columns.iter().zip(self.own.marginals());
        self.dependencies
            .iter()
            .zip(own)
            .map(|(dependency, (schema, marginal))| DerivedColumn {
                dependency,
                schema,
                marginal,
            })
    }

    /// Whether every column has its schema and marginal, and is derived from `base` columns or from columns before it.
    pub(crate) fn is_whole(&self, base: &[&str]) -> bool {
        let mut known = base.to_vec();
        let derivable = self.columns().all(|column| {
            let DerivedColumn {
                dependency, schema, ..
            } = column;
            let ready = dependency.derived() == schema.name
                && dependency.sources().iter().all(|source| known.contains(source));
            known.push(dependency.derived());
            ready
        });
        let columns = self.dependencies.len();
        derivable && self.own.schema().columns.len() == columns && self.own.marginals().len() == columns
    }

    /// What the derived columns add to each row's log-density, nats; `table` has all columns of the model in the kinds of
    /// its schema.
    pub(crate) fn log_prob(&self, table: &Table) -> Result<Vec<f64>, ModelError> {
        let mut total = vec![0.0; table.num_rows()];
        let eps = 1.0 / (self.rows as f64 + 2.0);
        for column in self.columns() {
            let DerivedColumn {
                dependency,
                schema,
                marginal,
            } = column;
            let at = table.column_index(&schema.name)?;
            let shares = marginal.level_shares();
            let own = |value: Value<'_>| {
                let place = marginal.place(value);
                place.log_measure + place.level.map_or(0.0, |level| shares[level as usize].ln())
            };
            for (row, right) in dependency.derive(table)?.into_iter().enumerate() {
                let value = table.value(row, at);
                total[row] += match right {
                    None => own(value),
                    Some(right) if !dependency.same(right, value) => eps.ln() + own(value),
                    Some(_) if marginal.has_density(value) => (-eps).ln_1p(),
                    Some(_) => (eps * own(value).exp() - eps).ln_1p(),
                };
            }
        }
        Ok(total)
    }

    /// The table with its derived columns, at the right; where a relation says nothing, a column is drawn from its own
    /// marginal.
    pub(crate) fn complete(&self, mut table: Table, key: RowKey) -> Result<Table, ModelError> {
        let mut drawn: Option<Table> = None;
        for (j, column) in self.columns().enumerate() {
            let DerivedColumn {
                dependency, schema, ..
            } = column;
            let values = dependency.derive(&table)?;
            if drawn.is_none() && values.contains(&None) {
                drawn = Some(drawn_by_marginals(
                    &self.own,
                    table.num_rows(),
                    key.purpose("derived"),
                )?);
            }
            let own = |row: usize| drawn.as_ref().map_or(Value::Missing, |drawn| drawn.value(row, j));
            let values: Vec<Value<'_>> = values
                .into_iter()
                .enumerate()
                .map(|(row, value)| value.unwrap_or_else(|| own(row)))
                .collect();
            table = table.with_values(schema, &values)?;
        }
        Ok(table)
    }
}
