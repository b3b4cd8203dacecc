//! The density of a model, whatever its kind.

use std::ops::Range;

use ef_density::chain::ColumnChain;
use ef_density::mixed::{MixedDensity, MixedRows, MixedScratch, Scores};
use ef_density::{Density, Key, ScoreKey};
use ef_tensor::ParamVisitor;
use ef_train::{History, TrainConfig, TrainError};
use rand::RngCore;

use crate::error::Error;
use crate::progress::StageObserver;
use crate::stage::Part;

/// A density over the rows of a table.
#[derive(Debug)]
pub(crate) enum TableDensity {
    /// One network with a head a column.
    Chain(ColumnChain),
    /// Cells, then a flow over ranks.
    Mixed(MixedDensity<f32>),
}

/// Calls a method of [`Density<f32>`] on either.
macro_rules! either {
    ($self:ident, $density:ident => $call:expr) => {
        match $self {
            Self::Chain($density) => $call,
            Self::Mixed($density) => $call,
        }
    };
}

impl TableDensity {
    pub(crate) fn num_params(&self) -> usize {
        either!(self, d => Density::<f32>::num_params(d))
    }

    pub(crate) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        either!(self, d => Density::<f32>::visit_params(d, visitor));
    }

    pub(crate) fn init(&self, rng: &mut dyn RngCore, params: &mut [f32]) {
        either!(self, d => Density::<f32>::init(d, rng, params));
    }

    pub(crate) fn project(&self, params: &mut [f32]) {
        either!(self, d => Density::<f32>::project(d, params));
    }

    /// Scores the rows `index` and appends to `scores`.
    pub(crate) fn score(
        &self,
        params: &[f32],
        rows: &MixedRows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut MixedScratch<f32>,
        scores: &mut Scores,
    ) {
        match self {
            Self::Mixed(d) => d.score(params, rows, index, key, scratch, scores),
            Self::Chain(d) => {
                let at = scores.log_prob.len();
                scores.log_prob.resize(at + index.len(), 0.0);
                scores.standard_error.resize(at + index.len(), 0.0);
                d.log_prob(params, rows, index, key, scratch, &mut scores.log_prob[at..]);
            }
        }
    }

    pub(crate) fn sample(
        &self,
        params: &[f32],
        given: &MixedRows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut MixedScratch<f32>,
    ) -> MixedRows {
        either!(self, d => d.sample(params, given, rows, key, scratch))
    }

    /// What is trained by itself: each part's name, number of parameters (they lie one after the other) and density.
    pub(crate) fn parts(&self) -> Vec<(Part, usize, &dyn PartDensity)> {
        match self {
            Self::Chain(d) => vec![(Part::Columns, Density::<f32>::num_params(d), d)],
            Self::Mixed(d) => {
                let cells = d
                    .discrete()
                    .map(|p| (Part::Cells, Density::<f32>::num_params(p), p as &dyn PartDensity));
                let numbers = d
                    .continuous()
                    .map(|p| (Part::Numbers, p.num_params(), p as &dyn PartDensity));
                cells.into_iter().chain(numbers).collect()
            }
        }
    }

    /// Whether the losses of the parts leave out the context-free part of the density.
    pub(crate) fn losses_leave_out_measure(&self) -> bool {
        matches!(self, Self::Mixed(_))
    }
}

/// A part of the density that trains by itself.
pub(crate) trait PartDensity {
    fn train(
        &self,
        params: &mut [f32],
        rows: &MixedRows,
        config: &TrainConfig,
        observer: &mut StageObserver<'_>,
    ) -> Result<History, Error>;
}

impl<D: Density<f32, Rows = MixedRows>> PartDensity for D {
    fn train(
        &self,
        params: &mut [f32],
        rows: &MixedRows,
        config: &TrainConfig,
        observer: &mut StageObserver<'_>,
    ) -> Result<History, Error> {
        ef_train::fit(self, params, rows, config, observer).map_err(|error| match error {
            TrainError::NonFinite { epoch, .. } => Error::Diverged {
                part: observer.part.name(),
                epoch,
            },
            error => error.into(),
        })
    }
}
