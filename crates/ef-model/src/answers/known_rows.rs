//! A table of which some cells are known, as evidence of its rows; and weighted draws of the rest, row by row.

use std::collections::BTreeMap;

use ef_density::Place;
use ef_density::infer::{Asked, ColumnEvidence, Evidence, Proposing, STREAM_BITS, Sampler, WeightSummary};
use ef_density::rows::{Layout, Rows};
use ef_tabular::condition::ValueSet;
use ef_tabular::{Table, Value};
use ndarray::Array2;

use super::engine::{Particles, draw, sampler};
use super::evidence::within;
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::row_key::RowKey;

/// Draws of a row at first, and the number from which a row gets no more: rows whose draws are worth too little get eight
/// times as many, and again. By hand: 64 draws are one eighth of a chunk of work, and three rounds are enough to tell a row
/// that is hard from one that is hopeless.
const FIRST_DRAWS: usize = 64;
const MOST_DRAWS: usize = 4096;
/// What a row's draws should be worth at least: by hand, so that the row that is chosen from them is one of several.
pub(super) const ENOUGH: f64 = 16.0;
/// Draws held at a time, of all rows: it bounds memory and is no part of the result.
const BATCH: usize = 65_536;

/// Gets weighted draws: positions of rows, the draws of each, their summaries, and the round's family of streams.
pub(super) type Visit<'a> =
    dyn FnMut(&[usize], &Particles, &[WeightSummary], RowKey) -> Result<(), ModelError> + 'a;

/// The rows of a table as evidence.
#[derive(Debug)]
pub(super) struct KnownRows {
    /// Of each row; or of each branch of each row, see [`in_branches`](Self::in_branches).
    pub(super) evidence: Vec<Evidence>,
    /// How many there are of each row.
    branches: usize,
    /// What known derived cells whose sources are known add to each row's log-density.
    pub(super) derived_log_prob: Vec<f64>,
    pub(super) missing_cells: usize,
    /// Rows with missing cells.
    pub(super) open_rows: usize,
}

/// The table in the kinds of the model's schema, with the columns of it that it has.
struct Conformed<'a> {
    model: &'a EchoFlow,
    table: Table,
    /// Position of each modelled and each derived column.
    modelled: Vec<Option<usize>>,
    derived: Vec<Option<usize>>,
}

impl<'a> Conformed<'a> {
    fn new(model: &'a EchoFlow, table: &Table) -> Result<Self, ModelError> {
        let schema = model.full_schema();
        let held: Vec<usize> = (0..schema.columns.len())
            .filter(|&at| table.column_index(&schema.columns[at].name).is_ok())
            .collect();
        let table = schema.subset(&held).conform(table)?;
        let at = |name: &str| table.column_index(name).ok();
        let modelled = model
            .schema()
            .columns
            .iter()
            .map(|column| at(&column.name))
            .collect();
        let derived = model
            .derived_columns()
            .map(|column| at(column.dependency.derived()))
            .collect();
        Ok(Self {
            model,
            table,
            modelled,
            derived,
        })
    }

    fn cell(&self, row: usize, at: Option<usize>) -> Value<'_> {
        at.map_or(Value::Missing, |at| self.table.value(row, at))
    }

    fn named(&self, row: usize, name: &str) -> Value<'_> {
        self.cell(row, self.table.column_index(name).ok())
    }

    /// What derived cells of a row tell of a modelled column that is missing there; `None` if nothing.
    fn implied_by_derived(&self, row: usize, column: usize, tails: bool) -> Option<ColumnEvidence> {
        let (schema, marginal) = (
            &self.model.schema().columns[column],
            &self.model.marginals()[column],
        );
        let mut found = None;
        for (derived, &at) in self.model.derived_columns().zip(&self.derived) {
            let rule = derived.dependency;
            let value = self.cell(row, at);
            let sources = rule.sources();
            if value == Value::Missing || !sources.contains(&schema.name.as_str()) {
                continue;
            }
            if sources.len() > 1 {
                let solution = rule.solve(&schema.name, value, |name| self.named(row, name));
                let place = solution.map(|value| marginal.place(value));
                // the exact value says more than any set
                if let Some(place) = place.filter(|place| place.level.is_some()) {
                    return Some(ColumnEvidence::Value(place));
                }
            } else if let Some(set) = rule.preimage(&ValueSet::only(derived.schema.kind, value), marginal) {
                found = Some(match set.single() {
                    Some(single) => ColumnEvidence::Value(marginal.place(single)),
                    None => within(marginal, &set, tails),
                });
            }
        }
        found
    }

    /// How many modelled and derived cells of a row are missing.
    fn missing(&self, row: usize) -> usize {
        let cells = self.modelled.iter().chain(&self.derived);
        cells.filter(|at| self.cell(row, **at) == Value::Missing).count()
    }

    /// What derived columns add to the log-density of rows in which they and all their sources are known.
    fn derived_log_prob(&self) -> Result<Vec<f64>, ModelError> {
        let rows = self.table.num_rows();
        let names = &self.model.columns.names;
        let whole = names.iter().all(|name| self.table.column_index(name).is_ok());
        let all = if whole {
            self.model.columns.derived_log_prob(&self.table)?
        } else {
            Vec::new()
        };
        if all.is_empty() {
            return Ok(vec![0.0; rows]);
        }
        let involved: Vec<usize> = self
            .model
            .derived_columns()
            .map(|column| column.dependency)
            .flat_map(|rule| rule.sources().into_iter().chain([rule.derived()]))
            .map(|name| self.table.column_index(name))
            .collect::<Result<_, _>>()?;
        let known = |row: usize| {
            let mut cells = involved.iter().map(|&at| self.table.value(row, at));
            cells.all(|value| value != Value::Missing)
        };
        Ok((0..rows)
            .map(|row| if known(row) { all[row] } else { 0.0 })
            .collect())
    }
}

/// The context features of the rows of a table.
fn contexts(model: &EchoFlow, table: &Table) -> Result<Array2<f32>, ModelError> {
    let Some(encoder) = &model.columns.context else {
        return Ok(Array2::zeros((table.num_rows(), 0)));
    };
    let given = encoder.schema().conform(table)?;
    for (at, (column, marginal)) in encoder
        .schema()
        .columns
        .iter()
        .zip(encoder.marginals())
        .enumerate()
    {
        if marginal.missing_level().is_some() {
            continue;
        }
        if let Some(row) = (0..table.num_rows()).find(|&row| given.value(row, at) == Value::Missing) {
            return Err(ModelError::MissingContext {
                location: table.location(row).to_string(),
                column: column.name.clone(),
            });
        }
    }
    model.columns.context_features(table)
}

/// What is known of each modelled column where its cell is missing and nothing else tells of it: nothing, or with
/// `missing` false that it has a value.
fn of_missing_cells(model: &EchoFlow, missing: bool, tails: bool) -> Vec<ColumnEvidence> {
    let columns = model.schema().columns.iter().zip(model.marginals());
    columns
        .map(|(column, marginal)| match ColumnEvidence::open(marginal) {
            ColumnEvidence::Certain => ColumnEvidence::Certain,
            open if missing => open,
            _ => within(marginal, &ValueSet::known(column.kind), tails),
        })
        .collect()
}

impl KnownRows {
    /// Missing cells are drawn; with `missing`, they may be drawn as missing.
    pub(super) fn new(
        model: &EchoFlow,
        table: &Table,
        missing: bool,
        tails: bool,
    ) -> Result<Self, ModelError> {
        let conformed = Conformed::new(model, table)?;
        let contexts = contexts(model, table)?;
        let of_missing = of_missing_cells(model, missing, tails);
        let rows = table.num_rows();
        let (mut evidence, mut missing_cells, mut open_rows) = (Vec::with_capacity(rows), 0, 0);
        for row in 0..rows {
            let mut columns = Vec::with_capacity(of_missing.len());
            let mut leading = Vec::new();
            for (j, marginal) in model.marginals().iter().enumerate() {
                let value = conformed.cell(row, conformed.modelled[j]);
                columns.push(if value == Value::Missing {
                    match conformed.implied_by_derived(row, j, tails) {
                        Some(known) => {
                            if matches!(known, ColumnEvidence::Within(_)) {
                                leading.push(j);
                            }
                            known
                        }
                        None => of_missing[j].clone(),
                    }
                } else {
                    ColumnEvidence::Value(marginal.place(value))
                });
            }
            let open = conformed.missing(row);
            missing_cells += open;
            open_rows += usize::from(open > 0);
            evidence.push(Evidence::new(columns, leading, contexts.row(row).to_vec()));
        }
        Ok(Self {
            evidence,
            branches: 1,
            derived_log_prob: conformed.derived_log_prob()?,
            missing_cells,
            open_rows,
        })
    }

    /// The same rows, each in `branches` branches with evidence of their own: those of a row lie together.
    pub(super) fn in_branches(self, branches: usize, evidence: Vec<Evidence>) -> Self {
        Self {
            evidence,
            branches,
            ..self
        }
    }

    /// The same, with weights up to a column at least.
    pub(super) fn up_to(mut self, column: usize) -> Self {
        for evidence in &mut self.evidence {
            evidence.head = evidence.head.max(column + 1);
        }
        self
    }

    /// Puts any cell in the place of known values that no cell of a marginal stands for, so that rows can be decoded; the table
    /// keeps the values.
    pub(super) fn stand_in_for_unseen(&self, layout: &Layout, rows: &mut Rows) {
        let any = Place {
            level: Some(0),
            low: 0.5,
            high: 0.5,
            log_measure: 0.0,
        };
        for (row, evidence) in self.evidence.iter().enumerate() {
            for (j, known) in evidence.columns.iter().enumerate() {
                if matches!(known, ColumnEvidence::Value(Place { level: None, .. })) {
                    layout.set_place(rows, row, j, &any);
                }
            }
        }
    }

    /// Weighted draws for all evidence, as many as each needs, in pieces that `visit` gets. What one gets depends on its
    /// row's number and itself alone: not on the rows beside it, nor on how they are cut into pieces.
    pub(super) fn weigh(
        &self,
        model: &EchoFlow,
        least: usize,
        key: RowKey,
        visit: &mut Visit<'_>,
    ) -> Result<(), ModelError> {
        let sampler = sampler(model);
        if !sampler.knows_values() && self.evidence.iter().any(Evidence::has_values) {
            return Err(ModelError::CannotAnswer {
                model: model.architecture.model().to_string(),
                what: "complete rows of which some cells are known",
            });
        }
        let (simple, mut hard): (Vec<usize>, Vec<usize>) =
            (0..self.evidence.len()).partition(|&at| sampler.needs_no_weights(&self.evidence[at]));
        let each = if sampler.is_ancestral() {
            sampler.members()
        } else {
            least.max(1)
        };
        self.pieces(&sampler, &simple, each, Proposing::Own, key, visit)?;
        let proposing = if sampler.has_both() {
            Proposing::Both
        } else {
            Proposing::Own
        };
        let mut each = FIRST_DRAWS.max(least.next_power_of_two());
        while !hard.is_empty() {
            let last = each >= MOST_DRAWS;
            let key = key.purpose("round").index(each as u64);
            let mut again = Vec::new();
            self.pieces(
                &sampler,
                &hard,
                each,
                proposing,
                key,
                &mut |index, particles, summaries, key| {
                    let more = |summary: &WeightSummary| !last && summary.ess < ENOUGH;
                    let rows = index.iter().zip(summaries).filter(|(_, summary)| more(summary));
                    again.extend(rows.map(|(row, _)| *row));
                    visit(index, particles, summaries, key)
                },
            )?;
            again.sort_unstable();
            hard = again;
            each *= 8;
        }
        Ok(())
    }

    fn pieces(
        &self,
        sampler: &Sampler<'_, f32>,
        index: &[usize],
        each: usize,
        proposing: Proposing,
        key: RowKey,
        visit: &mut Visit<'_>,
    ) -> Result<(), ModelError> {
        // evidence that is drawn together has to share the order in which the order-agnostic network draws
        let mut by_leading: BTreeMap<&[usize], Vec<usize>> = BTreeMap::new();
        for &at in index {
            by_leading.entry(&self.evidence[at].leading).or_default().push(at);
        }
        for index in by_leading.values() {
            for index in index.chunks((BATCH / each).max(1)) {
                let evidence: Vec<&Evidence> = index.iter().map(|&at| &self.evidence[at]).collect();
                let streams: Vec<u64> = index.iter().map(|&at| self.first_stream(at, key)).collect();
                let particles = draw(
                    sampler,
                    Asked {
                        evidence: &evidence,
                        streams: &streams,
                        each,
                        proposing,
                        key: key.key,
                    },
                );
                let summaries: Vec<WeightSummary> = particles
                    .log_weights
                    .chunks(each)
                    .map(WeightSummary::of)
                    .collect();
                visit(index, &particles, &summaries, key)?;
            }
        }
        Ok(())
    }

    /// The stream of the first draw of some evidence: a row has a block of streams, which its branches share out.
    fn first_stream(&self, at: usize, key: RowKey) -> u64 {
        let (row, branch) = (at / self.branches, at % self.branches);
        let block = (1_u64 << STREAM_BITS) / self.branches.next_power_of_two() as u64;
        (key.number(row) << STREAM_BITS) + branch as u64 * block
    }
}

#[cfg(test)]
mod tests {
    use ef_density::Key;

    use super::*;

    /// No two draws of a request share a stream.
    #[test]
    fn rows_and_branches_have_streams_of_their_own() {
        for (branches, most) in [(1, 1 << STREAM_BITS), (3, 1 << 18), (64, 1 << 14)] {
            let rows = KnownRows {
                evidence: Vec::new(),
                branches,
                derived_log_prob: Vec::new(),
                missing_cells: 0,
                open_rows: 0,
            };
            let key = RowKey::new(Key::new(1), 1_000_000_007);
            let firsts: Vec<u64> = (0..5 * branches).map(|at| rows.first_stream(at, key)).collect();
            assert!(
                firsts.windows(2).all(|pair| pair[1] >= pair[0] + most),
                "{branches}"
            );
            // a part of the whole
            let later = RowKey::new(Key::new(1), key.number(2));
            assert_eq!(rows.first_stream(0, later), firsts[2 * branches]);
        }
    }
}
