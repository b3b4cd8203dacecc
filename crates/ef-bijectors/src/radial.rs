//! Radial flows.

use ef_tensor::{ParamVisitor, Real, Tape, Workspace, gemm};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2};
use rand_core::RngCore;
use rand_distr::{Distribution, StandardNormal};

use crate::bijector::Bijector;
use crate::error::BijectorError;
use crate::monotone::above_minus_one;

/// Rezende & Mohamed 2015 (1505.05770), sec. 4.1 (eq. 14) and appendix A.2: with `d = x - x0 - c V` and `r = |d|`,
///
/// ```text
/// forward   z = x + beta d / (alpha + r)      A = 1 + beta / (alpha + r),   B = 1 + alpha beta / (alpha + r)^2
///           log|det dz/dx| = (dim - 1) ln A + ln B
/// inverse   the radius r of x from that of z, r' = r A:   r^2 + (alpha + beta - r') r - alpha r' = 0
/// ```
///
/// Points move towards the centre (`beta < 0`) or away from it. `alpha = exp(a) > 0` and
/// `beta = alpha m(b) > -alpha`, with `m` that of [`Planar`](crate::Planar): the paper's
/// `beta = -alpha + softplus(b)`, but the identity at `b = 0`, where the layer starts, and held a ten-thousandth of
/// `alpha` above its bound. The quadratic has exactly one
/// root that is not negative; it is taken in the form that does not cancel.
///
/// Parameters: the centre `x0 (dim)`, which starts random; `a (1)`, `b (1)`; and, with a context `c`, which moves the
/// centre, `V (context_dim, dim)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Radial {
    dim: usize,
    context_dim: usize,
}

/// The parameters as the formulas use them.
struct Parts<'a, T> {
    centre: ArrayView1<'a, T>,
    alpha: f64,
    beta: f64,
    /// `m(b)` and `m'(b)`.
    m: (f64, f64),
    v: ArrayView2<'a, T>,
}

impl Radial {
    /// A layer of `dim` columns given a context of `context_dim` columns (0: none).
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn new(dim: usize, context_dim: usize) -> Result<Self, BijectorError> {
        if dim == 0 {
            return Err(BijectorError::Empty("a radial layer"));
        }
        Ok(Self { dim, context_dim })
    }

    fn parts<'a, T: Real>(&self, params: &'a [T]) -> Parts<'a, T> {
        let (centre, rest) = params.split_at(self.dim);
        let (scalars, v) = rest.split_at(2);
        let alpha = scalars[0].wide().exp();
        let m = above_minus_one(scalars[1].wide(), 1.0);
        Parts {
            centre: centre.into(),
            alpha,
            beta: alpha * m.0,
            m,
            v: ArrayView2::from_shape((self.context_dim, self.dim), v).expect("context_dim x dim values"),
        }
    }

    /// `x <- x - (x0 + c V)`, or back.
    fn shift<T: Real>(
        parts: &Parts<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        sign: T,
    ) {
        for mut row in x.rows_mut() {
            row.scaled_add(sign, &parts.centre);
        }
        if parts.v.nrows() > 0 {
            gemm(sign, context, parts.v, T::one(), x);
        }
    }

    /// `(ln A, ln B)` summed into the log-determinant.
    fn log_det(&self, beta: f64, alpha: f64, r: f64) -> f64 {
        let s = alpha + r;
        (self.dim - 1) as f64 * (beta / s).ln_1p() + (alpha / s * (beta / s)).ln_1p()
    }
}

fn radius<T: Real>(d: ArrayView1<'_, T>) -> f64 {
    d.iter().map(|v| v.wide() * v.wide()).sum::<f64>().sqrt()
}

impl<T: Real> Bijector<T> for Radial {
    fn dim(&self) -> usize {
        self.dim
    }

    fn context_dim(&self) -> usize {
        self.context_dim
    }

    fn num_params(&self) -> usize {
        self.dim + 2 + self.context_dim * self.dim
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.offset("centre", &[self.dim]);
        visitor.offset("log_alpha", &[1]);
        visitor.param("beta", &[1]);
        if self.context_dim > 0 {
            visitor.param("context", &[self.context_dim, self.dim]);
        }
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        // Two layers that start with the same centre would stay the same.
        for x0 in &mut params[..self.dim] {
            *x0 = T::of(StandardNormal.sample(rng));
        }
    }

    fn forward(
        &self,
        params: &[T],
        mut x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let parts = self.parts(params);
        let mut d = ws.take(x.nrows(), self.dim);
        d.assign(&x);
        Self::shift(&parts, d.view_mut(), context, -T::one());
        for ((mut x, d), log_det) in x.rows_mut().into_iter().zip(d.rows()).zip(log_det) {
            let r = radius(d);
            *log_det += self.log_det(parts.beta, parts.alpha, r);
            x.scaled_add(T::of(parts.beta / (parts.alpha + r)), &d);
        }
        match tape {
            Some(tape) => tape.push(d),
            None => ws.give(d),
        }
    }

    fn inverse(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        _: &mut Workspace<T>,
    ) {
        let parts = self.parts(params);
        let (alpha, beta) = (parts.alpha, parts.beta);
        Self::shift(&parts, z.view_mut(), context, -T::one());
        for (mut d, log_det) in z.rows_mut().into_iter().zip(log_det) {
            let far = radius(d.view());
            let p = alpha + beta - far;
            let root = (p * p + 4.0 * alpha * far).sqrt();
            let r = if p > 0.0 {
                2.0 * alpha * far / (p + root)
            } else {
                0.5 * (root - p)
            };
            *log_det -= self.log_det(beta, alpha, r);
            let shrink = T::of(1.0 / (1.0 + beta / (alpha + r)));
            d.mapv_inplace(|v| v * shrink);
        }
        Self::shift(&parts, z, context, T::one());
    }

    fn backward(
        &self,
        params: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let parts = self.parts(params);
        let (alpha, beta) = (parts.alpha, parts.beta);
        let others = (self.dim - 1) as f64;
        let d = tape.pop();
        // dL/dx0, row by row
        let mut g_centre = ws.take(g.nrows(), self.dim);
        g_centre.assign(&g);
        let (mut g_alpha, mut g_beta) = (0.0, 0.0);
        for ((mut g, d), gl) in g.rows_mut().into_iter().zip(d.rows()).zip(g_log_det) {
            let (r, gl, along) = (radius(d), gl.wide(), g.dot(&d).wide());
            let s = alpha + r;
            let (a, b) = (1.0 + beta / s, 1.0 + alpha / s * (beta / s));
            // The slopes of A and B by r are also those of A and, but for beta / s^2, of B by alpha.
            let (a_slope, b_slope) = (-beta / (s * s), -2.0 * alpha * beta / (s * s * s));
            let by_s = along * a_slope + gl * (others * a_slope / a + b_slope / b);
            g_alpha += by_s + gl * beta / (s * s) / b;
            g_beta += along / s + gl * (others / (s * a) + alpha / (s * s) / b);
            let by_d = if r > 0.0 { by_s / r } else { 0.0 };
            g.mapv_inplace(|v| v * T::of(a));
            g.scaled_add(T::of(by_d), &d);
        }
        // z = x + (A - 1)(x - x0), so dL/dx + dL/dx0 = dL/dz.
        g_centre -= &g;
        let (grads_centre, rest) = grads.split_at_mut(self.dim);
        let (scalars, grads_v) = rest.split_at_mut(2);
        for row in g_centre.rows() {
            for (sum, &v) in grads_centre.iter_mut().zip(row) {
                *sum += v;
            }
        }
        // alpha = exp(a), beta = alpha m(b)
        scalars[0] += T::of(alpha * (g_alpha + g_beta * parts.m.0));
        scalars[1] += T::of(alpha * parts.m.1 * g_beta);
        if self.context_dim > 0 {
            let shape = (self.context_dim, self.dim);
            let g_v = ArrayViewMut2::from_shape(shape, grads_v).expect("context_dim x dim values");
            gemm(T::one(), context.t(), g_centre.view(), T::one(), g_v);
            if let Some(g_context) = g_context {
                gemm(T::one(), g_centre.view(), parts.v.t(), T::one(), g_context);
            }
        }
        ws.give(d);
        ws.give(g_centre);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn the_centre_stays_and_is_finite() {
        let layer = Radial::new(2, 0).unwrap();
        for beta in [-40.0, 0.0, 3.0] {
            let params = [0.5, -1.0, -0.3, beta];
            let none = Array2::zeros((1, 0));
            let (mut x, mut log_det, mut ws) = (array![[0.5, -1.0]], [0.0], Workspace::default());
            let mut tape = Tape::default();
            layer.forward(
                &params,
                x.view_mut(),
                none.view(),
                &mut log_det,
                Some(&mut tape),
                &mut ws,
            );
            assert_abs_diff_eq!(x, array![[0.5, -1.0]], epsilon = 0.0);
            let expected = 2.0 * above_minus_one(beta, 1.0).0.ln_1p();
            assert_abs_diff_eq!(log_det[0], expected, epsilon = 1e-12);
            let (mut g, mut grads) = (array![[1.0, 1.0]], [0.0; 4]);
            layer.backward(
                &params,
                g.view_mut(),
                &[1.0],
                none.view(),
                None,
                &mut grads,
                &mut tape,
                &mut ws,
            );
            assert!(g.iter().chain(&grads).all(|v| v.is_finite()), "{grads:?}");
            layer.inverse(&params, x.view_mut(), none.view(), &mut log_det, &mut ws);
            assert_abs_diff_eq!(x, array![[0.5, -1.0]], epsilon = 0.0);
            assert_abs_diff_eq!(log_det[0], 0.0, epsilon = 1e-12);
        }
    }
}
