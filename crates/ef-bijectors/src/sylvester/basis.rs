//! The orthonormal directions of a Sylvester layer.

use ef_tensor::{ParamVisitor, Real, Workspace, gemm};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, s};

/// `Q (dim, m)`, whose columns are orthonormal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Basis {
    dim: usize,
    m: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first `m` columns of a product of this many reflections `I - 2 v v^T / |v|^2`.
    Householder(usize),
    /// All columns, as they are.
    Forward,
    /// All columns, last first.
    Reverse,
}

/// Below this `|v|^2` a reflection counts as none: its direction is rounding, and its gradient would overflow.
const LEAST_SQUARE: f64 = 1e-24;

impl Basis {
    pub(super) fn new(dim: usize, m: usize, kind: Kind) -> Self {
        Self { dim, m, kind }
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn m(&self) -> usize {
        self.m
    }

    /// One vector of `dim` numbers a reflection.
    pub(super) fn num_params(&self) -> usize {
        self.dim * self.reflections()
    }

    pub(super) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        if self.reflections() > 0 {
            visitor.param("reflections", &[self.reflections(), self.dim]);
        }
    }

    fn reflections(&self) -> usize {
        match self.kind {
            Kind::Householder(n) => n,
            Kind::Forward | Kind::Reverse => 0,
        }
    }

    /// `Q`, from the workspace; empty where it is an order of columns and never multiplied by.
    pub(super) fn frame<T: Real>(&self, vectors: &[T], ws: &mut Workspace<T>) -> Array2<T> {
        if !matches!(self.kind, Kind::Householder(_)) {
            return ws.take(0, 0);
        }
        let mut q = ws.zeros(self.dim, self.m);
        q.diag_mut().fill(T::one());
        let mut along = ws.take(1, self.m);
        for v in vectors.chunks_exact(self.dim).rev() {
            reflect(v.into(), q.view_mut(), along.view_mut());
        }
        ws.give(along);
        q
    }

    /// `t = x Q` for rows `x`.
    pub(super) fn project<T: Real>(&self, q: &Array2<T>, x: ArrayView2<'_, T>, mut t: ArrayViewMut2<'_, T>) {
        match self.kind {
            Kind::Householder(_) => gemm(T::one(), x, q.view(), T::zero(), t),
            Kind::Forward => t.assign(&x),
            Kind::Reverse => t.assign(&x.slice(s![.., ..;-1])),
        }
    }

    /// `x += sign t Q^T` for rows `t`.
    pub(super) fn embed_add<T: Real>(
        &self,
        q: &Array2<T>,
        sign: T,
        t: ArrayView2<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
    ) {
        match self.kind {
            Kind::Householder(_) => gemm(sign, t, q.t(), T::one(), x),
            Kind::Forward => x.scaled_add(sign, &t),
            Kind::Reverse => x.slice_mut(s![.., ..;-1]).scaled_add(sign, &t),
        }
    }

    /// From `G = dL/dQ` to the reflection vectors, added to `grads`. With `Q_i = H_i Q_{i+1}` and `n = |v_i|^2`, `H_i`
    /// being its own inverse and transpose:
    ///
    /// ```text
    /// G_{i+1} = H_i G_i
    /// dL/dv = -2/n (G_i p + Q_{i+1} q) + 4/n^2 (p.q) v     p = Q_{i+1}^T v,  q = G_i^T v
    /// ```
    pub(super) fn backward<T: Real>(
        &self,
        vectors: &[T],
        q: &Array2<T>,
        mut g_q: Array2<T>,
        grads: &mut [T],
        ws: &mut Workspace<T>,
    ) {
        let mut rest = ws.take(self.dim, self.m);
        rest.assign(q);
        let (mut along, mut along_g) = (ws.take(1, self.m), ws.take(1, self.m));
        let to = grads.chunks_exact_mut(self.dim);
        for (v, to) in vectors.chunks_exact(self.dim).zip(to) {
            let v: ArrayView1<'_, T> = v.into();
            let square = v.dot(&v);
            if square.wide() <= LEAST_SQUARE {
                continue;
            }
            reflect(v, rest.view_mut(), along.view_mut());
            times(v, rest.view(), along.view_mut());
            times(v, g_q.view(), along_g.view_mut());
            let (p, q) = (along.row(0), along_g.row(0));
            let factor = T::of(-2.0) / square;
            // factor² alone may overflow
            let by_v = factor * (factor * p.dot(&q));
            for (j, to) in to.iter_mut().enumerate() {
                *to += factor * (g_q.row(j).dot(&p) + rest.row(j).dot(&q)) + by_v * v[j];
            }
            reflect(v, g_q.view_mut(), along.view_mut());
        }
        for a in [g_q, rest, along, along_g] {
            ws.give(a);
        }
    }
}

/// `P <- (I - 2 v v^T / |v|^2) P`; `along` is scratch of one row.
fn reflect<T: Real>(v: ArrayView1<'_, T>, mut p: ArrayViewMut2<'_, T>, mut along: ArrayViewMut2<'_, T>) {
    let square = v.dot(&v);
    if square.wide() <= LEAST_SQUARE {
        return;
    }
    times(v, p.view(), along.view_mut());
    let factor = T::of(-2.0) / square;
    for (mut row, &v) in p.rows_mut().into_iter().zip(v) {
        row.scaled_add(factor * v, &along.row(0));
    }
}

/// `out = v^T P`, one row.
fn times<T: Real>(v: ArrayView1<'_, T>, p: ArrayView2<'_, T>, mut out: ArrayViewMut2<'_, T>) {
    out.fill(T::zero());
    for (row, &v) in p.rows().into_iter().zip(v) {
        out.row_mut(0).scaled_add(v, &row);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray_rand::RandomExt;
    use ndarray_rand::rand_distr::StandardNormal;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn columns_are_orthonormal() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let vectors = Array2::<f64>::random_using((3, 5), StandardNormal, &mut rng);
        let basis = Basis::new(5, 3, Kind::Householder(3));
        let q = basis.frame(vectors.as_slice().unwrap(), &mut Workspace::default());
        assert_abs_diff_eq!(q.t().dot(&q), Array2::eye(3), epsilon = 1e-14);
    }
}
