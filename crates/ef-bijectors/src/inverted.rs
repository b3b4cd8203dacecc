//! A bijector the other way round.

use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2, s};
use rand_core::RngCore;

use crate::bijector::Bijector;

/// `forward` is the inner bijector's `inverse`, and the reverse. Trainable, whatever the inner bijector is: around an
/// [`Autoregressive`](crate::Autoregressive) layer it is an inverse autoregressive flow (Kingma et al. 2016,
/// 1606.04934) that can be fitted by maximum likelihood.
///
/// No bijector needs a backward pass for its `inverse`: the implicit function theorem gives it. Let `y` be the result
/// of `forward`, so that the data are `x = f(y)` with the inner map `f`, its Jacobian `J = df/dy` and its
/// log-determinant `l_f(y)`; this one adds `-l_f(y)`. From `g = dL/dy` and `g_l = dL/dlog_det`:
///
/// ```text
/// G = g - g_l dl_f/dy              what y does to the loss, in all
/// J^T v = G                        v = dL/dx, because dy/dx = J^-1
/// dL/dp = -v df/dp - g_l dl_f/dp   because f(y; p) = x stays where it is; a context likewise
/// ```
///
/// The last line is the inner backward pass from `-v` and `-g_l`. `J` comes row by row from inner backward passes from
/// the basis vectors. All in all a backward pass takes `dim + 2` inner forward and backward passes and a solution of
/// `dim` linear equations a row, with scratch memory for 64 rows at a time: for layers that have no cheaper way, and
/// tables that are not wide. Where `J` is singular the gradient is not finite, and training skips the step.
///
/// An inner bijector that would start from data keeps what [`init`](Bijector::init) wrote.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, Inverted, maf};
/// let iaf = Inverted::<f32>::new(Box::new(maf(3, 0, &FlowConfig::default())?));
/// assert_eq!(iaf.dim(), 3);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
#[derive(Debug)]
pub struct Inverted<T: Real> {
    inner: Box<dyn Bijector<T>>,
}

/// Rows whose Jacobians are held at a time.
const CHUNK: usize = 64;

impl<T: Real> Inverted<T> {
    /// The inverse of `inner`.
    pub fn new(inner: Box<dyn Bijector<T>>) -> Self {
        Self { inner }
    }

    /// The bijector inside.
    pub fn inner(&self) -> &dyn Bijector<T> {
        &*self.inner
    }

    /// One recorded inner pass at `y` and the gradient of `g . f(y) + g_log_det . l_f(y)`: adds to `grads` and
    /// `g_context`, and leaves the gradient by `y` in `g`.
    fn pull_back(
        &self,
        params: &[T],
        y: ArrayView2<'_, T>,
        g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let mut x = ws.take(y.nrows(), y.ncols());
        x.assign(&y);
        let mut log_det = [0.0; CHUNK];
        let log_det = &mut log_det[..y.nrows()];
        self.inner
            .forward(params, x.view_mut(), context, log_det, Some(tape), ws);
        ws.give(x);
        self.inner
            .backward(params, g, g_log_det, context, g_context, grads, tape, ws);
    }

    /// At most [`CHUNK`] rows of [`Bijector::backward`].
    fn backward_rows(
        &self,
        params: &[T],
        y: ArrayView2<'_, T>,
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (rows, dim) = y.dim();
        // Passes that only ask for gradients by y leave those of parameters here.
        let mut unused = ws.zeros(1, grads.len());
        let nowhere = unused.as_slice_mut().expect("standard layout");
        let (mut pulled, mut weights) = (ws.zeros(rows, dim), ws.take(1, rows));
        let weights_row = weights.as_slice_mut().expect("standard layout");

        weights_row
            .iter_mut()
            .zip(g_log_det)
            .for_each(|(w, &gl)| *w = -gl);
        self.pull_back(
            params,
            y,
            pulled.view_mut(),
            weights_row,
            context,
            None,
            nowhere,
            tape,
            ws,
        );
        g += &pulled;

        let mut jacobians = ws.take(rows, dim * dim);
        weights_row.fill(T::zero());
        for i in 0..dim {
            pulled.fill(T::zero());
            pulled.column_mut(i).fill(T::one());
            self.pull_back(
                params,
                y,
                pulled.view_mut(),
                weights_row,
                context,
                None,
                nowhere,
                tape,
                ws,
            );
            jacobians
                .slice_mut(s![.., i * dim..(i + 1) * dim])
                .assign(&pulled);
        }
        let mut transposed = ws.take(dim, dim);
        for (jacobian, mut g) in jacobians.rows().into_iter().zip(g.rows_mut()) {
            let j = jacobian
                .into_shape_with_order((dim, dim))
                .expect("a row holds dim x dim values");
            transposed.assign(&j.t());
            solve(transposed.view_mut(), g.view_mut());
        }

        pulled.zip_mut_with(&g, |p, &v| *p = -v);
        weights_row
            .iter_mut()
            .zip(g_log_det)
            .for_each(|(w, &gl)| *w = -gl);
        self.pull_back(
            params,
            y,
            pulled.view_mut(),
            weights_row,
            context,
            g_context,
            grads,
            tape,
            ws,
        );
        for a in [unused, pulled, weights, jacobians, transposed] {
            ws.give(a);
        }
    }
}

/// `b <- a^-1 b` by elimination with partial pivoting; `a` is overwritten.
fn solve<T: Real>(mut a: ArrayViewMut2<'_, T>, mut b: ArrayViewMut1<'_, T>) {
    let n = b.len();
    for k in 0..n {
        let mut pivot = k;
        for i in k + 1..n {
            if a[[i, k]].abs() > a[[pivot, k]].abs() {
                pivot = i;
            }
        }
        if pivot != k {
            b.swap(k, pivot);
            for j in k..n {
                a.swap([k, j], [pivot, j]);
            }
        }
        for i in k + 1..n {
            let factor = a[[i, k]] / a[[k, k]];
            if factor != T::zero() {
                for j in k + 1..n {
                    let above = a[[k, j]];
                    a[[i, j]] -= factor * above;
                }
                let above = b[k];
                b[i] -= factor * above;
            }
        }
    }
    for k in (0..n).rev() {
        let known = a.slice(s![k, k + 1..]).dot(&b.slice(s![k + 1..]));
        b[k] = (b[k] - known) / a[[k, k]];
    }
}

impl<T: Real> Bijector<T> for Inverted<T> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn context_dim(&self) -> usize {
        self.inner.context_dim()
    }

    fn num_params(&self) -> usize {
        self.inner.num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.inner.visit_params(visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        self.inner.init(rng, params);
    }

    fn project(&self, params: &mut [T]) {
        self.inner.project(params);
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
        self.inner.inverse(params, x.view_mut(), context, log_det, ws);
        if let Some(tape) = tape {
            let mut y = ws.take(x.nrows(), x.ncols());
            y.assign(&x);
            tape.push(y);
        }
    }

    fn inverse(
        &self,
        params: &[T],
        z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        self.inner.forward(params, z, context, log_det, None, ws);
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
        let y = tape.pop();
        for start in (0..y.nrows()).step_by(CHUNK) {
            let rows = start..(start + CHUNK).min(y.nrows());
            let part = s![rows.clone(), ..];
            self.backward_rows(
                params,
                y.slice(part),
                g.slice_mut(part),
                &g_log_det[rows.clone()],
                context.slice(part),
                g_context.as_mut().map(|g| g.slice_mut(part)),
                grads,
                tape,
                ws,
            );
        }
        ws.give(y);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array1, Array2, array};
    use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::affine::ElementwiseAffine;

    #[test]
    fn linear_equations_are_solved() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut a = Array2::random_using((6, 6), StandardNormal, &mut rng);
        a[[0, 0]] = 0.0;
        let x = Array1::<f64>::random_using(6, StandardNormal, &mut rng);
        let mut b = a.dot(&x);
        solve(a.view_mut(), b.view_mut());
        assert_abs_diff_eq!(b, x, epsilon = 1e-12);
    }

    /// More rows than one chunk holds: the gradient of `sum (y^2 / 2 + log_det)` for `y = (x - b) exp(-a)`.
    #[test]
    fn chunks_cover_every_row() {
        let layer = Inverted::new(Box::new(ElementwiseAffine::new(1).unwrap()));
        let params = [0.3, -0.7];
        let rows = 2 * CHUNK + 5;
        let x = Array2::from_shape_fn((rows, 1), |(r, _)| 0.01 * r as f64);
        let (mut tape, mut ws) = (Tape::default(), Workspace::default());
        let (mut y, mut log_det) = (x.clone(), vec![0.0; rows]);
        let none = Array2::zeros((rows, 0));
        layer.forward(
            &params,
            y.view_mut(),
            none.view(),
            &mut log_det,
            Some(&mut tape),
            &mut ws,
        );
        let (mut g, mut grads) = (y.clone(), [0.0; 2]);
        layer.backward(
            &params,
            g.view_mut(),
            &vec![1.0; rows],
            none.view(),
            None,
            &mut grads,
            &mut tape,
            &mut ws,
        );
        let scale = (-0.3_f64).exp();
        assert_abs_diff_eq!(g, &y * scale, epsilon = 1e-12);
        let expected = array![-(&y * &y).sum() - rows as f64, -(&y * scale).sum()];
        assert_abs_diff_eq!(Array1::from(grads.to_vec()), expected, epsilon = 1e-9);
        assert!(tape.is_empty());
    }
}
