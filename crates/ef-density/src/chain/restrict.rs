//! Heads within a set of values: its exact mass, and draws from what is left.
//!
//! Softmax weights are multiplied by the share of each cell that lies in the set, those of logistics by their mass
//! in its ranks: the sum of what is left over the sum before is the set's conditional probability. A component picked
//! from what is left is drawn by the inverse of its distribution function between the ends of an interval.

use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};

use super::mixture::log_scale_of;
use super::plan::Column;
use crate::log_sum::log_sum_exp;

/// A set of values of one column, as heads know it.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSet {
    /// Per cell, the share of it that lies in the set, from 0 to 1. The entry of a continuous cell is not read.
    pub cells: Vec<f64>,
    /// Of a continuous cell, the intervals of ranks in the set: ascending, disjoint, each of positive length.
    pub ranks: Vec<(f64, f64)>,
}

impl CellSet {
    /// The share of a cell; those that do not exist have none.
    fn share(&self, cell: usize) -> f64 {
        self.cells.get(cell).copied().unwrap_or(0.0)
    }

    /// Whether nothing lies in the set.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty() && self.cells.iter().all(|share| *share <= 0.0)
    }

    /// Whether a cell, and the rank of a continuous one, lies in the set; of a cell that does in part, whether any does.
    pub fn contains(&self, cell: u32, rank: Option<f64>) -> bool {
        match rank {
            Some(rank) if cell == 0 => self.ranks.iter().any(|(low, high)| *low < rank && rank < *high),
            _ => self.share(cell as usize) > 0.0,
        }
    }
}

/// Restricts the weights of a column's head to a set and returns the logarithm of the set's probability, nats.
/// `weights` are the head's logits, `y` all its outputs. A set of no mass changes nothing and gives `-inf`.
pub(super) fn restrict<T: Real>(
    column: &Column,
    components: usize,
    y: ArrayView1<'_, T>,
    set: &CellSet,
    mut weights: ArrayViewMut1<'_, T>,
) -> f64 {
    let log_weight = |i: usize| y[i].wide();
    let (first_cell, continuous) = match column.rank {
        Some(_) => (components, true),
        None => (0, false),
    };
    let total: f64 = set.ranks.iter().map(|(low, high)| high - low).sum();
    let log_share = |i: usize| match i.checked_sub(first_cell) {
        None => {
            let logits = weights.len();
            let (mean, raw) = (y[logits + i].wide(), y[logits + components + i].wide());
            log_sum_exp(
                set.ranks
                    .iter()
                    .map(|&ends| Truncated::new(mean, raw, ends).log_mass),
            )
        }
        Some(0) if continuous => total.ln(),
        Some(cell) => set.share(cell).ln(),
    };
    let left: Vec<f64> = (0..weights.len()).map(|i| log_weight(i) + log_share(i)).collect();
    let after = log_sum_exp(left.iter().copied());
    let mass = after - log_sum_exp((0..weights.len()).map(log_weight));
    if after == f64::NEG_INFINITY {
        return after;
    }
    for (weight, left) in weights.iter_mut().zip(left) {
        // relative to the largest, so that rare sets keep their digits
        *weight = T::of(left - after);
    }
    mass.min(0.0)
}

/// The rank that the uniform number `u` stands for in a component of a head within intervals of ranks; `None` is the
/// background.
pub(super) fn draw_within(logistic: Option<(f64, f64)>, ranks: &[(f64, f64)], u: f64) -> f64 {
    let log_mass = |&(low, high): &(f64, f64)| match logistic {
        Some((mean, raw)) => Truncated::new(mean, raw, (low, high)).log_mass,
        None => (high - low).ln(),
    };
    let total = log_sum_exp(ranks.iter().map(log_mass));
    let mut left = u;
    let mut chosen = None;
    for ends in ranks {
        let share = (log_mass(ends) - total).exp();
        if share > 0.0 {
            chosen = Some((*ends, (left / share).clamp(0.0, 1.0)));
            if left < share {
                break;
            }
        }
        left -= share;
    }
    let Some(((low, high), u)) = chosen else {
        return 0.5;
    };
    let rank = match logistic {
        Some((mean, raw)) => Truncated::new(mean, raw, (low, high)).draw(u),
        None => low + u * (high - low),
    };
    // strictly inside, where there is an inside
    rank.max(low.next_up()).min(high.next_down()).max(low)
}

/// A logistic over logits of ranks, between two ranks.
struct Truncated {
    mean: f64,
    scale: f64,
    /// The ends, standardized.
    low: f64,
    high: f64,
    /// `ln` of the mass between them.
    log_mass: f64,
}

impl Truncated {
    fn new(mean: f64, raw_scale: f64, (low, high): (f64, f64)) -> Self {
        let logit = |rank: f64| rank.ln() - (-rank).ln_1p();
        let scale = log_scale_of(raw_scale).exp();
        let (a, b) = (logit(low.clamp(0.0, 1.0)), logit(high.clamp(0.0, 1.0)));
        let (low, high) = ((a - mean) / scale, (b - mean) / scale);
        // s(B) - s(A) = s(B) s(-A) (1 - e^-x), x = B - A
        let x = (b - a) / scale;
        let log_mass = if b > a {
            log_sigmoid(high) + log_sigmoid(-low) + log_1m_exp(-x)
        } else {
            f64::NEG_INFINITY
        };
        Self {
            mean,
            scale,
            low,
            high,
            log_mass,
        }
    }

    /// The rank below which a share `u` of the mass lies.
    fn draw(&self, u: f64) -> f64 {
        // In the lower tail, where the distribution function keeps its digits; the upper one is its mirror image.
        let mirrored = self.low + self.high > 0.0;
        let (low, u) = if mirrored {
            (-self.high, 1.0 - u)
        } else {
            (self.low, u)
        };
        let log_below = log_sum_exp([log_sigmoid(low), u.ln() + self.log_mass].into_iter());
        let w = log_below - log_1m_exp(log_below);
        let w = self.mean + self.scale * if mirrored { -w } else { w };
        1.0 / (1.0 + (-w).exp())
    }
}

fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// `ln(1 - e^x)` for `x <= 0` (Maechler 2012).
fn log_1m_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 {
        (-x.exp_m1()).ln()
    } else {
        (-x.exp()).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    /// The distribution function of the logistic at a rank.
    fn below(mean: f64, raw: f64, rank: f64) -> f64 {
        let w = (rank / (1.0 - rank)).ln();
        1.0 / (1.0 + (-(w - mean) / log_scale_of(raw).exp()).exp())
    }

    proptest! {
        /// A share `u` of the truncated mass lies below what is drawn for `u`, whichever interval it falls into.
        #[test]
        fn draws_invert_the_truncated_mass(
            mean in -6.0..6.0_f64,
            raw in -5.0..1.0_f64,
            mut ends in proptest::collection::vec(0.001..0.999_f64, 4),
            u in 0.001..0.999_f64,
        ) {
            ends.sort_by(f64::total_cmp);
            prop_assume!(ends[0] + 1e-6 < ends[1] && ends[2] + 1e-6 < ends[3] && ends[1] < ends[2]);
            let ranks = [(ends[0], ends[1]), (ends[2], ends[3])];
            let rank = draw_within(Some((mean, raw)), &ranks, u);
            prop_assert!(ranks.iter().any(|(low, high)| *low < rank && rank < *high));
            let mass = |low: f64, high: f64| Truncated::new(mean, raw, (low, high)).log_mass.exp();
            let total = mass(ends[0], ends[1]) + mass(ends[2], ends[3]);
            prop_assume!(total > 1e-12);
            let reached: f64 = ranks
                .iter()
                .filter(|(low, _)| *low < rank)
                .map(|(low, high)| mass(*low, high.min(rank)))
                .sum();
            assert_relative_eq!(reached / total, u, epsilon = 1e-6);
        }

        /// The mass between two ranks is the difference of the distribution function.
        #[test]
        fn masses_are_differences(mean in -3.0..3.0_f64, raw in -4.0..1.0_f64, a in 0.01..0.5_f64, b in 0.5..0.99_f64) {
            let mass = Truncated::new(mean, raw, (a, b)).log_mass.exp();
            assert_relative_eq!(mass, below(mean, raw, b) - below(mean, raw, a), epsilon = 1e-12, max_relative = 1e-9);
            // to the ends, and beyond what the function itself can resolve
            let lower = Truncated::new(mean, raw, (0.0, a)).log_mass.exp();
            assert_relative_eq!(lower, below(mean, raw, a), epsilon = 1e-12, max_relative = 1e-9);
            let far = Truncated::new(mean + 40.0, raw, (a, b));
            prop_assert!(far.log_mass.is_finite());
            let rank = far.draw(0.5);
            prop_assert!((a..=b).contains(&rank));
        }
    }
}
