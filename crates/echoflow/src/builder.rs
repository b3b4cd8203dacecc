//! Fitting a model.

use std::time::{Duration, Instant};

use ef_density::Density;
use ef_density::Key;
use ef_density::mixed::MixedRows;
use ef_tabular::Transformer;
use ef_tabular::{EncoderOptions, Table};
use ef_train::{TrainConfig, TrainError};

use crate::architecture::{Architecture, default_training};
use crate::columns::Columns;
use crate::error::Error;
use crate::kind::ModelKind;
use crate::model::EchoFlow;
use crate::progress::{Progress, Silent, StageObserver};
use crate::stage::{Part, Stage, Training};

/// Settings of a fit; made by [`EchoFlow::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    architecture: Architecture,
    context: Vec<String>,
    seed: u64,
    cells: TrainConfig,
    numbers: TrainConfig,
    max_time: Option<Duration>,
    encoder: EncoderOptions,
    dependencies: bool,
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
            architecture: Architecture::new(ModelKind::default()),
            context: Vec::new(),
            seed: 0,
            cells: default_training(Part::Cells),
            numbers: default_training(Part::Numbers),
            max_time: None,
            encoder: EncoderOptions::default(),
            dependencies: true,
        }
    }
}

impl Builder {
    /// The flow over numbers, at its default sizes.
    #[must_use]
    pub fn model(self, kind: ModelKind) -> Self {
        self.architecture(Architecture::new(kind))
    }

    /// All sizes of the model.
    #[must_use]
    pub fn architecture(mut self, architecture: Architecture) -> Self {
        self.architecture = architecture;
        self
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
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.cells = self.cells.epochs(epochs);
        self.numbers = self.numbers.epochs(epochs);
        self
    }

    /// Threads, 0 (default) for all the machine has. Any number gives the same model, byte for byte.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.cells = self.cells.threads(threads);
        self.numbers = self.numbers.threads(threads);
        self
    }

    /// Parts every mini-batch is cut into (default 2), at most one thread each: 4 or 8 use more cores and, in all, some more
    /// CPU time. Other parts give other models, equally good.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.cells = self.cells.shards(shards);
        self.numbers = self.numbers.shards(shards);
        self
    }

    /// The most time the whole fit may take. A fit it cuts short keeps the best weights so far and cannot be
    /// reproduced.
    #[must_use]
    pub fn max_time(mut self, time: Duration) -> Self {
        self.max_time = Some(time);
        self
    }

    /// All settings of a part's training loop. Seed and time limit are overruled by the builder's.
    #[must_use]
    pub fn train(mut self, part: Part, config: TrainConfig) -> Self {
        match part {
            Part::Cells => self.cells = config,
            Part::Numbers => self.numbers = config,
        }
        self
    }

    /// Whether columns that are an exact function of others in every row are derived instead of modelled (default: yes),
    /// see [`Dependencies`](ef_tabular::Dependencies).
    #[must_use]
    pub fn dependencies(mut self, derive: bool) -> Self {
        self.dependencies = derive;
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
    pub fn fit(&self, table: &Table) -> Result<EchoFlow, Error> {
        self.fit_with(table, &mut Silent)
    }

    /// Fits the model; `progress` watches and may stop it.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_with(&self, table: &Table, progress: &mut dyn Progress) -> Result<EchoFlow, Error> {
        let started = Instant::now();
        self.architecture.validate()?;
        self.cells.validate()?;
        self.numbers.validate()?;
        let (columns, notes) = Columns::fit(table, &self.context, self.dependencies, &self.encoder)?;
        notes.iter().for_each(|note| progress.on_note(note));
        let layout = columns.layout();
        let rows = columns.rows(table, &layout)?;
        let density = self.architecture.density(&layout)?;
        let mut params = vec![0.0_f32; density.num_params()];
        density.init(&mut Key::new(self.seed).purpose("init").row(0), &mut params);
        let n = rows.log_measure.len() as f64;
        let measure = -rows.log_measure.iter().sum::<f64>() / n;

        let mut stages = Vec::new();
        let count = usize::from(density.discrete().is_some()) + usize::from(density.continuous().is_some());
        let at = density.split(&params).0.len();
        let (p_cells, p_numbers) = params.split_at_mut(at);
        let mut run = |part: Part, density: &dyn PartDensity, params: &mut [f32]| -> Result<(), Error> {
            let stage = stages.len() + 1;
            // What is left of the time is shared by the stages that are left.
            let left = self
                .max_time
                .map(|max| max.saturating_sub(started.elapsed()) / (count + 1 - stage) as u32);
            let mut config = match part {
                Part::Cells => self.cells.clone(),
                Part::Numbers => self.numbers.clone(),
            }
            .seed(self.seed);
            config.max_time = left;
            let shift = if stage == count { measure } else { 0.0 };
            let mut observer = StageObserver {
                progress,
                part,
                stage,
                stages: count,
                shift,
            };
            let history = density.train(params, &rows, &config, &mut observer)?;
            stages.push(Stage { part, shift, history });
            Ok(())
        };
        if let Some(discrete) = density.discrete() {
            run(Part::Cells, discrete, p_cells)?;
        }
        if let Some(flow) = density.continuous() {
            run(Part::Numbers, flow, p_numbers)?;
        }
        Ok(EchoFlow::assemble(
            columns,
            self.architecture.clone(),
            Training::here(self.seed, stages),
            layout,
            density,
            params,
        ))
    }
}

/// A part of the density that trains by itself.
trait PartDensity {
    fn train(
        &self,
        params: &mut [f32],
        rows: &MixedRows,
        config: &TrainConfig,
        observer: &mut StageObserver<'_>,
    ) -> Result<ef_train::History, Error>;
}

impl<D: Density<f32, Rows = MixedRows>> PartDensity for D {
    fn train(
        &self,
        params: &mut [f32],
        rows: &MixedRows,
        config: &TrainConfig,
        observer: &mut StageObserver<'_>,
    ) -> Result<ef_train::History, Error> {
        ef_train::fit(self, params, rows, config, observer).map_err(|error| match error {
            TrainError::NonFinite { epoch, .. } => Error::Diverged {
                part: observer.part.name(),
                epoch,
            },
            error => error.into(),
        })
    }
}
