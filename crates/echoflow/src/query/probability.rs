//! Probabilities of conditions.

use ef_density::Key;
use ef_tabular::condition::Condition;
use rand::Rng;
use serde::Serialize;

use super::particles::{Engine, Weighed};
use super::question::Question;
use crate::error::Error;
use crate::model::EchoFlow;

/// Draws at first, and at most.
const FIRST_DRAWS: usize = 16_384;
const MOST_DRAWS: usize = 131_072;
/// The relative standard error that is good enough.
const GOOD: f64 = 0.01;

/// An estimated probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Probability {
    /// From 0 to 1.
    pub value: f64,
    /// Its standard error; 0 where the value is exact.
    pub standard_error: f64,
    /// Weighted draws it is the mean of.
    pub draws: usize,
    /// Effective sample size of those of the given condition, or of the condition itself.
    pub effective: f64,
}

impl EchoFlow {
    /// The probability that a row meets `condition`, given that it meets `given`. An estimate with its standard error,
    /// exact where all that is asked is about the first columns of the model's order.
    ///
    /// ```
    /// # use echoflow::{EchoFlow, demo::Demo};
    /// # use rand::SeedableRng;
    /// # let table = Demo::Loans.generate(500, 1).to_table()?;
    /// # let model = EchoFlow::builder().epochs(2).fit(&table)?;
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let high = "rate > 10".parse()?;
    /// let p = model.probability(&high, None, &mut rng)?;
    /// let q = model.probability(&high.negated(), None, &mut rng)?;
    /// approx::assert_abs_diff_eq!(p.value + q.value, 1.0, epsilon = 0.05);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A condition that does not fit the columns; a `given` that is impossible or so rare that nothing can be said; a model
    /// with context columns.
    pub fn probability<R: Rng + ?Sized>(
        &self,
        condition: &Condition,
        given: Option<&Condition>,
        rng: &mut R,
    ) -> Result<Probability, Error> {
        self.check_no_context()?;
        let key = Key::new(rng.next_u64()).purpose("probability");
        let Some(given) = given else {
            return match Question::new(self, condition, true) {
                Err(Error::Impossible { .. }) => Ok(IMPOSSIBLE),
                question => {
                    let question = question?;
                    if question.densities() > 0 {
                        return Ok(IMPOSSIBLE);
                    }
                    let (weighed, draws) = self.mean(&question, key)?;
                    let value = weighed.log_mean.exp();
                    // of none that counts, as much is known as of the first to come
                    let error = match value > 0.0 {
                        true => value * weighed.relative_error,
                        false => 1.0 / draws as f64,
                    };
                    Ok(Probability {
                        value: value.min(1.0),
                        standard_error: error,
                        draws,
                        effective: weighed.effective,
                    })
                }
            };
        };
        let whole = Question::new(self, given, true)?;
        let (below, draws) = self.mean(&whole, key.purpose("given"))?;
        if below.effective == 0.0 {
            let plan = self.plan(&whole, key)?;
            return Err(self.poor(given, &plan));
        }
        let both = given.clone().and(condition.clone());
        let question = match Question::new(self, &both, true) {
            Err(Error::Impossible { .. }) => return Ok(IMPOSSIBLE),
            question => question?,
        };
        if question.densities() > whole.densities() {
            return Ok(IMPOSSIBLE);
        }
        let (above, more) = self.mean(&question, key.purpose("both"))?;
        let value = (above.log_mean - below.log_mean).exp();
        Ok(Probability {
            value: value.min(1.0),
            // the two are independent
            standard_error: value * above.relative_error.hypot(below.relative_error),
            draws: draws + more,
            effective: below.effective,
        })
    }

    fn mean(&self, question: &Question, key: Key) -> Result<(Weighed, usize), Error> {
        let plan = self.plan(question, key)?;
        let exact = Engine::new(self).is_exact() && question.is_plain();
        if exact && plan.weighed.relative_error == 0.0 && plan.weighed.effective > 0.0 {
            return Ok((plan.weighed, plan.draws));
        }
        let mut weights = Vec::new();
        let mut draws = FIRST_DRAWS;
        loop {
            let key = key.purpose("mean").index(draws as u64);
            while weights.len() < draws {
                let left = (draws - weights.len()).min(65_536);
                let pool = self.pool(question, &plan, left, key.index(weights.len() as u64))?;
                weights.extend(pool.log_weights);
            }
            let mut weighed = Weighed::of(&weights);
            if !exact {
                // draws that all count may do so by chance
                weighed.relative_error = weighed.relative_error.max(1.0 / weights.len() as f64);
            }
            if (weighed.relative_error <= GOOD && weighed.effective > 0.0) || draws >= MOST_DRAWS {
                return Ok((weighed, weights.len()));
            }
            draws *= 2;
        }
    }
}

const IMPOSSIBLE: Probability = Probability {
    value: 0.0,
    standard_error: 0.0,
    draws: 0,
    effective: 0.0,
};
