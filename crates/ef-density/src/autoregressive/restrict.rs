//! Heads within a set of values: its exact mass, and draws from what is left.
//!
//! Softmax weights are multiplied by the share of each level that lies in the set, those of logistics by their mass
//! in its ranks: the sum of what is left over the sum before is the set's conditional probability. A component picked
//! from what is left is drawn by the inverse of its distribution function between the ends of an interval.

use ef_column::LevelSet;
use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};

use super::affine::{Affine, Mapped};
use super::mixture::log_scale_of;
use super::plan::Column;
use crate::log_sum::{log_add_exp, log_sum_exp};
use crate::normal::ndtri;

/// A set as the head of one column reads it: the logarithms that do not depend on the row.
#[derive(Debug, Default)]
pub(super) struct Restriction {
    /// Of each logit behind those of logistics, `ln` of the share that lies in the set.
    log_shares: Vec<f64>,
    intervals: Vec<Interval>,
    /// Scratch memory: the intervals under the map of a row.
    mapped: Vec<Mapped>,
    /// Scratch memory: logarithms of what is left of each logit, or of each interval.
    left: Vec<f64>,
}

impl Restriction {
    /// Reads the set of a column.
    pub(super) fn read(&mut self, column: &Column, set: &LevelSet) {
        self.intervals.clear();
        self.log_shares.clear();
        let mut levels = 0..column.levels;
        if column.rank.is_some() {
            self.intervals.extend(set.ranks.iter().filter_map(Interval::new));
            let background: f64 = self.intervals.iter().map(Interval::length).sum();
            self.log_shares.push(background.ln());
            levels.start = 1;
        }
        self.log_shares
            .extend(levels.map(|level| set.log_share(level as u32)));
    }

    /// Restricts the weights of a row's head to the set and returns the logarithm of the set's probability, nats.
    /// `y` are the head's outputs, `weights` its logits. A set of no mass changes nothing and gives `-inf`.
    pub(super) fn restrict<T: Real>(
        &mut self,
        y: ArrayView1<'_, T>,
        mut weights: ArrayViewMut1<'_, T>,
    ) -> f64 {
        let logits = weights.len();
        let components = logits - self.log_shares.len();
        if components > 0 {
            let map = logits + 2 * components;
            self.map(&Affine::new(y[map].wide(), y[map + 1].wide()));
        }
        self.left.clear();
        for k in 0..components {
            let logistic = Logistic::new(y[logits + k].wide(), y[logits + components + k].wide());
            let masses = self.mapped.iter().map(|interval| logistic.log_mass(interval));
            let mass = masses.reduce(log_add_exp).unwrap_or(f64::NEG_INFINITY);
            self.left.push(y[k].wide() + mass);
        }
        for (log_share, weight) in self.log_shares.iter().zip(y.iter().skip(components)) {
            self.left.push(weight.wide() + log_share);
        }
        let after = log_sum_exp(self.left.iter().copied());
        if after == f64::NEG_INFINITY {
            return after;
        }
        for (weight, left) in weights.iter_mut().zip(&self.left) {
            // relative to their sum, so that rare sets keep their digits
            *weight = T::of(left - after);
        }
        let before = log_sum_exp(y.iter().take(logits).map(|weight| weight.wide()));
        (after - before).min(0.0)
    }

    fn map(&mut self, affine: &Affine) {
        let intervals = self.intervals.iter();
        self.mapped.clear();
        self.mapped
            .extend(intervals.map(|interval| affine.interval(interval.ends, interval.scores)));
    }

    /// The rank that the uniform number `u` stands for in a component of the head, within the set: a logistic's raw
    /// mean and log-scale under a map of ranks, or `None`, the background.
    pub(super) fn draw(&mut self, logistic: Option<(f64, f64)>, affine: &Affine, u: f64) -> f64 {
        let logistic = logistic.map(|(mean, raw_scale)| Logistic::new(mean, raw_scale));
        self.left.clear();
        if let Some(logistic) = &logistic {
            self.map(affine);
            let masses = self.mapped.iter().map(|interval| logistic.log_mass(interval));
            self.left.extend(masses);
        } else {
            self.left
                .extend(self.intervals.iter().map(|interval| interval.length().ln()));
        }
        let total = log_sum_exp(self.left.iter().copied());
        let mut rest = u;
        let mut chosen = None;
        for (i, log_mass) in self.left.iter().enumerate() {
            let share = (log_mass - total).exp();
            if share > 0.0 {
                chosen = Some((i, (rest / share).clamp(0.0, 1.0)));
                if rest < share {
                    break;
                }
            }
            rest -= share;
        }
        let Some((i, u)) = chosen else {
            // without mass: any rank will do
            return 0.5;
        };
        let interval = &self.intervals[i];
        let rank = match &logistic {
            Some(logistic) => affine.rank(logistic.draw(&self.mapped[i], u)),
            None => interval.ends.0 + u * interval.length(),
        };
        rank.max(interval.ends.0.next_up())
            .min(interval.ends.1.next_down())
    }
}

/// An interval of ranks and the normal scores of its ends.
#[derive(Debug)]
struct Interval {
    ends: (f64, f64),
    scores: (f64, f64),
}

impl Interval {
    fn new(&(low, high): &(f64, f64)) -> Option<Self> {
        let ends = (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0));
        (ends.0 < ends.1).then(|| Self {
            ends,
            scores: (ndtri(ends.0), ndtri(ends.1)),
        })
    }

    fn length(&self) -> f64 {
        self.ends.1 - self.ends.0
    }
}

/// A logistic of a head.
struct Logistic {
    mean: f64,
    scale: f64,
}

impl Logistic {
    fn new(mean: f64, raw_scale: f64) -> Self {
        Self {
            mean,
            scale: log_scale_of(raw_scale).exp(),
        }
    }

    /// The ends of an interval, standardized.
    fn standardized(&self, interval: &Mapped) -> (f64, f64) {
        (
            (interval.low - self.mean) / self.scale,
            (interval.high - self.mean) / self.scale,
        )
    }

    /// `ln` of the mass of an interval: `s(B) - s(A) = s(B) s(-A) (1 - e^-x)` with `x = B - A`.
    fn log_mass(&self, interval: &Mapped) -> f64 {
        let (a, b) = self.standardized(interval);
        log_sigmoid(b) + log_sigmoid(-a) + log_1m_exp(-interval.width / self.scale)
    }

    /// The point of an interval below which a share `u` of its mass lies: the logit of `s(A) + u [s(B) - s(A)]`.
    fn draw(&self, interval: &Mapped, u: f64) -> f64 {
        // In the lower tail, where the distribution function keeps its digits; the upper one is its mirror image.
        let (a, b) = self.standardized(interval);
        let mirrored = a + b > 0.0;
        let (a, u) = if mirrored { (-b, 1.0 - u) } else { (a, u) };
        let log_below = log_add_exp(log_sigmoid(a), u.ln() + self.log_mass(interval)).min(0.0);
        let w = log_below - log_1m_exp(log_below);
        self.mean + self.scale * if mirrored { -w } else { w }
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
    use ndarray::{Array1, ArrayView1};
    use proptest::prelude::*;

    use super::super::mixture::raw_log_scale;
    use super::*;

    /// The distribution function of the logistic at a rank.
    fn below(mean: f64, raw: f64, rank: f64) -> f64 {
        let w = (rank / (1.0 - rank)).ln();
        1.0 / (1.0 + (-(w - mean) / log_scale_of(raw).exp()).exp())
    }

    fn log_mass_under(affine: &Affine, mean: f64, raw: f64, low: f64, high: f64) -> f64 {
        let interval = Interval::new(&(low, high)).unwrap();
        Logistic::new(mean, raw).log_mass(&affine.interval(interval.ends, interval.scores))
    }

    fn log_mass(mean: f64, raw: f64, low: f64, high: f64) -> f64 {
        log_mass_under(&Affine::IDENTITY, mean, raw, low, high)
    }

    fn restriction(ranks: Vec<(f64, f64)>) -> Restriction {
        let column = Column {
            variable: None,
            rank: Some(0),
            levels: 1,
            components: 1,
            outputs: 0..6,
            marginal: None,
            ordered: None,
            score: None,
            features: 0..0,
        };
        let mut restriction = Restriction::default();
        let levels = Vec::new();
        restriction.read(&column, &LevelSet::new(levels, ranks));
        restriction
    }

    proptest! {
        /// A share `u` of the truncated mass lies below what is drawn for `u`, whichever interval it falls into.
        #[test]
        fn draws_invert_the_truncated_mass(
            mean in -6.0..6.0_f64,
            raw in -5.0..1.0_f64,
            mut ends in proptest::collection::vec(0.001..0.999_f64, 40),
            (location, log_scale) in (-9.0..9.0_f64, -5.0..3.0_f64),
            u in 0.001..0.999_f64,
        ) {
            let affine = Affine::new(location, log_scale);
            ends.sort_by(f64::total_cmp);
            ends.dedup_by(|b, a| *b < *a + 1e-6);
            let ranks: Vec<(f64, f64)> = ends.chunks_exact(2).map(|e| (e[0], e[1])).collect();
            let rank = restriction(ranks.clone()).draw(Some((mean, raw)), &affine, u);
            prop_assert!(ranks.iter().any(|(low, high)| *low < rank && rank < *high));
            let log_mass = |&(low, high): &(f64, f64)| log_mass_under(&affine, mean, raw, low, high);
            let total = log_sum_exp(ranks.iter().map(log_mass));
            let reached: f64 = ranks
                .iter()
                .filter(|(low, _)| *low < rank)
                .map(|(low, high)| (log_mass(&(*low, high.min(rank))) - total).exp())
                .sum();
            assert_relative_eq!(reached, u, epsilon = 1e-6);
        }

        /// The mass between two ranks is the difference of the distribution function.
        #[test]
        fn masses_are_differences(mean in -3.0..3.0_f64, raw in -4.0..1.0_f64, a in 0.01..0.5_f64, b in 0.5..0.99_f64) {
            let mass = log_mass(mean, raw, a, b).exp();
            assert_relative_eq!(mass, below(mean, raw, b) - below(mean, raw, a), epsilon = 1e-12, max_relative = 1e-9);
            let lower = log_mass(mean, raw, 0.0, a).exp();
            assert_relative_eq!(lower, below(mean, raw, a), epsilon = 1e-12, max_relative = 1e-9);
        }

        /// However far from the mean and however narrow, an interval has a finite log-mass, that of its parts together,
        /// and draws that lie in it, in order.
        #[test]
        fn tails_keep_their_digits(
            mean in -60.0..60.0_f64,
            logistic in -5.4..0.4_f64,
            exponent in 0.0..14.0_f64,
            narrow in 0.0..12.0_f64,
            upper: bool,
            (location, log_scale) in (-9.0..9.0_f64, -5.0..3.0_f64),
            mapped: bool,
            (u, v) in (0.0..=1.0_f64, 0.0..=1.0_f64),
        ) {
            let raw = raw_log_scale(logistic);
            let affine = if mapped { Affine::new(location, log_scale) } else { Affine::IDENTITY };
            let log_mass = |low, high| log_mass_under(&affine, mean, raw, low, high);
            let at = 0.5 * 10_f64.powf(-exponent);
            let length = at * 10_f64.powf(-narrow);
            // beside 1 ranks are this far apart
            let length = if upper { length.max(8.0 * f64::EPSILON) } else { length };
            let (low, high) = if upper { (1.0 - at, 1.0 - at + length) } else { (at, at + length) };
            let middle = 0.5 * (low + high);
            let whole = log_mass(low, high);
            prop_assert!(whole.is_finite() && whole <= 0.0);
            let parts = log_add_exp(log_mass(low, middle), log_mass(middle, high));
            assert_relative_eq!(whole, parts, epsilon = 1e-9, max_relative = 1e-11);
            let mut within = restriction(vec![(low, high)]);
            for logistic in [Some((mean, raw)), None] {
                let (a, b) = (
                    within.draw(logistic, &affine, u.min(v)),
                    within.draw(logistic, &affine, u.max(v)),
                );
                prop_assert!(low < a && b < high);
                prop_assert!(a <= b * (1.0 + 1e-12));
            }
        }

        /// Restricted weights are those of the parts, over their sum; nothing is lost of rare sets, in `f32` neither.
        #[test]
        fn rare_sets_keep_their_weights(far in 0.0..40.0_f64, exponent in 0.0..18.0_f64) {
            let high = 10_f64.powf(-exponent);
            // one logistic and the background of equal weights, raw log-scale of scale 1
            let y = [0.0, 0.0, far, raw_log_scale(0.0), 0.0, 0.0];
            let logistic = log_mass(far, y[3], 0.0, high);
            let expected = log_add_exp(logistic, high.ln()) - 2.0_f64.ln();
            let mut within = restriction(vec![(0.0, high)]);

            let mut weights = Array1::zeros(2);
            let mass = within.restrict(ArrayView1::from(&y), weights.view_mut());
            assert_relative_eq!(mass, expected, epsilon = 1e-12, max_relative = 1e-12);
            assert_relative_eq!(weights[0] - weights[1], logistic - high.ln(), epsilon = 1e-9);

            let y = y.map(|y| y as f32);
            let mut weights = Array1::<f32>::zeros(2);
            let mass = within.restrict(ArrayView1::from(&y), weights.view_mut());
            assert_relative_eq!(mass, expected, epsilon = 1e-4);
            assert_relative_eq!(f64::from(weights[0] - weights[1]), logistic - high.ln(), epsilon = 1e-4);
        }
    }
}
