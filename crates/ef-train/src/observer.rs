//! Watching a fit, and stopping it.

use std::time::Duration;

/// What an observer gets before the first step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct FitStart {
    /// Epochs planned; the most there can be, if the fit is open-ended.
    pub epochs: usize,
    /// Whether validation decides how many there are ([`Plan::Hold`](crate::Plan)).
    pub open_ended: bool,
    /// Steps an epoch.
    pub steps_per_epoch: usize,
    /// Parameters trained.
    pub params: usize,
    /// Rows trained on.
    pub train_rows: usize,
    /// Rows validated on.
    pub validation_rows: usize,
    /// Whether these are the same rows, because there are too few to hold any out.
    pub validated_on_training: bool,
    /// Validation loss of the starting weights, nats a row.
    pub start_nll: f64,
}

/// What an observer gets after each step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps done in all, skipped ones included.
    pub step: u64,
    /// Mean loss of the mini-batch, nats a row.
    pub nll: f64,
    /// Length of its gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate.
    pub lr: f64,
    /// Whether the step was skipped because loss or gradient were not finite.
    pub skipped: bool,
}

/// What an observer gets after each epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs planned.
    pub planned: usize,
    /// Mean loss over the epoch's mini-batches, nats a row.
    pub train_nll: f64,
    /// Mean loss of the averaged weights on the validation rows.
    pub validation_nll: f64,
    /// Validation rows whose log-density is not finite.
    pub impossible_rows: usize,
    /// The lowest validation loss so far, and the epoch it is from (0: before training).
    pub best_nll: f64,
    /// See [`Self::best_nll`].
    pub best_epoch: usize,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Time since the fit began.
    pub elapsed: Duration,
}

/// Watches a fit: a progress bar, a log, a stop button. Every method does nothing by default, and `()` is the
/// observer that does nothing at all.
///
/// An observer cannot change the result other than by stopping. Calls come from one thread at a time, which need not
/// be the one that called `fit`.
///
/// ```
/// use ef_train::{EpochReport, Observer};
/// struct Log;
/// impl Observer for Log {
///     fn on_epoch(&mut self, report: &EpochReport) {
///         println!("epoch {}: {:.3} nats", report.epoch, report.validation_nll);
///     }
/// }
/// ```
pub trait Observer: Send {
    /// The fit is about to take its first step.
    fn on_start(&mut self, start: &FitStart) {
        let _ = start;
    }

    /// A step is done. Keep it cheap: training waits.
    fn on_step(&mut self, report: &StepReport) {
        let _ = report;
    }

    /// An epoch is trained and validated.
    fn on_epoch(&mut self, report: &EpochReport) {
        let _ = report;
    }

    /// Asked before every step; `true` cancels the fit, which then keeps the best weights so far.
    fn should_stop(&mut self) -> bool {
        false
    }
}

impl Observer for () {}
