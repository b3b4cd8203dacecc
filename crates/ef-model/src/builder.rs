//! Fitting a model.

use std::time::Duration;

use ef_tabular::Transformer;
use ef_tabular::{EncoderOptions, Table};
use ef_train::TrainConfig;

use crate::architecture::{Architecture, default_ensemble, default_training, for_columns};
use crate::budget::Budget;
use crate::candidate::{Settings, best, candidates, has_only_densities};
use crate::columns::Columns;
use crate::error::ModelError;
use crate::kind::ModelKind;
use crate::model::EchoFlow;
use crate::parallel::with_threads;
use crate::progress::{Progress, Silent, StageObserver};
use crate::proposal::Proposal;
use crate::stage::{Part, PartSettings, Training};
use crate::table_density::TableDensity;

/// Settings of a fit; made by [`EchoFlow::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    wanted: Wanted,
    ensemble: Option<usize>,
    context: Vec<String>,
    seed: u64,
    threads: usize,
    training: PartSettings,
    /// Whether the training of the network over all columns is still the default, which depends on their number.
    by_columns: bool,
    max_time: Option<Duration>,
    encoder: EncoderOptions,
    dependencies: bool,
    order_agnostic: bool,
}

/// Which model is asked for.
#[derive(Debug, Clone)]
enum Wanted {
    /// What suits the table.
    Auto,
    /// This kind, at its default sizes.
    Kind(ModelKind),
    /// These sizes.
    Sizes(Architecture),
}

impl EchoFlow {
    /// Starts the settings of a fit.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            wanted: Wanted::Auto,
            ensemble: None,
            context: Vec::new(),
            seed: 0,
            threads: 0,
            training: PartSettings::each(default_training),
            by_columns: true,
            max_time: None,
            encoder: EncoderOptions::default(),
            dependencies: true,
            order_agnostic: true,
        }
    }
}

impl Builder {
    /// The kind of model, at its default sizes.
    #[must_use]
    pub fn model(mut self, kind: ModelKind) -> Self {
        self.wanted = match kind {
            ModelKind::Auto => Wanted::Auto,
            kind => Wanted::Kind(kind),
        };
        self
    }

    /// Autoregressive models that are trained apart and averaged, each on all rows but those that it is validated on: better,
    /// the more so the fewer rows there are, at as many times the cost. Default: 5 for tables of fewer than 2,500 rows, else 1.
    #[must_use]
    pub fn ensemble(mut self, models: usize) -> Self {
        self.ensemble = Some(models);
        self
    }

    /// A model of these sizes.
    #[must_use]
    pub fn architecture(mut self, architecture: impl Into<Architecture>) -> Self {
        self.wanted = Wanted::Sizes(architecture.into());
        self
    }

    /// The sizes that are asked for, an ensemble included, for a table of so many rows; those of the autoregressive model
    /// under `auto`.
    fn sizes(&self, rows: usize) -> Result<Architecture, ModelError> {
        let mut architecture = match &self.wanted {
            Wanted::Auto => Architecture::new(ModelKind::Auto),
            Wanted::Kind(kind) => Architecture::new(*kind),
            Wanted::Sizes(architecture) => architecture.clone(),
        };
        if let (Architecture::Autoregressive(sizes), Wanted::Auto | Wanted::Kind(_)) =
            (&mut architecture, &self.wanted)
        {
            sizes.ensemble = default_ensemble(rows);
        }
        match (&mut architecture, self.ensemble) {
            (_, None) | (Architecture::Flow(_), Some(1)) => {}
            (Architecture::Autoregressive(sizes), Some(models)) => sizes.ensemble = models,
            (Architecture::Flow(_), Some(models)) => {
                return Err(ModelError::Size {
                    setting: "ensemble",
                    value: models as f64,
                    expected: "1, unless the model is autoregressive",
                });
            }
        }
        architecture.validate()?;
        Ok(architecture)
    }

    /// Columns to condition on: they are not modelled, and sampling is given one row of them for each row drawn.
    #[must_use]
    pub fn context<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.context = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Everything random follows from it (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Most epochs of each stage; validation usually stops earlier.
    #[must_use]
    pub fn epochs(self, epochs: usize) -> Self {
        self.each(|config| config.epochs(epochs))
    }

    /// Threads of the whole fit, which opens one pool of them. 0 (default) are those of the rayon pool that the fit is
    /// called in, and outside of any all the machine has. Any number gives the same model, byte for byte.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Parts every mini-batch is cut into (default 2), at most one thread each: 4 or 8 use more cores and, in all, some more
    /// CPU time. Other parts give other models, equally good.
    #[must_use]
    pub fn shards(self, shards: usize) -> Self {
        self.each(|config| config.shards(shards))
    }

    /// The most time the whole fit may take. A fit it cuts short keeps the best weights so far and cannot be
    /// reproduced.
    #[must_use]
    pub fn max_time(mut self, time: Duration) -> Self {
        self.max_time = Some(time);
        self
    }

    /// All settings of a part's training loop. Seed, threads and time limit are overruled by the builder's.
    #[must_use]
    pub fn train(mut self, part: Part, config: TrainConfig) -> Self {
        self.training = self.training.with(part, &config);
        self.by_columns &= part != Part::Columns;
        self
    }

    fn each(mut self, change: impl Fn(TrainConfig) -> TrainConfig) -> Self {
        self.training = PartSettings::each(|part| change(self.training.of(part).clone()));
        self
    }

    /// Whether columns that are an exact function of others in every row are derived instead of modelled (default: yes),
    /// see [`Dependencies`](ef_tabular::Dependencies).
    #[must_use]
    pub fn dependencies(mut self, derive: bool) -> Self {
        self.dependencies = derive;
        self
    }

    /// Whether a network for any order of the columns is trained beside the model (default: yes, for models whose densities
    /// are exact): it makes questions about late columns, rare conditions and missing cells cheap. It learns from rows
    /// drawn from the model.
    #[must_use]
    pub fn order_agnostic(mut self, order_agnostic: bool) -> Self {
        self.order_agnostic = order_agnostic;
        self
    }

    /// A map of your own for a number column: see [`Transformer`].
    #[must_use]
    pub fn transformer(mut self, column: &str, transformer: impl Transformer + 'static) -> Self {
        self.encoder = self.encoder.transformer(column, transformer);
        self
    }

    /// Fits the model, without progress.
    ///
    /// # Errors
    /// A table of fewer than two rows, unknown columns, settings out of range, training that diverges.
    pub fn fit(&self, table: &Table) -> Result<EchoFlow, ModelError> {
        self.fit_with(table, &mut Silent)
    }

    /// Fits the model; `progress` watches and may stop it.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_with(&self, table: &Table, progress: &mut dyn Progress) -> Result<EchoFlow, ModelError> {
        let architecture = self.sizes(table.num_rows())?;
        Part::ALL
            .iter()
            .try_for_each(|&part| self.training.of(part).validate())?;
        TrainConfig::default().threads(self.threads).validate()?;
        // every part trains in the pool around it, whatever its own settings say
        let training = PartSettings::each(|part| self.training.of(part).clone().threads(0));
        with_threads(self.threads, || {
            self.fit_here(table, architecture, &training, progress)
        })?
    }

    /// Fits the model on the threads of the pool that it is called in.
    fn fit_here(
        &self,
        table: &Table,
        architecture: Architecture,
        training: &PartSettings,
        progress: &mut dyn Progress,
    ) -> Result<EchoFlow, ModelError> {
        let budget = Budget::from_now(self.max_time);
        let (columns, notes) = Columns::fit(table, &self.context, self.dependencies, &self.encoder)?;
        notes.iter().for_each(|note| progress.on_note(note));
        let layout = columns.layout();
        let rows = columns.rows(table, &layout)?;
        let mut training = training.clone();
        if self.by_columns {
            training.columns = for_columns(training.columns, layout.ranked().count());
        }
        let training = &training;
        let architectures = match (&self.wanted, architecture) {
            (Wanted::Auto, Architecture::Autoregressive(sizes)) => candidates(&sizes, &layout, &rows),
            (_, architecture) => vec![architecture],
        };
        let models = architectures
            .into_iter()
            .map(|architecture| Ok((architecture.density(&layout)?, architecture)))
            .collect::<Result<Vec<_>, ModelError>>()?;
        for (density, architecture) in &models {
            note_raised_width(density.as_ref(), architecture, progress);
        }
        let exact = models
            .iter()
            .all(|(density, _)| density.conditional().is_some() || has_only_densities(&layout, &rows));
        let proposes = self.order_agnostic && exact && Proposal::is_of_use(&models[0].1, &layout)?;
        let trained: usize = models.iter().map(|(density, _)| density.pieces().len()).sum();
        let stages = trained + usize::from(proposes);
        let settings = Settings {
            seed: self.seed,
            training,
            budget: if proposes {
                budget.before_proposal()
            } else {
                budget
            },
            stages,
            asked_for_ensemble: self.ensemble.is_some_and(|models| models > 1),
        };
        let (chosen, tried) = best(
            matches!(self.wanted, Wanted::Auto),
            models,
            &rows,
            settings,
            progress,
        )?;
        let mut proposal = None;
        if proposes && !chosen.is_cancelled() && !budget.is_over() {
            let mut config = training.order_agnostic.clone();
            config.seed = self.seed;
            config.max_time = budget.left();
            proposal = Proposal::fit(
                &chosen.architecture,
                chosen.density.as_ref(),
                &chosen.params,
                &layout,
                rows.context.view(),
                (self.seed, config),
                StageObserver {
                    progress,
                    part: Part::OrderAgnostic,
                    stage: stages,
                    stages,
                    shift: 0.0,
                },
            )?;
        }
        Ok(EchoFlow::assemble(
            columns,
            layout,
            Training::here(self.seed, tried, chosen.stages),
            chosen.architecture,
            chosen.density,
            chosen.params,
            proposal,
        ))
    }
}

/// Says so where a network is wider than it was asked to be: every column sees the one before it through hidden units of
/// its own, so there is at least one a column.
fn note_raised_width(density: &dyn TableDensity, architecture: &Architecture, progress: &mut dyn Progress) {
    let (asked, ..) = architecture.network();
    let hidden = density.hidden();
    if hidden > asked {
        progress.on_note(&format!(
            "the network has {hidden} hidden units instead of {asked}, one for each column that another one reads"
        ));
    }
}
