//! How draws for a query are made: which proposal, how they are shared out among its branches, and how many.

use ef_density::Key;
use ef_density::infer::{Asked, Proposing, WeightSummary};
use ef_density::rows::Rows;
use ef_tabular::condition::Condition;

use super::engine::{Particles, draw, sampler};
use super::query::{Query, counted};
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::row_key::RowKey;

// The numbers of this file were chosen by hand on the tables of docs/conditions.md, for answers within seconds, and not by
// a search; `cargo xtask bench-conditions` measures what they do to the errors and times told there.

/// Draws a branch that a proposal is tried on: with so many, the least share that is good enough is told within a tenth.
const PILOT: usize = 2048;
/// Draws of a second trial where the first found too little: 16 times as many meet conditions 16 times as rare.
const LONG_PILOT: usize = 32_768;
/// The share of the draws in their effective sample size from which on the model's own proposal is taken without trying
/// the other, which can be at most `1 / GOOD_ESS_SHARE` times better.
const GOOD_ESS_SHARE: f64 = 0.3;
/// How many times better than the model's own the order-agnostic proposal has to be: its draws cost several times as much.
const WORTH_THE_COST: f64 = 2.0;
/// Draws are refused if their effective sample size is below this share of them or below this number: an independent row
/// would then take more than twenty draws, or the mean of a column be off by more than a tenth of its deviation.
pub(super) const LEAST_ESS_SHARE: f64 = 0.05;
pub(super) const LEAST_ESS: f64 = 100.0;
/// How far above the least a trial has to be, so that the draws which follow are not refused by chance.
const MARGIN: f64 = 1.2;
/// The least share of the draws for each branch of a condition: a branch that a trial did not meet may have a mass.
const LEAST_BRANCH_SHARE: f64 = 0.02;

/// A proposal with shares for the branches, as a trial of it found it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) proposing: Proposing,
    /// Share of the draws of each branch.
    shares: Vec<f64>,
    /// Of the trial.
    pub(super) summary: WeightSummary,
    /// Draws of the trial.
    pub(super) draws: usize,
}

/// Weighted draws of all branches of a query.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) rows: Rows,
    pub(super) log_weights: Vec<f64>,
    /// The branch of each draw.
    pub(super) branches: Vec<usize>,
    /// The member of the ensemble that made it.
    pub(super) members: Vec<usize>,
}

impl Plan {
    /// Tries the proposals on a few draws, and on more if these find too little.
    pub(super) fn new(model: &EchoFlow, query: &Query, tails: bool, key: Key) -> Result<Self, ModelError> {
        let sampler = sampler(model);
        if !sampler.knows_values() && query.densities() > 0 {
            return Err(ModelError::CannotAnswer {
                model: model.architecture.model().to_string(),
                what: "draw rows given an exact value of a number",
            });
        }
        let mut best = Self::tried(model, query, Proposing::Own, PILOT, tails, key)?;
        for pilot in [PILOT, LONG_PILOT] {
            if pilot > PILOT {
                let own = Self::tried(model, query, Proposing::Own, pilot, tails, key)?;
                if best.proposing == Proposing::Own || own.is_better_than(&best) {
                    best = own;
                }
            }
            if sampler.has_both() && best.ess_share() < GOOD_ESS_SHARE {
                let both = Self::tried(model, query, Proposing::Both, pilot, tails, key)?;
                if best.proposing == Proposing::Both || both.is_better_than(&best) {
                    best = both;
                }
            }
            if best.is_enough() {
                break;
            }
        }
        Ok(best)
    }

    /// A trial of one proposal by `pilot` draws a branch.
    fn tried(
        model: &EchoFlow,
        query: &Query,
        proposing: Proposing,
        pilot: usize,
        tails: bool,
        key: Key,
    ) -> Result<Self, ModelError> {
        let count = query.branches.len();
        let even = Self {
            proposing,
            shares: vec![1.0 / count as f64; count],
            summary: WeightSummary::of(&[]),
            draws: 0,
        };
        let key = key.purpose("pilot").index(pilot as u64);
        let pool = even.pool(model, query, pilot * count, tails, key)?;
        let summary = WeightSummary::of(&pool.log_weights);
        Ok(Self {
            proposing,
            shares: shares(&pool, &summary, count),
            summary,
            draws: pool.log_weights.len(),
        })
    }

    pub(super) fn ess_share(&self) -> f64 {
        self.summary.ess / self.draws as f64
    }

    /// Of two trials of different proposals.
    fn is_better_than(&self, other: &Self) -> bool {
        self.ess_share() > WORTH_THE_COST * other.ess_share()
    }

    /// Whether draws as good as these are surely not refused.
    fn is_enough(&self) -> bool {
        self.summary.ess >= LEAST_ESS && self.ess_share() >= MARGIN * LEAST_ESS_SHARE
    }

    /// About `total` weighted draws of all branches.
    pub(super) fn pool(
        &self,
        model: &EchoFlow,
        query: &Query,
        total: usize,
        tails: bool,
        key: Key,
    ) -> Result<Pool, ModelError> {
        let sampler = sampler(model);
        let mut pool = Pool::default();
        let mut parts = Vec::new();
        let counts: Vec<usize> = self
            .shares
            .iter()
            .map(|share| ((share * total as f64).round() as usize).max(1))
            .collect();
        let all: usize = counts.iter().sum();
        for (at, (branch, count)) in query.branches.iter().zip(counts).enumerate() {
            let key = key.purpose("case").index(at as u64);
            let Particles {
                rows,
                mut log_weights,
                ..
            } = draw(
                &sampler,
                Asked {
                    evidence: &[&branch.evidence],
                    streams: &[0],
                    each: count,
                    proposing: self.proposing,
                    key,
                },
            );
            let decode = |rows: &Rows| {
                let rows = std::slice::from_ref(rows);
                model
                    .columns
                    .table(rows, &model.layout, tails, None, RowKey::new(key, 0))
            };
            if let Some(counts) = counted(model, &query.branches, at, &rows, decode)? {
                for (weight, counts) in log_weights.iter_mut().zip(counts) {
                    *weight = if counts { *weight } else { f64::NEG_INFINITY };
                }
            }
            // so that the mean of all weights is the sum of the branches' means
            let scale = (all as f64 / count as f64).ln();
            log_weights.iter_mut().for_each(|weight| *weight += scale);
            pool.log_weights.extend(log_weights);
            pool.branches.extend(std::iter::repeat_n(at, count));
            pool.members.extend((0..count).map(|i| i % sampler.members()));
            parts.push(rows);
        }
        pool.rows = Rows::concatenate(parts);
        Ok(pool)
    }

    /// The error of draws like these.
    pub(super) fn refusal(&self, model: &EchoFlow, condition: &Condition) -> ModelError {
        let (condition, draws, order_agnostic) =
            (condition.to_string(), self.draws, model.proposal.is_some());
        if self.summary.ess == 0.0 {
            return ModelError::NeverMet {
                condition,
                draws,
                order_agnostic,
            };
        }
        ModelError::LowEss {
            condition,
            probability: self.summary.log_mean.exp(),
            draws,
            ess: self.summary.ess,
            order_agnostic,
        }
    }
}

/// Shares of the draws in proportion to the branches' weights in a trial.
fn shares(pool: &Pool, summary: &WeightSummary, count: usize) -> Vec<f64> {
    let mut sums = vec![0.0; count];
    for (weight, branch) in pool.log_weights.iter().zip(&pool.branches) {
        sums[*branch] += (weight - summary.log_mean).exp();
    }
    let all: f64 = sums.iter().sum();
    let share = |sum: &f64| if all > 0.0 { sum / all } else { 1.0 / count as f64 };
    let shares: Vec<f64> = sums
        .iter()
        .map(|sum| share(sum).max(LEAST_BRANCH_SHARE))
        .collect();
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total).collect()
}
