//! The weights of the parts of the continuous level, and the smooth part under repeated values.
//!
//! What repeated values have of the level, the smooth part must not have a second time, or the values around them and
//! the mass far from them come out wrong. With the weight `w` of the repeats and `n` rows, a value of `n_x` rows leaves
//! to the smooth part
//!
//! ```text
//! n_x - b max(n_x - 4, 0),      b = min(w n / sum_y max(n_y - 4, 0), 1)
//! ```
//!
//! so that both together have `n_x` rows there. Weights and smooth part are fitted in turns.

use super::fit::Smoothing;
use super::heaps::Heap;
use super::{NumberMarginal, Saved};
use crate::marginal::heaping::{DISCOUNT, Parts, Weights};
use crate::marginal::sample::Sample;

/// Most distinct values that the weights of a level's parts are fitted to.
const MOST_WEIGHED: usize = 10_000;
/// Most turns of fitting the smooth part and the weights, and the change of the repeats' weight that ends them. The
/// slowest column of adult, bank, bike_hour and housing (latitude) goes from 0.46 to 0.74 in eight and on to 0.75.
const TURNS: usize = 8;
const SETTLED: f64 = 0.005;

/// The values of the level, and the share `b` of their repeats that the smooth part is rid of.
struct Left<'a> {
    rest: &'a Sample,
    share: f64,
}

impl Left<'_> {
    fn repeats(count: u64) -> f64 {
        (count as f64 - DISCOUNT).max(0.0)
    }

    fn counted(&self) -> f64 {
        self.rest.counts.iter().map(|count| Self::repeats(*count)).sum()
    }

    /// Copies of each value that the smooth part is fitted to.
    fn copies(&self) -> Vec<f64> {
        let left = |count: &u64| *count as f64 - self.share * Self::repeats(*count);
        self.rest.counts.iter().map(left).collect()
    }

    /// What one row of a value has of them.
    fn of_a_row(&self, count: u64) -> f64 {
        1.0 - if count as f64 > DISCOUNT { self.share } else { 0.0 }
    }
}

impl NumberMarginal {
    /// Finds the weights of the parts of the continuous level, and keeps those that have one.
    pub(super) fn weigh(self, rest: &Sample, bandwidth: f64, smoothing: &Smoothing) -> Result<Self, String> {
        let mut left = Left { rest, share: 0.0 };
        let mut weights = self.parts(&left, bandwidth).weights();
        let mut marginal = self;
        for _ in 0..TURNS {
            if weights.repeats == 0.0 {
                break;
            }
            left.share = (weights.repeats * rest.total() as f64 / left.counted()).min(1.0);
            let map = marginal.saved.smooth.shared_transformer();
            let Some(fit) = smoothing.fit(rest, &left.copies(), map) else {
                break;
            };
            let refitted = Self::try_from(Saved {
                smooth: fit.marginal,
                ..marginal.saved.clone()
            })?;
            let again = refitted.parts(&left, fit.bandwidth).weights();
            if again.repeats == 0.0 {
                break;
            }
            let moved = (again.repeats - weights.repeats).abs();
            (marginal, weights) = (refitted, again);
            if moved < SETTLED {
                break;
            }
        }
        marginal.with_weights(rest, weights)
    }

    fn with_weights(self, rest: &Sample, weights: Weights) -> Result<Self, String> {
        let mut saved = Saved::from(self);
        saved.weight = weights.smooth;
        let heaps = saved.heaps.iter().zip(weights.heaps);
        saved.heaps = heaps
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(heap, weight)| Heap { weight, ..*heap })
            .collect();
        if weights.repeats > 0.0 {
            (saved.seen, saved.seen_counts) = rest
                .values
                .iter()
                .zip(&rest.counts)
                .filter(|(_, count)| **count as f64 > DISCOUNT)
                .filter_map(|(value, count)| Some((rest.grid.index(*value)?, *count)))
                .unzip();
        }
        Self::try_from(saved)
    }

    /// The parts' masses at values of the continuous level, one row of the value left out. Of many values a part that
    /// is spread evenly over them.
    fn parts(&self, left: &Left<'_>, bandwidth: f64) -> Parts {
        let rest = left.rest;
        let share = MOST_WEIGHED as f64 / rest.values.len() as f64;
        // multiples of the golden ratio meet every residue class alike
        let chosen = (0..rest.values.len()).filter(|i| (*i as f64 * 0.618_033_988_749_894_9).fract() < share);
        let (counted, smoothed) = (left.counted(), left.copies().iter().sum::<f64>());
        let mut parts = Parts {
            rows: Vec::new(),
            smooth: Vec::new(),
            repeats: Vec::new(),
            heaps: vec![Vec::new(); self.saved.heaps.len()],
        };
        for i in chosen {
            let (value, copies) = (rest.values[i], rest.counts[i] as f64);
            let Some(index) = rest.grid.index(value) else {
                continue;
            };
            let w = self.saved.smooth.w(value);
            let row = left.of_a_row(rest.counts[i]);
            let without = |(low, high): (f64, f64), steps: f64| {
                let (all, own) = if self.saved.smooth.resolves(low, high) {
                    let all = self.saved.smooth.log_mass(low, high).exp();
                    (
                        all,
                        kernel_mass((high - w) / bandwidth) - kernel_mass((low - w) / bandwidth),
                    )
                } else {
                    let extent = steps * self.saved.grid.step() * self.saved.smooth.derivative(value);
                    let all = steps * self.log_point_density(value).exp();
                    (all, 2.0 * kernel_mass(0.5 * extent / bandwidth))
                };
                // what the background gives a lone value is left in any case
                ((smoothed * all - row * own) / (smoothed - row).max(1.0)).max(1e-3 * all)
            };
            let smooth = without(self.ends(index), 1.0);
            parts.rows.push(copies);
            parts.smooth.push((smooth / self.kept).max(1e-300));
            parts
                .repeats
                .push((copies - 1.0 - DISCOUNT).max(0.0) / (counted - 1.0).max(1.0));
            for (at, masses) in parts.heaps.iter_mut().enumerate() {
                let (heap, kept) = (&self.saved.heaps[at], self.heap_kept(at));
                // a grid whose multiples are nearly all atoms has nothing to say here
                let ends = self.heap_ends(heap, index).filter(|_| kept > 1e-3);
                masses.push(ends.map_or(0.0, |ends| without(ends, heap.multiple as f64) / kept));
            }
        }
        parts
    }
}

/// Mass of the standard normal kernel between its centre and z, signed.
fn kernel_mass(z: f64) -> f64 {
    0.5 * libm::erf(z * std::f64::consts::FRAC_1_SQRT_2)
}
