//! Masses and ranks of grid points.

use super::{Bound, NumberMarginal};
use crate::marginal::sample::Grid;

/// First and last grid point between the bounds, on a side that has one.
pub(super) fn support(
    grid: Grid,
    floor: Option<Bound>,
    ceiling: Option<Bound>,
) -> (Option<i64>, Option<i64>) {
    let inner = |bound: Bound, inwards: i64| {
        grid.index(bound.at).map(|index| {
            let distance = (grid.value(index) - bound.at) * inwards as f64;
            let inside = distance > 0.0 || (distance == 0.0 && bound.closed);
            if inside { index } else { index + inwards }
        })
    };
    (
        floor.and_then(|bound| inner(bound, 1)),
        ceiling.and_then(|bound| inner(bound, -1)),
    )
}

impl NumberMarginal {
    pub(super) fn on_grid(&self) -> bool {
        self.saved.grid.decimals().is_some()
    }

    /// w half a step above a grid point; infinite at the ends of the support.
    fn edge(&self, index: i64) -> f64 {
        if self.first.is_some_and(|first| index < first) {
            f64::NEG_INFINITY
        } else if self.last.is_some_and(|last| index >= last) {
            f64::INFINITY
        } else {
            self.saved.smooth.w(self.saved.grid.edge(index))
        }
    }

    /// The step around a grid point, in w.
    pub(super) fn ends(&self, index: i64) -> (f64, f64) {
        (self.edge(index.saturating_sub(1)), self.edge(index))
    }

    /// `ln` of the smooth mass of a grid point, nothing cut out.
    pub(super) fn log_smooth_mass(&self, index: i64) -> f64 {
        let (low, high) = self.ends(index);
        if self.saved.smooth.resolves(low, high) {
            self.saved.smooth.log_mass(low, high)
        } else {
            self.log_point_density(self.saved.grid.value(index))
        }
    }

    /// Mass of a grid point from the density there, where w cannot resolve a step.
    pub(super) fn log_point_density(&self, x: f64) -> f64 {
        let log = self.saved.smooth.log_density(x) + self.saved.grid.step().ln();
        if log.is_nan() { f64::NEG_INFINITY } else { log }
    }

    /// Rank at a grid point's upper end under the smooth part, atoms cut out.
    pub(super) fn smooth_upper(&self, mut index: i64) -> f64 {
        let mut atoms = self.atom_index.partition_point(|atom| *atom <= index);
        // an atom has no extent: its rank is the one before it
        while atoms > 0 && self.atom_index[atoms - 1] == index {
            index = index.saturating_sub(1);
            atoms -= 1;
        }
        let cut = if self.on_grid() { self.cut[atoms] } else { 0.0 };
        ((self.saved.smooth.cdf(self.edge(index)) - cut) / self.kept).clamp(0.0, 1.0)
    }

    /// Rank at a grid point's upper end in the continuous level.
    pub(in crate::marginal) fn upper(&self, index: i64) -> f64 {
        let seen = &self.saved.seen;
        self.mix(seen.partition_point(|seen| *seen <= index), self.curve(index))
    }

    /// What the smooth part and the coarser grids have up to a grid point.
    fn curve(&self, index: i64) -> f64 {
        let heaps = self.saved.heaps.iter().enumerate();
        let rounded: f64 = heaps
            .map(|(at, heap)| heap.weight * self.heap_upper(at, index))
            .sum();
        self.saved.weight * self.smooth_upper(index) + rounded
    }

    /// Rows at the first so many seen grid points, discounted.
    fn counted(&self, points: usize) -> f64 {
        self.seen_rows[points] as f64 - self.saved.discount * points as f64
    }

    /// What the repeated values have at the first so many seen grid points.
    fn repeated(&self, points: usize) -> f64 {
        if points == 0 {
            return 0.0;
        }
        self.repeats * (self.counted(points) / self.counted(self.saved.seen.len()))
    }

    /// Rank where the other parts have this much and so many of the seen grid points lie at or below.
    fn mix(&self, before: usize, curve: f64) -> f64 {
        // weights that sum to 1 may sum to a little more
        (self.repeated(before) + curve).min(1.0)
    }

    /// `ln` of a grid point's mass within the continuous level.
    pub(super) fn log_level_mass(&self, index: i64) -> f64 {
        let smooth = self.log_smooth_mass(index) - self.kept.ln() + self.saved.weight.ln();
        let heaps = self.saved.heaps.iter().enumerate();
        let mut rest: f64 = heaps
            .map(|(at, heap)| heap.weight * self.heap_mass(at, index))
            .sum();
        if let Ok(at) = self.saved.seen.binary_search(&index) {
            let own = self.saved.seen_counts[at] as f64 - self.saved.discount;
            rest += self.repeats * own / self.counted(self.saved.seen.len());
        }
        // far out only the logarithm has digits
        if rest > 0.0 {
            (rest + smooth.exp()).ln()
        } else {
            smooth
        }
    }

    /// Where an atom lies among the ranks of the continuous level, or, where there is none, among those of all numbers;
    /// `None` for other levels.
    pub fn level_rank(&self, level: u32) -> Option<f64> {
        if !self.is_continuous() {
            return self.saved.atoms.get(level as usize).map(|x| self.mid_rank(*x));
        }
        let atom = (level as usize).checked_sub(1)?;
        let x = *self.saved.atoms.get(atom)?;
        Some(match self.saved.grid.index(x) {
            Some(index) => self.upper(index),
            None => self.saved.smooth.cdf(self.saved.smooth.w(self.clip(x))),
        })
    }

    /// The grid point that holds rank u: the first whose upper end reaches it.
    pub(super) fn point_at(&self, u: f64) -> i64 {
        const FAR: i64 = 1 << 53;
        let seen = &self.saved.seen;
        let after = first_index(seen.len(), |i| self.mix(i + 1, self.curve(seen[i])) >= u);
        if after < seen.len() && self.mix(after, self.curve(seen[after].saturating_sub(1))) < u {
            return seen[after];
        }
        // between two seen points the curve alone grows; heaps are narrow, so the smooth part is near it
        let smooth = ((u - self.repeated(after)) / (1.0 - self.repeats)).clamp(0.0, 1.0);
        let mut passed = match after.checked_sub(1) {
            Some(last) => self.atom_index.partition_point(|atom| *atom <= seen[last]),
            None => 0,
        };
        let inverse = |passed: usize| {
            let rank = (smooth * self.kept + self.cut[passed]).min(1.0 - f64::EPSILON / 2.0);
            let x = self.saved.smooth.inverse(rank);
            self.saved
                .grid
                .index(x)
                .unwrap_or(if x < 0.0 { -FAR } else { FAR })
        };
        let mut high = inverse(passed);
        while self.atom_index.get(passed).is_some_and(|atom| high >= *atom) {
            passed += 1;
            high = inverse(passed);
        }
        let mut low = high - 1;
        let mut reach = 1;
        while self.upper(low) >= u && low > -FAR {
            high = low;
            low -= reach;
            reach *= 2;
        }
        reach = 1;
        while self.upper(high) < u && high < FAR {
            low = high;
            high += reach;
            reach *= 2;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.upper(middle) < u {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

/// The first of `0..len` that satisfies a predicate that stays true, or `len`.
fn first_index(len: usize, reached: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if reached(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
