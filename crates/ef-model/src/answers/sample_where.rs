//! Rows under a condition.

use ef_density::Key;
use ef_density::infer::{Evidence, Proposing, WeightSummary};
use ef_density::rows::Rows;
use ef_tabular::condition::Condition;
use ef_tabular::{Table, Value};
use serde::Serialize;

use super::engine::{chosen, finish, sampler};
use super::plan::{LEAST_ESS, LEAST_ESS_SHARE, Plan};
use super::query::Query;
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::row_key::RowKey;

/// Most draws for a row: of draws as poor as are accepted, as many as make one independent row.
const MOST_DRAWS_A_ROW: f64 = 1.0 / LEAST_ESS_SHARE;
/// Draws held at a time. It bounds memory, and where more are needed it is part of the result: each batch gives its share
/// of the rows.
const BATCH: usize = 131_072;
/// Draws at least that rows are chosen from in place of those which did not meet the condition as they are written.
const FEWEST_AGAIN: usize = 2048;
/// Rounds in which such rows are drawn again. By hand: a rounding that takes half of the rows out of the condition leaves
/// one in a million after as many.
const MOST_ROUNDS: u64 = 20;

/// Rows drawn under a condition, and how good the draws are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Drawn {
    /// The rows: each meets the condition.
    pub table: Table,
    /// How they were drawn.
    pub diagnostics: Diagnostics,
}

/// How conditional rows were drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnostics {
    /// Rows returned.
    pub rows: usize,
    /// Weighted draws they were chosen from.
    pub draws: usize,
    /// Effective sample size of those draws (Kish 1965): as many independent rows would be worth as much.
    pub ess: f64,
    /// Estimate of the condition's probability; of its density, where a value of a column without a rounding step is given.
    pub probability: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Whether the condition has a density.
    pub density: bool,
    /// What proposed the draws: `own` is the model itself, by likelihood weighting; `order-agnostic` the network for all orders
    /// together with it.
    pub proposal: &'static str,
}

/// Rows that meet a condition, from the model's distribution given the condition: a request. Every row meets it, as it is
/// written. Draws are weighted and resampled, so a row may come more than once, the more so the smaller the effective
/// sample size. All rows are chosen from one pool of draws: a part of them cannot be drawn by itself.
#[derive(Debug, Clone, Copy)]
pub struct SampleWhere<'a> {
    condition: &'a Condition,
    rows: usize,
    tails: bool,
    allow_low_ess: bool,
    refused: Option<&'static str>,
}

/// The same, run on a model.
struct Run<'a> {
    model: &'a EchoFlow,
    request: SampleWhere<'a>,
    query: Query,
    plan: Plan,
    key: Key,
}

/// Draws that were chosen, one a row of the answer, up to the last column that weights depend on.
#[derive(Default)]
struct Chosen {
    heads: Vec<Rows>,
    branches: Vec<usize>,
    members: Vec<usize>,
}

impl<'a> SampleWhere<'a> {
    /// So many rows that meet a condition.
    pub fn new(condition: &'a Condition, rows: usize) -> Self {
        Self {
            condition,
            rows,
            tails: false,
            allow_low_ess: false,
            refused: None,
        }
    }

    /// Whether numbers beyond the range seen at fit are drawn too; see [`Sample::tails`](crate::Sample::tails).
    #[must_use]
    pub fn tails(self, tails: bool) -> Self {
        Self { tails, ..self }
    }

    /// Whether rows are returned even if the effective sample size of their draws is below 5 % of the draws or below 100
    /// (default: no, they are refused with the figure).
    #[must_use]
    pub fn allow_low_ess(self, allowed: bool) -> Self {
        Self {
            allow_low_ess: allowed,
            ..self
        }
    }

    /// What the request was given that rows under a condition cannot have.
    pub(super) fn refused(self, what: Option<&'static str>) -> Self {
        Self {
            refused: what,
            ..self
        }
    }

    /// Draws the rows.
    ///
    /// # Errors
    /// A condition that does not fit the columns, is impossible, or so rare that the effective sample size is too low; a
    /// model with context columns; a request with a first row or with rows that are given.
    pub fn run(&self, model: &EchoFlow, key: Key) -> Result<Drawn, ModelError> {
        if let Some(what) = self.refused {
            return Err(ModelError::NotUnderCondition { what });
        }
        if model.columns.context.is_some() {
            return Err(model.context_needed());
        }
        let key = key.purpose("sample where");
        let query = Query::new(model, self.condition, self.tails)?;
        let plan = Plan::new(model, &query, self.tails, key)?;
        let run = Run {
            model,
            request: *self,
            query,
            plan,
            key,
        };
        run.drawn()
    }
}

impl Run<'_> {
    fn drawn(&self) -> Result<Drawn, ModelError> {
        let (plan, rows) = (&self.plan, self.request.rows);
        if plan.summary.ess == 0.0 || self.is_refused(plan.summary.ess, plan.draws) {
            return Err(plan.refusal(self.model, self.request.condition));
        }
        let wanted = (rows as f64 / plan.ess_share()).min(rows as f64 * MOST_DRAWS_A_ROW);
        let total = (wanted.ceil() as usize).max(plan.draws);
        let batches = total.div_ceil(BATCH).max(1);
        let mut all = Chosen::default();
        let (mut draws, mut ess) = (0, 0.0);
        let (mut mean, mut variance) = (0.0, 0.0);
        for batch in 0..batches {
            let quota = rows * (batch + 1) / batches - rows * batch / batches;
            let key = self.key.purpose("batch").index(batch as u64);
            let pool = plan.pool(
                self.model,
                &self.query,
                total.div_ceil(batches),
                self.request.tails,
                key,
            )?;
            let summary = WeightSummary::of(&pool.log_weights);
            (draws, ess) = (draws + pool.log_weights.len(), ess + summary.ess);
            let own = summary.log_mean.exp() / batches as f64;
            (mean, variance) = (mean + own, variance + (own * summary.relative_error).powi(2));
            let picks = chosen(&pool.log_weights, quota, key);
            if picks.len() < quota {
                return Err(plan.refusal(self.model, self.request.condition));
            }
            all.heads.push(pool.rows.select(&picks));
            all.branches.extend(picks.iter().map(|&at| pool.branches[at]));
            all.members.extend(picks.iter().map(|&at| pool.members[at]));
        }
        if self.is_refused(ess, draws) {
            return Err(ModelError::LowEss {
                condition: self.request.condition.to_string(),
                probability: mean,
                draws,
                ess,
                order_agnostic: self.model.proposal.is_some(),
            });
        }
        let table = self.finished(all, self.key)?;
        Ok(Drawn {
            table: self.only_meeting(table)?,
            diagnostics: Diagnostics {
                rows,
                draws,
                ess,
                probability: mean,
                standard_error: variance.sqrt(),
                density: self.query.densities() > 0,
                proposal: match plan.proposing {
                    Proposing::Own => "own",
                    Proposing::Both => "order-agnostic",
                },
            },
        })
    }

    fn is_refused(&self, ess: f64, draws: usize) -> bool {
        !self.request.allow_low_ess && (ess < LEAST_ESS_SHARE * draws as f64 || ess < LEAST_ESS)
    }

    /// The table of chosen draws: the rest of each row is drawn, and known values are put in as they were given.
    fn finished(&self, chosen: Chosen, key: Key) -> Result<Table, ModelError> {
        let (model, all) = (self.model, &self.query.branches);
        let Chosen {
            heads,
            branches,
            members,
        } = chosen;
        let key = RowKey::new(key, 0);
        let evidence: Vec<&Evidence> = branches.iter().map(|&branch| &all[branch].evidence).collect();
        let rows = finish(
            &sampler(model),
            Rows::concatenate(heads),
            &evidence,
            &members,
            key,
        );
        let position = |row: usize, column: usize, u: f64| evidence[row].columns[column].position(u);
        let columns = &model.columns;
        let mut table = columns.decoded(&[rows], &model.layout, self.request.tails, key, &position)?;
        for (at, column) in model.schema().columns.iter().enumerate() {
            let single = |branch: usize| all[branch].single(&column.name);
            if (0..all.len()).all(|branch| single(branch).is_none()) {
                continue;
            }
            let drawn = table.clone();
            let value = |row: usize| single(branches[row]).unwrap_or_else(|| drawn.value(row, at));
            let values: Vec<Value<'_>> = (0..branches.len()).map(value).collect();
            table = table.with_replaced(column, &values)?;
        }
        columns.completed(table, None, key)
    }

    /// The table with rows that do not meet the condition as they are written drawn again.
    fn only_meeting(&self, mut table: Table) -> Result<Table, ModelError> {
        for round in 0..MOST_ROUNDS {
            let meets = self.request.condition.matches(&table)?;
            let failed = meets.iter().filter(|meets| !**meets).count();
            if failed == 0 {
                return Ok(table);
            }
            let key = self.key.purpose("again").index(round);
            let total = ((failed as f64 * MOST_DRAWS_A_ROW) as usize).clamp(FEWEST_AGAIN, BATCH);
            let pool = self
                .plan
                .pool(self.model, &self.query, total, self.request.tails, key)?;
            let picks = chosen(&pool.log_weights, failed, key);
            if picks.is_empty() {
                break;
            }
            let picked = Chosen {
                heads: vec![pool.rows.select(&picks)],
                branches: picks.iter().map(|&at| pool.branches[at]).collect(),
                members: picks.iter().map(|&at| pool.members[at]).collect(),
            };
            let again = self.finished(picked, key)?;
            let mut next = 0..;
            let picks: Vec<(usize, usize)> = meets
                .iter()
                .enumerate()
                .map(|(row, meets)| {
                    if *meets {
                        (0, row)
                    } else {
                        (1, next.next().unwrap_or_default())
                    }
                })
                .collect();
            table = Table::interleave(&[&table, &again], &picks)?;
        }
        Err(self.plan.refusal(self.model, self.request.condition))
    }
}

impl EchoFlow {
    /// Draws `rows` rows that meet a condition: [`SampleWhere`], by a seed.
    ///
    /// ```
    /// use ef_demo::Demo;
    /// use ef_model::{EchoFlow};
    ///
    /// let table = Demo::Loans.generate(500, 1).to_table()?;
    /// let model = EchoFlow::builder().epochs(2).fit(&table)?;
    /// let condition = "income between 30000 and 60000".parse()?;
    /// let drawn = model.sample_where(&condition, 100, 1)?;
    /// assert!(condition.matches(&drawn.table)?.into_iter().all(|meets| meets));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As of [`SampleWhere::run`].
    pub fn sample_where(&self, condition: &Condition, rows: usize, seed: u64) -> Result<Drawn, ModelError> {
        SampleWhere::new(condition, rows).run(self, Key::new(seed))
    }
}
