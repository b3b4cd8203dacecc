//! Fitting a model.

use std::time::{Duration, Instant};

use ef_density::Key;
use ef_tabular::Transformer;
use ef_tabular::{EncoderOptions, Table};
use ef_train::TrainConfig;

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
    training: [TrainConfig; Part::ALL.len()],
    max_time: Option<Duration>,
    encoder: EncoderOptions,
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
            training: Part::ALL.map(default_training),
            max_time: None,
            encoder: EncoderOptions::default(),
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
    pub fn epochs(self, epochs: usize) -> Self {
        self.each(|config| config.epochs(epochs))
    }

    /// Threads, 0 (default) for all the machine has. Any number gives the same model, byte for byte.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        self.each(|config| config.threads(threads))
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

    /// All settings of a part's training loop. Seed and time limit are overruled by the builder's.
    #[must_use]
    pub fn train(mut self, part: Part, config: TrainConfig) -> Self {
        self.training[part as usize] = config;
        self
    }

    fn training(&self, part: Part) -> &TrainConfig {
        &self.training[part as usize]
    }

    fn each(mut self, change: impl Fn(TrainConfig) -> TrainConfig) -> Self {
        self.training = self.training.map(change);
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
        self.training.iter().try_for_each(TrainConfig::validate)?;
        let (columns, notes) = Columns::fit(table, &self.context, &self.encoder)?;
        notes.iter().for_each(|note| progress.on_note(note));
        let layout = columns.layout();
        let rows = columns.rows(table, &layout)?;
        let density = self.architecture.density(&layout)?;
        let mut params = vec![0.0_f32; density.num_params()];
        density.init(&mut Key::new(self.seed).purpose("init").row(0), &mut params);
        let n = rows.log_measure.len() as f64;
        let measure = -rows.log_measure.iter().sum::<f64>() / n;

        let parts = density.parts();
        let (mut stages, count) = (Vec::new(), parts.len());
        let mut rest = params.as_mut_slice();
        for (i, (part, size, part_density)) in parts.into_iter().enumerate() {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(size);
            rest = others;
            let stage = i + 1;
            // What is left of the time is shared by the stages that are left.
            let left = self
                .max_time
                .map(|max| max.saturating_sub(started.elapsed()) / (count + 1 - stage) as u32);
            let mut config = self.training(part).clone().seed(self.seed);
            config.max_time = left;
            let last = stage == count && density.losses_leave_out_measure();
            let shift = if last { measure } else { 0.0 };
            let mut observer = StageObserver {
                progress,
                part,
                stage,
                stages: count,
                shift,
            };
            let history = part_density.train(own, &rows, &config, &mut observer)?;
            stages.push(Stage { part, shift, history });
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
