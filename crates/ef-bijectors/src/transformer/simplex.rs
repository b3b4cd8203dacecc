//! Numbers that sum to 1 with a floor under each: the bins of a spline.

use ef_tensor::Real;
use ef_tensor::simd::mul_add;

use super::bins::{Bins, picked};
use super::lanes::{LANES, Lanes, select};
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

    /// A bin from its share of the softmax.
    #[inline(always)]
    pub(super) fn bin<T: Real>(self, p: T) -> T {
        T::of(self.floor) + T::of(self.share) * p
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
            scale[l] = span * self.share / sum[l];
        }
        Axis {
            lo,
            least: span * self.floor,
            scale,
            sum,
            e: raw,
        }
    }

    /// From `g = dL/dw`, in place: `dL/draw`, given the softmax `p`.
    #[inline(always)]
    pub(super) fn backward<T: Real>(self, p: &[Lanes<T>], g: &mut [Lanes<T>]) {
        let mut mean = [T::zero(); LANES];
        for (g, p) in g.iter().zip(p) {
            for l in 0..LANES {
                mean[l] += p[l] * g[l];
            }
        }
        let share = T::of(self.share);
        for (g, p) in g.iter_mut().zip(p) {
            for l in 0..LANES {
                g[l] = share * p[l] * (g[l] - mean[l]);
            }
        }
    }

    /// Likewise where `dL/dw` is `before` for all bins before that of `index`, `own` for it and 0 for the rest.
    #[inline(always)]
    pub(super) fn backward_at<T: Real>(
        self,
        p: &[Lanes<T>],
        index: &Lanes<T>,
        before: &Lanes<T>,
        own: &Lanes<T>,
        g: &mut [Lanes<T>],
    ) {
        let mut k = T::zero();
        for g in &mut *g {
            for l in 0..LANES {
                let here = select(k == index[l], own[l], T::zero());
                g[l] = select(k < index[l], before[l], here);
            }
            k += T::one();
        }
        self.backward(p, g);
    }
}

/// Exponentials of the parameters of a softmax, in place, and their sum. They are divided by the largest, so that none
/// overflows; what is not finite becomes very small, or the largest.
#[inline(always)]
pub(super) fn exponentials<const FMA: bool, T: Real>(raw: &mut [Lanes<T>]) -> Lanes<f64> {
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
    let mut sum = [0.0; LANES];
    for raw in raw {
        for l in 0..LANES {
            let below = raw[l] - largest[l];
            let below = if below > least { below } else { least };
            let below = if below < T::zero() { below } else { T::zero() };
            raw[l] = below.exp_lane::<FMA>();
            sum[l] += raw[l].wide();
        }
    }
    sum
}

/// Bins made of a simplex, along one axis of a box.
pub(super) struct Axis<'a, T> {
    lo: f64,
    /// What every bin has.
    least: f64,
    /// A bin's length beyond that, over its exponential.
    scale: Lanes<f64>,
    sum: Lanes<f64>,
    e: &'a [Lanes<T>],
}

impl<T: Real> Bins for Axis<'_, T> {
    #[inline(always)]
    fn start(&self) -> f64 {
        self.lo
    }

    #[inline(always)]
    fn size<const FMA: bool>(&self, k: usize, l: usize) -> f64 {
        mul_add::<FMA, f64>(self.scale[l], self.e[k][l].wide(), self.least)
    }
}

impl<T: Real> Axis<'_, T> {
    /// The lengths of the bins of `index`.
    #[inline(always)]
    pub(super) fn sizes<const FMA: bool>(&self, index: &Lanes<T>) -> Lanes<f64> {
        let e = picked(self.e, T::zero(), index);
        let mut sizes = [0.0; LANES];
        for l in 0..LANES {
            sizes[l] = mul_add::<FMA, f64>(self.scale[l], e[l].wide(), self.least);
        }
        sizes
    }

    /// The softmax.
    #[inline(always)]
    pub(super) fn shares(&self, to: &mut [Lanes<T>]) {
        let mut scale = [T::zero(); LANES];
        for l in 0..LANES {
            scale[l] = T::of(1.0 / self.sum[l]);
        }
        for (to, e) in to.iter_mut().zip(self.e) {
            for l in 0..LANES {
                to[l] = e[l] * scale[l];
            }
        }
    }
}
