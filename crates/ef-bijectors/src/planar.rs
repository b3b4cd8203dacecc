//! Planar flows.

use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2};
use ndarray_rand::rand_distr::StandardNormal;
use rand::{Rng, RngCore};

use crate::bijector::Bijector;
use crate::chain::Chain;
use crate::error::BijectorError;
use crate::monotone::{Monotone, MonotoneEquation, Root, above_minus_one};

/// Rezende & Mohamed 2015 (1505.05770), sec. 4.1 (eq. 10 to 12) and appendix A.1:
///
/// ```text
/// forward   z = x + u^ h(v)    v = w.x + b + V c             log|det dz/dx| = ln(1 + (w.u^) h'(v))
/// inverse   x = z - u^ h(v)    a + (w.u^) h(a + b + V c) = w.z   for a = w.x
/// where     u^ = u + (m(w.u) - w.u) w / |w|^2,   so that w.u^ = m(w.u) > -1 / max h'
/// ```
///
/// The map moves points along `u^` only, by an amount that depends on `w.x` only. That is why one increasing equation
/// in one number inverts it: there is no closed form for `tanh`, but the root is found to machine precision
/// ([`MonotoneEquation`]), and [`inverse_residual`](Self::inverse_residual) tells how well. With
/// [`LeakyRelu`](crate::LeakyRelu) the inverse is in closed form. Any [`Monotone`] will do.
///
/// The paper's `m(a) = -1 + softplus(a)` has `m(0) = -0.31`, so its correction `(m(w.u) - w.u) w / |w|^2` grows without
/// bound as `w -> 0`. Here `m(a) = -1 + softplus(a + ln(e - 1))` (scaled for the largest slope of `h`, and held a
/// ten-thousandth above its bound): `m(0) = 0`, and the correction never exceeds `0.37 |u|` there. At `w = 0` it is
/// taken as 0, and the layer is a shift.
///
/// Parameters: `u (dim)`, `w (dim)`, `b (1)` and, with a context `c`, `V (context_dim)`. Starts as the identity,
/// `u = 0`, with random `w` and `b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Planar<H> {
    dim: usize,
    context_dim: usize,
    h: H,
}

/// Below this `|w|^2` counts as 0: the direction of `w` is rounding, and gradients by `1 / |w|` would overflow.
const LEAST_SQUARE: f64 = 1e-24;

/// The parameters as the formulas use them.
struct Parts<'a, T> {
    w: ArrayView1<'a, T>,
    b: f64,
    v: ArrayView1<'a, T>,
    /// `k = w.u^`.
    k: f64,
    /// What `w` is multiplied by in `u^ = u + correction w`.
    correction: f64,
    /// `m'(w.u)`.
    m_slope: f64,
    /// `|w|^2`, or 0 if it counts as 0.
    square: f64,
}

impl<H: Monotone> Planar<H> {
    /// A layer of `dim` columns given a context of `context_dim` columns (0: none).
    ///
    /// # Errors
    /// If `dim` is 0, or the largest slope of `h` is not positive and finite.
    pub fn new(dim: usize, context_dim: usize, h: H) -> Result<Self, BijectorError> {
        if dim == 0 {
            return Err(BijectorError::Empty("a planar layer"));
        }
        check_max_slope(&h)?;
        Ok(Self { dim, context_dim, h })
    }

    /// How well [`Bijector::inverse`] solves its equation: writes `|a + (w.u^) h(a + b + V c) - w.z|` of each row of
    /// `z` to `out`, in units of `w.z`.
    pub fn inverse_residual<T: Real>(
        &self,
        params: &[T],
        z: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        out: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let mut u = ws.take(1, self.dim);
        let parts = self.parts(params, u.as_slice_mut().expect("standard layout"));
        for ((z, c), out) in z.rows().into_iter().zip(context.rows()).zip(out) {
            let equation = parts.equation(z, c);
            *out = equation.residual(&self.h, equation.solve(&self.h).a).abs();
        }
        ws.give(u);
    }

    /// Reads the parameters and writes `u^` to `u`.
    fn parts<'a, T: Real>(&self, params: &'a [T], u: &mut [T]) -> Parts<'a, T> {
        let (p_u, rest) = params.split_at(self.dim);
        let (w, rest) = rest.split_at(self.dim);
        let (b, v) = rest.split_at(1);
        let dot: f64 = p_u.iter().zip(w).map(|(u, w)| u.wide() * w.wide()).sum();
        let square: f64 = w.iter().map(|w| w.wide() * w.wide()).sum();
        let (k, m_slope) = above_minus_one(dot, self.h.max_slope());
        let (k, correction, square) = if square > LEAST_SQUARE {
            (k, (k - dot) / square, square)
        } else {
            (0.0, 0.0, 0.0)
        };
        for ((out, u), w) in u.iter_mut().zip(p_u).zip(w) {
            *out = T::of(u.wide() + correction * w.wide());
        }
        Parts {
            w: w.into(),
            b: b[0].wide(),
            v: v.into(),
            k,
            correction,
            m_slope,
            square,
        }
    }
}

/// An error unless the largest slope of `h` is positive and finite.
pub(crate) fn check_max_slope(h: &impl Monotone) -> Result<(), BijectorError> {
    let max_slope = h.max_slope();
    if max_slope > 0.0 && max_slope.is_finite() {
        return Ok(());
    }
    Err(BijectorError::Setting {
        what: "the largest slope of a monotone function",
        value: max_slope.to_string(),
        expected: "positive and finite",
    })
}

impl<T: Real> Parts<'_, T> {
    /// `b + V c`.
    fn shift(&self, c: ArrayView1<'_, T>) -> f64 {
        if self.v.is_empty() {
            self.b
        } else {
            self.b + self.v.dot(&c).wide()
        }
    }

    /// `w.x`; 0 where `w` counts as 0.
    fn project(&self, x: ArrayView1<'_, T>) -> f64 {
        if self.square > 0.0 {
            self.w.dot(&x).wide()
        } else {
            0.0
        }
    }

    fn equation(&self, z: ArrayView1<'_, T>, c: ArrayView1<'_, T>) -> MonotoneEquation {
        MonotoneEquation {
            k: self.k,
            s: 1.0,
            c: self.shift(c),
            y: self.project(z),
        }
    }
}

impl<T: Real, H: Monotone> Bijector<T> for Planar<H> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn context_dim(&self) -> usize {
        self.context_dim
    }

    fn num_params(&self) -> usize {
        2 * self.dim + 1 + self.context_dim
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("u", &[self.dim]);
        visitor.param("w", &[self.dim]);
        visitor.param("b", &[1]);
        if self.context_dim > 0 {
            visitor.param("context", &[self.context_dim]);
        }
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        // w.x + b of standard normal x: variance 2.
        let scale = (self.dim as f64).sqrt().recip();
        for w in &mut params[self.dim..2 * self.dim] {
            *w = T::of(scale * rng.sample::<f64, _>(StandardNormal));
        }
        params[2 * self.dim] = T::of(rng.sample(StandardNormal));
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
        let mut u = ws.take(1, self.dim);
        let parts = self.parts(params, u.as_slice_mut().expect("standard layout"));
        if let Some(tape) = tape {
            let mut copy = ws.take(x.nrows(), self.dim);
            copy.assign(&x);
            tape.push(copy);
        }
        for ((mut x, c), log_det) in x.rows_mut().into_iter().zip(context.rows()).zip(log_det) {
            let h = self.h.at(parts.project(x.view()) + parts.shift(c));
            *log_det += (parts.k * h.slope).ln_1p();
            x.scaled_add(T::of(h.value), &u.row(0));
        }
        ws.give(u);
    }

    fn inverse(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let mut u = ws.take(1, self.dim);
        let parts = self.parts(params, u.as_slice_mut().expect("standard layout"));
        for ((mut z, c), log_det) in z.rows_mut().into_iter().zip(context.rows()).zip(log_det) {
            let Root { h, .. } = parts.equation(z.view(), c).solve(&self.h);
            *log_det -= (parts.k * h.slope).ln_1p();
            z.scaled_add(T::of(-h.value), &u.row(0));
        }
        ws.give(u);
    }

    fn backward(
        &self,
        params: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        mut g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let dim = self.dim;
        let mut u = ws.take(1, dim);
        let parts = self.parts(params, u.as_slice_mut().expect("standard layout"));
        let x = tape.pop();
        // dL/du^, summed over rows
        let mut g_hat = ws.zeros(1, dim);
        let mut g_k = 0.0;
        let (_, g_w, g_b, g_v) = self.split_mut(grads);
        for (r, mut g) in g.rows_mut().into_iter().enumerate() {
            let (x, c, gl) = (x.row(r), context.row(r), g_log_det[r].wide());
            let h = self.h.at(parts.project(x) + parts.shift(c));
            let det = 1.0 + parts.k * h.slope;
            // z = x + u^ h, log_det = ln(1 + k h')
            let g_a = T::of(g.dot(&u.row(0)).wide() * h.slope + gl * parts.k * h.curvature / det);
            g_k += gl * h.slope / det;
            g_hat.row_mut(0).scaled_add(T::of(h.value), &g);
            add_scaled(g_w, g_a, x);
            g_b[0] += g_a;
            if self.context_dim > 0 {
                add_scaled(g_v, g_a, c);
                if let Some(g_context) = &mut g_context {
                    g_context.row_mut(r).scaled_add(g_a, &parts.v);
                }
            }
            if parts.square > 0.0 {
                g.scaled_add(g_a, &parts.w);
            }
        }
        self.backward_of_u(params, &parts, g_hat.row(0), g_k, grads);
        for a in [u, x, g_hat] {
            ws.give(a);
        }
    }
}

impl<H: Monotone> Planar<H> {
    fn split_mut<'a, T>(&self, grads: &'a mut [T]) -> (&'a mut [T], &'a mut [T], &'a mut [T], &'a mut [T]) {
        let (u, rest) = grads.split_at_mut(self.dim);
        let (w, rest) = rest.split_at_mut(self.dim);
        let (b, v) = rest.split_at_mut(1);
        (u, w, b, v)
    }

    /// From `G = dL/du^` and `g_k = dL/dk`, through `u^ = u + phi w / n` and `k = m(a)` with `a = w.u`, `n = |w|^2` and
    /// `phi = m(a) - a`:
    ///
    /// ```text
    /// dL/da = (m' - 1) (G.w) / n + g_k m'
    /// dL/du = G + dL/da w          dL/dw = dL/da u + (phi / n) G - 2 (phi / n) (G.w) w / n
    /// ```
    fn backward_of_u<T: Real>(
        &self,
        params: &[T],
        parts: &Parts<'_, T>,
        g_hat: ArrayView1<'_, T>,
        g_k: f64,
        grads: &mut [T],
    ) {
        let (g_u, g_w, ..) = self.split_mut(grads);
        add_scaled(g_u, T::one(), g_hat);
        if parts.square == 0.0 {
            return;
        }
        let along = g_hat.dot(&parts.w).wide() / parts.square;
        let g_a = (parts.m_slope - 1.0) * along + g_k * parts.m_slope;
        let u: ArrayView1<'_, T> = params[..self.dim].into();
        add_scaled(g_u, T::of(g_a), parts.w);
        add_scaled(g_w, T::of(g_a), u);
        add_scaled(g_w, T::of(parts.correction), g_hat);
        add_scaled(g_w, T::of(-2.0 * parts.correction * along), parts.w);
    }
}

/// `to += scale from`.
pub(crate) fn add_scaled<T: Real>(to: &mut [T], scale: T, from: ArrayView1<'_, T>) {
    debug_assert_eq!(to.len(), from.len());
    for (to, &from) in to.iter_mut().zip(from) {
        *to += scale * from;
    }
}

/// A stack of `layers` [`Planar`] layers.
///
/// # Errors
/// If `dim` or `layers` is 0, or the largest slope of `h` is not positive and finite.
///
/// ```
/// use ef_bijectors::{Bijector, Tanh, planar_chain};
/// let flow = planar_chain::<f32, _>(2, 0, 8, Tanh)?;
/// assert_eq!(flow.num_params(), 8 * 5);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn planar_chain<T: Real, H: Monotone + Clone + 'static>(
    dim: usize,
    context_dim: usize,
    layers: usize,
    h: H,
) -> Result<Chain<T>, BijectorError> {
    let mut parts: Vec<Box<dyn Bijector<T>>> = Vec::new();
    for _ in 0..layers {
        parts.push(Box::new(Planar::new(dim, context_dim, h.clone())?));
    }
    Chain::new(parts)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, array};

    use super::*;
    use crate::monotone::Tanh;

    const NONE: [[f64; 0]; 2] = [[], []];

    #[test]
    fn a_layer_without_direction_is_a_shift() {
        let layer = Planar::new(2, 0, Tanh).unwrap();
        for w in [[0.0, 0.0], [1e-200, -1e-13]] {
            let params = [3.0, -4.0, w[0], w[1], 0.5];
            let (mut x, mut log_det, mut ws) =
                (array![[1.0, 2.0], [3.0, 4.0]], [0.0; 2], Workspace::default());
            let mut tape = Tape::default();
            let context = ArrayView2::from(&NONE);
            layer.forward(
                &params,
                x.view_mut(),
                context,
                &mut log_det,
                Some(&mut tape),
                &mut ws,
            );
            let h = 0.5_f64.tanh();
            assert_abs_diff_eq!(
                x,
                array![[1.0 + 3.0 * h, 2.0 - 4.0 * h], [3.0 + 3.0 * h, 4.0 - 4.0 * h]],
                epsilon = 1e-12
            );
            assert_eq!(log_det, [0.0; 2]);
            let (mut g, mut grads) = (Array2::ones((2, 2)), [0.0; 5]);
            layer.backward(
                &params,
                g.view_mut(),
                &[1.0; 2],
                context,
                None,
                &mut grads,
                &mut tape,
                &mut ws,
            );
            assert!(g.iter().chain(&grads).all(|v| v.is_finite()), "{grads:?}");
            layer.inverse(&params, x.view_mut(), context, &mut log_det, &mut ws);
            assert_abs_diff_eq!(x, array![[1.0, 2.0], [3.0, 4.0]], epsilon = 1e-12);
        }
    }

    #[test]
    fn the_residual_of_the_inverse_is_rounding() {
        let layer = Planar::new(2, 0, Tanh).unwrap();
        // w.u far below -1: the steepest inverse the parametrisation allows.
        let params = [-30.0, 0.0, 10.0, 1.0, 0.1];
        let z = array![[0.5, -0.2], [1e3, 1e-3]];
        let mut residual = [f64::NAN; 2];
        let context = ArrayView2::from(&NONE);
        layer.inverse_residual(
            &params,
            z.view(),
            context,
            &mut residual,
            &mut Workspace::default(),
        );
        assert!(residual[0] <= 1e-14 && residual[1] <= 1e-11, "{residual:?}");
    }
}
