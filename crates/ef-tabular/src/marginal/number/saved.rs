//! What a marginal of numbers keeps, and what is worked out from it when it is loaded.

use serde::{Deserialize, Serialize};

use super::heaps::Heap;
use super::{NumberMarginal, ranks};
use crate::marginal::sample::Grid;
use crate::marginal::smooth::SmoothMarginal;
use crate::marginal::unseen::unseen_share;

/// Probability of a number on the wrong side of a natural bound.
const OUTSIDE: f64 = 1e-6;
/// What a marginal keeps: plain numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::marginal) struct Saved {
    pub(super) grid: Grid,
    pub(super) missing: u64,
    /// Rows in the continuous level; 0 if all values are listed.
    pub(in crate::marginal) continuous: u64,
    /// Ascending; all values of a listed column.
    #[serde(rename = "points")]
    pub(super) atoms: Vec<f64>,
    pub(super) counts: Vec<u64>,
    pub(super) smooth: SmoothMarginal,
    /// Weight e of the smooth part.
    pub(super) weight: f64,
    /// Coarser grids that values are rounded to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) heaps: Vec<Heap>,
    /// Grid points seen in the continuous level, kept only if repeated values have weight.
    pub(in crate::marginal) seen: Vec<i64>,
    pub(super) seen_counts: Vec<u64>,
    /// Copies of each that do not count.
    #[serde(default)]
    pub(super) discount: f64,
    /// The support's ends, where it has any, and whether the end itself belongs to it.
    pub(super) floor: Option<Bound>,
    pub(super) ceiling: Option<Bound>,
    /// Whether there is no number at all beyond the ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) confined: bool,
    pub(super) mean: f64,
    pub(super) deviation: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Most significant digits of any value: drawn numbers without a grid are written with as many.
    pub(super) digits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) at: f64,
    pub(super) closed: bool,
}

impl Saved {
    /// What the smooth part and the coarser grids leave of the continuous level.
    fn rest(&self) -> f64 {
        1.0 - self.weight - self.heaps.iter().map(|heap| heap.weight).sum::<f64>()
    }

    /// Weight of the repeated values.
    fn repeats(&self) -> f64 {
        if self.seen.is_empty() {
            0.0
        } else {
            self.rest().max(0.0)
        }
    }

    /// Whether the weights of the parts sum to 1.
    fn parts_fit(&self) -> bool {
        let rest = self.rest();
        rest > -1e-9 && (rest < 1e-9 || !self.seen.is_empty())
    }

    /// Probability of a number beyond one of the bounds.
    pub(super) fn outside(&self) -> f64 {
        if self.confined { 0.0 } else { OUTSIDE }
    }
}

impl TryFrom<Saved> for NumberMarginal {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        let sums = |counts: &[u64]| {
            let mut sums = vec![0u64];
            counts
                .iter()
                .for_each(|count| sums.push(sums[sums.len() - 1].saturating_add(*count)));
            sums
        };
        let whole = saved.atoms.len() == saved.counts.len()
            && saved.seen.len() == saved.seen_counts.len()
            && saved.smooth.is_whole()
            && (0.0..=1.0).contains(&saved.weight)
            && saved.heaps.iter().all(Heap::is_whole)
            && saved.parts_fit()
            && saved.discount >= 0.0
            && saved.discount.is_finite();
        if !whole {
            return Err(
                "the marginal of a number column is damaged; its lists do not fit together".to_owned(),
            );
        }
        let atom_rows = sums(&saved.counts);
        let seen_rows = sums(&saved.seen_counts);
        let on_grid = saved.grid.decimals().is_some();
        let atom_index = if on_grid {
            saved.atoms.iter().filter_map(|x| saved.grid.index(*x)).collect()
        } else {
            Vec::new()
        };
        let numbers = saved.continuous.saturating_add(atom_rows[atom_rows.len() - 1]);
        let rows = numbers.saturating_add(saved.missing) as usize;
        let listed = saved.continuous == 0;
        let singletons = saved.counts.iter().filter(|count| **count == 1).count();
        let unseen = if listed {
            unseen_share(singletons, rows)
        } else {
            1.0 / (rows as f64 + 2.0)
        };
        // a number off the grid, or a missing cell where none was missing at fit: one unseen event among others; a day
        // is never off its grid
        let off_grid = on_grid && !saved.confined;
        let foreign = match (saved.missing > 0 && !off_grid, listed) {
            (true, _) => 0.0,
            (false, true) => unseen / (rows as f64 + 2.0),
            (false, false) => unseen,
        };
        let new = if listed { unseen - foreign } else { 0.0 };
        let outside = saved.outside()
            * (f64::from(u8::from(saved.floor.is_some())) + f64::from(u8::from(saved.ceiling.is_some())));
        let repeats = saved.repeats();
        let log_seen = (-(foreign + new + outside)).ln_1p();
        let (first, last) = ranks::support(saved.grid, saved.floor, saved.ceiling);
        let mut marginal = Self {
            saved,
            atom_index,
            atom_rows,
            cut: vec![0.0],
            heap_cuts: Vec::new(),
            seen_rows,
            first,
            last,
            repeats,
            kept: 1.0,
            ranks_seen: (0.0, 1.0),
            foreign,
            new,
            log_seen,
        };
        for i in 0..marginal.atom_index.len() {
            let mass = marginal.log_smooth_mass(marginal.atom_index[i]).exp();
            marginal.cut.push(marginal.cut[i] + mass);
        }
        marginal.kept = (1.0 - marginal.cut[marginal.cut.len() - 1]).max(1e-12);
        marginal.heap_cuts = marginal
            .saved
            .heaps
            .iter()
            .map(|heap| marginal.heap_cut(heap))
            .collect();
        marginal.ranks_seen = marginal.ranks_of_range();
        Ok(marginal)
    }
}

impl From<NumberMarginal> for Saved {
    fn from(marginal: NumberMarginal) -> Self {
        marginal.saved
    }
}
