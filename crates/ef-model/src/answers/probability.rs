//! Probabilities of conditions.

use ef_density::Key;
use ef_density::infer::WeightSummary;
use ef_tabular::condition::Condition;
use serde::Serialize;

use super::engine::sampler;
use super::plan::Plan;
use super::query::Query;
use crate::error::ModelError;
use crate::model::EchoFlow;

/// Draws at first, and at most: doubled until the error is small enough. By hand: the first take a fraction of a second,
/// and eight times as many a few.
const FIRST_DRAWS: usize = 16_384;
const MOST_DRAWS: usize = 131_072;
/// Draws made at a time. Part of the result: each piece has streams of its own.
const PIECE: usize = 65_536;
/// The relative standard error that is small enough: two digits.
const GOOD_ERROR: f64 = 0.01;

/// The probability that a row meets a condition: a request. All draws are one pool, so no row has a number.
#[derive(Debug, Clone, Copy)]
pub struct Probability<'a> {
    condition: &'a Condition,
    given: Option<&'a Condition>,
}

/// An estimated probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// From 0 to 1.
    pub value: f64,
    /// Its standard error; 0 where the value is exact.
    pub standard_error: f64,
    /// Weighted draws it is the mean of.
    pub draws: usize,
    /// Effective sample size of those of the given condition, or of the condition itself.
    pub ess: f64,
}

impl<'a> Probability<'a> {
    /// Of a row that meets a condition.
    pub fn of(condition: &'a Condition) -> Self {
        Self {
            condition,
            given: None,
        }
    }

    /// Among the rows that meet this one.
    #[must_use]
    pub fn given(self, condition: &'a Condition) -> Self {
        Self {
            given: Some(condition),
            ..self
        }
    }

    /// Estimates the probability, with its standard error; exact where all that is asked is about the first columns of the
    /// model's order.
    ///
    /// # Errors
    /// A condition that does not fit the columns; a given one that is impossible or so rare that nothing can be said; a
    /// model with context columns.
    pub fn run(&self, model: &EchoFlow, key: Key) -> Result<Estimate, ModelError> {
        if model.columns.context.is_some() {
            return Err(model.context_needed());
        }
        let key = key.purpose("probability");
        match self.given {
            None => self.alone(model, key),
            Some(given) => self.among(model, given, key),
        }
    }

    fn alone(&self, model: &EchoFlow, key: Key) -> Result<Estimate, ModelError> {
        let query = match Query::new(model, self.condition, true) {
            Err(ModelError::Impossible { .. }) => return Ok(IMPOSSIBLE),
            query => query?,
        };
        if query.densities() > 0 {
            return Ok(IMPOSSIBLE);
        }
        let (summary, draws) = mean(model, &query, key)?;
        let value = summary.log_mean.exp();
        Ok(Estimate {
            value: value.min(1.0),
            // if no draw met the condition, 1 / n stands for the error
            standard_error: if value > 0.0 {
                value * summary.relative_error
            } else {
                1.0 / draws as f64
            },
            draws,
            ess: summary.ess,
        })
    }

    fn among(&self, model: &EchoFlow, given: &Condition, key: Key) -> Result<Estimate, ModelError> {
        let whole = Query::new(model, given, true)?;
        let (below, draws) = mean(model, &whole, key.purpose("given"))?;
        if below.ess == 0.0 {
            return Err(Plan::new(model, &whole, false, key)?.refusal(model, given));
        }
        let both = given.clone().and(self.condition.clone());
        let query = match Query::new(model, &both, true) {
            Err(ModelError::Impossible { .. }) => return Ok(IMPOSSIBLE),
            query => query?,
        };
        if query.densities() > whole.densities() {
            return Ok(IMPOSSIBLE);
        }
        let (above, more) = mean(model, &query, key.purpose("both"))?;
        let value = (above.log_mean - below.log_mean).exp();
        Ok(Estimate {
            value: value.min(1.0),
            // the two are independent
            standard_error: value * above.relative_error.hypot(below.relative_error),
            draws: draws + more,
            ess: below.ess,
        })
    }
}

/// The weights of a query's draws, and how many there are.
fn mean(model: &EchoFlow, query: &Query, key: Key) -> Result<(WeightSummary, usize), ModelError> {
    let plan = Plan::new(model, query, false, key)?;
    let exact = sampler(model).is_ancestral() && query.is_plain();
    if exact && plan.summary.relative_error == 0.0 && plan.summary.ess > 0.0 {
        return Ok((plan.summary, plan.draws));
    }
    let mut weights = Vec::new();
    let mut draws = FIRST_DRAWS;
    loop {
        let key = key.purpose("mean").index(draws as u64);
        while weights.len() < draws {
            let left = (draws - weights.len()).min(PIECE);
            let pool = plan.pool(model, query, left, false, key.index(weights.len() as u64))?;
            weights.extend(pool.log_weights);
        }
        let mut summary = WeightSummary::of(&weights);
        if !exact {
            // draws that all count may do so by chance
            summary.relative_error = summary.relative_error.max(1.0 / weights.len() as f64);
        }
        if (summary.relative_error <= GOOD_ERROR && summary.ess > 0.0) || draws >= MOST_DRAWS {
            return Ok((summary, weights.len()));
        }
        draws *= 2;
    }
}

const IMPOSSIBLE: Estimate = Estimate {
    value: 0.0,
    standard_error: 0.0,
    draws: 0,
    ess: 0.0,
};

impl EchoFlow {
    /// The probability that a row meets a condition: [`Probability`], by a seed.
    ///
    /// ```
    /// # use ef_demo::Demo;
    /// # use ef_model::{EchoFlow};
    /// # let table = Demo::Loans.generate(500, 1).to_table()?;
    /// # let model = EchoFlow::builder().epochs(2).fit(&table)?;
    /// let high = "rate > 10".parse()?;
    /// let p = model.probability(&high, 1)?;
    /// let q = model.probability(&high.negated(), 1)?;
    /// approx::assert_abs_diff_eq!(p.value + q.value, 1.0, epsilon = 0.05);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As of [`Probability::run`].
    pub fn probability(&self, condition: &Condition, seed: u64) -> Result<Estimate, ModelError> {
        Probability::of(condition).run(self, Key::new(seed))
    }
}
