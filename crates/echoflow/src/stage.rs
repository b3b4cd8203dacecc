//! The parts of a model, each trained in a stage of its own.

use ef_train::{History, StopReason};
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
    Cells,
    /// The flow over numbers, given the cells.
    Numbers,
    /// The network that proposes columns in any order, learned from the model itself.
    OrderAgnostic,
}

impl Part {
    /// All parts; a model has `Columns`, or one or both of `Cells` and `Numbers`, and possibly `OrderAgnostic`.
    pub const ALL: [Self; 4] = [Self::Columns, Self::Cells, Self::Numbers, Self::OrderAgnostic];

    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Cells => "cells",
            Self::Numbers => "numbers",
            Self::OrderAgnostic => "any order",
        }
    }
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
