//! The rational-quadratic spline.

use ef_tensor::{Real, Tape, Workspace};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, ArrayViewMut3, s};

use super::simplex::{Simplex, below_largest, check_bins, find, normalise, softplus};
use super::{Transformer, keep};
use crate::error::BijectorError;

/// Durkan et al. 2019 (1906.04032), eqs. 4 to 8: a monotone spline of `K` rational quadratics that maps a box onto
/// itself. In a bin with knots `(x0, y0)`, `(x0 + w, y0 + h)`, slopes `d0`, `d1` there, `xi = (x - x0) / w` and
/// `s = h / w`:
///
/// ```text
/// forward   z = y0 + h (s xi² + d0 xi (1 - xi)) / D           D = s + (d0 + d1 - 2 s) xi (1 - xi)
///           dz/dx = s² (d1 xi² + 2 s xi (1 - xi) + d0 (1 - xi)²) / D²
/// inverse   xi = 2 c / (-b - sqrt(b² - 4 a c)),   y = z - y0
///           a = h (s - d0) + y (d0 + d1 - 2 s)     b = h d0 - y (d0 + d1 - 2 s)     c = -s y
/// ```
///
/// the root that does not cancel. Widths and heights are softmaxes, slopes softpluses, each with a floor; parameters of
/// zero give the identity. [`new`](Self::new) continues the spline by the identity outside `[-bound, bound]`, with
/// slope 1 at both ends, and has `3 K - 1` parameters a column; [`on_box`](Self::on_box) ends at its box, with free
/// slopes there and `3 K + 1` parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RationalQuadratic {
    bins: usize,
    lo: f64,
    hi: f64,
    tails: bool,
    floors: SplineFloors,
}

/// The least widths, heights and slopes of a spline: what keeps its inverse well conditioned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplineFloors {
    /// Of a bin, as a share of the box.
    pub width: f64,
    /// Of a bin, as a share of the box.
    pub height: f64,
    /// At a knot; below 1.
    pub slope: f64,
}

impl Default for SplineFloors {
    fn default() -> Self {
        Self {
            width: 1e-3,
            height: 1e-3,
            slope: 1e-3,
        }
    }
}

/// Numbers of an element that `backward` needs beside its bins: `x`, the bin or -1 in a tail, both raw slopes.
const SAVED: usize = 4;

impl RationalQuadratic {
    /// `bins` bins on `[-bound, bound]` and the identity outside.
    ///
    /// # Errors
    /// If there are no bins, more than 999 (their floors would fill the box), or `bound` is not a positive number.
    pub fn new(bins: usize, bound: f64) -> Result<Self, BijectorError> {
        Self {
            bins,
            lo: -bound,
            hi: bound,
            tails: true,
            floors: SplineFloors::default(),
        }
        .checked()
    }

    /// `bins` bins on `[lo, hi]`, which is the domain: outside it `log_det` is `-inf`.
    ///
    /// # Errors
    /// If there are no bins, more than 999, or `lo < hi` does not hold of two finite numbers.
    pub fn on_box(bins: usize, lo: f64, hi: f64) -> Result<Self, BijectorError> {
        Self {
            bins,
            lo,
            hi,
            tails: false,
            floors: SplineFloors::default(),
        }
        .checked()
    }

    /// With other floors.
    ///
    /// # Errors
    /// If a floor is not positive, those of all bins together fill the box, or the slope's is not below 1.
    pub fn with_floors(self, floors: SplineFloors) -> Result<Self, BijectorError> {
        Self { floors, ..self }.checked()
    }

    /// Number of bins.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// The box.
    pub fn bounds(&self) -> (f64, f64) {
        (self.lo, self.hi)
    }

    fn checked(self) -> Result<Self, BijectorError> {
        let Self {
            bins, lo, hi, floors, ..
        } = self;
        check_bins(bins, floors.width)?;
        check_bins(bins, floors.height)?;
        let slope = floors.slope;
        BijectorError::unless(
            slope > 0.0 && slope < 1.0,
            "the least slope of a spline",
            slope,
            "between 0 and 1",
        )?;
        let ordered = lo.is_finite() && hi.is_finite() && lo < hi;
        BijectorError::unless(
            ordered,
            "a spline's box",
            format!("{lo}..{hi}"),
            "finite, with its lower end first",
        )?;
        Ok(self)
    }

    /// How many slopes a column has parameters for.
    fn slopes(&self) -> usize {
        if self.tails { self.bins - 1 } else { self.bins + 1 }
    }

    /// The raw parameter behind the slope at knot `k`, by its place among the slopes; `None` where the slope is 1.
    fn slope_at(&self, knot: usize) -> Option<usize> {
        if !self.tails {
            Some(knot)
        } else {
            (1..self.bins).contains(&knot).then(|| knot - 1)
        }
    }

    /// `floor + softplus(raw + c)` with `c` such that zero gives 1; and its derivative.
    fn slope<T: Real>(&self, raw: T) -> (T, T) {
        let floor = self.floors.slope;
        let c = (1.0 - floor).exp_m1().ln();
        let (d, slope) = softplus(raw + T::of(c));
        (T::of(floor) + d, slope)
    }

    /// The softmaxes of widths and heights, `(rows * columns, 2 K)`.
    fn shares<T: Real>(&self, h: ArrayView3<'_, T>, ws: &mut Workspace<T>) -> Array2<T> {
        let (rows, columns, _) = h.dim();
        let k = self.bins;
        let mut p = ws.take(rows * columns, 2 * k);
        for (r, h) in h.outer_iter().enumerate() {
            for (j, h) in h.outer_iter().enumerate() {
                let mut p = p.row_mut(r * columns + j);
                p.assign(&h.slice(s![..2 * k]));
                let p = p.as_slice_mut().expect("standard layout");
                p.chunks_exact_mut(k).for_each(below_largest);
            }
        }
        let all = p.as_slice_mut().expect("standard layout");
        T::exp_slice(all);
        all.chunks_exact_mut(k).for_each(normalise);
        p
    }

    /// The bin that holds `at` along one axis: its number, where it begins and how long it is. `p` are that axis's
    /// shares.
    fn bin<T: Real>(&self, at: T, p: &[T], simplex: Simplex<T>) -> (usize, T, T) {
        let (lo, hi) = (T::of(self.lo), T::of(self.hi));
        let (k, left, right) = find(lo, hi, at, p.iter().map(|&p| (hi - lo) * simplex.bin(p)));
        (k, left, right - left)
    }

    /// The edges of bin `k` along one axis: where it begins and how long it is.
    fn edges<T: Real>(&self, k: usize, p: &[T], simplex: Simplex<T>) -> (T, T) {
        let (lo, hi) = (T::of(self.lo), T::of(self.hi));
        let left = p[..k].iter().fold(lo, |sum, &p| sum + (hi - lo) * simplex.bin(p));
        let right = if k + 1 == self.bins {
            hi
        } else {
            left + (hi - lo) * simplex.bin(p[k])
        };
        (left, right - left)
    }

    fn simplices<T: Real>(&self) -> (Simplex<T>, Simplex<T>) {
        let new = |floor| Simplex::new(self.bins, floor);
        (new(self.floors.width), new(self.floors.height))
    }

    /// Whether `v` lies in the box; and `v` held to it.
    fn clamp<T: Real>(&self, v: T) -> (bool, T) {
        let (lo, hi) = (T::of(self.lo), T::of(self.hi));
        (v >= lo && v <= hi, v.max(lo).min(hi))
    }
}

/// One rational quadratic.
#[derive(Debug, Clone, Copy)]
struct Piece<T> {
    x0: T,
    w: T,
    y0: T,
    h: T,
    d0: T,
    d1: T,
}

/// Its derivatives times the incoming gradients.
struct PieceGradient<T> {
    x: T,
    x0: T,
    w: T,
    y0: T,
    h: T,
    d0: T,
    d1: T,
}

impl<T: Real> Piece<T> {
    /// `(xi, s, d0 + d1 - 2 s)`.
    fn terms(&self, x: T) -> (T, T, T) {
        let xi = ((x - self.x0) / self.w).max(T::zero()).min(T::one());
        let s = self.h / self.w;
        (xi, s, self.d0 + self.d1 - s - s)
    }

    fn forward(&self, x: T) -> (T, f64) {
        let (xi, s, bend) = self.terms(x);
        let rest = T::one() - xi;
        let q = xi * rest;
        let d = s + bend * q;
        let z = self.y0 + self.h * (s * xi * xi + self.d0 * q) / d;
        (z, self.log_slope(xi))
    }

    /// `log dz/dx`.
    fn log_slope(&self, xi: T) -> f64 {
        let s = self.h / self.w;
        let rest = T::one() - xi;
        let q = xi * rest;
        let d = s + (self.d0 + self.d1 - s - s) * q;
        let m = self.d1 * xi * xi + (s + s) * q + self.d0 * rest * rest;
        2.0 * (s / d).wide().ln() + m.wide().ln()
    }

    fn inverse(&self, z: T) -> (T, f64) {
        let s = self.h / self.w;
        let y = z - self.y0;
        let bend = self.d0 + self.d1 - s - s;
        let a = self.h * (s - self.d0) + y * bend;
        let b = self.h * self.d0 - y * bend;
        let c = -s * y;
        let root = (b * b - T::of(4.0) * a * c).max(T::zero()).sqrt();
        let below = -b - root;
        // b and the root vanish together only where c does
        let xi = if below == T::zero() {
            T::zero()
        } else {
            (c + c) / below
        };
        let xi = xi.max(T::zero()).min(T::one());
        (self.x0 + xi * self.w, -self.log_slope(xi))
    }

    fn backward(&self, x: T, gz: T, gl: T) -> PieceGradient<T> {
        let two = T::of(2.0);
        let (xi, s, bend) = self.terms(x);
        let rest = T::one() - xi;
        let q = xi * rest;
        let dq = rest - xi;
        let d = s + bend * q;
        let n = s * xi * xi + self.d0 * q;
        let m = self.d1 * xi * xi + two * s * q + self.d0 * rest * rest;
        // z = y0 + h n / d and log_det = 2 log s + log m - 2 log d
        let g_n = gz * self.h / d;
        let g_d = -(g_n * n + two * gl) / d;
        let g_m = gl / m;
        let g_xi = g_n * (two * s * xi + self.d0 * dq)
            + g_d * bend * dq
            + g_m * two * (self.d1 * xi + s * dq - self.d0 * rest);
        let g_s = two * gl / s + g_n * xi * xi + g_d * (T::one() - two * q) + g_m * two * q;
        // s = h / w and xi = (x - x0) / w
        PieceGradient {
            x: g_xi / self.w,
            x0: -g_xi / self.w,
            w: -(g_s * s + g_xi * xi) / self.w,
            y0: gz,
            h: gz * n / d + g_s / self.w,
            d0: (g_n + g_d) * q + g_m * rest * rest,
            d1: g_d * q + g_m * xi * xi,
        }
    }
}

impl Transformer for RationalQuadratic {
    fn width(&self) -> usize {
        2 * self.bins + self.slopes()
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
        let k = self.bins;
        let (widths, heights) = self.simplices();
        let shares = self.shares(h, ws);
        let mut saved = ws.take(rows * columns, SAVED);
        for r in 0..rows {
            for j in 0..columns {
                let at = r * columns + j;
                let (inside, v) = self.clamp(x[[r, j]]);
                let p = shares.row(at).to_slice().expect("standard layout");
                let (bin, x0, w) = self.bin(v, &p[..k], widths);
                let (y0, height) = self.edges(bin, &p[k..], heights);
                let raw = |knot| self.slope_at(knot).map_or(T::zero(), |i| h[[r, j, 2 * k + i]]);
                let (raw0, raw1) = (raw(bin), raw(bin + 1));
                let bin_or_tail = if inside { T::of(bin as f64) } else { -T::one() };
                let mut line = saved.row_mut(at);
                [v, bin_or_tail, raw0, raw1]
                    .into_iter()
                    .enumerate()
                    .for_each(|(i, v)| line[i] = v);
                if !inside {
                    if !self.tails {
                        x[[r, j]] = v;
                        log_det[r] = f64::NEG_INFINITY;
                    }
                    continue;
                }
                let (d0, d1) = (self.slope(raw0).0, self.slope(raw1).0);
                let (z, log) = Piece {
                    x0,
                    w,
                    y0,
                    h: height,
                    d0,
                    d1,
                }
                .forward(v);
                x[[r, j]] = z;
                log_det[r] += log;
            }
        }
        keep(tape, ws, [shares, saved]);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (rows, columns) = z.dim();
        let k = self.bins;
        let (widths, heights) = self.simplices();
        let shares = self.shares(h, ws);
        for r in 0..rows {
            for j in 0..columns {
                let (inside, v) = self.clamp(z[[r, j]]);
                if !inside {
                    if !self.tails {
                        z[[r, j]] = v;
                        log_det[r] = f64::NEG_INFINITY;
                    }
                    continue;
                }
                let p = shares.row(r * columns + j).to_slice().expect("standard layout");
                let (bin, y0, height) = self.bin(v, &p[k..], heights);
                let (x0, w) = self.edges(bin, &p[..k], widths);
                let slope = |knot| {
                    let raw = self.slope_at(knot).map_or(T::zero(), |i| h[[r, j, 2 * k + i]]);
                    self.slope(raw).0
                };
                let piece = Piece {
                    x0,
                    w,
                    y0,
                    h: height,
                    d0: slope(bin),
                    d1: slope(bin + 1),
                };
                let (x, log) = piece.inverse(v);
                z[[r, j]] = x;
                log_det[r] += log;
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
        let (saved, shares) = (tape.pop(), tape.pop());
        let (rows, columns) = g.dim();
        let k = self.bins;
        let (widths, heights) = self.simplices();
        let span = T::of(self.hi - self.lo);
        let mut line = ws.take(1, 2 * k);
        g_h.fill(T::zero());
        for r in 0..rows {
            for j in 0..columns {
                let at = r * columns + j;
                let (x, bin, raw0, raw1) = (saved[[at, 0]], saved[[at, 1]], saved[[at, 2]], saved[[at, 3]]);
                if bin < T::zero() {
                    if !self.tails {
                        g[[r, j]] = T::zero();
                    }
                    continue;
                }
                let bin = bin.wide() as usize;
                let p = shares.row(at).to_slice().expect("standard layout");
                let (x0, w) = self.edges(bin, &p[..k], widths);
                let (y0, height) = self.edges(bin, &p[k..], heights);
                let ((d0, slope0), (d1, slope1)) = (self.slope(raw0), self.slope(raw1));
                let piece = Piece {
                    x0,
                    w,
                    y0,
                    h: height,
                    d0,
                    d1,
                };
                let d = piece.backward(x, g[[r, j]], g_log_det[r]);
                g[[r, j]] = d.x;
                let g_shares = line.as_slice_mut().expect("standard layout");
                let (g_w, g_heights) = g_shares.split_at_mut(k);
                for (g, start, own) in [(&mut *g_w, d.x0, d.w), (&mut *g_heights, d.y0, d.h)] {
                    // where a bin starts is the sum of the bins before it; the last bin is what these leave
                    g.fill(T::zero());
                    let before = if bin + 1 == k { start - own } else { start };
                    g[..bin].fill(before * span);
                    if bin + 1 < k {
                        g[bin] = own * span;
                    }
                }
                widths.backward(&p[..k], g_w);
                heights.backward(&p[k..], g_heights);
                for (i, &v) in g_shares.iter().enumerate() {
                    g_h[[r, j, i]] = v;
                }
                for (knot, d, slope) in [(bin, d.d0, slope0), (bin + 1, d.d1, slope1)] {
                    if let Some(i) = self.slope_at(knot) {
                        g_h[[r, j, 2 * k + i]] = d * slope;
                    }
                }
            }
        }
        keep(None, ws, [saved, shares, line]);
    }
}
