//! The piecewise-quadratic CDF.

use ef_tensor::{Real, Tape, Workspace, vmath};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, ArrayViewMut3, s};

use super::simplex::{Simplex, below_largest, check_bins, find, normalise};
use super::{Transformer, keep};
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

    /// Softmaxes of the widths, then exponentials of the vertices, `(rows * columns, 2 K + 1)`.
    fn exponentials<T: Real>(&self, h: ArrayView3<'_, T>, ws: &mut Workspace<T>) -> Array2<T> {
        let (rows, columns, width) = h.dim();
        let mut e = ws.take(rows * columns, width);
        for r in 0..rows {
            for j in 0..columns {
                let mut e = e.row_mut(r * columns + j);
                e.assign(&h.slice(s![r, j, ..]));
                let (widths, vertices) = e.as_slice_mut().expect("standard layout").split_at_mut(self.bins);
                below_largest(widths);
                below_largest(vertices);
            }
        }
        vmath::exp(e.as_slice_mut().expect("standard layout"));
        for mut e in e.rows_mut() {
            normalise(&mut e.as_slice_mut().expect("standard layout")[..self.bins]);
        }
        e
    }

    fn column<'a, T: Real>(&self, e: &'a [T]) -> Column<'a, T> {
        let (shares, vertices) = e.split_at(self.bins);
        let simplex = Simplex::new(self.bins, self.floor);
        let trapezoids = shares.iter().zip(vertices.windows(2));
        Column {
            shares,
            vertices,
            simplex,
            area: trapezoids
                .map(|(&p, v)| simplex.bin(p) * (v[0].wide() + v[1].wide()) * 0.5)
                .sum(),
            floor: self.floor,
        }
    }
}

/// The density of one column, in `f64` throughout.
#[derive(Debug, Clone, Copy)]
struct Column<'a, T> {
    shares: &'a [T],
    /// Unnormalised.
    vertices: &'a [T],
    simplex: Simplex,
    /// Under the unnormalised vertices.
    area: f64,
    floor: f64,
}

impl<T: Real> Column<'_, T> {
    fn width(&self, k: usize) -> f64 {
        self.simplex.bin(self.shares[k])
    }

    fn vertex(&self, k: usize) -> f64 {
        self.floor + (1.0 - self.floor) * self.vertices[k].wide() / self.area
    }

    fn mass(&self, k: usize) -> f64 {
        self.width(k) * (self.vertex(k) + self.vertex(k + 1)) * 0.5
    }

    fn bins(&self) -> usize {
        self.shares.len()
    }

    /// The bin that holds `x`, with `alpha` there.
    fn locate(&self, x: f64) -> (usize, f64) {
        let (b, left, right) = find(0.0, 1.0, x, (0..self.bins()).map(|k| self.width(k)));
        (b, (x - left) / (right - left))
    }

    fn density(&self, b: usize, alpha: f64) -> f64 {
        self.vertex(b) + alpha * (self.vertex(b + 1) - self.vertex(b))
    }

    /// `z` and `log dz/dx`.
    fn forward(&self, x: f64) -> (f64, f64) {
        let (b, alpha) = self.locate(x);
        let before: f64 = (0..b).map(|k| self.mass(k)).sum();
        let rise = self.vertex(b + 1) - self.vertex(b);
        let z = before + self.width(b) * alpha * (self.vertex(b) + rise * alpha * 0.5);
        (z.min(1.0), self.density(b, alpha).ln())
    }

    /// `x` and `log dx/dz`.
    fn inverse(&self, z: f64) -> (f64, f64) {
        let masses = (0..self.bins()).map(|k| self.mass(k));
        let (b, before, _) = find(0.0, 1.0, z, masses);
        let y = (z - before) / self.width(b);
        let (v, rise) = (self.vertex(b), self.vertex(b + 1) - self.vertex(b));
        let root = (v * v + 2.0 * rise * y).max(0.0).sqrt();
        let alpha = (2.0 * y / (v + root)).clamp(0.0, 1.0);
        let left: f64 = (0..b).map(|k| self.width(k)).sum();
        let x = (left + alpha * self.width(b)).min(1.0);
        (x, -self.density(b, alpha).ln())
    }

    /// Writes the gradients of the raw parameters to `g_raw` and returns `dL/dx`.
    fn backward(&self, x: f64, gz: f64, gl: f64, g_raw: &mut [T]) -> f64 {
        let (b, alpha) = self.locate(x);
        let (v, w) = (self.vertex(b), self.width(b));
        let rise = self.vertex(b + 1) - v;
        let density = v + alpha * rise;
        let (g_w, g_v) = g_raw.split_at_mut(self.bins());
        g_w.fill(T::zero());
        g_v.fill(T::zero());
        let g_density = gl / density;
        let g_alpha = gz * w * density + g_density * rise;
        // z and log_det in this bin
        g_v[b] += T::of(gz * w * (alpha - alpha * alpha * 0.5) + g_density * (1.0 - alpha));
        g_v[b + 1] += T::of(gz * w * alpha * alpha * 0.5 + g_density * alpha);
        g_w[b] += T::of(gz * alpha * (v + rise * alpha * 0.5) - g_alpha * alpha / w);
        // the bins before it: their masses, and where this one starts
        for k in 0..b {
            let own = T::of(self.width(k) * 0.5 * gz);
            g_v[k] += own;
            g_v[k + 1] += own;
            g_w[k] += T::of(gz * (self.vertex(k) + self.vertex(k + 1)) * 0.5 - g_alpha / w);
        }
        // vertices: floor + (1 - floor) e / area, with area = sum w (e + e') / 2
        let share = (1.0 - self.floor) / self.area;
        let along: f64 = g_v
            .iter()
            .zip(self.vertices)
            .map(|(g, e)| g.wide() * e.wide())
            .sum();
        let g_area = -along * share / self.area;
        for g in g_v.iter_mut() {
            *g *= T::of(share);
        }
        for k in 0..self.bins() {
            let own = T::of(g_area * self.width(k) * 0.5);
            g_v[k] += own;
            g_v[k + 1] += own;
            g_w[k] += T::of(g_area * (self.vertices[k].wide() + self.vertices[k + 1].wide()) * 0.5);
        }
        for (g, &e) in g_v.iter_mut().zip(self.vertices) {
            *g *= e;
        }
        self.simplex.backward(self.shares, g_w);
        g_alpha / w
    }
}

impl Transformer for PiecewiseQuadratic {
    fn width(&self) -> usize {
        2 * self.bins + 1
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
        let e = self.exponentials(h, ws);
        let mut at = ws.take(rows, columns);
        for r in 0..rows {
            for j in 0..columns {
                at[[r, j]] = x[[r, j]];
                let e = e.row(r * columns + j).to_slice().expect("standard layout");
                let (z, log) = self.column(e).forward(x[[r, j]].wide());
                x[[r, j]] = T::of(z);
                log_det[r] += log;
            }
        }
        keep(tape, ws, [e, at]);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (rows, columns) = z.dim();
        let e = self.exponentials(h, ws);
        for r in 0..rows {
            for j in 0..columns {
                let e = e.row(r * columns + j).to_slice().expect("standard layout");
                let (x, log) = self.column(e).inverse(z[[r, j]].wide());
                z[[r, j]] = T::of(x);
                log_det[r] += log;
            }
        }
        ws.give(e);
    }

    fn backward<T: Real>(
        &self,
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        mut g_h: ArrayViewMut3<'_, T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (at, e) = (tape.pop(), tape.pop());
        let (rows, columns) = g.dim();
        let mut line = ws.take(1, 2 * self.bins + 1);
        let g_raw = line.as_slice_mut().expect("standard layout");
        for r in 0..rows {
            for j in 0..columns {
                let e = e.row(r * columns + j).to_slice().expect("standard layout");
                let (x, gz, gl) = (at[[r, j]].wide(), g[[r, j]].wide(), g_log_det[r].wide());
                g[[r, j]] = T::of(self.column(e).backward(x, gz, gl, g_raw));
                for (i, &v) in g_raw.iter().enumerate() {
                    g_h[[r, j, i]] = v;
                }
            }
        }
        keep(None, ws, [at, e, line]);
    }
}
