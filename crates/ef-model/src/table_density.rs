//! What every kind of model can do: a density over rows, trained in parts.

use ef_density::autoregressive::Ensemble;
use ef_density::rows::{RowScratch, Rows};
use ef_density::two_part::{DiscreteMade, TwoPart};
use ef_density::{Density, HeadOffsets, Key, RowDensity};
use rand::RngCore;

use crate::stage::{Part, Stage};

/// A density over the rows of a table, of which parts are trained by themselves. What some kinds can do beside it is
/// asked by [`conditional`](RowDensity::conditional).
pub(crate) trait TableDensity: RowDensity<f32> {
    /// Units of a hidden layer of the network that has a head for each column's levels.
    fn hidden(&self) -> usize;

    /// The constants of the networks with heads for levels, by what the names of their parameters begin with.
    fn head_offsets(&self) -> Vec<(String, HeadOffsets)>;

    /// What is trained by itself.
    fn pieces(&self) -> Vec<Piece<'_>>;

    /// Whether the losses of the pieces leave out the context-free part of the density.
    fn losses_leave_out_measure(&self) -> bool {
        false
    }

    /// Mends parameters after a training that may have been stopped; `stages` are those of the pieces.
    fn after_training(&self, stages: &[Stage], params: &mut [f32]) {
        let _ = (stages, params);
    }
}

/// A density of rows that trains by itself.
pub(crate) type PieceDensity = dyn Density<f32, Rows = Rows, Scratch = RowScratch<f32>>;

/// What is trained by itself. The parameters of a model's pieces lie one after the other.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) part: Part,
    /// Which of several members of one part.
    pub(crate) member: usize,
    pub(crate) params: usize,
    pub(crate) density: &'a PieceDensity,
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

impl TableDensity for Ensemble {
    fn hidden(&self) -> usize {
        self.network().hidden()
    }

    fn head_offsets(&self) -> Vec<(String, HeadOffsets)> {
        Self::head_offsets(self)
    }

    fn pieces(&self) -> Vec<Piece<'_>> {
        let params = Density::<f32>::num_params(self.network());
        // a single column has its marginal: nothing to train
        let count = if params > 0 { self.count() } else { 0 };
        let piece = |member| Piece {
            part: Part::Columns,
            member,
            params,
            density: self.network(),
        };
        (0..count).map(piece).collect()
    }

    fn after_training(&self, stages: &[Stage], params: &mut [f32]) {
        let finished: Vec<bool> = stages.iter().map(|stage| !stage.is_cancelled()).collect();
        let learned: Vec<bool> = stages.iter().map(|s| s.history.best_epoch != Some(0)).collect();
        let any = finished.contains(&true);
        self.replace_unfinished(if any { &finished } else { &learned }, params);
    }
}

impl TableDensity for TwoPart<f32> {
    fn hidden(&self) -> usize {
        self.discrete().map_or(0, DiscreteMade::hidden)
    }

    fn head_offsets(&self) -> Vec<(String, HeadOffsets)> {
        let of = |made: &DiscreteMade| ("discrete.".to_owned(), made.head_offsets());
        self.discrete().map(of).into_iter().collect()
    }

    fn pieces(&self) -> Vec<Piece<'_>> {
        fn piece(part: Part, density: &PieceDensity) -> Piece<'_> {
            Piece {
                part,
                member: 0,
                params: density.num_params(),
                density,
            }
        }
        let levels = self.discrete().map(|density| piece(Part::Levels, density));
        let numbers = self.continuous().map(|density| piece(Part::Numbers, density));
        let pieces = levels.into_iter().chain(numbers);
        // a single column of categories has its marginal: nothing to train
        pieces.filter(|piece| piece.params > 0).collect()
    }

    fn losses_leave_out_measure(&self) -> bool {
        true
    }
}
