//! Columns as a density reads them: their marginals, tables as rows, and drawn rows as tables.

use ef_column::Place;
use ef_density::rows::{Layout, Rows};
use ef_density::uniform;
use ef_tabular::{
    ColumnMarginal, DecodedColumn, Dependencies, EncoderOptions, Kind, Schema, Table, TableEncoder,
};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::derived::Derived;
use crate::error::ModelError;
use crate::row_key::RowKey;

/// A category's levels are context features one by one up to this many, the most frequent first.
const MOST_CONTEXT_LEVELS: usize = 256;

/// The columns of a model: those it models and those it is conditioned on, each with its marginals, and their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Columns {
    /// All names in the table's order.
    pub(crate) names: Vec<String>,
    /// The modelled columns.
    pub(crate) modelled: TableEncoder,
    /// The context columns, if any.
    pub(crate) context: Option<TableEncoder>,
    /// The columns derived from others, if any: a section of their own in a model file.
    #[serde(skip)]
    pub(crate) derived: Option<Derived>,
}

impl Columns {
    /// Fits the marginals of `table`, with `context` as the context columns; columns that are a function of others are
    /// derived if `derive` says so. Returns notes for the user too.
    pub(crate) fn fit(
        table: &Table,
        context: &[String],
        derive: bool,
        options: &EncoderOptions,
    ) -> Result<(Self, Vec<String>), ModelError> {
        for (i, name) in context.iter().enumerate() {
            table.column_index(name)?;
            if context[..i].contains(name) {
                return Err(ModelError::ContextTwice(name.clone()));
            }
        }
        let names: Vec<String> = table.column_names().into_iter().map(str::to_owned).collect();
        let (given, modelled): (Vec<&str>, Vec<&str>) = names
            .iter()
            .map(String::as_str)
            .partition(|name| context.iter().any(|c| c == name));
        if modelled.is_empty() {
            return Err(ModelError::NothingToModel);
        }
        let options_of = |columns: &[&str]| {
            let mut own = options.clone();
            own.transformers
                .retain(|name, _| columns.contains(&name.as_str()));
            own
        };
        let fit = |columns: &[&str]| -> Result<TableEncoder, ModelError> {
            Ok(TableEncoder::fit(&table.select(columns)?, &options_of(columns))?)
        };
        let unknown = options.transformers.keys().find(|name| !names.contains(name));
        if let Some(name) = unknown {
            table.column_index(name)?;
        }
        let mut dependencies = if derive {
            Dependencies::find(table, &given)
        } else {
            Dependencies::default()
        };
        if modelled.iter().all(|name| dependencies.of(name).is_some()) {
            // everything follows from the context: one column stays, for a network needs something to learn
            dependencies = dependencies.without(modelled[0]);
        }
        let (derived, modelled): (Vec<&str>, Vec<&str>) = modelled
            .into_iter()
            .partition(|name| dependencies.of(name).is_some());
        let derivations: Vec<String> = dependencies
            .iter()
            .map(|dependency| format!("in every row {dependency}; it is derived, not modelled"))
            .collect();
        let derived = if derived.is_empty() {
            None
        } else {
            Some(Derived::fit(table, dependencies, &options_of(&derived))?)
        };
        let modelled = fit(&modelled)?;
        let context = if given.is_empty() {
            None
        } else {
            Some(fit(&given)?)
        };
        let notes = modelled
            .notes()
            .iter()
            .chain(context.iter().flat_map(TableEncoder::notes))
            .cloned()
            .chain(derivations)
            .collect();
        Ok((
            Self {
                names,
                modelled,
                context,
                derived,
            },
            notes,
        ))
    }

    /// Whether names, schemas and marginals fit together; those of a damaged file may not.
    pub(crate) fn is_whole(&self) -> bool {
        let encoders = || {
            [Some(&self.modelled), self.context.as_ref()]
                .into_iter()
                .flatten()
        };
        let mut held: Vec<&str> = encoders()
            .flat_map(|e| e.schema().columns.iter().map(|c| c.name.as_str()))
            .collect();
        let derivable = self
            .derived
            .as_ref()
            .is_none_or(|derived| derived.is_whole(&held));
        held.extend(self.derived_names());
        encoders().all(|e| e.schema().columns.len() == e.marginals().len())
            && derivable
            && held.len() == self.names.len()
            && self.names.iter().all(|name| held.contains(&name.as_str()))
    }

    /// All columns, in the table's order: what a table to score looks like.
    pub(crate) fn schema(&self) -> Schema {
        let encoders = [Some(&self.modelled), self.context.as_ref()];
        let held = encoders.into_iter().flatten().flat_map(|e| &e.schema().columns);
        let derived = self.derived.iter().flat_map(Derived::columns);
        let held: Vec<_> = held.chain(derived.map(|column| column.schema)).collect();
        let find = |name: &String| held.iter().find(|c| c.name == *name).map(|c| (*c).clone());
        Schema {
            columns: self.names.iter().filter_map(find).collect(),
        }
    }

    fn derived_names(&self) -> impl Iterator<Item = &str> {
        let derived = self.derived.iter().flat_map(Derived::columns);
        derived.map(|column| column.dependency.derived())
    }

    /// Whether a column holds dates, which the first files did not know.
    pub(crate) fn have_dates(&self) -> bool {
        let encoders = [Some(&self.modelled), self.context.as_ref()];
        let mut columns = encoders.into_iter().flatten().flat_map(|e| &e.schema().columns);
        columns.any(|column| column.kind == Kind::Date)
    }

    pub(crate) fn context_names(&self) -> Vec<&str> {
        let columns = self.context.iter().flat_map(|c| &c.schema().columns);
        columns.map(|c| c.name.as_str()).collect()
    }

    fn context_dim(&self) -> usize {
        self.context
            .iter()
            .flat_map(TableEncoder::marginals)
            .map(|l| l.num_features() + context_levels(l))
            .sum()
    }

    /// How the marginals lie in a density.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.modelled.marginals(), self.context_dim())
    }

    /// The rows of a table with all columns.
    pub(crate) fn rows(&self, table: &Table, layout: &Layout) -> Result<Rows, ModelError> {
        self.rows_with(table, layout, |_, _, _| {})
    }

    /// The rows of a table with all columns; `seen` is told each modelled column, row and place.
    pub(crate) fn rows_with(
        &self,
        table: &Table,
        layout: &Layout,
        mut seen: impl FnMut(usize, usize, &Place),
    ) -> Result<Rows, ModelError> {
        // once for all: what conforms to the whole schema is taken as it is below
        let table = &self.schema().conform(table)?;
        let mut rows = layout.blank(self.context_features(table)?);
        self.modelled.encode_into(table, |column, row, place| {
            layout.add_place(&mut rows, row, column, &place);
            seen(column, row, &place);
        })?;
        if let Some(derived) = &self.derived {
            for (measure, derived) in rows.log_measure.iter_mut().zip(derived.log_prob(table)?) {
                *measure += derived;
            }
        }
        Ok(rows)
    }

    /// What the derived columns add to the log-density of each row of a table with all columns, nats. Empty if no column
    /// is derived.
    pub(crate) fn derived_log_prob(&self, table: &Table) -> Result<Vec<f64>, ModelError> {
        match &self.derived {
            Some(derived) => derived.log_prob(&self.schema().conform(table)?),
            None => Ok(Vec::new()),
        }
    }

    /// `(rows, context_dim)`: numbers by their features, categories and atoms by their levels.
    pub(crate) fn context_features(&self, table: &Table) -> Result<Array2<f32>, ModelError> {
        let mut features = Array2::zeros((table.num_rows(), self.context_dim()));
        let Some(context) = &self.context else {
            return Ok(features);
        };
        let table = &context.schema().conform(table)?;
        // where each column's one-hot features are, behind its dense ones
        let mut one_hot = Vec::with_capacity(context.marginals().len());
        let mut at = 0;
        for (column, marginal) in context.marginals().iter().enumerate() {
            let dense = context.features(table, &[column])?;
            if dense.width > 0 {
                for (mut to, from) in features
                    .rows_mut()
                    .into_iter()
                    .zip(dense.values.chunks_exact(dense.width))
                {
                    to.iter_mut()
                        .skip(at)
                        .zip(from)
                        .for_each(|(to, &from)| *to = from);
                }
            }
            one_hot.push(at + dense.width);
            at += dense.width + context_levels(marginal);
        }
        context.encode_into(table, |column, row, place| {
            let marginal = &context.marginals()[column];
            if let Some(feature) = place.level.and_then(|level| context_feature(marginal, level)) {
                features[[row, one_hot[column] + feature]] = 1.0;
            }
        })?;
        Ok(features)
    }

    /// The table that drawn rows stand for; `given` holds the context columns of the same rows.
    /// Without `tails`, numbers stay in the range seen at fit.
    pub(crate) fn table(
        &self,
        rows: &[Rows],
        layout: &Layout,
        tails: bool,
        given: Option<&Table>,
        key: RowKey,
    ) -> Result<Table, ModelError> {
        let drawn = self.decoded(rows, layout, tails, key, &|_, _, u| u)?;
        self.completed(drawn, given, key)
    }

    /// The modelled columns that drawn rows stand for. Where a level pools many values, which of them a row gets is
    /// drawn from the row's stream of `key`; `position` may narrow it, given row, column and a uniform number. Without
    /// `tails`, numbers stay in the range seen at fit.
    pub(crate) fn decoded(
        &self,
        rows: &[Rows],
        layout: &Layout,
        tails: bool,
        key: RowKey,
        position: &(dyn Fn(usize, usize, f64) -> f64 + Sync),
    ) -> Result<Table, ModelError> {
        let marginals = self.modelled.marginals();
        let total: usize = rows.iter().map(|r| r.log_measure.len()).sum();
        let mut columns = vec![DecodedColumn::default(); marginals.len()];
        for (j, column) in columns.iter_mut().enumerate() {
            column.levels.reserve(total);
            column.ranks.reserve(total);
            let confined = marginals[j].numbers().filter(|_| !tails);
            let positions = key.purpose("position").index(j as u64);
            let mut row = 0;
            for part in rows {
                for r in 0..part.log_measure.len() {
                    let (level, rank) = layout.level_and_rank(part, r, j);
                    column.levels.push(level);
                    column.ranks.push(match &marginals[j] {
                        ef_tabular::ColumnMarginal::Category(marginal)
                            if marginal.rare_level() == Some(level) =>
                        {
                            position(row, j, uniform(&mut positions.row(row)))
                        }
                        _ => confined.map_or(rank, |numbers| numbers.confined(rank)),
                    });
                    row += 1;
                }
            }
        }
        Ok(self.modelled.decode(&columns)?)
    }

    /// All columns in the table's order: the `drawn` ones, those of the context as they are `given`, and those derived
    /// from both.
    pub(crate) fn completed(
        &self,
        drawn: Table,
        given: Option<&Table>,
        key: RowKey,
    ) -> Result<Table, ModelError> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let context = self.context_names();
        let table = match &self.derived {
            None => drawn,
            Some(derived) => {
                let base: Vec<&str> = names
                    .iter()
                    .copied()
                    .filter(|name| !self.derived_names().any(|derived| derived == *name))
                    .collect();
                let base = match (given, &self.context) {
                    (Some(given), Some(encoder)) => drawn.join(&encoder.schema().conform(given)?, &base)?,
                    _ => drawn,
                };
                derived.complete(base, key)?.drop(&context)?
            }
        };
        // As they were given, digit by digit: the model's own number formats could round them.
        match given {
            Some(given) => Ok(table.join(given, &names)?),
            None => Ok(table.select(&names)?),
        }
    }
}

/// Rows of all columns of an encoder, each column drawn by its own marginal and apart from the others, from the rows' streams of
/// `key`.
pub(crate) fn drawn_by_marginals(
    encoder: &TableEncoder,
    rows: usize,
    key: RowKey,
) -> Result<Table, ModelError> {
    let column = |(j, marginal): (usize, &ef_tabular::ColumnMarginal)| {
        let mut below = 0.0;
        let cumulated: Vec<f64> = marginal
            .level_shares()
            .iter()
            .map(|share| {
                below += share;
                below
            })
            .collect();
        let streams = key.index(j as u64);
        let mut column = DecodedColumn::default();
        for row in 0..rows {
            let mut stream = streams.row(row);
            let (level, rank) = (uniform(&mut stream), uniform(&mut stream));
            let level = cumulated.partition_point(|share| *share <= level);
            column.levels.push(level.min(cumulated.len() - 1) as u32);
            column.ranks.push(rank);
        }
        column
    };
    let columns: Vec<DecodedColumn> = encoder.marginals().iter().enumerate().map(column).collect();
    Ok(encoder.decode(&columns)?)
}

/// How many one-hot context features a marginal gives: its most frequent cells one each, missing cells one, and all other
/// cells one between them. Very many days have none: their cells are in the calendar's order, not by frequency, and
/// their dense features tell them apart.
fn context_levels(marginal: &ef_tabular::ColumnMarginal) -> usize {
    match marginal.levels() {
        1 => 0,
        levels if levels <= MOST_CONTEXT_LEVELS => levels,
        _ if matches!(marginal, ColumnMarginal::Date(_)) => 0,
        _ => MOST_CONTEXT_LEVELS + 2,
    }
}

/// The one-hot feature of a level.
fn context_feature(marginal: &ColumnMarginal, level: u32) -> Option<usize> {
    match context_levels(marginal) {
        0 => None,
        all if all <= MOST_CONTEXT_LEVELS => Some(level as usize),
        _ if marginal.missing_level() == Some(level) => Some(MOST_CONTEXT_LEVELS),
        _ if (level as usize) < MOST_CONTEXT_LEVELS => Some(level as usize),
        _ => Some(MOST_CONTEXT_LEVELS + 1),
    }
}
