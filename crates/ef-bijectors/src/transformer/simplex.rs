//! Numbers that sum to 1 with a floor under each: the bins of a spline.

use ef_tensor::Real;

use crate::error::BijectorError;

/// Refuses a number of bins that is 0, floors that would fill the box, and floors below 1e-6.
pub(super) fn check_bins(bins: usize, floor: f64) -> Result<(), BijectorError> {
    BijectorError::unless(bins > 0, "the number of a spline's bins", bins, "at least 1")?;
    // smaller floors drown in the rounding of `f32` sums
    let fits = floor >= 1e-6 && floor * (bins as f64) < 1.0;
    BijectorError::unless(
        fits,
        "the floor of a spline's bins",
        format!("{floor} for {bins} bins"),
        "at least 1e-6 and below 1 / bins",
    )
}

/// `w_k = floor + (1 - n floor) softmax(raw)_k` over `n` bins: positive, at least `floor`, with sum 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Simplex {
    floor: f64,
    share: f64,
}

impl Simplex {
    pub(super) fn new(bins: usize, floor: f64) -> Self {
        debug_assert!(floor * (bins as f64) < 1.0);
        Self {
            floor,
            share: 1.0 - floor * bins as f64,
        }
    }

    /// A bin from its share of the softmax, in `f64`: where bins are summed, rounding would move a narrow bin by more
    /// than its own digits.
    pub(super) fn bin<T: Real>(self, p: T) -> f64 {
        self.floor + self.share * p.wide()
    }

    /// From `g = dL/dw`, in place: `dL/draw`, given the softmax `p`.
    pub(super) fn backward<T: Real>(self, p: &[T], g: &mut [T]) {
        let mean: T = p.iter().zip(g.iter()).map(|(&p, &g)| p * g).sum();
        for (g, &p) in g.iter_mut().zip(p) {
            *g = T::of(self.share) * p * (*g - mean);
        }
    }
}

/// Subtracts from the numbers of a group the largest, so that exponentials cannot overflow. What is not finite
/// becomes very small, or the largest.
pub(super) fn below_largest<T: Real>(raw: &mut [T]) {
    let largest = raw
        .iter()
        .fold(T::min_value(), |m, &v| m.max(v))
        .min(T::max_value());
    for v in raw {
        *v = (*v - largest).max(T::of(-80.0)).min(T::zero());
    }
}

/// Divides a group by its sum.
pub(super) fn normalise<T: Real>(e: &mut [T]) {
    let sum: f64 = e.iter().map(|v| v.wide()).sum();
    for v in e {
        *v = T::of(v.wide() / sum);
    }
}

/// The bin of `at` among cumulated `widths`, from `lo` to `hi`: its number and its left and right edge. `at` lies in
/// `lo..=hi`; the last edge is `hi` itself, whatever rounding made of the sum.
pub(super) fn find(
    lo: f64,
    hi: f64,
    at: f64,
    widths: impl ExactSizeIterator<Item = f64>,
) -> (usize, f64, f64) {
    let last = widths.len() - 1;
    let mut left = lo;
    for (k, width) in widths.enumerate() {
        let right = if k == last { hi } else { left + width };
        if at < right || k == last {
            return (k, left, right);
        }
        left = right;
    }
    (last, left, hi)
}
