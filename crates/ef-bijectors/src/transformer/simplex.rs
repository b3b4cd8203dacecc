//! Numbers that sum to 1 with a floor under each: the bins of a spline.

use ef_tensor::Real;
use ef_tensor::simd::mul_add;

use super::layout::{LANES, Lanes, select};
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

    /// The bins of a block between `lo` and `hi`, from the raw parameters, which become their exponentials.
    #[inline(always)]
    pub(super) fn axis<const FMA: bool, T: Real>(
        self,
        (lo, hi): (f64, f64),
        raw: &mut [Lanes<T>],
    ) -> Axis<'_, T> {
        let sum = exponentials::<FMA, T>(raw);
        let span = hi - lo;
        let mut scale = [0.0; LANES];
        for l in 0..LANES {
            scale[l] = span * self.share / sum[l].wide();
        }
        Axis {
            lo,
            least: span * self.floor,
            scale,
            sum,
            e: raw,
        }
    }

    /// `dL/draw`, given the softmax `p`, from `dL/dw`: `before` for all bins before that of `index`, `own` for it, 0
    /// for the rest.
    #[inline(always)]
    pub(super) fn backward_at<T: Real>(
        self,
        p: &[Lanes<T>],
        index: &Lanes<T>,
        before: &Lanes<T>,
        own: &Lanes<T>,
        g: &mut [Lanes<T>],
    ) {
        let mut mean = [T::zero(); LANES];
        let mut k = T::zero();
        for (g, p) in g.iter_mut().zip(p) {
            for l in 0..LANES {
                let here = select(k == index[l], own[l], T::zero());
                g[l] = select(k < index[l], before[l], here);
                mean[l] += p[l] * g[l];
            }
            k += T::one();
        }
        let share = T::of(self.share);
        for (g, p) in g.iter_mut().zip(p) {
            for l in 0..LANES {
                g[l] = share * p[l] * (g[l] - mean[l]);
            }
        }
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
/// Exponentials of the parameters of a softmax, in place, and their sum. They are divided by the largest, so that none
/// overflows; what is not finite becomes very small, or the largest.
#[inline(always)]
pub(super) fn exponentials<const FMA: bool, T: Real>(raw: &mut [Lanes<T>]) -> Lanes<T> {
    let mut largest = [T::min_value(); LANES];
    for raw in raw.iter() {
        for l in 0..LANES {
            largest[l] = largest[l].max(raw[l]);
        }
    }
    for v in &mut largest {
        *v = if *v < T::max_value() { *v } else { T::max_value() };
    }
    let least = T::of(-80.0);
    let mut sum = [T::zero(); LANES];
    for raw in raw {
        for l in 0..LANES {
            let below = raw[l] - largest[l];
            let below = if below > least { below } else { least };
            let below = if below < T::zero() { below } else { T::zero() };
            raw[l] = below.exp_lane::<FMA>();
            sum[l] += raw[l];
        }
    }
    sum
}

/// The bins of a block along one axis of a box. They are cumulated in `f64`: the rounding of `f32` would move a narrow
/// bin by more than its own digits.
#[derive(Debug)]
pub(super) struct Axis<'a, T> {
    lo: f64,
    /// What every bin has.
    least: f64,
    /// A bin's length beyond that, over its exponential.
    scale: Lanes<f64>,
    sum: Lanes<T>,
    e: &'a [Lanes<T>],
}

/// A bin and the one of the other axis.
#[derive(Debug)]
pub(super) struct Cell<T> {
    /// The number of both.
    pub(super) index: Lanes<T>,
    pub(super) start: Lanes<f64>,
    pub(super) size: Lanes<f64>,
    pub(super) other_start: Lanes<f64>,
    pub(super) other_size: Lanes<f64>,
}

impl<T: Real> Axis<'_, T> {
    /// The softmax.
    #[inline(always)]
    pub(super) fn shares(&self, to: &mut [Lanes<T>]) {
        let mut scale = [T::zero(); LANES];
        for l in 0..LANES {
            scale[l] = T::one() / self.sum[l];
        }
        for (to, e) in to.iter_mut().zip(self.e) {
            for l in 0..LANES {
                to[l] = e[l] * scale[l];
            }
        }
    }

    /// The bins that hold `at`, which lies in the box, and those of the other axis.
    #[inline(always)]
    pub(super) fn find<const FMA: bool>(&self, other: &Self, at: &Lanes<f64>) -> Cell<T> {
        let last = self.e.len() - 1;
        let mut cell = Cell {
            index: [T::zero(); LANES],
            start: [self.lo; LANES],
            size: [0.0; LANES],
            other_start: [other.lo; LANES],
            other_size: [0.0; LANES],
        };
        let mut k = T::zero();
        for (e, f) in self.e[..last].iter().zip(other.e) {
            for l in 0..LANES {
                let end = cell.start[l] + mul_add::<FMA, f64>(self.scale[l], e[l].wide(), self.least);
                let other_end =
                    cell.other_start[l] + mul_add::<FMA, f64>(other.scale[l], f[l].wide(), other.least);
                let passed = cell.index[l] == k && at[l] >= end;
                cell.index[l] += select(passed, T::one(), T::zero());
                cell.start[l] = select(passed, end, cell.start[l]);
                cell.other_start[l] = select(passed, other_end, cell.other_start[l]);
            }
            k += T::one();
        }
        let (e, f) = (
            picked(self.e, T::zero(), &cell.index),
            picked(other.e, T::zero(), &cell.index),
        );
        for l in 0..LANES {
            cell.size[l] = mul_add::<FMA, f64>(self.scale[l], e[l].wide(), self.least);
            cell.other_size[l] = mul_add::<FMA, f64>(other.scale[l], f[l].wide(), other.least);
        }
        cell
    }
}

/// Each lane's number in the row of its index, where rows are counted from `first`; 0 for an index without a row.
#[inline(always)]
pub(super) fn picked<T: Real>(rows: &[Lanes<T>], first: T, index: &Lanes<T>) -> Lanes<T> {
    let mut picked = [T::zero(); LANES];
    let mut k = first;
    for row in rows {
        for l in 0..LANES {
            // a sum, since choosing between two loads becomes a load of a chosen address
            picked[l] += select(index[l] == k, row[l], T::zero());
        }
        k += T::one();
    }
    picked
}
