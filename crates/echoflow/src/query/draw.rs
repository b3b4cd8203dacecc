//! Rows under a condition.

use ef_density::Key;
use ef_density::rows::Rows;
use ef_tabular::condition::Condition;
use ef_tabular::{Table, Value};
use rand::Rng;
use serde::Serialize;

use super::limit::Problem;
use super::particles::{Engine, Particles, Proposing, Weighed, select};
use super::question::{Case, Question, counted};
use super::resample::resample;
use crate::error::Error;
use crate::model::EchoFlow;
use crate::proposal::joined;

/// Draws that a plan is made from, a case.
const PILOT: usize = 2048;
/// Draws of a second pilot where the first found little.
const LONG_PILOT: usize = 32_768;
/// Most draws for a row.
const MOST_DRAWS_A_ROW: f64 = 20.0;
/// Draws held at a time.
const BATCH: usize = 131_072;
/// The model's own proposal is good enough from this effective share of its draws on.
const GOOD: f64 = 0.3;
/// A smaller share of the draws, or fewer draws, are poor.
const POOR_SHARE: f64 = 0.05;
const POOR_DRAWS: f64 = 100.0;
/// The least share of the draws for each case of a condition.
const LEAST_SHARE: f64 = 0.02;

/// Rows drawn under a condition, and how good the draws are.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The rows: each meets the condition.
    pub table: Table,
    /// How they were drawn.
    pub story: Diagnostics,
}

/// How conditional rows were drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnostics {
    /// Rows returned.
    pub rows: usize,
    /// Weighted draws they were chosen from.
    pub draws: usize,
    /// Effective sample size of those draws (Kish 1965): as many independent rows would be worth as much.
    pub effective: f64,
    /// Estimate of the condition's probability; of its density, where a value of a column without a rounding step is given.
    pub probability: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Whether the condition has a density.
    pub density: bool,
    /// What proposed the draws: `own` is the model itself, by likelihood weighting; `any-order` the network for all orders
    /// together with it.
    pub proposal: &'static str,
}

/// How draws are shared out among the cases of a condition.
pub(super) struct Plan {
    pub(super) proposing: Proposing,
    /// Share of the draws of each case.
    shares: Vec<f64>,
    pub(super) weighed: Weighed,
    pub(super) draws: usize,
}

impl EchoFlow {
    /// Draws `rows` rows that meet a condition, from the model's distribution given the condition. Every row meets it, as
    /// it is written. Draws are weighted and resampled, so a row may come more than once, the more so the smaller the
    /// effective sample size.
    ///
    /// ```
    /// use echoflow::{EchoFlow, demo::Demo};
    /// use rand::SeedableRng;
    ///
    /// let table = Demo::Loans.generate(500, 1).to_table()?;
    /// let model = EchoFlow::builder().epochs(2).fit(&table)?;
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let condition = "income between 30000 and 60000".parse()?;
    /// let drawn = model.sample_where(&condition, 100, &mut rng)?;
    /// assert!(condition.matches(&drawn.table)?.into_iter().all(|meets| meets));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A condition that does not fit the columns, is impossible, or so rare that the effective sample size is below 5 % of
    /// the draws or below 100 (but see [`with_poor_draws`](Self::with_poor_draws)); a model with context columns.
    pub fn sample_where<R: Rng + ?Sized>(
        &self,
        condition: &Condition,
        rows: usize,
        rng: &mut R,
    ) -> Result<Drawn, Error> {
        self.check_no_context()?;
        let key = Key::new(rng.next_u64()).purpose("sample where");
        let question = Question::new(self, condition, self.tails())?;
        let plan = self.plan(&question, key)?;
        let share = plan.weighed.effective / plan.draws as f64;
        let poor = share < POOR_SHARE || plan.weighed.effective < POOR_DRAWS;
        if plan.weighed.effective == 0.0 || (poor && !self.allow_low_ess) {
            return Err(self.poor(condition, &plan));
        }
        let wanted = (rows as f64 / share).min(rows as f64 * MOST_DRAWS_A_ROW);
        let total = (wanted.ceil() as usize).max(plan.draws);
        let batches = total.div_ceil(BATCH).max(1);
        let (mut heads, mut cases, mut members) = (Vec::new(), Vec::new(), Vec::new());
        let (mut draws, mut effective) = (0, 0.0);
        let (mut mean, mut variance) = (0.0, 0.0);
        for batch in 0..batches {
            let quota = rows * (batch + 1) / batches - rows * batch / batches;
            let key = key.purpose("batch").index(batch as u64);
            let pool = self.pool(&question, &plan, total.div_ceil(batches), key)?;
            let weighed = Weighed::of(&pool.log_weights);
            (draws, effective) = (draws + pool.log_weights.len(), effective + weighed.effective);
            let own = weighed.log_mean.exp() / batches as f64;
            (mean, variance) = (mean + own, variance + (own * weighed.relative_error).powi(2));
            let chosen = resample(&pool.log_weights, quota, key);
            if chosen.len() < quota {
                return Err(self.poor(condition, &plan));
            }
            heads.push(select(&pool.rows, &chosen));
            cases.extend(chosen.iter().map(|&at| pool.cases[at]));
            members.extend(chosen.iter().map(|&at| pool.members[at]));
        }
        if (effective < POOR_SHARE * draws as f64 || effective < POOR_DRAWS) && !self.allow_low_ess {
            let plan = Plan {
                draws,
                weighed: Weighed {
                    log_mean: mean.ln(),
                    effective,
                    relative_error: 0.0,
                },
                ..plan
            };
            return Err(self.poor(condition, &plan));
        }
        let table = self.settled(joined(heads), &question.cases, &cases, &members, key)?;
        let table = self.only_meeting(condition, table, &question, &plan, key)?;
        Ok(Drawn {
            table,
            story: Diagnostics {
                rows,
                draws,
                effective,
                probability: mean,
                standard_error: variance.sqrt(),
                density: question.densities() > 0,
                proposal: match plan.proposing {
                    Proposing::Own => "own",
                    Proposing::Both => "any-order",
                },
            },
        })
    }

    pub(super) fn check_no_context(&self) -> Result<(), Error> {
        match self.columns.context.is_some() {
            true => Err(Error::ContextNeeded {
                columns: self.columns.context_names().join(", "),
            }),
            false => Ok(()),
        }
    }

    pub(super) fn poor(&self, condition: &Condition, plan: &Plan) -> Error {
        let condition = condition.to_string();
        let advice = match self.proposal.is_some() {
            true => "",
            false => "; a model fitted with --order-agnostic yes draws rare rows better",
        };
        let Plan { weighed, draws, .. } = *plan;
        if weighed.effective == 0.0 {
            return Error::NeverMet {
                condition,
                draws,
                advice,
            };
        }
        Error::Poor {
            condition,
            probability: weighed.log_mean.exp(),
            draws,
            effective: weighed.effective,
            advice,
        }
    }

    /// Tries the proposals on a few draws.
    pub(super) fn plan(&self, question: &Question, key: Key) -> Result<Plan, Error> {
        let engine = Engine::new(self);
        if !engine.knows_values() && question.densities() > 0 {
            return Err(Error::CannotAnswer {
                model: self.architecture.model().to_string(),
                what: "draw rows given an exact value of a number",
            });
        }
        let mut best: Option<Plan> = None;
        for pilot in [PILOT, LONG_PILOT] {
            for proposing in [Proposing::Own, Proposing::Both] {
                if proposing == Proposing::Both && !engine.has_both() {
                    continue;
                }
                let count = question.cases.len();
                let even = Plan {
                    proposing,
                    shares: vec![1.0 / count as f64; count],
                    weighed: Weighed::of(&[]),
                    draws: 0,
                };
                let key = key.purpose("pilot").index(pilot as u64);
                let pool = self.pool(question, &even, pilot * count, key)?;
                let weighed = Weighed::of(&pool.log_weights);
                let draws = pool.log_weights.len();
                let mut sums = vec![0.0; count];
                for (weight, case) in pool.log_weights.iter().zip(&pool.cases) {
                    sums[*case] += (weight - weighed.log_mean).exp();
                }
                let all: f64 = sums.iter().sum();
                let share = |sum: &f64| if all > 0.0 { sum / all } else { 1.0 / count as f64 };
                let shares: Vec<f64> = sums.iter().map(|sum| share(sum).max(LEAST_SHARE)).collect();
                let total: f64 = shares.iter().sum();
                let plan = Plan {
                    proposing,
                    shares: shares.iter().map(|share| share / total).collect(),
                    weighed,
                    draws,
                };
                let part = |plan: &Plan| plan.weighed.effective / plan.draws as f64;
                // the network's draws cost several times the model's own
                let better = best.as_ref().is_none_or(|best| {
                    best.draws < draws && best.proposing == proposing || part(&plan) > 2.0 * part(best)
                });
                if better {
                    best = Some(plan);
                }
                if best.as_ref().is_some_and(|best| part(best) >= GOOD) {
                    break;
                }
            }
            let fine = |plan: &Plan| {
                plan.weighed.effective >= POOR_DRAWS
                    && plan.weighed.effective >= 1.2 * POOR_SHARE * plan.draws as f64
            };
            if best.as_ref().is_some_and(fine) {
                break;
            }
        }
        Ok(best.expect("the model's own proposal is always tried"))
    }

    /// About `total` weighted draws of all cases.
    pub(super) fn pool(
        &self,
        question: &Question,
        plan: &Plan,
        total: usize,
        key: Key,
    ) -> Result<Pool, Error> {
        let engine = Engine::new(self);
        let mut pool = Pool::default();
        let mut parts = Vec::new();
        let counts: Vec<usize> = plan
            .shares
            .iter()
            .map(|share| ((share * total as f64).round() as usize).max(1))
            .collect();
        let all: usize = counts.iter().sum();
        for (at, (case, count)) in question.cases.iter().zip(counts).enumerate() {
            let key = key.purpose("case").index(at as u64);
            let Particles {
                rows,
                mut log_weights,
                ..
            } = engine.draw(&[&case.problem], count, plan.proposing, 0, key);
            let decode = |rows: &Rows| {
                let rows = std::slice::from_ref(rows);
                self.columns.table(rows, &self.layout, self.tails(), None, key)
            };
            if let Some(counts) = counted(self, &question.cases, at, &rows, decode)? {
                for (weight, counts) in log_weights.iter_mut().zip(counts) {
                    *weight = if counts { *weight } else { f64::NEG_INFINITY };
                }
            }
            // so that the mean of all weights is the sum of the cases' means
            let scale = (all as f64 / count as f64).ln();
            log_weights.iter_mut().for_each(|weight| *weight += scale);
            pool.log_weights.extend(log_weights);
            pool.cases.extend(std::iter::repeat_n(at, count));
            pool.members.extend((0..count).map(|i| i % engine.members()));
            parts.push(rows);
        }
        pool.rows = joined(parts);
        Ok(pool)
    }

    /// The table of chosen draws, `cases` and `members` one a row: the rest of each row is drawn, and known values are
    /// put in as they were given.
    fn settled(
        &self,
        heads: Rows,
        all: &[Case],
        cases: &[usize],
        members: &[usize],
        key: Key,
    ) -> Result<Table, Error> {
        let problems: Vec<&Problem> = cases.iter().map(|&case| &all[case].problem).collect();
        let rows = Engine::new(self).finish(heads, &problems, members, key);
        let position = |row: usize, column: usize, u: f64| problems[row].limits[column].position(u);
        let columns = &self.columns;
        let mut table = columns.decoded(&[rows], &self.layout, self.tails(), key, &position)?;
        for (at, column) in self.schema().columns.iter().enumerate() {
            let single = |case: usize| all[case].single(&column.name);
            if (0..all.len()).all(|case| single(case).is_none()) {
                continue;
            }
            let drawn = table.clone();
            let value = |row: usize| single(cases[row]).unwrap_or_else(|| drawn.value(row, at));
            let values: Vec<Value<'_>> = (0..cases.len()).map(value).collect();
            table = table.with_replaced(column, &values)?;
        }
        columns.completed(table, None, key)
    }

    /// The table with rows that do not meet the condition as they are written drawn again.
    fn only_meeting(
        &self,
        condition: &Condition,
        table: Table,
        question: &Question,
        plan: &Plan,
        key: Key,
    ) -> Result<Table, Error> {
        let mut table = table;
        for round in 0..20 {
            let meets = condition.matches(&table)?;
            let failed = meets.iter().filter(|meets| !**meets).count();
            if failed == 0 {
                return Ok(table);
            }
            let key = key.purpose("again").index(round);
            let total = (failed as f64 * MOST_DRAWS_A_ROW) as usize;
            let pool = self.pool(question, plan, total.clamp(PILOT, BATCH), key)?;
            let chosen = resample(&pool.log_weights, failed, key);
            if chosen.is_empty() {
                break;
            }
            let cases: Vec<usize> = chosen.iter().map(|&at| pool.cases[at]).collect();
            let members: Vec<usize> = chosen.iter().map(|&at| pool.members[at]).collect();
            let again = self.settled(
                select(&pool.rows, &chosen),
                &question.cases,
                &cases,
                &members,
                key,
            )?;
            let mut next = 0..;
            let picks: Vec<(usize, usize)> = meets
                .iter()
                .enumerate()
                .map(|(row, meets)| match meets {
                    true => (0, row),
                    false => (1, next.next().unwrap_or_default()),
                })
                .collect();
            table = Table::interleave(&[&table, &again], &picks)?;
        }
        Err(self.poor(condition, plan))
    }
}

/// Weighted draws of all cases of a question.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) rows: Rows,
    pub(super) log_weights: Vec<f64>,
    pub(super) cases: Vec<usize>,
    pub(super) members: Vec<usize>,
}
