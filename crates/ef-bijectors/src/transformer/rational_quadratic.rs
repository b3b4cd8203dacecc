//! The rational-quadratic spline.

use ef_tensor::{Real, bounds_within};

use super::Transformer;
use super::bins::{find, picked};
use super::lanes::{LANES, Lanes, logs, select};
use super::lanewise::{Lanewise, lanewise_passes, rows};
use super::rational_piece::Piece;
use super::simplex::{Axis, Simplex, check_bins};
use crate::error::BijectorError;
use crate::softplus::softplus_lane;

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
/// rounded inward to numbers of `f32`, so that it is the same box in `f32` and `f64`: [`bounds`](Self::bounds) gives
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

/// Numbers of an element that `backward` needs beside its softmaxes: the bin or -1 in a tail, the place in it, its width
/// and height, both slopes and what they change by with their raw parameters.
const SAVED: usize = 8;
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

    /// The simplexes of widths and heights.
    fn simplexes(&self) -> [Simplex; 2] {
        [self.floors.width, self.floors.height].map(|floor| Simplex::new(self.bins, floor))
    }

    /// The knot of the first raw slope.
    fn first_knot<T: Real>(&self) -> T {
        if self.tails { T::one() } else { T::zero() }
    }

    /// The slopes at both ends of each element's bin, `floor + softplus(raw + unit)`, and their derivatives by `raw`.
    #[inline(always)]
    fn slopes_at<const FMA: bool, T: Real>(&self, raw: &[Lanes<T>], index: &Lanes<T>) -> [Slope<T>; 2] {
        let knot = self.first_knot::<T>();
        let (start, end) = (picked(raw, knot, index), picked(raw, knot - T::one(), index));
        // where a slope is 1
        let none = T::of(-1.0);
        let [first, last] = if self.tails {
            [T::zero(), T::of((self.bins - 1) as f64)]
        } else {
            [none, none]
        };
        [
            self.slope::<FMA, T>(&start, index, first),
            self.slope::<FMA, T>(&end, index, last),
        ]
    }

    #[inline(always)]
    fn slope<const FMA: bool, T: Real>(&self, raw: &Lanes<T>, index: &Lanes<T>, fixed: T) -> Slope<T> {
        let (unit, floor) = (T::of(self.unit), T::of(self.floors.slope));
        let (zero, one) = (T::zero(), T::one());
        let mut slope = Slope {
            value: [one; LANES],
            by_raw: [zero; LANES],
        };
        for l in 0..LANES {
            let free = index[l] != fixed;
            let (softplus, sigmoid) = softplus_lane::<FMA, T>(raw[l] + unit);
            slope.value[l] = select(free, floor + softplus, one);
            slope.by_raw[l] = select(free, sigmoid, zero);
        }
        slope
    }

    /// Which values lie in the box, by 1 or 0, and those, with an end of it in place of the others.
    #[inline(always)]
    fn held<T: Real>(&self, v: &Lanes<T>) -> (Lanes<T>, Lanes<f64>) {
        let (mut inside, mut held) = ([T::zero(); LANES], [self.lo; LANES]);
        for l in 0..LANES {
            let wide = v[l].wide();
            let holds = wide >= self.lo && wide <= self.hi;
            inside[l] = select(holds, T::one(), T::zero());
            held[l] = select(holds, wide, self.lo);
        }
        (inside, held)
    }

    /// The bins of widths and of heights, and the raw slopes.
    #[inline(always)]
    fn axes<'a, const FMA: bool, T: Real>(
        &self,
        h: &'a mut [Lanes<T>],
    ) -> (Axis<'a, T>, Axis<'a, T>, &'a [Lanes<T>]) {
        let (widths, rest) = h.split_at_mut(self.bins);
        let (heights, raw) = rest.split_at_mut(self.bins);
        let [of_widths, of_heights] = self.simplexes();
        let widths = of_widths.axis::<FMA, T>(self.bounds(), widths);
        let heights = of_heights.axis::<FMA, T>(self.bounds(), heights);
        (widths, heights, raw)
    }

    /// A result of a value in the box, held to it: rounding may not leave it.
    #[inline(always)]
    fn within<T: Real>(&self, v: f64) -> T {
        let v = if v > self.lo { v } else { self.lo };
        T::of(if v < self.hi { v } else { self.hi })
    }
}

/// Slopes at a knot of each element.
struct Slope<T> {
    value: Lanes<T>,
    by_raw: Lanes<T>,
}

impl Transformer for RationalQuadratic {
    fn width(&self) -> usize {
        2 * self.bins + self.slopes()
    }

    fn domain(&self) -> Option<(f64, f64)> {
        (!self.tails).then_some((self.lo, self.hi))
    }

    lanewise_passes!();
}

impl Lanewise for RationalQuadratic {
    fn saved(&self) -> usize {
        2 * self.bins + SAVED
    }

    #[inline(always)]
    fn forward_lanes<const FMA: bool, T: Real>(
        &self,
        h: &mut [Lanes<T>],
        x: &mut Lanes<T>,
        saved: Option<&mut [Lanes<T>]>,
    ) -> Lanes<T> {
        let (widths, heights, raw) = self.axes::<FMA, T>(h);
        let (inside, at) = self.held(x);
        let bin = find::<FMA, T>(&widths, &heights, self.bins, &at);
        let (w, h) = (widths.sizes::<FMA>(&bin.index), heights.sizes::<FMA>(&bin.index));
        let [start, end] = self.slopes_at::<FMA, T>(raw, &bin.index);

        let mut place = [[T::zero(); LANES]; 4];
        let mut slopes = [T::zero(); LANES];
        for l in 0..LANES {
            let piece = Piece {
                w: w[l],
                h: h[l],
                d0: start.value[l].wide(),
                d1: end.value[l].wide(),
            };
            let xi = piece.place(at[l] - bin.start[l]);
            let z = self.within(bin.other_start[l] + piece.value(xi));
            slopes[l] = T::of(piece.slope(xi));
            let inside = inside[l] > T::zero();
            x[l] = select(inside, z, x[l]);
            place[0][l] = select(inside, bin.index[l], T::of(-1.0));
            place[1][l] = T::of(xi);
            place[2][l] = T::of(piece.w);
            place[3][l] = T::of(piece.h);
        }
        if let Some(saved) = saved {
            let (p, rest) = saved.split_at_mut(2 * self.bins);
            let (p_widths, p_heights) = p.split_at_mut(self.bins);
            widths.shares(p_widths);
            heights.shares(p_heights);
            let [index, xi, w, h] = place;
            let [d0, d1] = [start.value, end.value];
            rest.copy_from_slice(&[index, xi, w, h, d0, d1, start.by_raw, end.by_raw]);
        }
        let mut logs = logs::<FMA, T>(&slopes);
        for l in 0..LANES {
            logs[l] = select(inside[l] > T::zero(), logs[l], T::zero());
        }
        logs
    }

    #[inline(always)]
    fn inverse_lanes<const FMA: bool, T: Real>(&self, h: &mut [Lanes<T>], z: &mut Lanes<T>) -> Lanes<T> {
        let (widths, heights, raw) = self.axes::<FMA, T>(h);
        let (inside, at) = self.held(z);
        let bin = find::<FMA, T>(&heights, &widths, self.bins, &at);
        let (w, h) = (widths.sizes::<FMA>(&bin.index), heights.sizes::<FMA>(&bin.index));
        let [start, end] = self.slopes_at::<FMA, T>(raw, &bin.index);

        let mut slopes = [T::zero(); LANES];
        for l in 0..LANES {
            let piece = Piece {
                w: w[l],
                h: h[l],
                d0: start.value[l].wide(),
                d1: end.value[l].wide(),
            };
            let xi = piece.root(at[l] - bin.start[l]);
            let x = self.within(bin.other_start[l] + xi * piece.w);
            slopes[l] = T::of(piece.slope(xi));
            z[l] = select(inside[l] > T::zero(), x, z[l]);
        }
        let mut logs = logs::<FMA, T>(&slopes);
        for l in 0..LANES {
            logs[l] = select(inside[l] > T::zero(), -logs[l], T::zero());
        }
        logs
    }

    #[inline(always)]
    fn backward_lanes<const FMA: bool, T: Real>(
        &self,
        saved: &[Lanes<T>],
        g: &mut Lanes<T>,
        gl: &Lanes<T>,
        g_h: &mut [Lanes<T>],
    ) {
        let k = self.bins;
        let (p, rest) = saved.split_at(2 * k);
        let [index, xi, w, h, d0, d1, by0, by1] = rows(rest);
        let (zero, one) = (T::zero(), T::one());
        let span = T::of(self.hi - self.lo);
        // for widths and heights: dL/d of all bins before an element's own, and of that
        let (mut before, mut own) = ([[zero; LANES]; 2], [[zero; LANES]; 2]);
        let mut by_slopes = [[zero; LANES]; 2];
        for l in 0..LANES {
            let inside = index[l] >= zero;
            let piece = Piece {
                w: w[l],
                h: h[l],
                d0: d0[l],
                d1: d1[l],
            };
            let gz = select(inside, g[l], zero);
            let gl = select(inside, gl[l], zero);
            let d = piece.backward(xi[l], gz, gl);
            g[l] = select(inside, d.x, g[l]);
            // where a bin starts is the sum of the bins before it
            before[0][l] = -span * d.x;
            before[1][l] = span * gz;
            own[0][l] = span * d.w;
            own[1][l] = span * d.h;
            by_slopes[0][l] = select(inside, d.d0 * by0[l], zero);
            by_slopes[1][l] = select(inside, d.d1 * by1[l], zero);
        }
        let (g_bins, g_slopes) = g_h.split_at_mut(2 * k);
        for (i, simplex) in self.simplexes().into_iter().enumerate() {
            let bins = i * k..(i + 1) * k;
            simplex.backward_at(&p[bins.clone()], index, &before[i], &own[i], &mut g_bins[bins]);
        }
        let mut knot = self.first_knot::<T>();
        for to in g_slopes {
            for l in 0..LANES {
                let end = select(knot == index[l] + one, by_slopes[1][l], zero);
                to[l] = select(knot == index[l], by_slopes[0][l], end);
            }
            knot += one;
        }
    }
}
