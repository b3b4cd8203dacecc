//! Columns as a density reads them: the laws of `ef-tabular` as `ef-density` knows laws, tables as rows.

use ef_density::rows::{Layout, Rows};
use ef_density::{ColumnLaw, Place, uniform};
use ef_tabular::{
    DecodedColumn, Dependencies, EncodedColumn, EncoderOptions, Kind, NumberLaw, Schema, Table, TableEncoder,
    Value,
};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::derived::Derived;
use crate::error::Error;
use crate::row_key::RowKey;

/// A category's cells are context features one by one up to this many, the most frequent first.
const MOST_CONTEXT_CELLS: usize = 256;

/// Intervals of ranks that a network reads as one, at most, in a column on a rounding grid.
const MOST_INPUT_CELLS: usize = 1024;

/// The columns of a model: those it models and those it is conditioned on, each with its laws, and their order.
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

/// An `ef-tabular` law as `ef-density` knows laws.
#[derive(Debug)]
pub(crate) struct Law<'a>(pub(crate) &'a ef_tabular::ColumnLaw);

impl Law<'_> {
    /// Where a value stands, whatever lives as long as it does.
    pub(crate) fn place_of(&self, value: Value<'_>) -> Place {
        let place = self.0.place(value);
        Place {
            cell: place.cell,
            low: place.lo,
            high: place.hi,
            log_measure: place.log_measure,
        }
    }

    /// The law of numbers, or of the day numbers of dates.
    fn numbers(&self) -> Option<&NumberLaw> {
        match self.0 {
            ef_tabular::ColumnLaw::Number(law) => Some(law),
            ef_tabular::ColumnLaw::Date(law) => Some(law.days()),
            _ => None,
        }
    }
}

impl<'a> ColumnLaw for Law<'a> {
    type Value = Value<'a>;

    fn cells(&self) -> usize {
        self.0.cells()
    }

    fn is_continuous(&self) -> bool {
        self.0.is_continuous()
    }

    fn cell_shares(&self) -> Vec<f64> {
        self.0.cell_shares()
    }

    fn cell_features(&self, cell: u32) -> Vec<f64> {
        self.0.cell_features(cell).into_iter().map(f64::from).collect()
    }

    fn rank_edges(&self) -> Vec<f64> {
        let cells = match self.numbers() {
            Some(law) if law.decimals().is_some() => self.0.rank_cells(MOST_INPUT_CELLS),
            _ => None,
        };
        cells.map_or_else(Vec::new, |cells| cells.ranks)
    }

    fn cell_rank(&self, cell: u32) -> Option<f64> {
        self.numbers()?.cell_rank(cell)
    }

    fn place(&self, value: &Value<'a>) -> Place {
        self.place_of(*value)
    }

    fn draw_in_cell(&self, cell: u32, rank: f64) -> Value<'a> {
        self.0.draw(cell, rank)
    }

    fn mass(&self, low: f64, high: f64) -> f64 {
        self.0.mass(low, high)
    }
}

impl Columns {
    /// Fits the laws of `table`, with `context` as the context columns; columns that are a function of others are derived
    /// if `derive` says so. Returns notes for the user too.
    pub(crate) fn fit(
        table: &Table,
        context: &[String],
        derive: bool,
        options: &EncoderOptions,
    ) -> Result<(Self, Vec<String>), Error> {
        for (i, name) in context.iter().enumerate() {
            table.column_index(name)?;
            if context[..i].contains(name) {
                return Err(Error::ContextTwice(name.clone()));
            }
        }
        let names: Vec<String> = table.column_names().into_iter().map(str::to_owned).collect();
        let (given, modelled): (Vec<&str>, Vec<&str>) = names
            .iter()
            .map(String::as_str)
            .partition(|name| context.iter().any(|c| c == name));
        if modelled.is_empty() {
            return Err(Error::NothingToModel);
        }
        let options_of = |columns: &[&str]| {
            let mut own = options.clone();
            own.transformers
                .retain(|name, _| columns.contains(&name.as_str()));
            own
        };
        let fit = |columns: &[&str]| -> Result<TableEncoder, Error> {
            Ok(TableEncoder::fit(&table.select(columns)?, &options_of(columns))?)
        };
        let unknown = options.transformers.keys().find(|name| !names.contains(name));
        if let Some(name) = unknown {
            table.column_index(name)?;
        }
        let mut dependencies = match derive {
            true => Dependencies::find(table, &given),
            false => Dependencies::default(),
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
        let derived = match derived.is_empty() {
            true => None,
            false => Some(Derived::fit(table, dependencies, &options_of(&derived))?),
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

    /// Whether names, schemas and laws fit together; those of a damaged file may not.
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
        encoders().all(|e| e.schema().columns.len() == e.laws().len())
            && derivable
            && held.len() == self.names.len()
            && self.names.iter().all(|name| held.contains(&name.as_str()))
    }

    /// All columns, in the table's order: what a table to score looks like.
    pub(crate) fn schema(&self) -> Schema {
        let encoders = [Some(&self.modelled), self.context.as_ref()];
        let held = encoders.into_iter().flatten().flat_map(|e| &e.schema().columns);
        let derived = self.derived.iter().flat_map(Derived::columns);
        let held: Vec<_> = held.chain(derived.map(|(_, schema, _)| schema)).collect();
        let find = |name: &String| held.iter().find(|c| c.name == *name).map(|c| (*c).clone());
        Schema {
            columns: self.names.iter().filter_map(find).collect(),
        }
    }

    fn derived_names(&self) -> impl Iterator<Item = &str> {
        let derived = self.derived.iter().flat_map(Derived::columns);
        derived.map(|(dependency, _, _)| dependency.derived())
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
            .flat_map(TableEncoder::laws)
            .map(|l| l.num_features() + context_cells(l))
            .sum()
    }

    /// How the laws lie in a density.
    pub(crate) fn layout(&self) -> Layout {
        let laws: Vec<Law<'_>> = self.modelled.laws().iter().map(Law).collect();
        Layout::new(&laws, self.context_dim())
    }

    /// The rows of a table with all columns.
    pub(crate) fn rows(&self, table: &Table, layout: &Layout) -> Result<Rows, Error> {
        let encoded = self.modelled.encode(table)?;
        let places: Vec<Vec<Place>> = encoded.columns.iter().map(places).collect();
        let mut rows = layout.rows(places.iter().map(Vec::as_slice), self.context_features(table)?);
        for (measure, derived) in rows.log_measure.iter_mut().zip(self.derived_log_prob(table)?) {
            *measure += derived;
        }
        Ok(rows)
    }

    /// What the derived columns add to the log-density of each row of a table with all columns, nats. Empty if no column
    /// is derived.
    pub(crate) fn derived_log_prob(&self, table: &Table) -> Result<Vec<f64>, Error> {
        match &self.derived {
            Some(derived) => derived.log_prob(&self.schema().conform(table)?),
            None => Ok(Vec::new()),
        }
    }

    /// `(rows, context_dim)`: numbers by their features, categories and atoms by their cells.
    pub(crate) fn context_features(&self, table: &Table) -> Result<Array2<f32>, Error> {
        let mut features = Array2::zeros((table.num_rows(), self.context_dim()));
        let Some(context) = &self.context else {
            return Ok(features);
        };
        let encoded = context.encode(table)?;
        let mut at = 0;
        for (column, (law, encoded)) in context.laws().iter().zip(&encoded.columns).enumerate() {
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
            at += dense.width;
            for (mut to, cell) in features.rows_mut().into_iter().zip(&encoded.cells) {
                if let Some(feature) = cell.and_then(|cell| context_feature(law, cell)) {
                    to[at + feature] = 1.0;
                }
            }
            at += context_cells(law);
        }
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
    ) -> Result<Table, Error> {
        let drawn = self.decoded(rows, layout, tails, key, &|_, _, u| u)?;
        self.completed(drawn, given, key)
    }

    /// The modelled columns that drawn rows stand for. Where a cell pools many values, which of them a row gets is drawn
    /// from the row's stream of `key`; `position` may narrow it, given row, column and a uniform number.
    /// Without `tails`, numbers stay in the range seen at fit.
    pub(crate) fn decoded(
        &self,
        rows: &[Rows],
        layout: &Layout,
        tails: bool,
        key: RowKey,
        position: &(dyn Fn(usize, usize, f64) -> f64 + Sync),
    ) -> Result<Table, Error> {
        let laws = self.modelled.laws();
        let total: usize = rows.iter().map(|r| r.log_measure.len()).sum();
        let mut columns = vec![DecodedColumn::default(); laws.len()];
        for (j, column) in columns.iter_mut().enumerate() {
            column.cells.reserve(total);
            column.ranks.reserve(total);
            let law = Law(&laws[j]);
            let confined = law.numbers().filter(|_| !tails);
            let positions = key.purpose("position").index(j as u64);
            let mut row = 0;
            for part in rows {
                for r in 0..part.log_measure.len() {
                    let (cell, rank) = layout.cell_and_rank(part, r, j);
                    column.cells.push(cell);
                    column.ranks.push(match &laws[j] {
                        ef_tabular::ColumnLaw::Category(law) if law.rare_cell() == Some(cell) => {
                            position(row, j, uniform(&mut positions.row(row)))
                        }
                        _ => confined.map_or(rank, |law| law.confined(rank)),
                    });
                    row += 1;
                }
            }
        }
        Ok(self.modelled.decode(&columns)?)
    }

    /// All columns in the table's order: the `drawn` ones, those of the context as they are `given`, and those derived
    /// from both.
    pub(crate) fn completed(&self, drawn: Table, given: Option<&Table>, key: RowKey) -> Result<Table, Error> {
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

/// Rows of all columns of an encoder, each column drawn by its own law and apart from the others, from the rows' streams of
/// `key`.
pub(crate) fn drawn_by_marginals(encoder: &TableEncoder, rows: usize, key: RowKey) -> Result<Table, Error> {
    let column = |(j, law): (usize, &ef_tabular::ColumnLaw)| {
        let mut below = 0.0;
        let cumulated: Vec<f64> = law
            .cell_shares()
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
            let (cell, rank) = (uniform(&mut stream), uniform(&mut stream));
            let cell = cumulated.partition_point(|share| *share <= cell);
            column.cells.push(cell.min(cumulated.len() - 1) as u32);
            column.ranks.push(rank);
        }
        column
    };
    let columns: Vec<DecodedColumn> = encoder.laws().iter().enumerate().map(column).collect();
    Ok(encoder.decode(&columns)?)
}

/// How many one-hot context features a law gives: its most frequent cells one each, missing cells one, and all other
/// cells one between them. Very many days have none: their cells are in the calendar's order, not by frequency, and
/// their dense features tell them apart.
fn context_cells(law: &ef_tabular::ColumnLaw) -> usize {
    match law.cells() {
        1 => 0,
        cells if cells <= MOST_CONTEXT_CELLS => cells,
        _ if matches!(law, ef_tabular::ColumnLaw::Date(_)) => 0,
        _ => MOST_CONTEXT_CELLS + 2,
    }
}

/// The one-hot feature of a cell.
fn context_feature(law: &ef_tabular::ColumnLaw, cell: u32) -> Option<usize> {
    match context_cells(law) {
        0 => None,
        all if all <= MOST_CONTEXT_CELLS => Some(cell as usize),
        _ if law.missing_cell() == Some(cell) => Some(MOST_CONTEXT_CELLS),
        _ if (cell as usize) < MOST_CONTEXT_CELLS => Some(cell as usize),
        _ => Some(MOST_CONTEXT_CELLS + 1),
    }
}

fn places(column: &EncodedColumn) -> Vec<Place> {
    (0..column.cells.len())
        .map(|r| Place {
            cell: column.cells[r],
            low: column.lo[r],
            high: column.hi[r],
            log_measure: column.log_measure[r],
        })
        .collect()
}
