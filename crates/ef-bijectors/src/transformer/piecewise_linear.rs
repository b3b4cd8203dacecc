//! The piecewise-linear CDF.

use ef_tensor::Real;

use super::Transformer;
use super::bins::{Equal, find};
use super::lanes::{LANES, Lanes, logs, unit, wide};
use super::lanewise::{Lanewise, lanewise_passes, rows};
use super::simplex::{Axis, Simplex, check_bins};
use crate::error::BijectorError;

/// Müller et al. 2019 (1808.03856), piecewise-linear coupling (also Prince, *Understanding Deep Learning*, fig. 16.5):
/// the CDF of a histogram on `[0, 1]` with `K` bins of equal width and masses `q`,
///
/// ```text
/// forward   z = (K x - b) q_b + sum_{k < b} q_k       b = floor(K x)        log|dz/dx| = log(K q_b)
/// inverse   x = (b + (z - sum_{k < b} q_k) / q_b) / K
/// ```
///
/// The masses are a softmax of the `K` parameters with a floor; parameters of zero give the identity. The domain is
/// `[0, 1]`: on the real line, put a [`UnitMap`](crate::UnitMap) at both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PiecewiseLinear {
    bins: usize,
    floor: f64,
}

impl PiecewiseLinear {
    /// `bins` bins, none with a mass below `1e-3`.
    ///
    /// # Errors
    /// If there are no bins, or more than 999.
    pub fn new(bins: usize) -> Result<Self, BijectorError> {
        Self::with_floor(bins, 1e-3)
    }

    /// `bins` bins, none with a mass below `floor`.
    ///
    /// # Errors
    /// If there are no bins, or `floor` is not at least `1e-6` and below `1 / bins`.
    pub fn with_floor(bins: usize, floor: f64) -> Result<Self, BijectorError> {
        check_bins(bins, floor)?;
        Ok(Self { bins, floor })
    }

    fn simplex(&self) -> Simplex {
        Simplex::new(self.bins, self.floor)
    }

    #[inline(always)]
    fn masses<'a, const FMA: bool, T: Real>(&self, h: &'a mut [Lanes<T>]) -> Axis<'a, T> {
        self.simplex().axis::<FMA, T>((0.0, 1.0), h)
    }
}

impl Transformer for PiecewiseLinear {
    fn width(&self) -> usize {
        self.bins
    }

    fn domain(&self) -> Option<(f64, f64)> {
        Some((0.0, 1.0))
    }

    lanewise_passes!();
}

impl Lanewise for PiecewiseLinear {
    /// The softmax, then the bin, the place `K x - b` in it, and its mass.
    fn saved(&self) -> usize {
        self.bins + 3
    }

    #[inline(always)]
    fn forward_lanes<const FMA: bool, T: Real>(
        &self,
        h: &mut [Lanes<T>],
        x: &mut Lanes<T>,
        saved: Option<&mut [Lanes<T>]>,
    ) -> Lanes<T> {
        let count = self.bins as f64;
        let masses = self.masses::<FMA, T>(h);
        let at = wide(x);
        let bin = find::<FMA, T>(&Equal(self.bins), &masses, self.bins, &at);
        let q = masses.sizes::<FMA>(&bin.index);
        let (mut place, mut mass, mut slope) = (*x, *x, *x);
        for l in 0..LANES {
            let alpha = unit(count * (at[l] - bin.start[l]));
            x[l] = T::of(unit(bin.other_start[l] + alpha * q[l]));
            place[l] = T::of(alpha);
            mass[l] = T::of(q[l]);
            slope[l] = T::of(count * q[l]);
        }
        if let Some(saved) = saved {
            let (p, rest) = saved.split_at_mut(self.bins);
            masses.shares(p);
            rest.copy_from_slice(&[bin.index, place, mass]);
        }
        logs::<FMA, T>(&slope)
    }

    #[inline(always)]
    fn inverse_lanes<const FMA: bool, T: Real>(&self, h: &mut [Lanes<T>], z: &mut Lanes<T>) -> Lanes<T> {
        let count = self.bins as f64;
        let masses = self.masses::<FMA, T>(h);
        let at = wide(z);
        let bin = find::<FMA, T>(&masses, &Equal(self.bins), self.bins, &at);
        let q = masses.sizes::<FMA>(&bin.index);
        let mut slope = *z;
        for l in 0..LANES {
            let alpha = unit((at[l] - bin.start[l]) / q[l]);
            z[l] = T::of(unit(bin.other_start[l] + alpha / count));
            slope[l] = T::of(1.0 / (count * q[l]));
        }
        logs::<FMA, T>(&slope)
    }

    #[inline(always)]
    fn backward_lanes<const FMA: bool, T: Real>(
        &self,
        saved: &[Lanes<T>],
        g: &mut Lanes<T>,
        gl: &Lanes<T>,
        g_h: &mut [Lanes<T>],
    ) {
        let (p, rest) = saved.split_at(self.bins);
        let [index, place, mass] = rows(rest);
        let count = T::of(self.bins as f64);
        // dz/dq_k = 1 below the bin, K x - b in it; dlog_det/dq_b = 1 / q_b
        let (before, mut own) = (*g, *g);
        for l in 0..LANES {
            own[l] = g[l] * place[l] + gl[l] / mass[l];
            g[l] *= count * mass[l];
        }
        self.simplex().backward_at(p, index, &before, &own, g_h);
    }
}
