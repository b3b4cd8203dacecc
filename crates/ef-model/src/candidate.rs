//! Training one model, and choosing among several.

use ef_density::Scores;
use ef_density::rows::{Layout, RowScratch, Rows};
use ef_density::{Key, ScoreKey};
use ef_train::{StopReason, TrainError, validation_split};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, AutoregressiveSizes};
use crate::budget::Budget;
use crate::error::ModelError;
use crate::kind::ModelKind;
use crate::parallel::over_chunks;
use crate::progress::{Progress, StageObserver};
use crate::stage::{Part, PartSettings, Stage};
use crate::table_density::TableDensity;

/// What `auto` tries on tables of numbers with densities, beside the autoregressive model.
const FLOWS: [ModelKind; 2] = [ModelKind::Nsf, ModelKind::NsfCoupling];

/// What training needs to know beside sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) seed: u64,
    pub(crate) training: &'a PartSettings,
    pub(crate) budget: Budget,
    /// Stages of the whole fit.
    pub(crate) stages: usize,
    /// Whether the user asked for several autoregressive models.
    pub(crate) asked_for_ensemble: bool,
}

/// A trained model of the rows.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) architecture: Architecture,
    pub(crate) density: Box<dyn TableDensity>,
    pub(crate) params: Vec<f32>,
    pub(crate) stages: Vec<Stage>,
}

/// One kind of model that was tried, and its loss on the rows held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// The kind.
    pub kind: ModelKind,
    /// Mean negative log-density of the validation rows, nats, in the table's own units; infinite if any is impossible.
    #[serde(with = "crate::or_infinity")]
    pub validation_nll: f64,
    /// Why its training ended; the first reason that cannot be reproduced, if there is one.
    pub stopped_by: StopReason,
}

/// Which models suit rows of a layout, when `auto` is asked for: the autoregressive one of these sizes, which has exact
/// probabilities for every column; flows beside it only where all columns have densities and no levels, so that one
/// measure serves both and both are exact.
pub(crate) fn candidates(sizes: &AutoregressiveSizes, layout: &Layout, rows: &Rows) -> Vec<Architecture> {
    let suit = layout.continuous() > 1 && has_only_densities(layout, rows);
    let flows: &[ModelKind] = if suit { &FLOWS } else { &[] };
    std::iter::once(Architecture::Autoregressive(sizes.clone()))
        .chain(flows.iter().map(|&kind| Architecture::new(kind)))
        .collect()
}

/// Whether all columns have densities and no cells, so that flows are exact.
pub(crate) fn has_only_densities(layout: &Layout, rows: &Rows) -> bool {
    layout.variables().is_empty() && (0..rows.log_measure.len()).all(|row| !rows.has_intervals(row))
}

/// Trains all `models` and keeps the one with the best log-density on the validation rows. The kinds tried are
/// listed if there are several.
pub(crate) fn best(
    chosen_by_auto: bool,
    models: Vec<(Box<dyn TableDensity>, Architecture)>,
    rows: &Rows,
    settings: Settings<'_>,
    progress: &mut dyn Progress,
) -> Result<(Candidate, Vec<Tried>), ModelError> {
    let count = models.len();
    if chosen_by_auto && count == 1 {
        progress.on_note(
            "model autoregressive: the one that is exact for categories, missing cells and rounded numbers",
        );
    }
    let mut best: Option<(Candidate, f64)> = None;
    let mut tried = Vec::new();
    let mut before = 0;
    for (i, (density, architecture)) in models.into_iter().enumerate() {
        let pieces = density.pieces().len();
        let kind = architecture.model();
        if count > 1 {
            progress.on_note(&format!("model {} of {count} to choose from: {kind}", i + 1));
        }
        let settings = Settings {
            budget: settings.budget.part_of(count - i),
            ..settings
        };
        let trained = Candidate::train(density, architecture, before, rows, settings, progress);
        before += pieces;
        let candidate = match trained {
            Err(ModelError::Diverged { part, epoch }) if best.is_some() => {
                progress.on_note(&format!(
                    "{kind} is left out: training of its {part} diverged in epoch {epoch}"
                ));
                continue;
            }
            candidate => candidate?,
        };
        let cancelled = candidate.is_cancelled();
        if count == 1 {
            return Ok((candidate, tried));
        }
        let nll = candidate.validation_nll(rows, settings);
        tried.push(Tried {
            kind,
            validation_nll: nll,
            stopped_by: candidate.stopped_by(),
        });
        if best.as_ref().is_none_or(|(_, least)| nll < *least) {
            best = Some((candidate, nll));
        }
        if cancelled {
            break;
        }
    }
    let (candidate, nll) = best.expect("there is always an autoregressive model to try");
    if settings.asked_for_ensemble && candidate.architecture.model() != ModelKind::Autoregressive {
        progress.on_note("the ensemble is of autoregressive models, which were not chosen");
    }
    progress.on_note(&format!(
        "chose {}: the best of {} on rows held out, validation NLL {nll:.4} nats",
        candidate.architecture.model(),
        tried.len()
    ));
    Ok((candidate, tried))
}

impl Candidate {
    /// Trains a model, of which `before` stages of the fit have gone before.
    fn train(
        density: Box<dyn TableDensity>,
        architecture: Architecture,
        before: usize,
        rows: &Rows,
        settings: Settings<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Self, ModelError> {
        let mut params = vec![0.0_f32; density.num_params()];
        density.init(Key::new(settings.seed).purpose("init"), &mut params);
        let n = rows.log_measure.len() as f64;
        let measure = -rows.log_measure.iter().sum::<f64>() / n;

        let pieces = density.pieces();
        let (mut stages, count) = (Vec::new(), pieces.len());
        let mut rest = params.as_mut_slice();
        for (i, piece) in pieces.into_iter().enumerate() {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(piece.params);
            rest = others;
            let (part, stage) = (piece.part, i + 1);
            let mut config = settings.training.of(part).clone();
            config.seed = piece.seed(settings.seed);
            config.split_seed = Some(settings.seed);
            // each of an ensemble holds out other rows, so that together they learn from all
            config.validation.fold = piece.member;
            config.max_time = settings.budget.part_of(count - i).left();
            let last = stage == count && density.losses_leave_out_measure();
            let shift = if last { measure } else { 0.0 };
            let mut observer = StageObserver {
                progress,
                part,
                stage: before + stage,
                stages: settings.stages,
                shift,
            };
            let trained = ef_train::fit(piece.density, own, rows, &config, &mut observer);
            let history = trained.map_err(|error| match error {
                TrainError::NonFinite { epoch, .. } => ModelError::Diverged {
                    part: part.name(),
                    epoch,
                },
                error => error.into(),
            })?;
            stages.push(Stage { part, shift, history });
        }
        density.after_training(&stages, &mut params);
        Ok(Self {
            architecture,
            density,
            params,
            stages,
        })
    }

    /// Why training ended; the first reason that cannot be reproduced, if there is one.
    fn stopped_by(&self) -> StopReason {
        let mut histories = self.stages.iter().map(|stage| &stage.history);
        let last = histories.clone().next_back();
        let history = histories.find(|history| !history.is_reproducible()).or(last);
        history.map_or(StopReason::Completed, |history| history.stopped_by)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.stages.iter().any(Stage::is_cancelled)
    }

    /// Mean negative log-density of the rows held out; infinite if any is impossible. Of an ensemble, whose members learn
    /// from each other's rows, the mean of what each makes of its own: the whole is better.
    fn validation_nll(&self, rows: &Rows, settings: Settings<'_>) -> f64 {
        let members: Vec<f64> = self
            .stages
            .iter()
            .filter(|stage| stage.part == Part::Columns)
            .map(|stage| stage.history.best_nll + stage.shift)
            .collect();
        if members.len() > 1 {
            return members.iter().sum::<f64>() / members.len() as f64;
        }
        let config = &settings.training.columns;
        let held_out = validation_split(
            rows.log_measure.len(),
            Key::new(settings.seed),
            &config.validation,
        )
        .validation;
        let parts = over_chunks(held_out.len(), |range, scratch: &mut RowScratch<f32>| {
            let mut scores = Scores::default();
            let key = ScoreKey::new(settings.seed);
            self.density
                .score(&self.params, rows, &held_out[range], key, scratch, &mut scores);
            scores.log_prob.iter().sum::<f64>()
        });
        let nll = -parts.into_iter().sum::<f64>() / held_out.len() as f64;
        if nll.is_nan() { f64::INFINITY } else { nll }
    }
}
