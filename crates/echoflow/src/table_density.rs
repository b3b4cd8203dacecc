//! The density of a model, whatever its kind.

use std::fmt::Debug;
use std::ops::Range;

use ef_density::rows::{RowScratch, Rows};
use ef_density::two_part::{DiscreteMade, TwoPart};
use ef_density::{Density, HeadOffsets, Key, ScoreKey, Scores};
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
    Autoregressive(Ensemble),
    /// Cells, then a flow over ranks.
    Flow(TwoPart<f32>),
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
    /// Units of a hidden layer of the network that has a head for each column's levels.
    pub(crate) fn hidden(&self) -> usize {
        match self {
            Self::Autoregressive(ensemble) => ensemble.hidden(),
            Self::Flow(density) => density.discrete().map_or(0, DiscreteMade::hidden),
        }
    }

    /// The constants of the networks with heads for levels, by what the names of their parameters begin with.
    pub(crate) fn head_offsets(&self) -> Vec<(String, HeadOffsets)> {
        match self {
            Self::Autoregressive(ensemble) => ensemble.head_offsets(),
            Self::Flow(density) => density
                .discrete()
                .map(|made| ("discrete.".to_owned(), made.head_offsets()))
                .into_iter()
                .collect(),
        }
    }

    pub(crate) fn num_params(&self) -> usize {
        self.parts().iter().map(|piece| piece.params).sum()
    }

    pub(crate) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        match self {
            Self::Autoregressive(members) => members.visit_params(visitor),
            Self::Flow(density) => Density::<f32>::visit_params(density, visitor),
        }
    }

    pub(crate) fn init(&self, key: Key, params: &mut [f32]) {
        match self {
            Self::Autoregressive(members) => members.init(key, params),
            Self::Flow(density) => Density::<f32>::init(density, &mut key.row(0), params),
        }
    }

    pub(crate) fn project(&self, params: &mut [f32]) {
        match self {
            Self::Autoregressive(members) => members.project(params),
            Self::Flow(density) => Density::<f32>::project(density, params),
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
            Self::Flow(density) => density.score(params, rows, index, key, scratch, scores),
            Self::Autoregressive(members) => {
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
            Self::Autoregressive(members) => members.sample(params, given, rows, key, scratch),
            Self::Flow(density) => density.sample(params, given, rows, key, scratch),
        }
    }

    /// What is trained by itself.
    pub(crate) fn parts(&self) -> Vec<Piece<'_>> {
        match self {
            Self::Autoregressive(members) => members.pieces().collect(),
            Self::Flow(density) => {
                let cells = density.discrete().map(|part| Piece {
                    part: Part::Levels,
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
        matches!(self, Self::Flow(_))
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
