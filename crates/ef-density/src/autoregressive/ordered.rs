//! The head of a column whose levels have an order: a softmax whose logits share a location and a log-scale.
//!
//! Levels in order share the ranks out by their shares, level `c` from `low_c` to `high_c`. With the normal scores `a_c`,
//! `b_c` of the two, the head adds to the logit of level `c`
//!
//! ```text
//! log[(1 - e) (Phi((b_c - mu) e^-ls) - Phi((a_c - mu) e^-ls)) / (high_c - low_c) + e]
//! ```
//!
//! which is 0 where `mu = ls = 0`. So a column starts as a normal number that was cut into levels, and the network's own
//! logits are what is left. The background `e` keeps what the map puts far out possible. A level without a place in the
//! order, such as that of missing cells, has nothing added.

use ef_tensor::Real;
use ef_tensor::simd::Kernel;

use super::affine::Affine;
use super::network::BACKGROUND;
use crate::normal::{log_phi, ndtri, upper_tail_lane};

/// Beyond, the normal distribution function is 0 or 1.
const FAR: f64 = 37.0;
/// Levels computed side by side.
const LANES: usize = 16;

/// The order of a column's levels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ordered {
    /// Levels that have a place, ascending by it.
    levels: Vec<usize>,
    /// Normal scores of the ranks where they end, and infinities up to a whole number of lanes.
    scores: Vec<f64>,
    /// `(1 - e) / (high - low)` of each, and as many zeros.
    densities: Vec<f64>,
    /// Of every level, its ranks and its mean normal score; `None` without a place.
    places: Vec<Option<((f64, f64), f64)>>,
}

impl Ordered {
    /// The order of levels with these shares by where each lies; `None` unless two levels have a place.
    pub(crate) fn new(shares: &[f64], at: &[Option<f64>]) -> Option<Self> {
        let place = |level: usize| at.get(level).copied().flatten().filter(|_| shares[level] > 0.0);
        let mut levels: Vec<usize> = (0..shares.len()).filter(|&c| place(c).is_some()).collect();
        if levels.len() < 2 {
            return None;
        }
        levels.sort_by(|&a, &b| place(a).unwrap_or(0.0).total_cmp(&place(b).unwrap_or(0.0)));
        let total: f64 = levels.iter().map(|&c| shares[c]).sum();
        let mut below = 0.0;
        let mut ranks = vec![0.0];
        for &level in &levels[..levels.len() - 1] {
            below += shares[level] / total;
            ranks.push(below.min(1.0));
        }
        ranks.push(1.0);
        let mut scores: Vec<f64> = ranks.iter().map(|&rank| ndtri(rank)).collect();
        let mut densities = Vec::with_capacity(levels.len().next_multiple_of(LANES));
        let mut places = vec![None; shares.len()];
        for ((&level, ranks), z) in levels.iter().zip(ranks.windows(2)).zip(scores.windows(2)) {
            let width = ranks[1] - ranks[0];
            if width <= 0.0 {
                return None;
            }
            let mean = (log_phi(z[0]).exp() - log_phi(z[1]).exp()) / width;
            places[level] = Some(((ranks[0], ranks[1]), mean));
            densities.push((1.0 - BACKGROUND) / width);
        }
        densities.resize(levels.len().next_multiple_of(LANES), 0.0);
        scores.remove(0);
        scores.resize(densities.len(), f64::INFINITY);
        Some(Self {
            levels,
            scores,
            densities,
            places,
        })
    }

    /// The mean normal score of a level; 0 without a place.
    pub(crate) fn score(&self, level: u32) -> f64 {
        self.place(level).map_or(0.0, |(_, score)| score)
    }

    /// The ranks of a level and its mean normal score.
    pub(crate) fn place(&self, level: u32) -> Option<((f64, f64), f64)> {
        self.places.get(level as usize).copied().flatten()
    }

    /// How many numbers the [slopes](Self::add_with_slopes) of this order are.
    pub(super) fn slopes(&self) -> usize {
        2 * self.scores.len()
    }

    /// Calls `each` with every block of levels that have a place, and what is added to their logits.
    #[inline(always)]
    fn for_each_block<const FMA: bool, T: Real>(
        &self,
        affine: &Affine,
        mut each: impl FnMut(&[usize], &Lanes<T>),
    ) {
        let mut low = End::LOWEST;
        let blocks = self
            .scores
            .chunks_exact(LANES)
            .zip(self.densities.chunks_exact(LANES));
        for (levels, (scores, densities)) in self.levels.chunks(LANES).zip(blocks) {
            let mut ends = Ends::new(low);
            for l in 0..LANES {
                let high = End::new::<FMA>(affine, scores[l]);
                ends.tail[l + 1] = high.tail;
                ends.half[l + 1] = high.half;
                ends.by_location[l + 1] = high.by_location;
                ends.by_log_scale[l + 1] = high.by_log_scale;
            }
            let mut lanes = Lanes::<T>::default();
            for l in 0..LANES {
                // Each end by its smaller tail: within one half of the line the difference of tails keeps its digits.
                let mass = (ends.tail[l + 1] - ends.tail[l]) + (ends.half[l + 1] - ends.half[l]);
                let ratio = T::of(densities[l] * mass.max(0.0) + BACKGROUND);
                let factor = T::of(densities[l]) / ratio;
                lanes.added[l] = ratio.ln_lane::<FMA>();
                lanes.by_location[l] = T::of(ends.by_location[l + 1] - ends.by_location[l]) * factor;
                lanes.by_log_scale[l] = T::of(ends.by_log_scale[l + 1] - ends.by_log_scale[l]) * factor;
            }
            each(levels, &lanes);
            low = ends.last();
        }
    }

    /// Adds to the logits what the map adds.
    #[inline(always)]
    pub(super) fn add<const FMA: bool, T: Real>(&self, affine: &Affine, logits: &mut [T]) {
        self.for_each_block::<FMA, T>(affine, |levels, lanes| {
            for (&level, &added) in levels.iter().zip(&lanes.added) {
                logits[level] += added;
            }
        });
    }

    /// The same; `slopes` become the derivatives of what is added, for [`gradient`](Self::gradient).
    #[inline(always)]
    pub(super) fn add_with_slopes<const FMA: bool, T: Real>(
        &self,
        affine: &Affine,
        logits: &mut [T],
        slopes: &mut [T],
    ) {
        let mut slopes = slopes.chunks_exact_mut(2 * LANES);
        self.for_each_block::<FMA, T>(affine, |levels, lanes| {
            if let Some(slopes) = slopes.next() {
                slopes[..LANES].copy_from_slice(&lanes.by_location);
                slopes[LANES..].copy_from_slice(&lanes.by_log_scale);
            }
            for (&level, &added) in levels.iter().zip(&lanes.added) {
                logits[level] += added;
            }
        });
    }

    /// The gradient by location and log-scale, given that by logits.
    #[inline(always)]
    pub(super) fn gradient<T: Real>(&self, affine: &Affine, logits: &[T], slopes: &[T]) -> [f64; 2] {
        let mut sums = [[T::zero(); LANES]; 2];
        for (levels, slopes) in self.levels.chunks(LANES).zip(slopes.chunks_exact(2 * LANES)) {
            let mut by_logits = [T::zero(); LANES];
            for (by, &level) in by_logits.iter_mut().zip(levels) {
                *by = logits[level];
            }
            for l in 0..LANES {
                sums[0][l] += by_logits[l] * slopes[l];
                sums[1][l] += by_logits[l] * slopes[LANES + l];
            }
        }
        let total = |i: usize| sums[i].iter().map(|sum| sum.wide()).sum::<f64>();
        [total(0) * affine.slopes[0], total(1) * affine.slopes[1]]
    }
}

/// The normal distribution function at an end of a level, and its derivatives.
///
/// `Phi = half + tail`: above 0, `half` is 1 and `tail` is `-Phi(-z')`.
#[derive(Debug, Clone, Copy)]
struct End {
    half: f64,
    tail: f64,
    by_location: f64,
    by_log_scale: f64,
}

impl End {
    /// The lower end of the first level.
    const LOWEST: Self = Self {
        half: 0.0,
        tail: 0.0,
        by_location: 0.0,
        by_log_scale: 0.0,
    };

    #[inline(always)]
    fn new<const FMA: bool>(affine: &Affine, z: f64) -> Self {
        let z = affine.score(z).clamp(-FAR, FAR);
        let (tail, density) = upper_tail_lane::<FMA>(z.abs());
        let [by_location, by_log_scale] = affine.by_score(z);
        Self {
            half: if z > 0.0 { 1.0 } else { 0.0 },
            tail: if z > 0.0 { -tail } else { tail },
            by_location: density * by_location,
            by_log_scale: density * by_log_scale,
        }
    }
}

/// The ends of a block of levels: the lower one of each, and the upper one of the last.
struct Ends {
    half: [f64; LANES + 1],
    tail: [f64; LANES + 1],
    by_location: [f64; LANES + 1],
    by_log_scale: [f64; LANES + 1],
}

impl Ends {
    #[inline(always)]
    fn new(lowest: End) -> Self {
        Self {
            half: [lowest.half; LANES + 1],
            tail: [lowest.tail; LANES + 1],
            by_location: [lowest.by_location; LANES + 1],
            by_log_scale: [lowest.by_log_scale; LANES + 1],
        }
    }

    #[inline(always)]
    fn last(&self) -> End {
        End {
            half: self.half[LANES],
            tail: self.tail[LANES],
            by_location: self.by_location[LANES],
            by_log_scale: self.by_log_scale[LANES],
        }
    }
}

/// What is added to the logits of a block of levels, and its derivatives by location and log-scale.
struct Lanes<T> {
    added: [T; LANES],
    by_location: [T; LANES],
    by_log_scale: [T; LANES],
}

impl<T: Real> Default for Lanes<T> {
    #[inline(always)]
    fn default() -> Self {
        Self {
            added: [T::zero(); LANES],
            by_location: [T::zero(); LANES],
            by_log_scale: [T::zero(); LANES],
        }
    }
}

/// Adds to the logits of one row what its map adds.
pub(super) struct AddMap<'a, T> {
    pub(super) ordered: &'a Ordered,
    /// Logits of the levels, location and log-scale.
    pub(super) y: &'a mut [T],
}

impl<T: Real> Kernel for AddMap<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (logits, map) = self.y.split_at_mut(self.y.len() - 2);
        self.ordered
            .add::<FMA, T>(&Affine::new(map[0].wide(), map[1].wide()), logits);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ef_check::check_gradient;
    use ef_tensor::simd::dispatch;
    use proptest::prelude::*;

    use super::*;
    use crate::normal::ndtr;

    /// What a map adds to the logits of so many levels.
    fn added<T: Real>(order: &Ordered, levels: usize, location: f64, log_scale: f64) -> Vec<T> {
        let mut y = vec![T::zero(); levels];
        y.extend([T::of(location), T::of(log_scale)]);
        dispatch(AddMap {
            ordered: order,
            y: &mut y,
        });
        y.truncate(levels);
        y
    }

    /// `sum of weights * added` and its gradient by location and log-scale.
    struct Weighted<'a> {
        order: &'a Ordered,
        weights: &'a [f64],
        map: [f64; 2],
    }

    impl Kernel for Weighted<'_> {
        type Output = (f64, [f64; 2]);
        #[inline(always)]
        fn run<const FMA: bool>(self) -> Self::Output {
            let affine = Affine::new(self.map[0], self.map[1]);
            let (mut logits, mut slopes) = (vec![0.0; self.weights.len()], vec![0.0; self.order.slopes()]);
            self.order
                .add_with_slopes::<FMA, f64>(&affine, &mut logits, &mut slopes);
            let sum = self
                .weights
                .iter()
                .zip(&logits)
                .map(|(weight, added)| weight * added)
                .sum();
            (sum, self.order.gradient(&affine, self.weights, &slopes))
        }
    }

    /// An order of levels of these weights, and its ranks.
    fn ascending(weights: &[f64]) -> (Ordered, Vec<f64>) {
        let total: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let at: Vec<_> = (0..shares.len()).map(|c| Some(c as f64)).collect();
        let order = Ordered::new(&shares, &at).unwrap();
        let mut ranks: Vec<f64> = (0..shares.len())
            .map(|c| order.place(c as u32).unwrap().0.0)
            .collect();
        ranks.push(1.0);
        (order, ranks)
    }

    /// Levels of shares from common ones to one row of many thousands, more and fewer than there are lanes.
    fn weights() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec((0.0..12.0_f64).prop_map(|x| (-x).exp()), 2..60)
    }

    proptest! {
        /// In either precision, against the formula by the distribution function of the smaller tails.
        #[test]
        fn what_is_added_has_its_digits(
            weights in weights(),
            location in -6.0..6.0_f64,
            log_scale in -3.0..1.0_f64,
            shrink in 0.0..1.0_f64,
        ) {
            let (order, ranks) = ascending(&weights);
            let (location, log_scale) = (f64::from((location * shrink) as f32), f64::from((log_scale * shrink) as f32));
            let narrow = added::<f32>(&order, weights.len(), location, log_scale);
            let wide = added::<f64>(&order, weights.len(), location, log_scale);
            for (level, rank) in ranks.windows(2).enumerate() {
                let z = [rank[0], rank[1]].map(|rank| (ndtri(rank) - location) * (-log_scale).exp());
                let mass = if z[0] > 0.0 { ndtr(-z[0]) - ndtr(-z[1]) } else { ndtr(z[1]) - ndtr(z[0]) };
                let expected = ((1.0 - BACKGROUND) * mass / (rank[1] - rank[0]) + BACKGROUND).ln();
                assert_abs_diff_eq!(wide[level], expected, epsilon = 1e-9);
                assert_abs_diff_eq!(f64::from(narrow[level]), expected, epsilon = 2e-6);
            }
        }

        #[test]
        fn without_a_map_nothing_is_added(weights in weights()) {
            let (order, _) = ascending(&weights);
            for added in added::<f32>(&order, weights.len(), 0.0, 0.0) {
                assert_abs_diff_eq!(added, 0.0, epsilon = 1e-7);
            }
        }

        #[test]
        fn slopes_are_limits_of_differences(weights in weights(), location in -9.0..9.0_f64, log_scale in -5.0..3.0_f64) {
            let (order, _) = ascending(&weights);
            let map = [location, log_scale];
            let weighted = |map: &[f64]| dispatch(Weighted { order: &order, weights: &weights, map: [map[0], map[1]] });
            let (_, gradient) = weighted(&map);
            let report = check_gradient(|map| weighted(map).0, &map, &gradient, &[0, 1], 1e-5, |i| format!("{i} of {map:?}"));
            report.unwrap_or_else(|violation| panic!("{violation}"));
        }
    }

    #[test]
    fn levels_share_the_ranks_out_in_their_order() {
        let order = Ordered::new(&[0.2, 0.1, 0.3, 0.4], &[Some(0.9), None, Some(0.1), Some(0.5)]).unwrap();
        assert_eq!(order.levels, [2, 3, 0]);
        assert_eq!(order.place(1), None);
        assert_abs_diff_eq!(order.place(3).unwrap().0.1, 7.0 / 9.0, epsilon = 1e-12);
        let weighted: f64 = [0.2, 0.0, 0.3, 0.4]
            .iter()
            .zip(0..)
            .map(|(w, c)| w * order.score(c))
            .sum();
        assert_abs_diff_eq!(weighted, 0.0, epsilon = 1e-12);
        for added in added::<f64>(&order, 4, 0.0, 0.0) {
            assert_abs_diff_eq!(added, 0.0, epsilon = 1e-12);
        }
        assert!(Ordered::new(&[0.5, 0.5], &[Some(0.1), None]).is_none());
    }

    /// What is added is the logarithm of a probability over a share: with the shares it adds up to 1.
    #[test]
    fn a_map_moves_mass_between_levels() {
        let shares = [0.25, 0.125, 0.5, 0.125];
        let order = Ordered::new(&shares, &[Some(0.0), Some(1.0), Some(2.0), Some(3.0)]).unwrap();
        for (location, log_scale) in [(0.3, -1.0), (-4.0, 0.5), (9.0, -9.0)] {
            let added = added::<f64>(&order, 4, location, log_scale);
            let sum: f64 = shares
                .iter()
                .zip(added)
                .map(|(share, added)| share * added.exp())
                .sum();
            assert_abs_diff_eq!(sum, 1.0, epsilon = 1e-12);
        }
    }
}
