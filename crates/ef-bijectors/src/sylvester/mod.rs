//! Sylvester flows.

mod basis;

use ef_tensor::{ParamVisitor, Real, Tape, Workspace, gemm};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, s};
use rand_core::RngCore;
use rand_distr::{Distribution, StandardNormal};

use self::basis::{Basis, Kind};
use crate::bijector::Bijector;
use crate::error::BijectorError;
use crate::linear::strict;
use crate::monotone::{Jet, Monotone, MonotoneEquation, above_minus_one};
use crate::planar::check_max_slope;

/// Van den Berg et al. 2018 (1803.05649), sec. 3: planar flows with `m` directions at once.
///
/// ```text
/// forward   z = x + Q R h(a),   a = R~ Q^T x + b + c V        log|det dz/dx| = sum_i ln(1 + R_ii R~_ii h'(a_i))
/// inverse   t + R h(R~ t + b + c V) = Q^T z  for t = Q^T x;   x = z - Q R h
/// ```
///
/// `Q (dim, m)` has orthonormal columns; `R` and `R~ (m, m)` are upper triangular, so the last component of the
/// inverse's system has one unknown, and the others follow by back-substitution: `m` increasing scalar equations
/// ([`MonotoneEquation`]), each to machine precision.
///
/// The diagonals are `R~_ii = exp(p_i)` and `R_ii = m(q_i) exp(-p_i)`, with `m` that of [`Planar`](crate::Planar):
/// their product `m(q_i)` is anything above `-1 / max h'`, which is all that invertibility asks (theorem 2 of the
/// paper). Both diagonals through `tanh`, another way to that bound, would leave out products above 1.
///
/// `Q` is a product of Householder reflections, whose vectors are learned
/// ([`householder`](Self::householder)), or a fixed order of the columns ([`triangular`](Self::triangular)). A
/// reflection by a vector of length 0 is the identity.
///
/// Parameters: reflection vectors `(reflections, dim)`, `R` and `R~` above their diagonals row by row
/// (`m (m - 1) / 2` each), `q (m)`, `p (m)`, `b (m)` and, with a context `c`, `V (context_dim, m)`. Starts as the
/// identity, `R = 0`, with random reflections.
#[derive(Debug, Clone, PartialEq)]
pub struct Sylvester<H> {
    basis: Basis,
    context_dim: usize,
    h: H,
}

/// The parameters as the formulas use them; matrices from the workspace.
struct Parts<'a, T> {
    /// See [`Basis::frame`].
    q: Array2<T>,
    r: Array2<T>,
    r_tilde: Array2<T>,
    /// `m(q_i)` and `m'(q_i)`, one row each.
    product: Array2<T>,
    b: ArrayView1<'a, T>,
    v: ArrayView2<'a, T>,
}

impl<T: Real> Parts<'_, T> {
    /// `R_ii R~_ii`.
    fn k(&self, i: usize) -> f64 {
        self.product[[0, i]].wide()
    }

    fn give(self, ws: &mut Workspace<T>) {
        for a in [self.q, self.r, self.r_tilde, self.product] {
            ws.give(a);
        }
    }
}

impl<H: Monotone> Sylvester<H> {
    /// A layer of `dim` columns that moves points along `m` directions, spanned by `reflections` Householder
    /// reflections (`m` of them reach every choice of directions), given a context of `context_dim` columns.
    ///
    /// # Errors
    /// If `dim` or `m` is 0, `m` is larger than `dim`, or the largest slope of `h` is not positive and finite.
    pub fn householder(
        dim: usize,
        m: usize,
        reflections: usize,
        context_dim: usize,
        h: H,
    ) -> Result<Self, BijectorError> {
        if dim > 0 && !(1..=dim).contains(&m) {
            return Err(BijectorError::Setting {
                what: "the span of a Sylvester layer",
                value: format!("{m} of {dim} columns"),
                expected: "at least 1 and at most the columns",
            });
        }
        Self::new(Basis::new(dim, m, Kind::Householder(reflections)), context_dim, h)
    }

    /// A layer with `m = dim` whose `Q` is the identity, or the reversal of columns if `reverse`: give every second
    /// layer of a chain the reversal.
    ///
    /// # Errors
    /// If `dim` is 0, or the largest slope of `h` is not positive and finite.
    pub fn triangular(dim: usize, reverse: bool, context_dim: usize, h: H) -> Result<Self, BijectorError> {
        let kind = if reverse { Kind::Reverse } else { Kind::Forward };
        Self::new(Basis::new(dim, dim, kind), context_dim, h)
    }

    fn new(basis: Basis, context_dim: usize, h: H) -> Result<Self, BijectorError> {
        if basis.dim() == 0 {
            return Err(BijectorError::Empty("a Sylvester layer"));
        }
        check_max_slope(&h)?;
        Ok(Self {
            basis,
            context_dim,
            h,
        })
    }

    /// Lengths of the parameter arrays, in order.
    fn lengths(&self) -> [usize; 7] {
        let (m, off) = (self.basis.m(), strict(self.basis.m()));
        [self.basis.num_params(), off, off, m, m, m, self.context_dim * m]
    }

    fn split<'a, T>(&self, params: &'a [T]) -> [&'a [T]; 7] {
        let mut rest = params;
        self.lengths().map(|len| {
            let (own, next) = rest.split_at(len);
            rest = next;
            own
        })
    }

    fn split_mut<'a, T>(&self, grads: &'a mut [T]) -> [&'a mut [T]; 7] {
        let mut rest = grads;
        self.lengths().map(|len| {
            let (own, next) = std::mem::take(&mut rest).split_at_mut(len);
            rest = next;
            own
        })
    }

    fn parts<'a, T: Real>(&self, params: &'a [T], ws: &mut Workspace<T>) -> Parts<'a, T> {
        let m = self.basis.m();
        let [vectors, r_above, tilde_above, q_raw, p, b, v] = self.split(params);
        let (mut r, mut r_tilde, mut product) = (ws.zeros(m, m), ws.zeros(m, m), ws.take(2, m));
        let above = (0..m).flat_map(|i| (i + 1..m).map(move |j| (i, j)));
        for ((at, &r_ij), &tilde_ij) in above.zip(r_above).zip(tilde_above) {
            r[at] = r_ij;
            r_tilde[at] = tilde_ij;
        }
        for i in 0..m {
            let (k, slope) = above_minus_one(q_raw[i].wide(), self.h.max_slope());
            product[[0, i]] = T::of(k);
            product[[1, i]] = T::of(slope);
            r[[i, i]] = T::of(k * (-p[i].wide()).exp());
            r_tilde[[i, i]] = p[i].exp();
        }
        Parts {
            q: self.basis.frame(vectors, ws),
            r,
            r_tilde,
            product,
            b: b.into(),
            v: ArrayView2::from_shape((self.context_dim, m), v).expect("context_dim x m values"),
        }
    }

    /// `a <- b + c V`.
    fn start<T: Real>(parts: &Parts<'_, T>, context: ArrayView2<'_, T>, mut a: ArrayViewMut2<'_, T>) {
        for mut row in a.rows_mut() {
            row.assign(&parts.b);
        }
        if parts.v.nrows() > 0 {
            gemm(T::one(), context, parts.v, T::one(), a);
        }
    }
}

impl<T: Real, H: Monotone> Bijector<T> for Sylvester<H> {
    fn dim(&self) -> usize {
        self.basis.dim()
    }

    fn context_dim(&self) -> usize {
        self.context_dim
    }

    fn num_params(&self) -> usize {
        self.lengths().iter().sum()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        let (m, off) = (self.basis.m(), strict(self.basis.m()));
        self.basis.visit_params(visitor);
        visitor.param("r_upper", &[off]);
        visitor.param("r_tilde_upper", &[off]);
        visitor.param("diagonal_product", &[m]);
        visitor.offset("r_tilde_log_diagonal", &[m]);
        visitor.offset("b", &[m]);
        if self.context_dim > 0 {
            visitor.param("context", &[self.context_dim, m]);
        }
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        let [vectors, _, _, _, _, b, _] = self.split_mut(params);
        for v in vectors.iter_mut().chain(b) {
            *v = T::of(StandardNormal.sample(rng));
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
        let (rows, m) = (x.nrows(), self.basis.m());
        let parts = self.parts(params, ws);
        let (mut t, mut a, mut h) = (ws.take(rows, m), ws.take(rows, m), ws.take(rows, m));
        self.basis.project(&parts.q, x.view(), t.view_mut());
        Self::start(&parts, context, a.view_mut());
        gemm(T::one(), t.view(), parts.r_tilde.t(), T::one(), a.view_mut());
        for ((mut h, a), log_det) in h.rows_mut().into_iter().zip(a.rows()).zip(log_det) {
            for (i, (h, a)) in h.iter_mut().zip(a).enumerate() {
                let jet = self.h.at(a.wide());
                *h = T::of(jet.value);
                *log_det += (parts.k(i) * jet.slope).ln_1p();
            }
        }
        let mut copy = ws.take(rows, self.basis.dim());
        copy.assign(&x);
        let mut moved = ws.take(rows, m);
        gemm(T::one(), h.view(), parts.r.t(), T::zero(), moved.view_mut());
        self.basis.embed_add(&parts.q, T::one(), moved.view(), x);
        ws.give(moved);
        ws.give(h);
        match tape {
            Some(tape) => {
                tape.push(copy);
                tape.push(t);
                tape.push(a);
            }
            None => {
                for a in [copy, t, a] {
                    ws.give(a);
                }
            }
        }
        parts.give(ws);
    }

    fn inverse(
        &self,
        params: &[T],
        z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (rows, m) = (z.nrows(), self.basis.m());
        let parts = self.parts(params, ws);
        let (mut t, mut a, mut h) = (ws.take(rows, m), ws.take(rows, m), ws.take(rows, m));
        self.basis.project(&parts.q, z.view(), t.view_mut());
        Self::start(&parts, context, a.view_mut());
        for (row, log_det) in log_det.iter_mut().enumerate() {
            let (mut t, a, mut h) = (t.row_mut(row), a.row(row), h.row_mut(row));
            for i in (0..m).rev() {
                let later = s![i + 1..];
                let r_later = parts.r.slice(s![i, i + 1..]).dot(&h.slice(later));
                let tilde_later = parts.r_tilde.slice(s![i, i + 1..]).dot(&t.slice(later));
                let equation = MonotoneEquation {
                    k: parts.r[[i, i]].wide(),
                    s: parts.r_tilde[[i, i]].wide(),
                    c: (a[i] + tilde_later).wide(),
                    y: (t[i] - r_later).wide(),
                };
                let root = equation.solve(&self.h);
                t[i] = T::of(root.a);
                h[i] = T::of(root.h.value);
                *log_det -= (parts.k(i) * root.h.slope).ln_1p();
            }
        }
        gemm(T::one(), h.view(), parts.r.t(), T::zero(), t.view_mut());
        self.basis.embed_add(&parts.q, -T::one(), t.view(), z);
        for a in [t, a, h] {
            ws.give(a);
        }
        parts.give(ws);
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
        let (rows, m) = (g.nrows(), self.basis.m());
        let parts = self.parts(params, ws);
        let (mut a, t, x) = (tape.pop(), tape.pop(), tape.pop());
        let (mut h, mut g_a, mut g_moved) = (ws.take(rows, m), ws.take(rows, m), ws.take(rows, m));
        let mut g_product = ws.zeros(1, m);
        // z = x + (h R^T) Q^T
        self.basis.project(&parts.q, g.view(), g_moved.view_mut());
        gemm(
            T::one(),
            g_moved.view(),
            parts.r.view(),
            T::zero(),
            g_a.view_mut(),
        );
        for (r, gl) in g_log_det.iter().enumerate() {
            for i in 0..m {
                let Jet {
                    value,
                    slope,
                    curvature,
                } = self.h.at(a[[r, i]].wide());
                let by_det = gl.wide() / (1.0 + parts.k(i) * slope);
                g_product[[0, i]] += T::of(by_det * slope);
                g_a[[r, i]] = T::of(g_a[[r, i]].wide() * slope + by_det * parts.k(i) * curvature);
                h[[r, i]] = T::of(value);
            }
        }
        let (mut g_r, mut g_tilde) = (ws.take(m, m), ws.take(m, m));
        gemm(T::one(), g_moved.t(), h.view(), T::zero(), g_r.view_mut());
        gemm(T::one(), g_a.t(), t.view(), T::zero(), g_tilde.view_mut());
        // a = t R~^T + b + c V, t = x Q
        let mut g_t = ws.take(rows, m);
        gemm(
            T::one(),
            g_a.view(),
            parts.r_tilde.view(),
            T::zero(),
            g_t.view_mut(),
        );
        if self.basis.num_params() > 0 {
            let mut g_q = ws.take(self.basis.dim(), m);
            let moved = &mut a;
            gemm(T::one(), h.view(), parts.r.t(), T::zero(), moved.view_mut());
            gemm(T::one(), g.t(), moved.view(), T::zero(), g_q.view_mut());
            gemm(T::one(), x.t(), g_t.view(), T::one(), g_q.view_mut());
            let ([vectors, ..], [to, ..]) = (self.split(params), self.split_mut(grads));
            self.basis.backward(vectors, &parts.q, g_q, to, ws);
        }
        self.basis.embed_add(&parts.q, T::one(), g_t.view(), g.view_mut());

        let [_, _, _, _, p, _, _] = self.split(params);
        let [_, to_r, to_tilde, to_q, to_p, to_b, to_v] = self.split_mut(grads);
        let above = (0..m).flat_map(|i| (i + 1..m).map(move |j| (i, j)));
        for ((at, to_r), to_tilde) in above.zip(to_r).zip(to_tilde) {
            *to_r += g_r[at];
            *to_tilde += g_tilde[at];
        }
        for i in 0..m {
            // R_ii = k exp(-p), R~_ii = exp(p), k = m(q)
            let g_k = g_r[[i, i]] * (-p[i]).exp() + g_product[[0, i]];
            to_q[i] += g_k * parts.product[[1, i]];
            to_p[i] += g_tilde[[i, i]] * parts.r_tilde[[i, i]] - g_r[[i, i]] * parts.r[[i, i]];
        }
        for row in g_a.rows() {
            to_b.iter_mut().zip(row).for_each(|(sum, &g)| *sum += g);
        }
        if self.context_dim > 0 {
            let to_v =
                ArrayViewMut2::from_shape((self.context_dim, m), to_v).expect("context_dim x m values");
            gemm(T::one(), context.t(), g_a.view(), T::one(), to_v);
            if let Some(g_context) = g_context {
                gemm(T::one(), g_a.view(), parts.v.t(), T::one(), g_context);
            }
        }
        for array in [a, t, x, h, g_a, g_moved, g_product, g_r, g_tilde, g_t] {
            ws.give(array);
        }
        parts.give(ws);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::Array2;
    use ndarray_rand::RandomExt;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::monotone::Tanh;

    #[test]
    fn a_reflection_by_nothing_is_the_identity() {
        let layer = Sylvester::householder(3, 2, 2, 0, Tanh).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut params = Array2::<f64>::random_using((1, 14), StandardNormal, &mut rng)
            .into_raw_vec_and_offset()
            .0;
        params[..6].fill(0.0);
        let mut ws = Workspace::default();
        let q = layer.basis.frame(&params[..6], &mut ws);
        assert_abs_diff_eq!(
            q,
            Array2::from_shape_fn((3, 2), |(i, j)| f64::from(u8::from(i == j))),
            epsilon = 0.0
        );

        let mut x = Array2::random_using((4, 3), StandardNormal, &mut rng);
        let (none, mut tape, mut log_det) = (Array2::zeros((4, 0)), Tape::default(), [0.0; 4]);
        layer.forward(
            &params,
            x.view_mut(),
            none.view(),
            &mut log_det,
            Some(&mut tape),
            &mut ws,
        );
        let (mut g, mut grads) = (Array2::ones((4, 3)), vec![0.0; params.len()]);
        layer.backward(
            &params,
            g.view_mut(),
            &[1.0; 4],
            none.view(),
            None,
            &mut grads,
            &mut tape,
            &mut ws,
        );
        assert!(
            x.iter()
                .chain(&g)
                .chain(&grads)
                .chain(&log_det)
                .all(|v| v.is_finite())
        );
    }

    #[test]
    fn more_directions_than_columns_are_refused() {
        assert!(Sylvester::householder(2, 3, 1, 0, Tanh).is_err());
        assert!(Sylvester::triangular(0, false, 0, Tanh).is_err());
    }
}
