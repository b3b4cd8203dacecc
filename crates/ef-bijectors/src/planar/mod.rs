//! Planar flows.

mod lanes;

use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use rand_core::RngCore;
use rand_distr::{Distribution, StandardNormal};

use self::lanes::{Direction, Gradients};
use crate::bijector::Bijector;
use crate::chain::Chain;
use crate::error::BijectorError;
use crate::monotone::{Monotone, MonotoneEquation, above_minus_one};

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
struct Parts {
    b: f64,
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
        let (mut copy, mut roots) = (ws.take(z.nrows(), self.dim), ws.take(1, z.nrows()));
        copy.assign(&z);
        self.with_direction(params, context, ws, |parts, at| {
            let (z, v) = (slice(&copy), slice_mut(&mut roots));
            lanes::roots(&self.h, at, z, v);
            for (r, (out, &v)) in out.iter_mut().zip(&*v).enumerate() {
                let shift = at.shifts.get(r).map_or(parts.b, |s| s.wide());
                let row = &z[r * self.dim..(r + 1) * self.dim];
                let equation = MonotoneEquation {
                    k: parts.k,
                    s: 1.0,
                    c: shift,
                    y: at.w.iter().zip(row).map(|(w, z)| w.wide() * z.wide()).sum(),
                };
                *out = equation.residual(&self.h, v.wide() - shift).abs();
            }
        });
        ws.give(copy);
        ws.give(roots);
    }

    /// Reads the parameters and writes `u^` to `u`, and `w`, or zeros if it counts as 0, to `direction`.
    fn parts<T: Real>(&self, params: &[T], u: &mut [T], direction: &mut [T]) -> Parts {
        let (p_u, w, b, _) = self.split(params);
        let (mut dot, mut square) = (0.0, 0.0);
        for (u, w) in p_u.iter().zip(w) {
            dot += u.wide() * w.wide();
            square += w.wide() * w.wide();
        }
        let (k, m_slope) = above_minus_one(dot, self.h.max_slope());
        let (k, correction, square) = if square > LEAST_SQUARE {
            (k, (k - dot) / square, square)
        } else {
            (0.0, 0.0, 0.0)
        };
        for ((out, u), w) in u.iter_mut().zip(p_u).zip(w) {
            *out = T::of(u.wide() + correction * w.wide());
        }
        if square > 0.0 {
            direction.copy_from_slice(w);
        } else {
            direction.fill(T::zero());
        }
        Parts {
            b: b[0].wide(),
            k,
            correction,
            m_slope,
            square,
        }
    }

    /// Calls `work` with the parameters as its rows use them.
    fn with_direction<T: Real, R>(
        &self,
        params: &[T],
        context: ArrayView2<'_, T>,
        ws: &mut Workspace<T>,
        work: impl FnOnce(&Parts, Direction<'_, T>) -> R,
    ) -> R {
        let mut both = ws.take(2, self.dim);
        let (u, w) = slice_mut(&mut both).split_at_mut(self.dim);
        let parts = self.parts(params, u, w);
        let (.., v) = self.split(params);
        let mut shifts = (!v.is_empty()).then(|| ws.take(1, context.nrows()));
        if let Some(shifts) = &mut shifts {
            let v = ArrayView1::from(v);
            for (shift, c) in shifts.iter_mut().zip(context.rows()) {
                *shift = T::of(parts.b + v.dot(&c).wide());
            }
        }
        let result = work(
            &parts,
            Direction {
                u,
                w,
                b: T::of(parts.b),
                shifts: shifts.as_ref().map_or(&[], slice),
                k: parts.k,
                max_slope: self.h.max_slope(),
            },
        );
        ws.give(both);
        if let Some(shifts) = shifts {
            ws.give(shifts);
        }
        result
    }

    /// `u`, `w`, `b`, `V`.
    fn split<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T], &'a [T], &'a [T]) {
        let (u, rest) = params.split_at(self.dim);
        let (w, rest) = rest.split_at(self.dim);
        let (b, v) = rest.split_at(1);
        (u, w, b, v)
    }

    fn split_mut<'a, T>(&self, grads: &'a mut [T]) -> (&'a mut [T], &'a mut [T], &'a mut [T], &'a mut [T]) {
        let (u, rest) = grads.split_at_mut(self.dim);
        let (w, rest) = rest.split_at_mut(self.dim);
        let (b, v) = rest.split_at_mut(1);
        (u, w, b, v)
    }
}

fn slice<T>(a: &Array2<T>) -> &[T] {
    a.as_slice().expect("standard layout")
}

fn slice_mut<T>(a: &mut Array2<T>) -> &mut [T] {
    a.as_slice_mut().expect("standard layout")
}

/// Calls `work` with the entries of `x` row by row: in place, or in a copy if they do not lie so.
fn with_rows<T: Real, R>(
    mut x: ArrayViewMut2<'_, T>,
    ws: &mut Workspace<T>,
    work: impl FnOnce(&mut [T], &mut Workspace<T>) -> R,
) -> R {
    if let Some(x) = x.as_slice_mut() {
        return work(x, ws);
    }
    let mut copy = ws.take(x.nrows(), x.ncols());
    copy.assign(&x);
    let result = work(slice_mut(&mut copy), ws);
    x.assign(&copy);
    ws.give(copy);
    result
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
        visitor.offset("b", &[1]);
        if self.context_dim > 0 {
            visitor.param("context", &[self.context_dim]);
        }
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        // w.x + b of standard normal x: variance 2.
        let scale = (self.dim as f64).sqrt().recip();
        for w in &mut params[self.dim..2 * self.dim] {
            let normal: f64 = StandardNormal.sample(rng);
            *w = T::of(scale * normal);
        }
        params[2 * self.dim] = T::of(StandardNormal.sample(rng));
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
        if let Some(tape) = tape {
            let mut copy = ws.take(x.nrows(), self.dim);
            copy.assign(&x);
            tape.push(copy);
        }
        with_rows(x, ws, |x, ws| {
            self.with_direction(params, context, ws, |_, at| {
                lanes::forward(&self.h, at, x, log_det);
            });
        });
    }

    fn inverse(
        &self,
        params: &[T],
        z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        with_rows(z, ws, |z, ws| {
            self.with_direction(params, context, ws, |_, at| {
                lanes::inverse(&self.h, at, z, log_det);
            });
        });
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
        let x = tape.pop();
        // dL/du^, summed over rows
        let mut g_hat = ws.zeros(1, self.dim);
        let mut g_shift = (self.context_dim > 0).then(|| ws.take(1, x.nrows()));
        let g_v = g_shift.as_mut().map_or(&mut [][..], slice_mut);
        with_rows(g, ws, |g, ws| {
            self.with_direction(params, context, ws, |parts, at| {
                let (_, g_w, g_b, _) = self.split_mut(grads);
                let to = Gradients {
                    u: slice_mut(&mut g_hat),
                    w: g_w,
                    v: g_v,
                };
                let (g_k, b) = lanes::backward(&self.h, at, slice(&x), g, g_log_det, to);
                g_b[0] += b;
                self.backward_of_u(params, parts, slice(&g_hat), g_k.wide(), grads);
            });
        });
        if let Some(g_shift) = g_shift {
            self.backward_of_context(params, slice(&g_shift), context, g_context, grads);
            ws.give(g_shift);
        }
        ws.give(x);
        ws.give(g_hat);
    }
}

impl<H: Monotone> Planar<H> {
    /// Through `V c`: `dL/dV = sum dL/dv c`, `dL/dc = dL/dv V`.
    fn backward_of_context<T: Real>(
        &self,
        params: &[T],
        g_v: &[T],
        context: ArrayView2<'_, T>,
        mut g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
    ) {
        let v = ArrayView1::from(self.split(params).3);
        let mut to = ArrayViewMut1::from(self.split_mut(grads).3);
        for (r, &g) in g_v.iter().enumerate() {
            to.scaled_add(g, &context.row(r));
            if let Some(g_context) = &mut g_context {
                g_context.row_mut(r).scaled_add(g, &v);
            }
        }
    }

    /// From `G = dL/du^` and `g_k = dL/dk`, through `u^ = u + phi w / n` and `k = m(a)` with `a = w.u`, `n = |w|^2` and
    /// `phi = m(a) - a`:
    ///
    /// ```text
    /// dL/da = (m' - 1) (G.w) / n + g_k m'
    /// dL/du = G + dL/da w          dL/dw = dL/da u + (phi / n) G - 2 (phi / n) (G.w) w / n
    /// ```
    fn backward_of_u<T: Real>(&self, params: &[T], parts: &Parts, g_hat: &[T], g_k: f64, grads: &mut [T]) {
        let (u, w, ..) = self.split(params);
        let (g_u, g_w, ..) = self.split_mut(grads);
        if parts.square == 0.0 {
            g_u.iter_mut().zip(g_hat).for_each(|(to, &g)| *to += g);
            return;
        }
        let dot: f64 = g_hat.iter().zip(w).map(|(g, w)| g.wide() * w.wide()).sum();
        let along = dot / parts.square;
        let g_a = (parts.m_slope - 1.0) * along + g_k * parts.m_slope;
        let (g_a, phi, g_n) = (
            T::of(g_a),
            T::of(parts.correction),
            T::of(-2.0 * parts.correction * along),
        );
        for j in 0..self.dim {
            g_u[j] += g_hat[j] + g_a * w[j];
            g_w[j] += g_a * u[j] + phi * g_hat[j] + g_n * w[j];
        }
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
