//! What training can refuse.

use thiserror::Error;

/// Why a fit did not start, or had to be given up.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting outside its range.
    #[error("training setting `{setting}` is {value}, but must be {expected}")]
    Setting {
        /// The field of [`TrainConfig`](crate::TrainConfig).
        setting: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// There is nothing to learn from.
    #[error("there are no rows to train on")]
    NoRows,
    /// The parameter vector belongs to another density.
    #[error(
        "the density has {expected} parameters but was given {given}: make a vector of `num_params()` values and fill it with `init`"
    )]
    ParamCount {
        /// What the density has.
        expected: usize,
        /// What was passed.
        given: usize,
    },
    /// A starting value is NaN or infinite.
    #[error(
        "parameter {name} is not finite before training: fill the vector with `init`, or look for extreme values in the first rows if layers start from data"
    )]
    ParamNotFinite {
        /// Name and index of the parameter.
        name: String,
    },
    /// Too many steps of one epoch had a loss or gradient that is not a finite number.
    #[error(
        "epoch {epoch}: {skipped} of {steps} steps had a loss or gradient that is not finite; lower `lr` (it is {lr}), set `clip_norm`, and look for extreme values in the data. The parameters hold the best weights so far, those of epoch {best_epoch}"
    )]
    NonFinite {
        /// The epoch, from 1.
        epoch: usize,
        /// Steps skipped in it until it was given up.
        skipped: usize,
        /// Steps planned in it.
        steps: usize,
        /// The highest learning rate.
        lr: f64,
        /// The epoch whose weights were kept (0: before training).
        best_epoch: usize,
    },
    /// Too many steps of a variational fit had a loss or gradient that is not a finite number.
    #[error(
        "{skipped} of {steps} steps had a loss or gradient that is not finite; lower `lr` (it is {lr}), set `clip_norm`, and look for points where the target's log-density or its gradient is not finite"
    )]
    TargetNotFinite {
        /// Steps skipped until the fit was given up.
        skipped: u64,
        /// Steps planned.
        steps: u64,
        /// The highest learning rate.
        lr: f64,
    },
    /// A divergence that cannot be estimated.
    #[error(
        "{bad} of {draws} draws have a density that is not finite, under the approximation or the target, so their divergence is not either; the target's log-density must be finite wherever the approximation draws, and the base must draw inside the bijector's domain"
    )]
    DivergenceNotFinite {
        /// Draws whose term is not finite.
        bad: usize,
        /// All draws.
        draws: usize,
    },
    /// A target and an approximation of different dimensions.
    #[error("the target has {target} columns, but the approximation has {approximation}")]
    TargetDimension {
        /// Columns of the target.
        target: usize,
        /// Columns of the bijector.
        approximation: usize,
    },
    /// An approximation that depends on a context.
    #[error("the bijector reads a context of {columns} columns, but a variational fit has none to give")]
    Context {
        /// Width of the context.
        columns: usize,
    },
    /// The operating system would not give us threads.
    #[error(
        "could not start {threads} threads ({reason}): set `threads` to a smaller number, or to 1 for none"
    )]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's answer.
        reason: String,
    },
}

impl TrainError {
    pub(crate) fn setting(setting: &'static str, value: impl ToString, expected: &'static str) -> Self {
        Self::Setting {
            setting,
            value: value.to_string(),
            expected,
        }
    }
}
