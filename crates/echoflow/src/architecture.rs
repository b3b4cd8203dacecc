//! The sizes of a model, and their one table of defaults.

use ef_bijectors::{Activation, BijectorError, FlowConfig, MlpConfig, ScaleClamp};
use ef_density::autoregressive::{TableMade, TableMadeConfig};
use ef_density::rows::Layout;
use ef_density::two_part::{DiscreteConfig, DiscreteMade, RankFlow, TwoPart};
use ef_train::{Hold, Plan, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::ensemble::Ensemble;
use crate::error::Error;
use crate::kind::{ModelKind, Options, check_options, components, default_options};
use crate::stage::Part;
use crate::table_density::TableDensity;

/// The sizes of a model. [`Architecture::new`] has the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Architecture {
    /// The kind of model.
    pub model: ModelKind,
    /// Hidden units of the network over cells; under `chain`, of the one over all columns.
    pub cells_hidden: usize,
    /// Its residual blocks.
    pub cells_blocks: usize,
    /// Share of its units dropped while training.
    pub cells_dropout: f64,
    /// Chains that are trained apart and averaged; flows have one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub members: usize,
    /// Transforms of the flow.
    pub layers: usize,
    /// Hidden units of each transform's network.
    pub hidden: usize,
    /// Its residual blocks.
    pub blocks: usize,
    /// Width of the summary of cells and context that every transform reads.
    pub summary: usize,
    /// Largest absolute log-scale of a transform.
    pub log_scale_bound: f64,
    /// What the kind of model wants to know beyond these, by name. `chain`: `components`, logistics a column of numbers;
    /// `nsf` and `nsf-coupling`: `bins` a column, and the `bound` of its box.
    #[serde(default, skip_serializing_if = "Options::is_empty")]
    pub options: Options,
}

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

/// The default training of a part: chosen by validation on the training files of several tables, never by test files.
/// The flow wants a higher rate than the networks over cells and columns, which dropout regularizes too.
pub(crate) fn default_training(part: Part) -> TrainConfig {
    let config = TrainConfig::default().batch(256);
    match part {
        Part::Columns => {
            let hold = Hold {
                patience: 2,
                patience_steps: 160,
                anneal: 0.25,
            };
            config
                .epochs(200)
                .lr(2e-3)
                .weight_decay(0.4)
                .plan(Plan::Hold(hold))
        }
        Part::Cells => config.epochs(40).lr(2e-3).weight_decay(0.1),
        Part::Numbers => config.epochs(60).lr(4e-3).weight_decay(0.3),
        // on rows drawn from the model, of which none is seen often enough to be learned by heart
        Part::OrderAgnostic => config.epochs(5).lr(2e-3).weight_decay(0.0),
    }
}

impl Architecture {
    /// Most chains that are averaged.
    pub const MOST_ENSEMBLE: usize = 100;

    /// The defaults for a kind of model.
    pub fn new(model: ModelKind) -> Self {
        Self {
            model,
            cells_hidden: 256,
            cells_blocks: 2,
            cells_dropout: match model {
                ModelKind::Auto | ModelKind::Chain => 0.4,
                _ => 0.2,
            },
            members: 1,
            layers: match model {
                ModelKind::Rnvp => 16,
                ModelKind::Nsf => 5,
                ModelKind::NsfCoupling => 8,
                ModelKind::Auto | ModelKind::Chain | ModelKind::Maf | ModelKind::Registered(_) => 10,
            },
            hidden: 128,
            blocks: 1,
            summary: 64,
            log_scale_bound: ScaleClamp::default().bound,
            options: default_options(model),
        }
    }

    /// Refuses sizes no network can have, and such as no machine could hold.
    ///
    /// # Errors
    /// The first setting out of range.
    pub fn validate(&self) -> Result<(), Error> {
        const WIDEST: usize = 65_536;
        const DEEPEST: usize = 1_000;
        const MOST_WEIGHTS: f64 = 4e9;
        let weights = |hidden: usize, blocks: usize, layers: usize| {
            (hidden as f64).powi(2) * (blocks.max(1) * layers) as f64
        };
        let (dropout, bound) = (self.cells_dropout, self.log_scale_bound);
        let size = |setting, size: usize, least: usize, most: usize, expected| {
            (setting, size as f64, (least..=most).contains(&size), expected)
        };
        let (wide, deep) = ("a number from 1 to 65,536", "a number from 1 to 1,000");
        let checks = [
            size("cells_hidden", self.cells_hidden, 1, WIDEST, wide),
            size("hidden", self.hidden, 1, WIDEST, wide),
            size(
                "members",
                self.members,
                1,
                Self::MOST_ENSEMBLE,
                "a number from 1 to 100",
            ),
            (
                "members",
                self.members as f64,
                self.members == 1 || matches!(self.model, ModelKind::Auto | ModelKind::Chain),
                "1, unless the model is a chain",
            ),
            size("summary", self.summary, 1, WIDEST, wide),
            size("layers", self.layers, 1, DEEPEST, deep),
            size("cells_blocks", self.cells_blocks, 0, DEEPEST, "at most 1,000"),
            size("blocks", self.blocks, 0, DEEPEST, "at most 1,000"),
            (
                "cells_dropout",
                dropout,
                (0.0..1.0).contains(&dropout),
                "at least 0 and below 1",
            ),
            (
                "log_scale_bound",
                bound,
                bound > 0.0 && bound <= ScaleClamp::MOST,
                "above 0 and at most 80",
            ),
            // what no machine could hold: checked before anything is built
            (
                "hidden",
                self.hidden as f64,
                weights(self.hidden, self.blocks, self.layers) <= MOST_WEIGHTS,
                "small enough that layers x blocks x hidden x hidden stays below 4 billion",
            ),
            (
                "cells_hidden",
                self.cells_hidden as f64,
                weights(self.cells_hidden, self.cells_blocks, 1) <= MOST_WEIGHTS,
                "small enough that blocks x hidden x hidden stays below 4 billion",
            ),
        ];
        match checks.into_iter().find(|(_, _, ok, _)| !ok) {
            None => check_options(self.model, &self.options),
            Some((setting, value, _, expected)) => Err(Error::Size {
                setting,
                value,
                expected,
            }),
        }
    }

    /// Layers, networks and clamp of the flow.
    fn flow_config(&self) -> FlowConfig {
        FlowConfig {
            layers: self.layers,
            conditioner: self.net(self.hidden, self.blocks),
            clamp: ScaleClamp {
                bound: self.log_scale_bound,
            },
        }
    }

    /// Logistics a column of numbers, in networks with a head a column.
    pub(crate) fn components(&self) -> usize {
        match self.model {
            ModelKind::Chain => components(&self.options),
            _ => TableMadeConfig::default().components,
        }
    }

    fn net(&self, hidden: usize, blocks: usize) -> MlpConfig {
        MlpConfig {
            hidden,
            blocks,
            residual: true,
            activation: Activation::Silu,
        }
    }

    /// The density of this size over rows of `layout`.
    pub(crate) fn density(&self, layout: &Layout) -> Result<TableDensity, Error> {
        if self.model == ModelKind::Chain {
            let config = TableMadeConfig {
                net: self.net(self.cells_hidden, self.cells_blocks),
                dropout: self.cells_dropout,
                components: self.components(),
            };
            return Ok(TableDensity::Chain(Ensemble::new(
                TableMade::new(layout, &config).map_err(BijectorError::from)?,
                self.members,
            )));
        }
        let discrete = (!layout.variables().is_empty())
            .then(|| {
                let net = self.net(self.cells_hidden, self.cells_blocks);
                DiscreteMade::new(
                    layout,
                    &DiscreteConfig {
                        net,
                        dropout: self.cells_dropout,
                    },
                )
            })
            .transpose()
            .map_err(BijectorError::from)?;
        let config = self.flow_config();
        let make = |dim, width| self.model.bijector(dim, width, &config, &self.options);
        let continuous = (layout.continuous() > 0)
            .then(|| RankFlow::new(layout, self.summary, make))
            .transpose()?;
        Ok(TableDensity::Mixed(TwoPart::new(discrete, continuous)))
    }
}
