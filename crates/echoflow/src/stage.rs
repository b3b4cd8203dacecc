//! The parts of a model, each trained in a stage of its own.

use ef_train::History;
use serde::{Deserialize, Serialize};

/// A part of a model that was trained by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Part {
    /// The exact network over cells: categories, atoms, missing cells.
    Cells,
    /// The flow over numbers, given the cells.
    Numbers,
}

impl Part {
    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cells => "cells",
            Self::Numbers => "numbers",
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
