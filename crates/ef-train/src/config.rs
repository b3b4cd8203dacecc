//! The settings of a fit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AdamConfig, Plan, SplitConfig, TrainError};

/// The settings of [`fit`](crate::fit()), checked by [`validate`](Self::validate).
///
/// ```
/// use ef_train::TrainConfig;
/// let config = TrainConfig::default().epochs(10).lr(1e-3).seed(7);
/// assert!(config.validate().is_ok());
/// assert!(config.lr(-1.0).validate().is_err());
/// ```
///
/// `threads` and `max_time` are read but never written by serde: what a model file says about its training must not
/// depend on the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TrainConfig {
    /// Most passes over the training rows. The [`Plan`] decides the learning rate over them.
    pub epochs: usize,
    /// Rows a mini-batch, at most; see [`batch_for`](Self::batch_for).
    pub batch: usize,
    /// Highest learning rate, reached after the warm-up.
    pub lr: f64,
    /// Learning rate of the last step.
    pub lr_min: f64,
    /// Steps of warm-up, though at most a tenth of all steps.
    pub warmup: u64,
    /// Decoupled weight decay; [offsets](ef_tensor::ParamVisitor::offset) do not decay.
    pub weight_decay: f64,
    /// Longest gradient a step may use; `None` does not clip.
    pub clip_norm: Option<f64>,
    /// Decay of the average of the weights, 0 for none.
    pub ema: f64,
    /// When the learning rate falls, and when training stops early.
    pub plan: Plan,
    /// How many rows are held out for validation.
    pub validation: SplitConfig,
    /// Auxiliary draws a validation row, for densities that need any.
    pub validation_draws: usize,
    /// Parts a mini-batch is cut into: the most threads that help. More cost CPU time, since each has a gradient of its
    /// own to fill and to add. The result depends on it, and not on the number of threads.
    pub shards: usize,
    /// Number of threads. 0 uses the rayon pool that the fit is called in; outside of any pool, rayon's global one,
    /// which has all threads of the machine. Any number gives the same bytes.
    #[serde(skip_serializing)]
    pub threads: usize,
    /// When this time is over, the epoch stops, its weights are validated and training ends. It does not change the
    /// learning rates of a cosine; a plan that holds the rate anneals in time. A fit it cuts short cannot be
    /// reproduced.
    #[serde(skip_serializing)]
    pub max_time: Option<Duration>,
    /// Everything random follows from it: the rows held out, their order, the density's noise.
    pub seed: u64,
    /// The seed of the rows held out, where several fits are to hold out the same; `None` is `seed`.
    pub split_seed: Option<u64>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 40,
            batch: 512,
            lr: 2e-3,
            lr_min: 1e-5,
            warmup: 100,
            weight_decay: 1e-4,
            clip_norm: Some(1.0),
            ema: 0.998,
            plan: Plan::default(),
            validation: SplitConfig::default(),
            validation_draws: 2,
            shards: 2,
            threads: 0,
            max_time: None,
            seed: 0,
            split_seed: None,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $ty:ty),* $(,)?) => {
        $(
            #[doc = concat!("Sets [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
            #[must_use]
            pub fn $name(mut self, $name: $ty) -> Self {
                self.$name = $name;
                self
            }
        )*
    };
}

pub(crate) use setters;

/// An error that names `setting` unless `ok`.
pub(crate) fn check(
    ok: bool,
    setting: &'static str,
    value: &dyn ToString,
    expected: &'static str,
) -> Result<(), TrainError> {
    if ok {
        Ok(())
    } else {
        Err(TrainError::setting(setting, value.to_string(), expected))
    }
}

/// Whether `x` is a positive number; NaN is not.
pub(crate) fn above_0(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

impl TrainConfig {
    /// Most shards and threads that are accepted: each shard holds a gradient of its own.
    pub const MOST_SHARDS: usize = 1024;

    setters! {
        epochs: usize,
        batch: usize,
        lr: f64,
        lr_min: f64,
        warmup: u64,
        weight_decay: f64,
        clip_norm: Option<f64>,
        ema: f64,
        plan: Plan,
        validation: SplitConfig,
        validation_draws: usize,
        shards: usize,
        threads: usize,
        max_time: Option<Duration>,
        seed: u64,
        split_seed: Option<u64>,
    }

    /// Checks every setting and names the first that cannot be used.
    pub fn validate(&self) -> Result<(), TrainError> {
        check(self.epochs >= 1, "epochs", &self.epochs, "at least 1")?;
        check(self.batch >= 1, "batch", &self.batch, "at least 1")?;
        check(above_0(self.lr), "lr", &self.lr, "a number above 0")?;
        check(
            (0.0..=self.lr).contains(&self.lr_min),
            "lr_min",
            &self.lr_min,
            "between 0 and `lr`",
        )?;
        check(
            (0.0..1.0).contains(&(self.weight_decay * self.lr)),
            "weight_decay",
            &self.weight_decay,
            "0 or more, and less than 1 / `lr`",
        )?;
        check(
            self.clip_norm.is_none_or(above_0),
            "clip_norm",
            &self.clip_norm.unwrap_or_default(),
            "a number above 0, or nothing",
        )?;
        check(
            (0.0..1.0).contains(&self.ema),
            "ema",
            &self.ema,
            "at least 0 and below 1",
        )?;
        self.plan.validate()?;
        check(
            self.validation_draws >= 1,
            "validation_draws",
            &self.validation_draws,
            "at least 1",
        )?;
        check(
            (1..=Self::MOST_SHARDS).contains(&self.shards),
            "shards",
            &self.shards,
            "between 1 and 1024",
        )?;
        check(
            self.threads <= Self::MOST_SHARDS,
            "threads",
            &self.threads,
            "at most 1024, or 0 for all",
        )?;
        self.validation.validate()
    }

    /// Rows a mini-batch for a table of `rows` training rows: the setting, or as many as give an epoch about twenty
    /// steps, but not fewer than eight.
    pub fn batch_for(&self, rows: usize) -> usize {
        self.batch.min((rows / 20).max(8)).max(1)
    }

    /// The optimizer of these settings.
    pub fn adam(&self) -> AdamConfig {
        AdamConfig {
            weight_decay: self.weight_decay,
            ..AdamConfig::default()
        }
    }
}
