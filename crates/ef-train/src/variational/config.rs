//! The settings of a variational fit.

use serde::{Deserialize, Serialize};

use crate::config::{above_0, check, setters};
use crate::{TrainConfig, TrainError};

/// The settings of [`fit_variational`](crate::fit_variational), checked by [`validate`](Self::validate).
///
/// ```
/// use ef_train::VariationalConfig;
/// let config = VariationalConfig::default().steps(5000).anneal_steps(2500).seed(7);
/// assert!(config.validate().is_ok());
/// assert!(config.anneal_from(0.0).validate().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct VariationalConfig {
    /// Optimizer steps.
    pub steps: u64,
    /// Draws a step.
    pub batch: usize,
    /// Highest learning rate, reached after the warm-up.
    pub lr: f64,
    /// Learning rate of the last step.
    pub lr_min: f64,
    /// Steps of warm-up, though at most a tenth of all steps.
    pub warmup: u64,
    /// Longest gradient a step may use; `None` does not clip.
    pub clip_norm: Option<f64>,
    /// Decay of the average of the weights, 0 for none.
    pub ema: f64,
    /// Weight `beta` of the target's log-density in the first step; see [`beta`](Self::beta).
    pub anneal_from: f64,
    /// Steps after which `beta` is 1; 0 does not anneal.
    pub anneal_steps: u64,
    /// Parts a step's draws are cut into: the most threads that help. The result depends on it, and not on the number
    /// of threads.
    pub shards: usize,
    /// Number of threads. 0 uses the rayon pool that the fit is called in; outside of any pool, rayon's global one,
    /// which has all threads of the machine. Any number gives the same bytes.
    #[serde(skip_serializing)]
    pub threads: usize,
    /// The draws follow from it.
    pub seed: u64,
}

impl Default for VariationalConfig {
    fn default() -> Self {
        Self {
            steps: 10_000,
            batch: 256,
            lr: 5e-3,
            lr_min: 1e-5,
            warmup: 100,
            clip_norm: Some(10.0),
            ema: 0.998,
            anneal_from: 0.01,
            anneal_steps: 0,
            shards: 2,
            threads: 0,
            seed: 0,
        }
    }
}

impl VariationalConfig {
    setters! {
        steps: u64,
        batch: usize,
        lr: f64,
        lr_min: f64,
        warmup: u64,
        clip_norm: Option<f64>,
        ema: f64,
        anneal_from: f64,
        anneal_steps: u64,
        shards: usize,
        threads: usize,
        seed: u64,
    }

    /// The weight of the target's log-density in step `step` (the first is 0): it rises on a line from `anneal_from` to 1
    /// over `anneal_steps` steps, so that draws first spread and then settle (Rezende & Mohamed 2015, 1505.05770,
    /// sec. 6.1: from 0.01 over 10,000 steps).
    pub fn beta(&self, step: u64) -> f64 {
        if step >= self.anneal_steps {
            return 1.0;
        }
        let share = step as f64 / self.anneal_steps as f64;
        self.anneal_from + (1.0 - self.anneal_from) * share
    }

    /// Checks every setting and names the first that cannot be used.
    pub fn validate(&self) -> Result<(), TrainError> {
        check(self.steps >= 1, "steps", &self.steps, "at least 1")?;
        check(
            above_0(self.anneal_from) && self.anneal_from <= 1.0,
            "anneal_from",
            &self.anneal_from,
            "above 0 and at most 1",
        )?;
        // what both kinds of training have
        TrainConfig::default()
            .batch(self.batch)
            .lr(self.lr)
            .lr_min(self.lr_min)
            .weight_decay(0.0)
            .clip_norm(self.clip_norm)
            .ema(self.ema)
            .shards(self.shards)
            .threads(self.threads)
            .validate()
    }
}
