//! Heaping: numbers that people round to multiples of 5, 100 or 250 more often than chance has it.
//!
//! For a multiple `g` of the column's step, `S_g(x)` is the smooth mass of the interval of width `g` around `x` if `x`
//! is a multiple of `g`, else 0: what the smooth part becomes when its draws are rounded to `g`. A share `w_g` of the
//! continuous level is rounded so (Heitjan & Rubin 1990, coarse data). `S_g` depends on the grid and the smooth part
//! alone: it holds no training value.

use serde::{Deserialize, Serialize};

use super::NumberMarginal;

/// Largest multiple: beyond it grid points are not exact.
const MOST_MULTIPLE: i64 = 1 << 53;

/// A coarser grid and its share of the continuous level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Heap {
    /// The grid: multiples of so many steps, at least 2.
    pub(super) multiple: i64,
    pub(super) weight: f64,
}

impl Heap {
    pub(super) fn is_whole(&self) -> bool {
        (2..=MOST_MULTIPLE).contains(&self.multiple) && (0.0..=1.0).contains(&self.weight)
    }

    /// The last multiple at or below a grid point.
    fn at_or_below(&self, index: i64) -> i64 {
        index - index.rem_euclid(self.multiple)
    }
}

/// The mass `S_g` of atoms: before each, and the total.
pub(super) type Cut = Vec<f64>;

impl NumberMarginal {
    /// The masses of atoms under one grid.
    pub(super) fn heap_cut(&self, heap: &Heap) -> Cut {
        let mut cut = vec![0.0];
        for atom in &self.atom_index {
            let mass = self.log_rounded_mass(heap, *atom).exp();
            cut.push(cut[cut.len() - 1] + mass);
        }
        cut
    }

    /// w where the interval around a multiple ends; the last multiple of the support has the rest.
    fn heap_edge(&self, heap: &Heap, multiple: i64) -> f64 {
        if self.first.is_some_and(|first| multiple < first) {
            f64::NEG_INFINITY
        } else if self
            .last
            .is_some_and(|last| multiple.saturating_add(heap.multiple) > last)
        {
            f64::INFINITY
        } else {
            let smooth = &self.saved.smooth;
            smooth.w((multiple as f64 + 0.5 * heap.multiple as f64) * self.saved.grid.step())
        }
    }

    /// `ln S_g`, nothing cut out.
    fn log_rounded_mass(&self, heap: &Heap, index: i64) -> f64 {
        self.heap_ends(heap, index)
            .map_or(f64::NEG_INFINITY, |(low, high)| {
                self.saved.smooth.log_mass(low, high)
            })
    }

    /// The interval around a multiple, in w; `None` for other grid points.
    pub(super) fn heap_ends(&self, heap: &Heap, index: i64) -> Option<(f64, f64)> {
        let below = index.saturating_sub(heap.multiple);
        (index.rem_euclid(heap.multiple) == 0)
            .then(|| (self.heap_edge(heap, below), self.heap_edge(heap, index)))
    }

    /// `S_g` of a grid point that is no atom.
    pub(super) fn heap_mass(&self, at: usize, index: i64) -> f64 {
        self.log_rounded_mass(&self.saved.heaps[at], index).exp() / self.heap_kept(at)
    }

    /// The part of `S_g` that is not cut out.
    pub(super) fn heap_kept(&self, at: usize) -> f64 {
        let cut = &self.heap_cuts[at];
        (1.0 - cut[cut.len() - 1]).max(1e-12)
    }

    /// `S_g` cumulated up to a grid point.
    pub(super) fn heap_upper(&self, at: usize, index: i64) -> f64 {
        let heap = &self.saved.heaps[at];
        let mut multiple = heap.at_or_below(index);
        // an atom has no extent: its rank is the one before it
        let atoms = loop {
            match self.atom_index.binary_search(&multiple) {
                Ok(_) => multiple -= heap.multiple,
                Err(atoms) => break atoms,
            }
        };
        let raw = self.saved.smooth.cdf(self.heap_edge(heap, multiple));
        ((raw - self.heap_cuts[at][atoms]) / self.heap_kept(at)).clamp(0.0, 1.0)
    }
}
