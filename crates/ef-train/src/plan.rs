//! How long to train, and at which learning rates.

use serde::{Deserialize, Serialize};

use crate::config::check;
use crate::{Schedule, StopReason, TrainConfig, TrainError};

/// When the learning rate falls, and when training ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Plan {
    /// A cosine over all `epochs` from the start ([`Schedule`]).
    Cosine {
        /// Epochs without a better validation loss after which training stops; `None` never stops early.
        patience: Option<usize>,
    },
    /// Hold, then anneal: as many epochs as the data ask for.
    Hold(Hold),
}

impl Default for Plan {
    fn default() -> Self {
        Self::Cosine { patience: Some(8) }
    }
}

/// Warm-up, then a constant learning rate for as long as the validation loss of the averaged weights improves, then a
/// cosine down from the best weights (warmup-stable-decay, Hu et al. 2024, 2404.06395). No number of epochs has to be
/// known beforehand: the annealing is as long as what was learned before it deserves.
///
/// Training is held until `patience` epochs (of at least `patience_steps` steps in all, and `patience_share` of the epochs up to the last gain) brought no gain, or until
/// the annealing that would follow ends with the last of `epochs` or with `max_time`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Epochs without a better validation loss after which the rate falls.
    pub patience: usize,
    /// As many optimizer steps have to bring nothing better: the epochs of a small table are short.
    pub patience_steps: u64,
    /// As many epochs too, as a share of the best one: the longer it has been getting better, the less a few epochs say.
    #[serde(default)]
    pub patience_share: f64,
    /// What those epochs have to bring together, nats a row: less is not worth their time.
    #[serde(default)]
    pub least_gain: f64,
    /// Epochs of annealing, as a share of the best epoch; at least [`Hold::FEWEST`].
    pub anneal: f64,
}

impl Default for Hold {
    /// Two epochs, 160 steps and a quarter of the epochs up to the last gain, however small; a quarter as many of annealing.
    fn default() -> Self {
        Self {
            patience: 2,
            patience_steps: 160,
            patience_share: 0.25,
            least_gain: 0.0,
            anneal: 0.25,
        }
    }
}

impl Hold {
    /// Fewest epochs of annealing.
    pub const FEWEST: usize = 3;

    /// Epochs without a better loss than that of epoch `best` that end the hold.
    fn patience(self, steps_per_epoch: u64, best: usize) -> usize {
        let epochs = self.patience_steps.div_ceil(steps_per_epoch.max(1));
        let share = (self.patience_share * best as f64).ceil() as usize;
        self.patience
            .max(usize::try_from(epochs).unwrap_or(usize::MAX))
            .max(share)
    }

    /// Epochs of annealing that follow a best epoch.
    fn annealing(self, best: usize) -> usize {
        ((best as f64 * self.anneal).ceil() as usize).max(Self::FEWEST)
    }
}

impl Plan {
    pub(crate) fn validate(self) -> Result<(), TrainError> {
        let hold = match self {
            Self::Cosine { patience } => {
                return check(patience != Some(0), "plan.patience", &0, "at least 1, or nothing");
            }
            Self::Hold(hold) => hold,
        };
        check(hold.patience >= 1, "plan.patience", &hold.patience, "at least 1")?;
        for (setting, value) in [
            ("plan.patience_share", hold.patience_share),
            ("plan.least_gain", hold.least_gain),
        ] {
            check(
                value.is_finite() && value >= 0.0,
                setting,
                &value,
                "a number from 0",
            )?;
        }
        check(
            hold.anneal.is_finite() && hold.anneal > 0.0,
            "plan.anneal",
            &hold.anneal,
            "a number above 0",
        )
    }
}

/// What follows an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decision {
    Epoch,
    /// Go back to the best weights; the learning rate falls from here.
    Anneal,
    End(StopReason),
}

/// What is known at the end of an epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EpochStatus {
    pub(crate) epoch: usize,
    pub(crate) best: usize,
    /// Validation loss of the best epoch, nats a row.
    pub(crate) best_nll: f64,
    /// Optimizer steps done, and those of an epoch.
    pub(crate) step: u64,
    pub(crate) steps_per_epoch: u64,
    /// Share of `max_time` that is over; 0 without one.
    pub(crate) time: f64,
}

/// The way through a plan.
#[derive(Debug)]
pub(crate) struct PlanState {
    plan: Plan,
    /// The last epoch, as far as is known.
    last: usize,
    schedule: Schedule,
    /// The last epoch that was better by [`Hold::least_gain`] than the one before it here, and its loss.
    gained: (usize, f64),
    annealing: Option<Annealing>,
}

#[derive(Debug)]
struct Annealing {
    /// Its first step.
    from: u64,
    schedule: Schedule,
    ends: StopReason,
}

impl PlanState {
    pub(crate) fn new(config: &TrainConfig, steps_per_epoch: u64) -> Self {
        let planned = (config.epochs as u64).saturating_mul(steps_per_epoch);
        let lowest = match config.plan {
            Plan::Cosine { .. } => config.lr_min,
            Plan::Hold(_) => config.lr,
        };
        Self {
            plan: config.plan,
            last: config.epochs,
            schedule: Schedule::new(config.lr, lowest, config.warmup, planned),
            gained: (0, f64::INFINITY),
            annealing: None,
        }
    }

    pub(crate) fn lr(&self, step: u64) -> f64 {
        match &self.annealing {
            Some(a) => a.schedule.lr(step - a.from),
            None => self.schedule.lr(step),
        }
    }

    /// The last epoch, as far as is known.
    pub(crate) fn last(&self) -> usize {
        self.last
    }

    pub(crate) fn next(&mut self, at: EpochStatus, config: &TrainConfig) -> Decision {
        let hold = match self.plan {
            Plan::Cosine { patience } => {
                return if patience.is_some_and(|p| at.epoch - at.best >= p) {
                    Decision::End(StopReason::EarlyStopping)
                } else if at.epoch >= self.last {
                    Decision::End(StopReason::Completed)
                } else {
                    Decision::Epoch
                };
            }
            Plan::Hold(hold) => hold,
        };
        if let Some(annealing) = &self.annealing {
            return if at.epoch >= self.last {
                Decision::End(annealing.ends)
            } else {
                Decision::Epoch
            };
        }
        let epochs = hold.annealing(at.best);
        // Epochs that the time left is enough for.
        let timed = match at.time {
            0.0 => usize::MAX,
            time => (at.epoch as f64 * (1.0 - time) / time) as usize,
        };
        if at.best > self.gained.0 && at.best_nll <= self.gained.1 - hold.least_gain {
            self.gained = (at.best, at.best_nll);
        }
        let gained = self.gained.0;
        let ends = if at.epoch - gained >= hold.patience(at.steps_per_epoch, gained) {
            StopReason::EarlyStopping
        } else if at.epoch.saturating_add(epochs) >= self.last {
            StopReason::Completed
        } else if timed <= epochs {
            StopReason::Clock
        } else {
            return Decision::Epoch;
        };
        let epochs = epochs.min(timed).min(self.last.saturating_sub(at.epoch));
        if epochs == 0 {
            return Decision::End(ends);
        }
        self.last = at.epoch + epochs;
        self.annealing = Some(Annealing {
            from: at.step,
            schedule: Schedule::new(config.lr, config.lr_min, 0, epochs as u64 * at.steps_per_epoch),
            ends,
        });
        Decision::Anneal
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    const STEPS: u64 = 10;

    fn config(epochs: usize, patience: usize, anneal: f64) -> TrainConfig {
        let plan = Plan::Hold(Hold {
            patience,
            patience_steps: 0,
            patience_share: 0.0,
            least_gain: 0.0,
            anneal,
        });
        TrainConfig::default().epochs(epochs).warmup(5).plan(plan)
    }

    /// Runs a plan whose validation improves until epoch `best`; gives the epochs trained, the epoch after which it
    /// annealed, and why it ended.
    fn run(
        config: &TrainConfig,
        best: usize,
        time: impl Fn(usize) -> f64,
    ) -> (usize, Option<usize>, StopReason) {
        let mut course = PlanState::new(config, STEPS);
        let mut annealed = None;
        for epoch in 1.. {
            let first = (epoch as u64 - 1) * STEPS;
            if annealed.is_none() && first >= 5 {
                assert_relative_eq!(course.lr(first + 3), config.lr);
            }
            let standing = EpochStatus {
                epoch,
                best: best.min(epoch),
                best_nll: -(best.min(epoch) as f64),
                step: first + STEPS,
                steps_per_epoch: STEPS,
                time: time(epoch),
            };
            match course.next(standing, config) {
                Decision::Epoch => {}
                Decision::Anneal => annealed = Some(epoch),
                Decision::End(reason) => {
                    if annealed.is_some() {
                        assert_relative_eq!(course.lr(first + STEPS - 1), config.lr_min);
                    }
                    return (epoch, annealed, reason);
                }
            }
        }
        unreachable!("a plan ends")
    }

    #[test]
    fn it_holds_while_validation_improves() {
        let (last, annealed, reason) = run(&config(100, 2, 0.5), 20, |_| 0.0);
        assert_eq!(
            (last, annealed, reason),
            (32, Some(22), StopReason::EarlyStopping)
        );
    }

    #[test]
    fn short_epochs_need_more_of_them() {
        let mut config = config(100, 2, 0.5);
        config.plan = Plan::Hold(Hold {
            patience: 2,
            patience_steps: 45,
            patience_share: 0.0,
            least_gain: 0.0,
            anneal: 0.5,
        });
        let (last, annealed, reason) = run(&config, 20, |_| 0.0);
        assert_eq!(
            (last, annealed, reason),
            (35, Some(25), StopReason::EarlyStopping)
        );
    }

    #[test]
    fn the_last_epochs_anneal() {
        let (last, annealed, reason) = run(&config(30, 2, 0.5), 1000, |_| 0.0);
        assert_eq!((last, annealed, reason), (30, Some(20), StopReason::Completed));
    }

    #[test]
    fn the_clock_leaves_time_to_anneal() {
        let (last, annealed, reason) = run(&config(1000, 2, 0.5), 1000, |epoch| epoch as f64 / 30.0);
        assert_eq!((last, annealed, reason), (30, Some(20), StopReason::Clock));
    }

    proptest! {
        #[test]
        fn every_plan_ends_in_time(epochs in 1usize..60, patience in 1usize..5, anneal in 0.01..3.0_f64, best in 0usize..80) {
            let (last, annealed, _) = run(&config(epochs, patience, anneal), best, |_| 0.0);
            prop_assert!(last <= epochs);
            prop_assert!(annealed.is_none_or(|a| a < last));
        }
    }
}
