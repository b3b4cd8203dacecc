//! The rational-quadratic spline.

use ef_tensor::{Real, Tape, Workspace, bounds_within, vmath};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, ArrayViewMut3, s};

use super::rational_piece::Piece;
use super::simplex::{Simplex, below_largest, check_bins, find, normalise};
use super::{Transformer, keep};
use crate::error::BijectorError;
use crate::softplus::softplus;

/// Durkan et al. 2019 (1906.04032), eqs. 4 to 8: a monotone spline of `K` rational quadratics that maps a box onto
/// itself. In a bin with knots `(x0, y0)`, `(x0 + w, y0 + h)`, slopes `d0`, `d1` there, `xi = (x - x0) / w` and
/// `s = h / w`:
///
/// ```text
/// forward   z = y0 + h (s xi² + d0 xi (1 - xi)) / D           D = s + (d0 + d1 - 2 s) xi (1 - xi)
///           dz/dx = s² (d1 xi² + 2 s xi (1 - xi) + d0 (1 - xi)²) / D²
/// inverse   a xi² + b xi + c = 0,   y = z - y0
///           a = h (s - d0) + y (d0 + d1 - 2 s)     b = h d0 - y (d0 + d1 - 2 s)     c = -s y
///           xi = 2 c / (-b - sqrt(b² - 4 a c)) if b >= 0, else (-b + sqrt(b² - 4 a c)) / (2 a)
/// ```
///
/// the one root in two forms, neither of which cancels on its side. Widths and heights are softmaxes, slopes
/// softpluses, each with a floor; parameters of zero give the identity. [`new`](Self::new) continues the spline by the
/// identity outside `[-bound, bound]`, with slope 1 at both ends, and has `3 K - 1` parameters a column;
/// [`on_box`](Self::on_box) ends at its box, with free slopes there and `3 K + 1` parameters. The ends of a box are
/// rounded inward to numbers of `f32`, so that it is the same box in `f32` and `f64`: [`bounds`](Self::bounds) tells
/// them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RationalQuadratic {
    bins: usize,
    lo: f64,
    hi: f64,
    tails: bool,
    floors: SplineFloors,
    /// Added to raw slopes, so that zero gives slope 1.
    unit: f64,
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

/// Numbers of an element that `backward` needs beside its bins: `x`, the bin or -1 in a tail, both slopes and what they
/// change by with their raw parameters.
const SAVED: usize = 6;
/// No box reaches further: widths and their products stay finite in `f32`.
const MOST_BOUND: f64 = 1e30;

impl RationalQuadratic {
    /// `bins` bins on `[-bound, bound]` and the identity outside.
    ///
    /// # Errors
    /// If there are no bins, more than 999 (their floors would fill the box), or `bound` is not above 0 and at most `1e30`.
    pub fn new(bins: usize, bound: f64) -> Result<Self, BijectorError> {
        Self::build(bins, -bound, bound, true)
    }

    /// `bins` bins on `[lo, hi]`, which is the domain: outside it `log_det` is `-inf`.
    ///
    /// # Errors
    /// If there are no bins, more than 999, or `lo < hi` does not hold of two numbers within `1e30` of 0.
    pub fn on_box(bins: usize, lo: f64, hi: f64) -> Result<Self, BijectorError> {
        Self::build(bins, lo, hi, false)
    }

    fn build(bins: usize, lo: f64, hi: f64, tails: bool) -> Result<Self, BijectorError> {
        let (low, high) = bounds_within::<f32>(lo, hi);
        let ordered =
            low.is_finite() && high.is_finite() && low < high && lo.abs().max(hi.abs()) <= MOST_BOUND;
        BijectorError::unless(
            ordered,
            "a spline's box",
            format!("{lo}..{hi}"),
            "within 1e30 of 0, with its lower end first",
        )?;
        let (lo, hi) = (f64::from(low), f64::from(high));
        Self {
            bins,
            lo,
            hi,
            tails,
            floors: SplineFloors::default(),
            unit: 0.0,
        }
        .checked()
    }

    /// With other floors.
    ///
    /// # Errors
    /// If a width's or height's is below `1e-6`, those of all bins together fill the box, or the slope's is not between 0
    /// and 1.
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
        let Self { bins, floors, .. } = self;
        check_bins(bins, floors.width)?;
        check_bins(bins, floors.height)?;
        let slope = floors.slope;
        BijectorError::unless(
            slope > 0.0 && slope < 1.0,
            "the least slope of a spline",
            slope,
            "between 0 and 1",
        )?;
        // softplus(unit) = 1 - floor
        let unit = (1.0 - slope).exp_m1().ln();
        Ok(Self { unit, ..self })
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

    /// The slope at knot `k` of an element, `floor + softplus(raw + unit)`, and its derivative by `raw`.
    fn slope<T: Real>(&self, h: ArrayView3<'_, T>, r: usize, j: usize, knot: usize) -> (f64, f64) {
        let Some(i) = self.slope_at(knot) else {
            return (1.0, 0.0);
        };
        let (d, by_raw) = softplus(h[[r, j, 2 * self.bins + i]].wide() + self.unit);
        (self.floors.slope + d, by_raw)
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
        vmath::exp(all);
        all.chunks_exact_mut(k).for_each(normalise);
        p
    }

    /// Widths and heights of an element, from its shares.
    fn axes<'a, T: Real>(&self, shares: &'a [T]) -> (Axis<'a, T>, Axis<'a, T>) {
        let axis = |shares, floor| Axis {
            lo: self.lo,
            hi: self.hi,
            shares,
            simplex: Simplex::new(self.bins, floor),
        };
        let (widths, heights) = shares.split_at(self.bins);
        (axis(widths, self.floors.width), axis(heights, self.floors.height))
    }

    fn piece<T: Real>(
        &self,
        bin: usize,
        widths: Axis<'_, T>,
        heights: Axis<'_, T>,
        slopes: [f64; 2],
    ) -> Piece {
        let ((x0, w), (y0, h)) = (widths.edges(bin), heights.edges(bin));
        let [d0, d1] = slopes;
        Piece { x0, w, y0, h, d0, d1 }
    }

    /// Whether `v` lies in the box.
    fn holds(&self, v: f64) -> bool {
        v >= self.lo && v <= self.hi
    }

    /// A result inside the box, held to it: rounding may not leave it.
    fn held<T: Real>(&self, v: f64) -> T {
        T::of(v.max(self.lo).min(self.hi))
    }
}

/// The bins along one axis of the box.
#[derive(Debug, Clone, Copy)]
struct Axis<'a, T> {
    lo: f64,
    hi: f64,
    shares: &'a [T],
    simplex: Simplex,
}

impl<T: Real> Axis<'_, T> {
    fn width(&self, k: usize) -> f64 {
        (self.hi - self.lo) * self.simplex.bin(self.shares[k])
    }

    /// The bin that holds `at`.
    fn find(&self, at: f64) -> usize {
        let widths = (0..self.shares.len()).map(|k| self.width(k));
        find(self.lo, self.hi, at, widths).0
    }

    /// Where bin `k` begins and how long it is. The last ends at the box's end, whatever rounding made of the sum.
    fn edges(&self, k: usize) -> (f64, f64) {
        let left = (0..k).fold(self.lo, |sum, k| sum + self.width(k));
        let last = k + 1 == self.shares.len();
        (left, if last { self.hi - left } else { self.width(k) })
    }
}

impl Transformer for RationalQuadratic {
    fn width(&self) -> usize {
        2 * self.bins + self.slopes()
    }

    fn domain(&self) -> Option<(f64, f64)> {
        (!self.tails).then_some((self.lo, self.hi))
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
        let shares = self.shares(h, ws);
        let mut saved = ws.take(rows * columns, SAVED);
        for r in 0..rows {
            for j in 0..columns {
                let at = r * columns + j;
                let v = x[[r, j]];
                let mut line = saved.row_mut(at);
                line[0] = v;
                line[1] = -T::one();
                if !self.holds(v.wide()) {
                    continue;
                }
                let (widths, heights) = self.axes(shares.row(at).to_slice().expect("standard layout"));
                let bin = widths.find(v.wide());
                let [(d0, by0), (d1, by1)] = [bin, bin + 1].map(|knot| self.slope(h, r, j, knot));
                let (z, log) = self.piece(bin, widths, heights, [d0, d1]).forward(v.wide());
                x[[r, j]] = self.held(z);
                log_det[r] += log;
                line[1] = T::of(bin as f64);
                for (to, v) in line.iter_mut().skip(2).zip([d0, d1, by0, by1]) {
                    *to = T::of(v);
                }
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
        let shares = self.shares(h, ws);
        for r in 0..rows {
            for j in 0..columns {
                let v = z[[r, j]].wide();
                if !self.holds(v) {
                    continue;
                }
                let p = shares.row(r * columns + j).to_slice().expect("standard layout");
                let (widths, heights) = self.axes(p);
                let bin = heights.find(v);
                let slopes = [bin, bin + 1].map(|knot| self.slope(h, r, j, knot).0);
                let (x, log) = self.piece(bin, widths, heights, slopes).inverse(v);
                z[[r, j]] = self.held(x);
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
        let span = self.hi - self.lo;
        let mut line = ws.take(1, k);
        let g_bins = line.as_slice_mut().expect("standard layout");
        g_h.fill(T::zero());
        for r in 0..rows {
            for j in 0..columns {
                let at = r * columns + j;
                let bin = saved[[at, 1]];
                if bin < T::zero() {
                    continue;
                }
                let bin = bin.wide() as usize;
                let [d0, d1, by0, by1] = [2, 3, 4, 5].map(|i| saved[[at, i]].wide());
                let (widths, heights) = self.axes(shares.row(at).to_slice().expect("standard layout"));
                let piece = self.piece(bin, widths, heights, [d0, d1]);
                let d = piece.backward(saved[[at, 0]].wide(), g[[r, j]].wide(), g_log_det[r].wide());
                g[[r, j]] = T::of(d.x);
                for (axis, first, start, own) in [(widths, 0, d.x0, d.w), (heights, k, d.y0, d.h)] {
                    // where a bin starts is the sum of the bins before it; the last bin is what these leave
                    let last = bin + 1 == k;
                    g_bins.fill(T::zero());
                    g_bins[..bin].fill(T::of(span * if last { start - own } else { start }));
                    if !last {
                        g_bins[bin] = T::of(span * own);
                    }
                    axis.simplex.backward(axis.shares, g_bins);
                    for (i, &v) in g_bins.iter().enumerate() {
                        g_h[[r, j, first + i]] = v;
                    }
                }
                for (knot, by_raw, d) in [(bin, by0, d.d0), (bin + 1, by1, d.d1)] {
                    if let Some(i) = self.slope_at(knot) {
                        g_h[[r, j, 2 * k + i]] = T::of(d * by_raw);
                    }
                }
            }
        }
        keep(None, ws, [saved, shares, line]);
    }
}
