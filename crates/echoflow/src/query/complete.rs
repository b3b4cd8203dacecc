//! Rows of which some cells are known: completed, imputed, scored.

use std::collections::HashMap;

use ef_density::Scores;
use ef_density::rows::{Layout, Rows};
use ef_density::{Key, Place};
use ef_tabular::condition::ValueSet;
use ef_tabular::{Table, Value};
use rand::Rng;

use super::limit::{Limit, Problem};
use super::particles::{Engine, Proposing, Weighed, select};
use super::resample::resample;
use crate::error::Error;
use crate::model::EchoFlow;
use crate::proposal::joined;

/// Draws a row at first, and at most: rows whose draws are worth too little get eight times as many, and again.
const FIRST_DRAWS: usize = 64;
const MOST_DRAWS: usize = 4096;
/// What a row's draws should be worth at least.
const ENOUGH: f64 = 16.0;
/// Draws held at a time.
const BATCH: usize = 65_536;

/// A table with its missing cells drawn.
#[derive(Debug, Clone)]
pub struct Completed {
    /// One table a draw: each has all rows, in order, with the cells that were known as they were given.
    pub tables: Vec<Table>,
    /// Cells drawn in each.
    pub cells: usize,
    /// Rows with drawn cells.
    pub rows: usize,
    /// Rows whose draws were worth fewer than 16 independent ones even after 4096.
    pub poor: Vec<usize>,
}

/// Weighted draws for many rows, and what becomes of them.
type Visit<'a> = dyn FnMut(&[usize], &super::particles::Particles, &[Weighed], Key) -> Result<(), Error> + 'a;

impl EchoFlow {
    /// Draws the missing cells of a table from `p(missing | known)`, `draws` times over. A column that the table lacks is
    /// drawn whole; a cell may come out missing where cells were missing at fit. Context columns have to be known.
    ///
    /// Draws are weighted by the model's exact density and resampled (sampling importance resampling, Rubin 1987): an
    /// approximation that is the better the more a row's draws are worth.
    ///
    /// # Errors
    /// Cells of the wrong kind; a context column that is missing; a model that cannot be asked for this.
    pub fn complete<R: Rng + ?Sized>(
        &self,
        table: &Table,
        draws: usize,
        rng: &mut R,
    ) -> Result<Completed, Error> {
        self.fill(table, draws, true, rng)
    }

    /// As [`complete`](Self::complete), but no cell comes out missing: for tables whose missing cells hold values that are
    /// not known.
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    pub fn impute<R: Rng + ?Sized>(
        &self,
        table: &Table,
        draws: usize,
        rng: &mut R,
    ) -> Result<Completed, Error> {
        self.fill(table, draws, false, rng)
    }

    fn fill<R: Rng + ?Sized>(
        &self,
        table: &Table,
        draws: usize,
        missing: bool,
        rng: &mut R,
    ) -> Result<Completed, Error> {
        let key = Key::new(rng.next_u64()).purpose("complete");
        let given = Given::new(self, table, missing)?;
        let rows = table.num_rows();
        let engine = Engine::new(self);
        let mut heads: Vec<Option<(Rows, Vec<usize>)>> = vec![None; rows];
        let mut poor = vec![false; rows];
        given.weigh(self, draws, key, &mut |index, particles, weighed, key| {
            for (i, (&row, weighed)) in index.iter().zip(weighed).enumerate() {
                let own = i * particles.each..(i + 1) * particles.each;
                let mut chosen = resample(&particles.log_weights[own.clone()], draws, key.index(row as u64));
                if chosen.is_empty() {
                    // what is known is impossible under the model: any draw is as good
                    chosen = (0..draws).map(|d| d % particles.each).collect();
                }
                // a row that is asked again with more draws may do better
                poor[row] = weighed.effective < ENOUGH.min(particles.each as f64) && given.draws_in_head(row);
                let members = chosen.iter().map(|at| at % engine.members()).collect();
                let at: Vec<usize> = chosen.iter().map(|at| own.start + at).collect();
                heads[row] = Some((select(&particles.rows, &at), members));
            }
            Ok(())
        })?;
        let mut tables = Vec::with_capacity(draws);
        for draw in 0..draws {
            let key = key.purpose("draw").index(draw as u64);
            let head = heads
                .iter()
                .flatten()
                .map(|(rows, _)| select(rows, &[draw]))
                .collect();
            let members: Vec<usize> = heads.iter().flatten().map(|(_, members)| members[draw]).collect();
            let problems: Vec<&Problem> = given.problems.iter().collect();
            let mut drawn = engine.finish(joined(head), &problems, &members, key);
            given.stand_in_for_unseen(&self.layout, &mut drawn);
            let position = |row: usize, column: usize, u: f64| problems[row].limits[column].position(u);
            let columns = &self.columns;
            let modelled = columns.decoded(&[drawn], &self.layout, self.tails(), key, &position)?;
            let context = columns.context.as_ref().map(|_| table);
            let whole = columns.completed(table.completed_by(&modelled)?, context, key)?;
            tables.push(table.completed_by(&whole)?);
        }
        Ok(Completed {
            tables,
            cells: given.missing_cells,
            rows: given.open_rows,
            poor: (0..rows).filter(|&row| poor[row]).collect(),
        })
    }

    /// The log-density of each row's known cells, the missing ones integrated out; nats, in the table's own units. Exact
    /// where no missing column comes before a known one in the model's order; else an estimate with its standard error.
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    pub fn log_prob_observed(&self, table: &Table) -> Result<Scores, Error> {
        let key = Key::new(self.training.seed).purpose("observed");
        let given = Given::new(self, table, true)?;
        let mut scores = Scores {
            log_prob: vec![0.0; table.num_rows()],
            standard_error: vec![0.0; table.num_rows()],
        };
        given.weigh(self, 256, key, &mut |index, _, weighed, _| {
            for (&row, weighed) in index.iter().zip(weighed) {
                scores.log_prob[row] = weighed.log_mean;
                scores.standard_error[row] = weighed.relative_error;
            }
            Ok(())
        })?;
        for (score, derived) in scores.log_prob.iter_mut().zip(&given.derived) {
            *score += derived;
        }
        Ok(scores)
    }
}

/// The rows of a table as problems.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) problems: Vec<Problem>,
    /// What known derived cells whose sources are known add to each row's log-density.
    derived: Vec<f64>,
    missing_cells: usize,
    open_rows: usize,
}

impl Given {
    /// Missing cells are drawn; with `missing`, they may be drawn as missing.
    pub(super) fn new(model: &EchoFlow, table: &Table, missing: bool) -> Result<Self, Error> {
        let schema = model.full_schema();
        let rows = table.num_rows();
        let context_names = model.columns.context_names();
        let held: Vec<usize> = (0..schema.columns.len())
            .filter(|&at| table.column_index(&schema.columns[at].name).is_ok())
            .collect();
        let conformed = schema.subset(&held).conform(table)?;
        let context = match &model.columns.context {
            None => ndarray::Array2::zeros((rows, 0)),
            Some(encoder) => {
                let given = encoder.schema().conform(table)?;
                for (at, name) in context_names.iter().enumerate() {
                    if let Some(row) = (0..rows).find(|&row| given.value(row, at) == Value::Missing)
                        && encoder.marginals()[at].missing_level().is_none()
                    {
                        return Err(Error::MissingContext {
                            location: table.location(row).to_string(),
                            column: (*name).to_owned(),
                        });
                    }
                }
                model.columns.context_features(table)?
            }
        };
        let cell = |row: usize, name: &str| match conformed.column_index(name) {
            Ok(at) => conformed.value(row, at),
            Err(_) => Value::Missing,
        };
        let derived: Vec<_> = model.derived_columns().collect();
        let own = &model.schema().columns;
        let known_only: Vec<Limit> = own
            .iter()
            .zip(model.marginals())
            .map(|(column, marginal)| match (missing, Limit::open(marginal)) {
                (_, Limit::Certain) => Limit::Certain,
                (true, open) => open,
                (false, _) => Limit::within(marginal, &ValueSet::known(column.kind), model.tails()),
            })
            .collect();
        let solved = solved(model, &conformed)?;
        let (mut problems, mut missing_cells, mut open_rows) = (Vec::with_capacity(rows), 0, 0);
        for row in 0..rows {
            let mut limits: Vec<Limit> = Vec::with_capacity(own.len());
            let mut leading = Vec::new();
            let mut open = 0;
            for (j, (column, marginal)) in own.iter().zip(model.marginals()).enumerate() {
                let value = cell(row, &column.name);
                if value != Value::Missing {
                    limits.push(Limit::Value(marginal.place(value)));
                    continue;
                }
                open += 1;
                let mut limit = known_only[j].clone();
                // a derived cell that is known says something about its source
                for (dependency, told_by, _) in &derived {
                    let told = cell(row, dependency.derived());
                    if dependency.sources() == [column.name.as_str()] && told != Value::Missing {
                        let set = ValueSet::only(told_by.kind, told);
                        if let Some(set) = dependency.preimage(&set, marginal) {
                            limit = match set.single() {
                                Some(single) => Limit::Value(marginal.place(single)),
                                None => Limit::within(marginal, &set, model.tails()),
                            };
                            leading.push(j);
                        }
                    }
                }
                if let Some(place) = solved.get(&(row, j)) {
                    limit = Limit::Value(*place);
                }
                limits.push(limit);
            }
            open += derived
                .iter()
                .filter(|(dependency, ..)| cell(row, dependency.derived()) == Value::Missing)
                .count();
            (missing_cells, open_rows) = (missing_cells + open, open_rows + usize::from(open > 0));
            problems.push(Problem::new(limits, leading, context.row(row).to_vec()));
        }
        let derived = match model
            .columns
            .names
            .iter()
            .all(|name| conformed.column_index(name).is_ok())
        {
            true => known_derived(model, &conformed, rows)?,
            false => vec![0.0; rows],
        };
        Ok(Self {
            problems,
            derived,
            missing_cells,
            open_rows,
        })
    }

    /// The same rows with other problems.
    pub(super) fn with_problems(self, problems: Vec<Problem>) -> Self {
        Self { problems, ..self }
    }

    /// The same, with weights up to a column at least.
    pub(super) fn up_to(mut self, column: usize) -> Self {
        for problem in &mut self.problems {
            problem.head = problem.head.max(column + 1);
        }
        self
    }

    /// Puts any cell in the place of known values that no level of a marginal stands for, so that rows can be decoded;
    /// the table keeps the values.
    fn stand_in_for_unseen(&self, layout: &Layout, rows: &mut Rows) {
        let any = Place {
            level: Some(0),
            low: 0.5,
            high: 0.5,
            log_measure: 0.0,
        };
        for (row, problem) in self.problems.iter().enumerate() {
            for (j, limit) in problem.limits.iter().enumerate() {
                if matches!(limit, Limit::Value(Place { level: None, .. })) {
                    layout.set_place(rows, row, j, &any);
                }
            }
        }
    }

    fn draws_in_head(&self, row: usize) -> bool {
        self.problems[row].draws_in_head()
    }

    /// Weighted draws for every row, as many as it needs, in pieces that `visit` gets: positions of rows, their draws and
    /// what these say.
    pub(super) fn weigh(
        &self,
        model: &EchoFlow,
        least: usize,
        key: Key,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let engine = Engine::new(model);
        if !engine.knows_values() && self.problems.iter().any(Problem::has_values) {
            return Err(Error::CannotAnswer {
                model: model.architecture.model().to_string(),
                what: "complete rows of which some cells are known",
            });
        }
        let trivial = |problem: &Problem| engine.is_exact() && !problem.draws_in_head();
        let (simple, mut hard): (Vec<usize>, Vec<usize>) =
            (0..self.problems.len()).partition(|&row| trivial(&self.problems[row]));
        let both = match engine.has_both() {
            true => Proposing::Both,
            false => Proposing::Own,
        };
        let each = least.min(engine.members()).max(1);
        self.pieces(
            &engine,
            &simple,
            engine.members().max(each),
            Proposing::Own,
            key,
            &mut |index, particles, weighed| visit(index, particles, weighed, key),
        )?;
        let mut each = FIRST_DRAWS.max(least.next_power_of_two());
        while !hard.is_empty() {
            let last = each >= MOST_DRAWS;
            let key = key.purpose("round").index(each as u64);
            let mut again = Vec::new();
            self.pieces(
                &engine,
                &hard,
                each,
                both,
                key,
                &mut |index, particles, weighed| {
                    let poor = |weighed: &Weighed| !last && weighed.effective < ENOUGH;
                    let rows = index.iter().zip(weighed).filter(|(_, weighed)| poor(weighed));
                    again.extend(rows.map(|(row, _)| *row));
                    visit(index, particles, weighed, key)
                },
            )?;
            hard = again;
            each *= 8;
        }
        Ok(())
    }

    fn pieces(
        &self,
        engine: &Engine<'_>,
        rows: &[usize],
        each: usize,
        proposing: Proposing,
        key: Key,
        visit: &mut dyn FnMut(&[usize], &super::particles::Particles, &[Weighed]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (piece, index) in rows.chunks((BATCH / each).max(1)).enumerate() {
            let problems: Vec<&Problem> = index.iter().map(|&row| &self.problems[row]).collect();
            let first = (piece * (BATCH / each).max(1) * each) as u64;
            let particles = engine.draw(&problems, each, proposing, first, key);
            let weighed: Vec<Weighed> = particles.log_weights.chunks(each).map(Weighed::of).collect();
            visit(index, &particles, &weighed)?;
        }
        Ok(())
    }
}

/// Cells that a known sum and all its other terms visit, by row and modelled column. A sum is linear in each term, so two
/// of its values say which term gives the third.
fn solved(model: &EchoFlow, conformed: &Table) -> Result<HashMap<(usize, usize), Place>, Error> {
    let mut all = HashMap::new();
    let schema = model.full_schema();
    for (dependency, ..) in model.derived_columns() {
        let sources = dependency.sources();
        let lacks = |name: &str| conformed.column_index(name).is_err();
        if sources.len() < 2 || lacks(dependency.derived()) || sources.iter().any(|name| lacks(name)) {
            continue;
        }
        let derived = conformed.column_index(dependency.derived())?;
        for source in &sources {
            let (Some(j), Some(column)) = (model.schema().index(source), schema.column(source)) else {
                continue;
            };
            let with = |values: &[Value<'_>]| -> Result<Vec<Option<f64>>, Error> {
                let table = conformed.with_replaced(column, values)?;
                let sums = dependency.derive(&table)?.into_iter().map(|value| match value {
                    Some(Value::Number(x)) => Some(x),
                    _ => None,
                });
                Ok(sums.collect())
            };
            let rows = conformed.num_rows();
            let at = conformed.column_index(source)?;
            let zero = with(&vec![Value::Number(0.0); rows])?;
            let one = with(&vec![Value::Number(1.0); rows])?;
            for row in 0..rows {
                let (Value::Missing, Value::Number(sum), Some(zero), Some(one)) = (
                    conformed.value(row, at),
                    conformed.value(row, derived),
                    zero[row],
                    one[row],
                ) else {
                    continue;
                };
                let place = model.marginals()[j].place(Value::Number((sum - zero) / (one - zero)));
                if place.level.is_some() {
                    all.insert((row, j), place);
                }
            }
        }
    }
    Ok(all)
}

/// What derived columns add to the log-density of rows in which they and all their sources are known.
fn known_derived(model: &EchoFlow, conformed: &Table, rows: usize) -> Result<Vec<f64>, Error> {
    let all = model.columns.derived_log_prob(conformed)?;
    if all.is_empty() {
        return Ok(vec![0.0; rows]);
    }
    let involved: Vec<usize> = model
        .derived_columns()
        .flat_map(|(dependency, ..)| {
            let mut names = dependency.sources();
            names.push(dependency.derived());
            names
        })
        .map(|name| conformed.column_index(name))
        .collect::<Result<_, _>>()?;
    let known = |row: usize| {
        involved
            .iter()
            .all(|&at| conformed.value(row, at) != Value::Missing)
    };
    Ok((0..rows)
        .map(|row| if known(row) { all[row] } else { 0.0 })
        .collect())
}
