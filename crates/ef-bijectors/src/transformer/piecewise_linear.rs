//! The piecewise-linear CDF.

use ef_tensor::{Real, Tape, Workspace, vmath};
use ndarray::{ArrayView3, ArrayViewMut2, ArrayViewMut3};

use super::simplex::{Simplex, below_largest, check_bins, find, normalise};
use super::{Transformer, keep};
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

    /// The softmax of one column's parameters, into `p`.
    fn shares<T: Real>(h: ndarray::ArrayView1<'_, T>, p: &mut [T]) {
        p.iter_mut().zip(h).for_each(|(p, &h)| *p = h);
        below_largest(p);
        vmath::exp(p);
        normalise(p);
    }
}

impl Transformer for PiecewiseLinear {
    fn width(&self) -> usize {
        self.bins
    }

    fn domain(&self) -> Option<(f64, f64)> {
        Some((0.0, 1.0))
    }

    fn forward<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let (rows, columns) = x.dim();
        let simplex = Simplex::new(self.bins, self.floor);
        let count = self.bins as f64;
        let mut shares = ws.take(rows * columns, self.bins);
        let mut at = ws.take(rows, columns);
        for r in 0..rows {
            for j in 0..columns {
                let mut p = shares.row_mut(r * columns + j);
                let p = p.as_slice_mut().expect("standard layout");
                Self::shares(h.slice(ndarray::s![r, j, ..]), p);
                let v = x[[r, j]];
                at[[r, j]] = v;
                let b = ((v.wide() * count) as usize).min(self.bins - 1);
                let before: f64 = p[..b].iter().map(|&p| simplex.bin(p)).sum();
                let q = simplex.bin(p[b]);
                let alpha = v.wide() * count - b as f64;
                x[[r, j]] = T::of((before + alpha * q).min(1.0));
                log_det[r] += (count * q).ln();
            }
        }
        keep(tape, ws, [shares, at]);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (rows, columns) = z.dim();
        let simplex = Simplex::new(self.bins, self.floor);
        let count = self.bins as f64;
        let mut shares = ws.take(1, self.bins);
        let p = shares.as_slice_mut().expect("standard layout");
        for r in 0..rows {
            for j in 0..columns {
                let v = z[[r, j]];
                Self::shares(h.slice(ndarray::s![r, j, ..]), p);
                let (b, left, right) = find(0.0, 1.0, v.wide(), p.iter().map(|&p| simplex.bin(p)));
                z[[r, j]] = T::of((b as f64 + (v.wide() - left) / (right - left)) / count);
                log_det[r] -= (count * simplex.bin(p[b])).ln();
            }
        }
        ws.give(shares);
    }

    fn backward<T: Real>(
        &self,
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        mut g_h: ArrayViewMut3<'_, T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (at, shares) = (tape.pop(), tape.pop());
        let (rows, columns) = g.dim();
        let simplex = Simplex::new(self.bins, self.floor);
        let count = self.bins as f64;
        let mut line = ws.take(1, self.bins);
        let g_q = line.as_slice_mut().expect("standard layout");
        for r in 0..rows {
            for j in 0..columns {
                let (v, gz) = (at[[r, j]], g[[r, j]]);
                let p = shares.row(r * columns + j).to_slice().expect("standard layout");
                let b = ((v.wide() * count) as usize).min(self.bins - 1);
                let q = simplex.bin(p[b]);
                // dz/dq_k = 1 below the bin, K x - b in it; dlog_det/dq_b = 1 / q_b
                g_q.fill(T::zero());
                g_q[..b].fill(gz);
                g_q[b] = gz * T::of(v.wide() * count - b as f64) + g_log_det[r] / T::of(q);
                g[[r, j]] = gz * T::of(count * q);
                simplex.backward(p, g_q);
                for (i, &v) in g_q.iter().enumerate() {
                    g_h[[r, j, i]] = v;
                }
            }
        }
        keep(None, ws, [at, shares, line]);
    }
}
