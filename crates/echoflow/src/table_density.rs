//! The density of a model, whatever its kind.

use std::fmt::Debug;
use std::ops::Range;

use ef_density::Scores;
use ef_density::rows::{RowScratch, Rows};
use ef_density::two_part::TwoPart;
use ef_density::{Density, Key, ScoreKey};
use ef_tensor::ParamVisitor;
use ef_train::{History, TrainConfig, TrainError};
use rand::RngCore;

use crate::ensemble::Ensemble;
use crate::error::Error;
use crate::progress::StageObserver;
use crate::stage::Part;

/// A density over the rows of a table.
#[derive(Debug)]
pub(crate) enum TableDensity {
    /// One network with a head a column, or several of them averaged.
    Chain(Ensemble),
    /// Cells, then a flow over ranks.
    Mixed(TwoPart<f32>),
}

/// What is trained by itself. The parameters of a model's pieces lie one after the other.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) part: Part,
    /// Which of several members of one part.
    pub(crate) member: usize,
    pub(crate) params: usize,
    pub(crate) density: &'a dyn PartDensity,
}

impl Piece<'_> {
    /// The seed of its training: the model's for the first member.
    pub(crate) fn seed(&self, seed: u64) -> u64 {
        match self.member {
            0 => seed,
            m => Key::new(seed).purpose("member").row(m as u64).next_u64(),
        }
    }
}

impl TableDensity {
    pub(crate) fn num_params(&self) -> usize {
        self.parts().iter().map(|piece| piece.params).sum()
    }

    pub(crate) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        match self {
            Self::Chain(members) => members.visit_params(visitor),
            Self::Mixed(density) => Density::<f32>::visit_params(density, visitor),
        }
    }

    pub(crate) fn init(&self, key: Key, params: &mut [f32]) {
        match self {
            Self::Chain(members) => members.init(key, params),
            Self::Mixed(density) => Density::<f32>::init(density, &mut key.row(0), params),
        }
    }

    pub(crate) fn project(&self, params: &mut [f32]) {
        match self {
            Self::Chain(members) => members.project(params),
            Self::Mixed(density) => Density::<f32>::project(density, params),
        }
    }

    /// Scores the rows `index` and appends to `scores`.
    pub(crate) fn score(
        &self,
        params: &[f32],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<f32>,
        scores: &mut Scores,
    ) {
        match self {
            Self::Mixed(density) => density.score(params, rows, index, key, scratch, scores),
            Self::Chain(members) => {
                let log_probs = members.log_probs(params, rows, index, key, scratch);
                scores
                    .standard_error
                    .resize(scores.standard_error.len() + index.len(), 0.0);
                scores.log_prob.extend(log_probs);
            }
        }
    }

    pub(crate) fn sample(
        &self,
        params: &[f32],
        given: &Rows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut RowScratch<f32>,
    ) -> Rows {
        match self {
            Self::Chain(members) => members.sample(params, given, rows, key, scratch),
            Self::Mixed(density) => density.sample(params, given, rows, key, scratch),
        }
    }

    /// What is trained by itself.
    pub(crate) fn parts(&self) -> Vec<Piece<'_>> {
        match self {
            Self::Chain(members) => members.pieces().collect(),
            Self::Mixed(density) => {
                let cells = density.discrete().map(|part| Piece {
                    part: Part::Cells,
                    member: 0,
                    params: Density::<f32>::num_params(part),
                    density: part,
                });
                let numbers = density.continuous().map(|part| Piece {
                    part: Part::Numbers,
                    member: 0,
                    params: part.num_params(),
                    density: part,
                });
                // a single column of categories is its marginal: nothing to train
                let parts = cells.into_iter().chain(numbers);
                parts.filter(|piece| piece.params > 0).collect()
            }
        }
    }

    /// Whether the losses of the parts leave out the context-free part of the density.
    pub(crate) fn losses_leave_out_measure(&self) -> bool {
        matches!(self, Self::Mixed(_))
    }
}

/// A part of the density that trains by itself.
pub(crate) trait PartDensity: Debug {
    fn train(
        &self,
        params: &mut [f32],
        rows: &Rows,
        config: &TrainConfig,
        observer: &mut StageObserver<'_>,
    ) -> Result<History, Error>;
}

impl<D: Density<f32, Rows = Rows>> PartDensity for D {
    fn train(
        &self,
        params: &mut [f32],
        rows: &Rows,
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
