//! What happened in a fit.

use serde::{Deserialize, Serialize};

/// Why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// All planned epochs were trained.
    Completed,
    /// The validation loss had not improved for `patience` epochs.
    EarlyStopping,
    /// `max_time` was over. Where that is depends on the machine, so the result cannot be reproduced.
    Clock,
    /// The observer asked to stop.
    Cancelled,
}

/// One epoch of a fit. Losses are mean negative log-likelihoods, nats a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Loss over the epoch's mini-batches, each at the weights it met. Steps that were skipped do not count.
    #[serde(with = "or_infinity")]
    pub train_nll: f64,
    /// Loss of the averaged weights on the validation rows at the end of the epoch, over the rows whose
    /// log-density is finite; infinite if none is.
    #[serde(with = "or_infinity")]
    pub validation_nll: f64,
    /// Validation rows whose log-density is not finite (for most densities: rows called impossible).
    pub impossible_rows: usize,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Steps that were skipped because their loss or gradient was not finite.
    pub skipped_steps: usize,
}

/// The record of a fit. It holds neither times nor the number of threads, so that the same fit gives the same history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Epochs in order. The last may be unfinished if the clock stopped it; a cancelled epoch is not listed.
    pub epochs: Vec<EpochRecord>,
    /// Epochs the learning rate was planned for.
    pub planned_epochs: usize,
    /// Steps of a full epoch.
    pub steps_per_epoch: usize,
    /// Rows of a mini-batch: the setting, or less for a small table. Sizes within an epoch differ by at most one.
    pub batch: usize,
    /// Rows trained on.
    pub train_rows: usize,
    /// Rows validated on.
    pub validation_rows: usize,
    /// Whether the table was too small to hold rows out, so that it was validated on the rows it was trained on.
    pub validated_on_training: bool,
    /// Validation loss before training (see [`EpochRecord::validation_nll`]).
    #[serde(with = "or_infinity")]
    pub start_nll: f64,
    /// The epoch whose averaged weights were kept; 0 is the start. `None`: cancelled in the first epoch, and the
    /// weights are those of that moment, not validated.
    pub best_epoch: Option<usize>,
    /// Validation loss of the best weights validated.
    #[serde(with = "or_infinity")]
    pub best_nll: f64,
    /// Steps skipped in all because their loss or gradient was not finite.
    pub skipped_steps: usize,
    /// Why the fit ended.
    pub stopped_by: StopReason,
}

impl History {
    /// Whether the same data, settings and seed give this result again: it ended by itself and not by the clock or
    /// by a person.
    pub fn is_reproducible(&self) -> bool {
        !matches!(self.stopped_by, StopReason::Clock | StopReason::Cancelled)
    }
}

/// A loss as JSON, for `#[serde(with)]`: infinity, which JSON has no number for, is `null`.
pub(crate) mod or_infinity {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a loss.
    pub(crate) fn serialize<S: Serializer>(loss: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        loss.is_finite().then_some(*loss).serialize(serializer)
    }

    /// Reads it back.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_survives_json() {
        let history = History {
            epochs: vec![EpochRecord {
                epoch: 1,
                train_nll: 1.1,
                validation_nll: f64::INFINITY,
                impossible_rows: 3,
                lr: 0.1 + 0.2,
                skipped_steps: 0,
            }],
            planned_epochs: 40,
            steps_per_epoch: 20,
            batch: 512,
            train_rows: 27,
            validation_rows: 3,
            validated_on_training: false,
            start_nll: f64::INFINITY,
            best_epoch: None,
            best_nll: 2.0,
            skipped_steps: 0,
            stopped_by: StopReason::EarlyStopping,
        };
        let json = serde_json::to_string(&history).unwrap();
        assert!(json.contains(r#""stopped_by":"early_stopping""#), "{json}");
        assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history);
    }
}
