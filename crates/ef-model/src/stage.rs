//! The parts of a model, each trained in a stage of its own.

use ef_train::{History, StopReason, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::candidate::Tried;

/// A part of a model that was trained by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Part {
    /// The exact network over all columns.
    Columns,
    /// The exact network over levels: categories, atoms, missing cells.
    #[serde(alias = "cells")]
    Levels,
    /// The flow over numbers, given the levels.
    Numbers,
    /// The network that proposes any columns given any others, learned from rows that the model draws.
    #[serde(rename = "order-agnostic")]
    OrderAgnostic,
}

impl Part {
    /// All parts; a model has `Columns`, or one or both of `Levels` and `Numbers`, and possibly `OrderAgnostic`.
    pub const ALL: [Self; 4] = [Self::Columns, Self::Levels, Self::Numbers, Self::OrderAgnostic];

    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Levels => "levels",
            Self::Numbers => "numbers",
            Self::OrderAgnostic => "order-agnostic",
        }
    }
}

/// The settings of each part's training loop.
#[derive(Debug, Clone)]
pub(crate) struct PartSettings {
    pub(crate) columns: TrainConfig,
    pub(crate) levels: TrainConfig,
    pub(crate) numbers: TrainConfig,
    pub(crate) order_agnostic: TrainConfig,
}

impl PartSettings {
    /// Those that `settings` gives each part.
    pub(crate) fn each(settings: impl Fn(Part) -> TrainConfig) -> Self {
        Self {
            columns: settings(Part::Columns),
            levels: settings(Part::Levels),
            numbers: settings(Part::Numbers),
            order_agnostic: settings(Part::OrderAgnostic),
        }
    }

    pub(crate) fn of(&self, part: Part) -> &TrainConfig {
        match part {
            Part::Columns => &self.columns,
            Part::Levels => &self.levels,
            Part::Numbers => &self.numbers,
            Part::OrderAgnostic => &self.order_agnostic,
        }
    }

    /// The same with those of one part replaced.
    pub(crate) fn with(&self, part: Part, config: &TrainConfig) -> Self {
        let of = |own| if own == part { config } else { self.of(own) };
        Self::each(|own| of(own).clone())
    }
}

/// One part of a model that was trained by itself.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TrainedPart<'a> {
    /// What was trained.
    pub part: Part,
    /// Which of an ensemble, from 0.
    pub member: usize,
    /// Its number of parameters.
    pub params: usize,
    /// What to add to the losses of its history to have nats in the table's units. The losses of a flow's parts then add
    /// up to the whole row's; each member of an ensemble has the row's own.
    pub shift: f64,
    /// How training went.
    pub history: &'a History,
}

/// How one part was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) part: Part,
    /// Added to the history's losses to have them in the table's units.
    pub(crate) shift: f64,
    pub(crate) history: History,
}

impl Stage {
    /// Whether its training was stopped by whoever watched it.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.history.stopped_by == StopReason::Cancelled
    }
}

/// How a model came to be: what its bytes depend on beside data and sizes, and how training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Training {
    /// The version of echoflow that fitted it.
    pub(crate) version: String,
    /// The instruction set its kernels ran on: the last bits of a fit depend on it.
    pub(crate) kernels: String,
    pub(crate) seed: u64,
    /// The kinds `auto` tried, if there were several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tried: Vec<Tried>,
    pub(crate) stages: Vec<Stage>,
}

impl Training {
    /// The story of a fit that this program has just run on this machine.
    pub(crate) fn here(seed: u64, tried: Vec<Tried>, stages: Vec<Stage>) -> Self {
        let kernels = ef_tensor::simd::level().name().to_owned();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernels,
            seed,
            tried,
            stages,
        }
    }
}
