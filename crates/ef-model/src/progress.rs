//! Watching a fit, and stopping it.

use ef_train::{EpochReport, FitStart, Observer, StepReport};

/// A stage of a fit: an autoregressive model (each of an ensemble); under a flow, the network over levels and then the flow
/// over numbers; the order-agnostic network, which comes last. Each is trained and stopped by itself. The stages of all models
/// that the fit chooses from are counted together; a fit that is cut short leaves out the ones still to come, and a model
/// that diverges its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageStart {
    /// Number of the stage, from 1.
    pub stage: usize,
    /// How many there are.
    pub stages: usize,
    /// What it trains.
    pub part: crate::Part,
    /// Epochs planned, steps an epoch, parameters and rows.
    pub fit: FitStart,
}

/// Watches a fit. Every method does nothing by default. An observer cannot change the result but by stopping.
///
/// Losses are nats a row of the stage's own columns; the last stage's include the mean of the context-free part of the
/// density over all rows, so that the stages' losses add up to about the whole row's, in the table's own units.
pub trait Progress: Send {
    /// Something the user should know about a column, said once.
    fn on_note(&mut self, note: &str) {
        let _ = note;
    }

    /// A stage begins.
    fn on_stage(&mut self, start: &StageStart) {
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

    /// Asked before every step; `true` stops the fit, which keeps the best weights so far.
    fn should_stop(&mut self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// A stage's observer: shifts losses to the table's units and remembers a stop.
pub(crate) struct StageObserver<'a> {
    pub(crate) progress: &'a mut dyn Progress,
    pub(crate) part: crate::Part,
    pub(crate) stage: usize,
    pub(crate) stages: usize,
    /// Added to every loss.
    pub(crate) shift: f64,
}

impl Observer for StageObserver<'_> {
    fn on_start(&mut self, start: &FitStart) {
        let mut fit = *start;
        fit.start_nll += self.shift;
        let Self {
            part, stage, stages, ..
        } = *self;
        self.progress.on_stage(&StageStart {
            stage,
            stages,
            part,
            fit,
        });
    }

    fn on_step(&mut self, report: &StepReport) {
        let mut report = *report;
        report.nll += self.shift;
        self.progress.on_step(&report);
    }

    fn on_epoch(&mut self, report: &EpochReport) {
        let mut report = *report;
        report.train_nll += self.shift;
        report.validation_nll += self.shift;
        report.best_nll += self.shift;
        self.progress.on_epoch(&report);
    }

    fn should_stop(&mut self) -> bool {
        self.progress.should_stop()
    }
}
