//! The sizes of a model, and their one table of defaults.

use ef_bijectors::{Activation, BijectorError, FlowConfig, MlpConfig, ScaleClamp};
use ef_density::autoregressive::{Ensemble, TableMade, TableMadeConfig};
use ef_density::rows::Layout;
use ef_density::two_part::{DiscreteConfig, DiscreteMade, RankFlow, TwoPart};
use ef_train::{Hold, Plan, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::kind::{ModelKind, Options, check_options, default_options};
use crate::stage::Part;
use crate::table_density::TableDensity;

/// The sizes of a model. [`Architecture::new`] has the defaults.
///
/// ```
/// use ef_model::{Architecture, AutoregressiveSizes};
/// let mut sizes = AutoregressiveSizes::default();
/// sizes.hidden = 512;
/// Architecture::from(sizes).validate()?;
/// # Ok::<(), ef_model::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Architecture {
    /// One network over all columns.
    Autoregressive(AutoregressiveSizes),
    /// A network over the levels of all columns, and a flow over the ranks of numbers.
    Flow(FlowSizes),
}

/// The sizes of an autoregressive model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AutoregressiveSizes {
    /// Hidden units, at least; the network has one for each column before another in any case.
    pub hidden: usize,
    /// Residual blocks.
    pub blocks: usize,
    /// Share of units dropped while training.
    pub dropout: f64,
    /// Logistics of a column of numbers.
    pub components: usize,
    /// Networks that are trained apart and averaged, each on all rows but those that it is validated on; these are other rows
    /// for each.
    pub ensemble: usize,
}

/// The sizes of a flow model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FlowSizes {
    /// The kind of flow.
    pub model: ModelKind,
    /// Hidden units of the network over levels, at least; it has one for each column before another in any case.
    pub levels_hidden: usize,
    /// Its residual blocks.
    pub levels_blocks: usize,
    /// Share of its units dropped while training.
    pub levels_dropout: f64,
    /// Transforms of the flow.
    pub layers: usize,
    /// Hidden units of each transform's network.
    pub hidden: usize,
    /// Its residual blocks.
    pub blocks: usize,
    /// Width of the summary of levels and context that every transform reads.
    pub summary: usize,
    /// Largest absolute log-scale of a transform.
    pub log_scale_bound: f64,
    /// What the kind of flow wants to know beyond these, by name: `nsf` and `nsf-coupling` the `bins` a column, and the
    /// `bound` of its box.
    #[serde(default, skip_serializing_if = "Options::is_empty")]
    pub options: Options,
}

impl From<AutoregressiveSizes> for Architecture {
    fn from(sizes: AutoregressiveSizes) -> Self {
        Self::Autoregressive(sizes)
    }
}

impl From<FlowSizes> for Architecture {
    fn from(sizes: FlowSizes) -> Self {
        Self::Flow(sizes)
    }
}

impl Default for AutoregressiveSizes {
    fn default() -> Self {
        Self {
            hidden: 256,
            blocks: 2,
            dropout: 0.4,
            components: TableMadeConfig::default().components,
            ensemble: 1,
        }
    }
}

impl FlowSizes {
    /// The defaults for a kind of flow.
    pub fn new(model: ModelKind) -> Self {
        Self {
            model,
            levels_hidden: 256,
            levels_blocks: 2,
            levels_dropout: 0.2,
            layers: match model {
                ModelKind::Rnvp => 16,
                ModelKind::Nsf => 5,
                ModelKind::NsfCoupling => 8,
                _ => 10,
            },
            hidden: 128,
            blocks: 1,
            summary: 64,
            log_scale_bound: ScaleClamp::default().bound,
            options: default_options(model),
        }
    }
}

/// Tables of fewer rows than these are learned by [`FOLDS`] networks by default. Each holds out another fifth of the rows for
/// validation, so that together they learn from all of them.
const FEW_ROWS: usize = 2_500;
const FOLDS: usize = 5;

/// The default of [`Hold::least_gain`] for each column, nats a row.
const LEAST_GAIN: f64 = 0.0005;

/// The default training of the network over all columns, for so many columns: the least gain grows with their number.
pub(crate) fn for_columns(mut config: TrainConfig, columns: usize) -> TrainConfig {
    if let Plan::Hold(hold) = &mut config.plan {
        hold.least_gain = LEAST_GAIN * columns as f64;
    }
    config
}

/// Networks that are averaged by default, for a table of so many rows.
pub(crate) fn default_ensemble(rows: usize) -> usize {
    if rows < FEW_ROWS { FOLDS } else { 1 }
}

/// The default training of a part: chosen by validation on the training files of several tables, never by test files.
/// The flow wants a higher rate than the networks over cells and columns, which dropout regularizes too.
pub(crate) fn default_training(part: Part) -> TrainConfig {
    let config = TrainConfig::default().batch(256);
    match part {
        Part::Columns => config
            .epochs(200)
            .lr(3e-3)
            .weight_decay(0.7)
            .plan(Plan::Hold(Hold::default())),
        Part::Levels => config.epochs(40).lr(2e-3).weight_decay(0.1),
        Part::Numbers => config.epochs(60).lr(4e-3).weight_decay(0.3),
        // on rows drawn from the model, of which none is seen often enough to be learned by heart
        Part::OrderAgnostic => config.epochs(5).lr(2e-3).weight_decay(0.0),
    }
}

const WIDEST: usize = 65_536;
const DEEPEST: usize = 1_000;
const MOST_WEIGHTS: f64 = 4e9;
const WIDE: &str = "a number from 1 to 65,536";
const DEEP: &str = "at most 1,000";
const SHARE: &str = "at least 0 and below 1";

/// A setting's name, its value, whether it can be used, and what it may be.
type Check = (&'static str, f64, bool, &'static str);

fn size(setting: &'static str, size: usize, least: usize, most: usize, expected: &'static str) -> Check {
    (setting, size as f64, (least..=most).contains(&size), expected)
}

fn share(setting: &'static str, share: f64) -> Check {
    (setting, share, (0.0..1.0).contains(&share), SHARE)
}

/// Whether so many weights can be held by any machine: checked before anything is built.
fn few_weights(hidden: usize, blocks: usize, layers: usize) -> bool {
    (hidden as f64).powi(2) * (blocks.max(1) * layers) as f64 <= MOST_WEIGHTS
}

fn first_refused(checks: &[Check]) -> Result<(), ModelError> {
    match checks.iter().find(|(_, _, fits, _)| !fits) {
        None => Ok(()),
        Some(&(setting, value, _, expected)) => Err(ModelError::Size {
            setting,
            value,
            expected,
        }),
    }
}

impl AutoregressiveSizes {
    /// Most networks that are averaged.
    pub const MOST_ENSEMBLE: usize = 100;

    fn validate(&self) -> Result<(), ModelError> {
        const MOST: usize = TableMadeConfig::MOST_COMPONENTS;
        first_refused(&[
            size("hidden", self.hidden, 1, WIDEST, WIDE),
            size("blocks", self.blocks, 0, DEEPEST, DEEP),
            share("dropout", self.dropout),
            size("components", self.components, 1, MOST, "a number from 1 to 64"),
            size(
                "ensemble",
                self.ensemble,
                1,
                Self::MOST_ENSEMBLE,
                "a number from 1 to 100",
            ),
            (
                "hidden",
                self.hidden as f64,
                few_weights(self.hidden, self.blocks, 1),
                "small enough that blocks x hidden x hidden stays below 4 billion",
            ),
        ])
    }

    fn density(&self, layout: &Layout) -> Result<Box<dyn TableDensity>, ModelError> {
        let config = TableMadeConfig {
            net: net(self.hidden, self.blocks),
            dropout: self.dropout,
            components: self.components,
        };
        let network = TableMade::new(layout, &config).map_err(BijectorError::from)?;
        Ok(Box::new(Ensemble::new(network, self.ensemble)))
    }
}

impl FlowSizes {
    fn validate(&self) -> Result<(), ModelError> {
        let bound = self.log_scale_bound;
        first_refused(&[
            size("levels_hidden", self.levels_hidden, 1, WIDEST, WIDE),
            size("hidden", self.hidden, 1, WIDEST, WIDE),
            size("summary", self.summary, 1, WIDEST, WIDE),
            size("layers", self.layers, 1, DEEPEST, "a number from 1 to 1,000"),
            size("levels_blocks", self.levels_blocks, 0, DEEPEST, DEEP),
            size("blocks", self.blocks, 0, DEEPEST, DEEP),
            share("levels_dropout", self.levels_dropout),
            (
                "log_scale_bound",
                bound,
                bound > 0.0 && bound <= ScaleClamp::MOST,
                "above 0 and at most 80",
            ),
            (
                "hidden",
                self.hidden as f64,
                few_weights(self.hidden, self.blocks, self.layers),
                "small enough that layers x blocks x hidden x hidden stays below 4 billion",
            ),
            (
                "levels_hidden",
                self.levels_hidden as f64,
                few_weights(self.levels_hidden, self.levels_blocks, 1),
                "small enough that blocks x hidden x hidden stays below 4 billion",
            ),
        ])?;
        check_options(self.model, &self.options)
    }

    fn density(&self, layout: &Layout) -> Result<Box<dyn TableDensity>, ModelError> {
        let discrete = (!layout.variables().is_empty())
            .then(|| {
                let config = DiscreteConfig {
                    net: net(self.levels_hidden, self.levels_blocks),
                    dropout: self.levels_dropout,
                };
                DiscreteMade::new(layout, &config).map_err(BijectorError::from)
            })
            .transpose()?;
        let config = FlowConfig {
            layers: self.layers,
            conditioner: net(self.hidden, self.blocks),
            clamp: ScaleClamp {
                bound: self.log_scale_bound,
            },
        };
        let make = |dim, width| self.model.bijector(dim, width, &config, &self.options);
        let continuous = (layout.continuous() > 0)
            .then(|| RankFlow::new(layout, self.summary, make))
            .transpose()?;
        Ok(Box::new(TwoPart::new(discrete, continuous)))
    }
}

impl Architecture {
    /// The defaults for a kind of model; for `auto`, of what it tries on every table.
    pub fn new(model: ModelKind) -> Self {
        match model {
            ModelKind::Auto | ModelKind::Autoregressive => {
                Self::Autoregressive(AutoregressiveSizes::default())
            }
            flow => Self::Flow(FlowSizes::new(flow)),
        }
    }

    /// The kind of model.
    pub fn model(&self) -> ModelKind {
        match self {
            Self::Autoregressive(_) => ModelKind::Autoregressive,
            Self::Flow(sizes) => sizes.model,
        }
    }

    /// Refuses sizes that no network can have, and sizes that no machine can hold.
    ///
    /// # Errors
    /// The first setting out of range.
    pub fn validate(&self) -> Result<(), ModelError> {
        match self {
            Self::Autoregressive(sizes) => sizes.validate(),
            Self::Flow(sizes) => sizes.validate(),
        }
    }

    /// Hidden units and residual blocks of the network that has a head for each column's levels, and logistics a column of
    /// numbers: what the order-agnostic network beside the model is built from.
    pub(crate) fn network(&self) -> (usize, usize, usize) {
        match self {
            Self::Autoregressive(sizes) => (sizes.hidden, sizes.blocks, sizes.components),
            Self::Flow(sizes) => {
                let components = TableMadeConfig::default().components;
                (sizes.levels_hidden, sizes.levels_blocks, components)
            }
        }
    }

    /// The density of this size over rows of `layout`.
    pub(crate) fn density(&self, layout: &Layout) -> Result<Box<dyn TableDensity>, ModelError> {
        match self {
            Self::Autoregressive(sizes) => sizes.density(layout),
            Self::Flow(sizes) => sizes.density(layout),
        }
    }
}

fn net(hidden: usize, blocks: usize) -> MlpConfig {
    MlpConfig {
        hidden,
        blocks,
        residual: true,
        activation: Activation::Silu,
    }
}
