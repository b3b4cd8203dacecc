//! The piecewise-quadratic CDF.

use ef_tensor::Real;
use ef_tensor::simd::mul_add;

use super::Transformer;
use super::bins::{Bins, find, picked};
use super::lanes::{LANES, Lanes, logs, narrow, select, unit, wide};
use super::lanewise::{Lanewise, lanewise_passes, rows};
use super::simplex::{Axis, Simplex, check_bins, exponentials};
use crate::error::BijectorError;

/// Müller et al. 2019 (1808.03856), piecewise-quadratic coupling: the CDF of a piecewise-linear density on `[0, 1]`, with
/// `K` bins of widths `w` and `K + 1` vertices `v`; in bin `b` that starts at `x_b`, with `alpha = (x - x_b) / w_b`:
///
/// ```text
/// forward   z = C_b + w_b (v_b alpha + (v_{b+1} - v_b) alpha² / 2)       C_b = sum_{k < b} w_k (v_k + v_{k+1}) / 2
///           log|dz/dx| = log(v_b + alpha (v_{b+1} - v_b))
/// inverse   alpha = 2 y / (v_b + sqrt(v_b² + 2 (v_{b+1} - v_b) y)),      y = (z - C_b) / w_b
/// ```
///
/// the root that does not cancel. Widths are a softmax with a floor. Vertices are exponentials divided by the area
/// under them and mixed with a little of the uniform density, so none is 0. There are `2 K + 1` parameters a column;
/// zeros give the identity. The domain is `[0, 1]`: on the real line, put a [`UnitMap`](crate::UnitMap) at both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PiecewiseQuadratic {
    bins: usize,
    floor: f64,
}

impl PiecewiseQuadratic {
    /// `bins` bins, none narrower than `1e-3`, and a density of at least `1e-3`.
    ///
    /// # Errors
    /// If there are no bins, or more than 999.
    pub fn new(bins: usize) -> Result<Self, BijectorError> {
        Self::with_floor(bins, 1e-3)
    }

    /// `bins` bins, none narrower than `floor`, and a density of at least `floor`.
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
    fn curve<'a, const FMA: bool, T: Real>(&self, h: &'a mut [Lanes<T>]) -> Curve<'a, T> {
        let (widths, vertices) = h.split_at_mut(self.bins);
        let widths = self.simplex().axis::<FMA, T>((0.0, 1.0), widths);
        exponentials::<FMA, T>(vertices);
        let mut area = [0.0; LANES];
        for k in 0..self.bins {
            for l in 0..LANES {
                let sum = vertices[k][l].wide() + vertices[k + 1][l].wide();
                area[l] += widths.size::<FMA>(k, l) * sum * 0.5;
            }
        }
        let mut scale = area;
        for l in 0..LANES {
            scale[l] = (1.0 - self.floor) / area[l];
        }
        Curve {
            widths,
            vertices,
            scale,
            floor: self.floor,
        }
    }
}

/// The densities of a block.
struct Curve<'a, T> {
    widths: Axis<'a, T>,
    /// Exponentials.
    vertices: &'a [Lanes<T>],
    /// A vertex beyond the floor, over its exponential.
    scale: Lanes<f64>,
    floor: f64,
}

/// The masses of its bins.
impl<T: Real> Bins for Curve<'_, T> {
    #[inline(always)]
    fn start(&self) -> f64 {
        0.0
    }

    #[inline(always)]
    fn size<const FMA: bool>(&self, k: usize, l: usize) -> f64 {
        let sum = self.vertices[k][l].wide() + self.vertices[k + 1][l].wide();
        self.widths.size::<FMA>(k, l) * mul_add::<FMA, f64>(self.scale[l], sum * 0.5, self.floor)
    }
}

/// The piece in the bin of each element: its width, the density at its start and what that rises by.
struct Piece {
    w: Lanes<f64>,
    v: Lanes<f64>,
    rise: Lanes<f64>,
}

impl<T: Real> Curve<'_, T> {
    #[inline(always)]
    fn piece<const FMA: bool>(&self, index: &Lanes<T>) -> Piece {
        let w = self.widths.sizes::<FMA>(index);
        let start = picked(self.vertices, T::zero(), index);
        let end = picked(self.vertices, -T::one(), index);
        let (mut v, mut rise) = (w, w);
        for l in 0..LANES {
            v[l] = mul_add::<FMA, f64>(self.scale[l], start[l].wide(), self.floor);
            rise[l] = self.scale[l] * (end[l].wide() - start[l].wide());
        }
        Piece { w, v, rise }
    }
}

impl Transformer for PiecewiseQuadratic {
    fn width(&self) -> usize {
        2 * self.bins + 1
    }

    fn domain(&self) -> Option<(f64, f64)> {
        Some((0.0, 1.0))
    }

    lanewise_passes!();
}

impl Lanewise for PiecewiseQuadratic {
    /// The softmax of the widths, the exponentials of the vertices and their scale, then the bin, the place `alpha` in
    /// it, and its piece.
    fn saved(&self) -> usize {
        2 * self.bins + 7
    }

    #[inline(always)]
    fn forward_lanes<const FMA: bool, T: Real>(
        &self,
        h: &mut [Lanes<T>],
        x: &mut Lanes<T>,
        saved: Option<&mut [Lanes<T>]>,
    ) -> Lanes<T> {
        let curve = self.curve::<FMA, T>(h);
        let at = wide(x);
        let bin = find::<FMA, T>(&curve.widths, &curve, self.bins, &at);
        let Piece { w, v, rise } = curve.piece::<FMA>(&bin.index);
        let (mut place, mut density) = (*x, *x);
        for l in 0..LANES {
            let alpha = unit((at[l] - bin.start[l]) / w[l]);
            let z = bin.other_start[l] + w[l] * alpha * (v[l] + rise[l] * alpha * 0.5);
            x[l] = T::of(unit(z));
            place[l] = T::of(alpha);
            density[l] = T::of(v[l] + alpha * rise[l]);
        }
        if let Some(saved) = saved {
            let (p, rest) = saved.split_at_mut(self.bins);
            let (vertices, rest) = rest.split_at_mut(self.bins + 1);
            curve.widths.shares(p);
            vertices.copy_from_slice(curve.vertices);
            rest.copy_from_slice(&[
                narrow(&curve.scale),
                bin.index,
                place,
                narrow(&w),
                narrow(&v),
                narrow(&rise),
            ]);
        }
        logs::<FMA, T>(&density)
    }

    #[inline(always)]
    fn inverse_lanes<const FMA: bool, T: Real>(&self, h: &mut [Lanes<T>], z: &mut Lanes<T>) -> Lanes<T> {
        let curve = self.curve::<FMA, T>(h);
        let at = wide(z);
        let bin = find::<FMA, T>(&curve, &curve.widths, self.bins, &at);
        let Piece { w, v, rise } = curve.piece::<FMA>(&bin.index);
        let mut slope = *z;
        for l in 0..LANES {
            let y = (at[l] - bin.start[l]) / w[l];
            let square = v[l] * v[l] + 2.0 * rise[l] * y;
            let root = select(square > 0.0, square, 0.0).sqrt();
            let alpha = unit(2.0 * y / (v[l] + root));
            z[l] = T::of(unit(bin.other_start[l] + alpha * w[l]));
            slope[l] = T::of(1.0 / (v[l] + alpha * rise[l]));
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
        let (e, rest) = rest.split_at(self.bins + 1);
        let [scale, index, alpha, w, v, rise] = rows(rest);
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        let floor = T::of(self.floor);
        let gz = *g;

        // z and log_det in an element's own bin, and where it starts
        let (mut by_w, mut by_start, mut by_v, mut by_end) = (*g, *g, *g, *g);
        for l in 0..LANES {
            let (alpha, w) = (alpha[l], w[l]);
            let density = v[l] + alpha * rise[l];
            let g_density = gl[l] / density;
            let g_alpha = gz[l] * w * density + g_density * rise[l];
            let bent = alpha * alpha * half;
            by_v[l] = gz[l] * w * (alpha - bent) + g_density * (one - alpha);
            by_end[l] = gz[l] * w * bent + g_density * alpha;
            by_w[l] = gz[l] * alpha * (v[l] + rise[l] * alpha * half) - g_alpha * alpha / w;
            by_start[l] = -g_alpha / w;
            g[l] = g_alpha / w;
        }

        // the bins before it: their masses, and where this one starts; a bin adds to the vertices at its ends
        let (g_w, g_v) = g_h.split_at_mut(self.bins);
        let mut to_end = [zero; LANES];
        let mut k = zero;
        for (i, p) in p.iter().enumerate() {
            for l in 0..LANES {
                let (before, here) = (k < index[l], k == index[l]);
                let mean = floor + scale[l] * (e[i][l] + e[i + 1][l]) * half;
                let own = select(here, by_w[l], zero);
                g_w[i][l] = select(before, gz[l] * mean + by_start[l], own);
                let both = select(before, self.simplex().bin(p[l]) * half * gz[l], zero);
                g_v[i][l] = to_end[l] + both + select(here, by_v[l], zero);
                to_end[l] = both + select(here, by_end[l], zero);
            }
            k += one;
        }
        g_v[self.bins] = to_end;

        // vertices: floor + scale e, with scale = (1 - floor) / area and area = sum w (e + e') / 2
        let mut g_area = [zero; LANES];
        for (g_v, e) in g_v.iter().zip(e) {
            for l in 0..LANES {
                g_area[l] -= g_v[l] * e[l];
            }
        }
        let rest = one - floor;
        for l in 0..LANES {
            g_area[l] *= scale[l] * scale[l] / rest;
            to_end[l] = zero;
        }
        for (i, p) in p.iter().enumerate() {
            for l in 0..LANES {
                g_w[i][l] += g_area[l] * (e[i][l] + e[i + 1][l]) * half;
                let both = g_area[l] * self.simplex().bin(p[l]) * half;
                g_v[i][l] = (g_v[i][l] * scale[l] + to_end[l] + both) * e[i][l];
                to_end[l] = both;
            }
        }
        for l in 0..LANES {
            g_v[self.bins][l] = (g_v[self.bins][l] * scale[l] + to_end[l]) * e[self.bins][l];
        }
        self.simplex().backward(p, g_w);
    }
}
