//! The piecewise-quadratic CDF.

use ef_tensor::{Real, Tape, Workspace};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, ArrayViewMut3, s};

use super::piecewise_linear::unit;
use super::simplex::{Simplex, below_largest, check_bins, find, normalise};
use super::{Transformer, keep};
use crate::error::BijectorError;

/// Müller et al. 2019 (1808.03856), sec. 4.2, eqs. 12 to 15: the CDF of a piecewise-linear density on `[0, 1]`, with
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
    /// If there are no bins, or `floor` is not above 0 and below `1 / bins`.
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
        T::exp_slice(e.as_slice_mut().expect("standard layout"));
        for mut e in e.rows_mut() {
            normalise(&mut e.as_slice_mut().expect("standard layout")[..self.bins]);
        }
        e
    }

    fn column<'a, T: Real>(&self, e: &'a [T]) -> Column<'a, T> {
        let (shares, vertices) = e.split_at(self.bins);
        let simplex = Simplex::new(self.bins, self.floor);
        let area = shares
            .iter()
            .zip(vertices.windows(2))
            .map(|(&p, v)| simplex.bin(p) * (v[0] + v[1]) * T::of(0.5))
            .sum();
        Column {
            shares,
            vertices,
            simplex,
            area,
            floor: T::of(self.floor),
        }
    }
}

/// The density of one column.
#[derive(Debug, Clone, Copy)]
struct Column<'a, T> {
    shares: &'a [T],
    /// Unnormalised.
    vertices: &'a [T],
    simplex: Simplex<T>,
    /// Under the unnormalised vertices.
    area: T,
    floor: T,
}

impl<T: Real> Column<'_, T> {
    fn width(&self, k: usize) -> T {
        self.simplex.bin(self.shares[k])
    }

    fn vertex(&self, k: usize) -> T {
        self.floor + (T::one() - self.floor) * self.vertices[k] / self.area
    }

    fn mass(&self, k: usize) -> T {
        self.width(k) * (self.vertex(k) + self.vertex(k + 1)) * T::of(0.5)
    }

    fn bins(&self) -> usize {
        self.shares.len()
    }

    /// The bin that holds `x`, with `alpha` there.
    fn locate(&self, x: T) -> (usize, T) {
        let (b, left, right) = find(
            T::zero(),
            T::one(),
            x,
            self.shares.iter().map(|&p| self.simplex.bin(p)),
        );
        (b, (x - left) / (right - left))
    }

    fn density(&self, b: usize, alpha: T) -> T {
        self.vertex(b) + alpha * (self.vertex(b + 1) - self.vertex(b))
    }

    fn forward(&self, x: T) -> (T, f64) {
        let (b, alpha) = self.locate(x);
        let before: T = (0..b).map(|k| self.mass(k)).sum();
        let rise = self.vertex(b + 1) - self.vertex(b);
        let z = before + self.width(b) * alpha * (self.vertex(b) + rise * alpha * T::of(0.5));
        (z.min(T::one()), self.density(b, alpha).wide().ln())
    }

    fn inverse(&self, z: T) -> (T, f64) {
        let masses = (0..self.bins()).map(|k| self.mass(k));
        let (b, before, _) = find(T::zero(), T::one(), z, masses);
        let y = (z - before) / self.width(b);
        let (v, rise) = (self.vertex(b), self.vertex(b + 1) - self.vertex(b));
        let root = (v * v + T::of(2.0) * rise * y).max(T::zero()).sqrt();
        let alpha = (y + y) / (v + root);
        let alpha = alpha.max(T::zero()).min(T::one());
        let left: T = (0..b).map(|k| self.width(k)).sum();
        let x = (left + alpha * self.width(b)).min(T::one());
        (x, -self.density(b, alpha).wide().ln())
    }

    /// Writes the gradients of the raw parameters to `g_raw` and returns `dL/dx`.
    fn backward(&self, x: T, gz: T, gl: T, g_raw: &mut [T]) -> T {
        let half = T::of(0.5);
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
        g_v[b] += gz * w * (alpha - alpha * alpha * half) + g_density * (T::one() - alpha);
        g_v[b + 1] += gz * w * alpha * alpha * half + g_density * alpha;
        g_w[b] += gz * alpha * (v + rise * alpha * half) - g_alpha * alpha / w;
        // the bins before it: their masses, and where this one starts
        for k in 0..b {
            let own = self.width(k) * half * gz;
            g_v[k] += own;
            g_v[k + 1] += own;
            g_w[k] += gz * (self.vertex(k) + self.vertex(k + 1)) * half - g_alpha / w;
        }
        // vertices: floor + (1 - floor) e / area, with area = sum w (e + e') / 2
        let share = (T::one() - self.floor) / self.area;
        let along: T = g_v.iter().zip(self.vertices).map(|(&g, &e)| g * e).sum();
        let g_area = -along * share / self.area;
        for g in g_v.iter_mut() {
            *g *= share;
        }
        for k in 0..self.bins() {
            let own = g_area * self.width(k) * half;
            g_v[k] += own;
            g_v[k + 1] += own;
            g_w[k] += g_area * (self.vertices[k] + self.vertices[k + 1]) * half;
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
                let (inside, v) = unit(x[[r, j]]);
                at[[r, j]] = if inside { v } else { -T::one() };
                if !inside {
                    x[[r, j]] = v;
                    log_det[r] = f64::NEG_INFINITY;
                    continue;
                }
                let e = e.row(r * columns + j).to_slice().expect("standard layout");
                let (z, log) = self.column(e).forward(v);
                x[[r, j]] = z;
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
                let (inside, v) = unit(z[[r, j]]);
                if !inside {
                    z[[r, j]] = v;
                    log_det[r] = f64::NEG_INFINITY;
                    continue;
                }
                let e = e.row(r * columns + j).to_slice().expect("standard layout");
                let (x, log) = self.column(e).inverse(v);
                z[[r, j]] = x;
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
                if at[[r, j]] < T::zero() {
                    g_raw.fill(T::zero());
                    g[[r, j]] = T::zero();
                } else {
                    let e = e.row(r * columns + j).to_slice().expect("standard layout");
                    g[[r, j]] = self
                        .column(e)
                        .backward(at[[r, j]], g[[r, j]], g_log_det[r], g_raw);
                }
                for (i, &v) in g_raw.iter().enumerate() {
                    g_h[[r, j, i]] = v;
                }
            }
        }
        keep(None, ws, [at, e, line]);
    }
}
