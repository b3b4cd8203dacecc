//! Scale and shift, as RealNVP and as MAF write it.

use ef_tensor::{Real, Tape, Workspace, vmath};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis, Zip};

use super::{Transformer, keep};
use crate::error::BijectorError;
use crate::scale::ScaleClamp;

/// Dinh et al. 2017 (1605.08803), eqs. 7 and 8, with parameters `(t, s)`:
///
/// ```text
/// forward   z = x exp(a) + t        a = clamp(s)      log|dz/dx| = a
/// inverse   x = (z - t) exp(-a)
/// ```
///
/// It starts as the identity. The clamp keeps scales finite, see [`ScaleClamp`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Affine {
    /// The bound on the log-scale.
    pub clamp: ScaleClamp,
}

impl Affine {
    /// With this bound on the log-scale.
    pub fn new(clamp: ScaleClamp) -> Self {
        Self { clamp }
    }
}

/// Papamakarios et al. 2017 (1705.07057), eq. 4, with parameters `(mu, alpha)`: the same family as [`Affine`], written
/// so that the data are standardised by a mean and a log standard deviation,
///
/// ```text
/// forward   z = (x - mu) exp(-a)        a = clamp(alpha)      log|dz/dx| = -a
/// inverse   x = z exp(a) + mu
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Standardize {
    /// The bound on the log-scale.
    pub clamp: ScaleClamp,
}

impl Standardize {
    /// With this bound on the log-scale.
    pub fn new(clamp: ScaleClamp) -> Self {
        Self { clamp }
    }
}

/// The clamped log-scales with the clamp's slopes, both `(rows, columns)`; their sums, with `sign`, go to `log_det`. The
/// scales come back as `exp(sign a)`.
fn scales<T: Real>(
    clamp: ScaleClamp,
    h: ArrayView3<'_, T>,
    sign: f64,
    log_det: &mut [f64],
    ws: &mut Workspace<T>,
) -> (Array2<T>, Array2<T>) {
    let (rows, columns, _) = h.dim();
    let mut a = ws.take(rows, columns);
    let mut slope = ws.take(rows, columns);
    a.assign(&h.index_axis(Axis(2), 1));
    clamp.apply(&mut a.view_mut(), Some(&mut slope.view_mut()));
    for (l, a) in log_det.iter_mut().zip(a.rows()) {
        *l += sign * a.iter().map(|v| v.wide()).sum::<f64>();
    }
    if sign < 0.0 {
        a.mapv_inplace(|v| -v);
    }
    vmath::exp(a.as_slice_mut().expect("standard layout"));
    (a, slope)
}

/// `v <- v exp(a) + b`, for parameters `(b, raw a)`; returns `exp(a)` and the clamp's slopes.
fn stretch<T: Real>(
    clamp: ScaleClamp,
    h: ArrayView3<'_, T>,
    v: &mut ArrayViewMut2<'_, T>,
    log_det: &mut [f64],
    ws: &mut Workspace<T>,
) -> (Array2<T>, Array2<T>) {
    let (scale, slope) = scales(clamp, h, 1.0, log_det, ws);
    let shift = h.index_axis(Axis(2), 0);
    Zip::from(v)
        .and(shift)
        .and(&scale)
        .for_each(|v, &b, &e| *v = *v * e + b);
    (scale, slope)
}

/// Its inverse, `v <- (v - b) exp(-a)`; returns `exp(-a)` and the clamp's slopes.
fn squeeze<T: Real>(
    clamp: ScaleClamp,
    h: ArrayView3<'_, T>,
    v: &mut ArrayViewMut2<'_, T>,
    log_det: &mut [f64],
    ws: &mut Workspace<T>,
) -> (Array2<T>, Array2<T>) {
    let (scale, slope) = scales(clamp, h, -1.0, log_det, ws);
    let shift = h.index_axis(Axis(2), 0);
    Zip::from(v)
        .and(shift)
        .and(&scale)
        .for_each(|v, &b, &e| *v = (*v - b) * e);
    (scale, slope)
}

impl Transformer for Affine {
    fn width(&self) -> usize {
        2
    }

    fn check(&self) -> Result<(), BijectorError> {
        self.clamp.check()
    }

    fn forward<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let mut before = ws.take(x.nrows(), x.ncols());
        before.assign(&x);
        let (scale, slope) = stretch(self.clamp, h, &mut x, log_det, ws);
        keep(tape, ws, [before, scale, slope]);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (scale, slope) = squeeze(self.clamp, h, &mut z, log_det, ws);
        keep(None, ws, [scale, slope]);
    }

    fn backward<T: Real>(
        &self,
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        mut g_h: ArrayViewMut3<'_, T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (slope, scale, x) = (tape.pop(), tape.pop(), tape.pop());
        g_h.index_axis_mut(Axis(2), 0).assign(&g);
        for (r, &gl) in g_log_det.iter().enumerate() {
            // dz/dt = 1; dz/ds = x exp(a), dlog_det/ds = 1, times the clamp's slope; dz/dx = exp(a)
            Zip::from(g.row_mut(r))
                .and(g_h.index_axis_mut(Axis(0), r).index_axis_mut(Axis(1), 1))
                .and(scale.row(r))
                .and(x.row(r))
                .and(slope.row(r))
                .for_each(|g, gs, &e, &x, &slope| {
                    *g *= e;
                    *gs = (*g * x + gl) * slope;
                });
        }
        keep(None, ws, [slope, scale, x]);
    }
}

impl Transformer for Standardize {
    fn width(&self) -> usize {
        2
    }

    fn check(&self) -> Result<(), BijectorError> {
        self.clamp.check()
    }

    fn forward<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let (scale, slope) = squeeze(self.clamp, h, &mut x, log_det, ws);
        let mut z = ws.take(x.nrows(), x.ncols());
        z.assign(&x);
        keep(tape, ws, [z, scale, slope]);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (scale, slope) = stretch(self.clamp, h, &mut z, log_det, ws);
        keep(None, ws, [scale, slope]);
    }

    fn backward<T: Real>(
        &self,
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        mut g_h: ArrayViewMut3<'_, T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (slope, scale, z) = (tape.pop(), tape.pop(), tape.pop());
        for (r, &gl) in g_log_det.iter().enumerate() {
            let mut g_row = g_h.index_axis_mut(Axis(0), r);
            // dz/dalpha = -z, dlog_det/dalpha = -1, times the clamp's slope; dz/dx = exp(-a) = -dz/dmu
            Zip::from(g.row_mut(r))
                .and(g_row.index_axis_mut(Axis(1), 1))
                .and(scale.row(r))
                .and(z.row(r))
                .and(slope.row(r))
                .for_each(|g, ga, &e, &z, &slope| {
                    *ga = -(*g * z + gl) * slope;
                    *g *= e;
                });
            Zip::from(g_row.index_axis_mut(Axis(1), 0))
                .and(g.row(r))
                .for_each(|gm, &g| *gm = -g);
        }
        keep(None, ws, [slope, scale, z]);
    }
}
