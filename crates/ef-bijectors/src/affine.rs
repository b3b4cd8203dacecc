//! Per-column scale and shift.

use ef_tensor::{ParamVisitor, Real, Tape, Workspace, column_moments};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

use crate::bijector::Bijector;
use crate::error::BijectorError;

/// `z_j = x_j exp(a_j) + b_j`; `log_det = sum_j a_j`. Starts as the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementwiseAffine {
    dim: usize,
    shift: bool,
}

impl ElementwiseAffine {
    /// A layer of `dim` columns.
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn new(dim: usize) -> Result<Self, BijectorError> {
        if dim == 0 {
            Err(BijectorError::Empty("an elementwise affine map"))
        } else {
            Ok(Self { dim, shift: true })
        }
    }

    /// Scales only, `b = 0`: the diagonal at the end of NICE (Dinh et al. 2015, 1410.8516, sec. 3.3).
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn scaling(dim: usize) -> Result<Self, BijectorError> {
        Ok(Self {
            shift: false,
            ..Self::new(dim)?
        })
    }

    /// The shift of column `j`, if there are shifts.
    fn shift<T: Real>(&self, params: &[T], j: usize) -> T {
        if self.shift {
            params[self.dim + j]
        } else {
            T::zero()
        }
    }
}

impl<T: Real> Bijector<T> for ElementwiseAffine {
    fn dim(&self) -> usize {
        self.dim
    }

    fn num_params(&self) -> usize {
        self.dim * (1 + usize::from(self.shift))
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.offset("log_scale", &[self.dim]);
        if self.shift {
            visitor.offset("shift", &[self.dim]);
        }
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
    }

    fn forward(
        &self,
        params: &[T],
        mut x: ArrayViewMut2<'_, T>,
        _: ArrayView2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let a = &params[..self.dim];
        if let Some(tape) = tape {
            let mut copy = ws.take(x.nrows(), self.dim);
            copy.assign(&x);
            tape.push(copy);
        }
        for mut row in x.rows_mut() {
            for (j, x) in row.iter_mut().enumerate() {
                *x = *x * a[j].exp() + self.shift(params, j);
            }
        }
        let sum: f64 = a.iter().map(|v| v.wide()).sum();
        log_det.iter_mut().for_each(|l| *l += sum);
    }

    fn inverse(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        _: ArrayView2<'_, T>,
        log_det: &mut [f64],
        _: &mut Workspace<T>,
    ) {
        let a = &params[..self.dim];
        for mut row in z.rows_mut() {
            for (j, z) in row.iter_mut().enumerate() {
                *z = (*z - self.shift(params, j)) * (-a[j]).exp();
            }
        }
        let sum: f64 = a.iter().map(|v| v.wide()).sum();
        log_det.iter_mut().for_each(|l| *l -= sum);
    }

    fn backward(
        &self,
        params: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        _: ArrayView2<'_, T>,
        _: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let a = &params[..self.dim];
        let x = tape.pop();
        let (ga, gb) = grads.split_at_mut(self.dim);
        for ((mut g, x), &gl) in g.rows_mut().into_iter().zip(x.rows()).zip(g_log_det) {
            for j in 0..self.dim {
                let scaled = g[j] * a[j].exp();
                // dz/da = x exp(a), dlog_det/da = 1
                ga[j] += scaled * x[j] + gl;
                if self.shift {
                    gb[j] += g[j];
                }
                g[j] = scaled;
            }
        }
        ws.give(x);
    }
}

/// An [`ElementwiseAffine`] that starts from data: after [`Bijector::init_from_data`] every column of `z` has mean 0
/// and variance 1 on those rows (Kingma & Dhariwal 2018, 1807.03039, sec. 3.1). A constant column keeps scale 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActNorm {
    inner: ElementwiseAffine,
}

impl ActNorm {
    /// A layer of `dim` columns.
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn new(dim: usize) -> Result<Self, BijectorError> {
        Ok(Self {
            inner: ElementwiseAffine::new(dim)?,
        })
    }
}

impl<T: Real> Bijector<T> for ActNorm {
    fn dim(&self) -> usize {
        self.inner.dim
    }

    fn num_params(&self) -> usize {
        Bijector::<T>::num_params(&self.inner)
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        Bijector::<T>::visit_params(&self.inner, visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        self.inner.init(rng, params);
    }

    fn init_from_data(
        &self,
        params: &mut [T],
        x: ArrayView2<'_, T>,
        _: ArrayView2<'_, T>,
        _: &mut Workspace<T>,
    ) {
        let (a, b) = params.split_at_mut(self.inner.dim);
        for (j, found) in column_moments(x).enumerate() {
            if let Some((mean, sd)) = found {
                let sd = if sd > 0.0 { sd } else { 1.0 };
                a[j] = T::of(-sd.ln());
                b[j] = T::of(-mean / sd);
            }
        }
    }

    fn forward(
        &self,
        params: &[T],
        x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        self.inner.forward(params, x, context, log_det, tape, ws);
    }

    fn inverse(
        &self,
        params: &[T],
        z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        self.inner.inverse(params, z, context, log_det, ws);
    }

    fn backward(
        &self,
        params: &[T],
        g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        self.inner
            .backward(params, g, g_log_det, context, g_context, grads, tape, ws);
    }
}
