//! Scale and shift, as RealNVP and as MAF write it.

use ef_tensor::{Real, Tape, Workspace};
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

/// The clamped log-scales as a standard array with the clamp's slopes; their sums, with `sign`, go to `log_det`.
fn log_scales<T: Real>(
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
    (a, slope)
}

/// `a <- exp(sign a)`.
fn exp_in_place<T: Real>(a: &mut Array2<T>, negate: bool) {
    if negate {
        a.mapv_inplace(|v| -v);
    }
    T::exp_slice(a.as_slice_mut().expect("standard layout"));
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
        let (mut scale, slope) = log_scales(self.clamp, h, 1.0, log_det, ws);
        exp_in_place(&mut scale, false);
        let mut before = ws.take(x.nrows(), x.ncols());
        before.assign(&x);
        Zip::from(&mut x)
            .and(h.index_axis(Axis(2), 0))
            .and(&scale)
            .for_each(|x, &t, &e| *x = *x * e + t);
        keep(tape, ws, [before, scale, slope]);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (mut scale, slope) = log_scales(self.clamp, h, -1.0, log_det, ws);
        exp_in_place(&mut scale, true);
        Zip::from(&mut z)
            .and(h.index_axis(Axis(2), 0))
            .and(&scale)
            .for_each(|z, &t, &e| *z = (*z - t) * e);
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
        let (mut scale, slope) = log_scales(self.clamp, h, -1.0, log_det, ws);
        exp_in_place(&mut scale, true);
        Zip::from(&mut x)
            .and(h.index_axis(Axis(2), 0))
            .and(&scale)
            .for_each(|x, &mu, &e| *x = (*x - mu) * e);
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
        let (mut scale, slope) = log_scales(self.clamp, h, 1.0, log_det, ws);
        exp_in_place(&mut scale, false);
        Zip::from(&mut z)
            .and(h.index_axis(Axis(2), 0))
            .and(&scale)
            .for_each(|z, &mu, &e| *z = *z * e + mu);
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
