//! An invertible linear map by its LU factors.

use ef_tensor::{ParamVisitor, Real, Tape, Workspace, gemm};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use rand_core::RngCore;

use crate::bijector::Bijector;
use crate::error::BijectorError;
use crate::permute::Permute;

/// Glow's invertible 1x1 convolution for tables (Kingma & Dhariwal 2018, 1807.03039, sec. 3.2, eq. 10 and 11):
///
/// ```text
/// forward   z = P L U x + b        log|det dz/dx| = sum_i ln U_ii
/// inverse   x = U^-1 L^-1 P^T (z - b), by two triangular solves
/// ```
///
/// `P` is a fixed permutation, `L` unit lower triangular, `U` upper triangular with diagonal `exp(s) > 0`. Every
/// invertible matrix has this form for some `P` and some signs of the diagonal; signs are left out, since a mirrored
/// column makes no difference to a flow's other layers and its symmetric base. The cost is that of two products with a
/// `dim x dim` matrix, and the log-determinant is a sum of `dim` numbers.
///
/// Parameters: `L` below and `U` above the diagonal, row by row (`dim (dim - 1) / 2` each), `s (dim)`, `b (dim)`.
/// Starts as `P`.
///
/// ```
/// use ef_bijectors::{Bijector, LuLinear, Permute};
/// let layer = LuLinear::with_permutation(Permute::reverse(3)?);
/// assert_eq!(Bijector::<f32>::num_params(&layer), 12);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LuLinear {
    permutation: Permute,
}

impl LuLinear {
    /// A layer of `dim` columns whose `P` is the identity.
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn new(dim: usize) -> Result<Self, BijectorError> {
        Ok(Self::with_permutation(Permute::new((0..dim).collect())?))
    }

    /// A layer with a permutation of your choice.
    pub fn with_permutation(permutation: Permute) -> Self {
        Self { permutation }
    }

    fn columns(&self) -> usize {
        self.permutation.order().len()
    }

    /// `(L, U)`, from the workspace.
    fn factors<T: Real>(&self, params: &[T], ws: &mut Workspace<T>) -> (Array2<T>, Array2<T>) {
        let dim = self.columns();
        let (mut lower, mut upper) = (ws.zeros(dim, dim), ws.zeros(dim, dim));
        let (below, rest) = params.split_at(strict(dim));
        let (above, rest) = rest.split_at(strict(dim));
        let (mut below, mut above) = (below.iter(), above.iter());
        for i in 0..dim {
            for (to, from) in lower.slice_mut(s![i, ..i]).into_iter().zip(&mut below) {
                *to = *from;
            }
            lower[[i, i]] = T::one();
            upper[[i, i]] = rest[i].exp();
            for (to, from) in upper.slice_mut(s![i, i + 1..]).into_iter().zip(&mut above) {
                *to = *from;
            }
        }
        (lower, upper)
    }

    /// `b` and the sum of `s`.
    fn shift_and_log_det<'a, T: Real>(&self, params: &'a [T]) -> (&'a [T], f64) {
        let (s, b) = params[2 * strict(self.columns())..].split_at(self.columns());
        (b, s.iter().map(|v| v.wide()).sum())
    }
}

/// Entries of a square matrix on one side of its diagonal.
pub(crate) fn strict(dim: usize) -> usize {
    dim * dim.saturating_sub(1) / 2
}

impl<T: Real> Bijector<T> for LuLinear {
    fn dim(&self) -> usize {
        self.columns()
    }

    fn num_params(&self) -> usize {
        2 * strict(self.columns()) + 2 * self.columns()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        let dim = self.columns();
        visitor.param("lower", &[strict(dim)]);
        visitor.param("upper", &[strict(dim)]);
        visitor.offset("log_diagonal", &[dim]);
        visitor.offset("shift", &[dim]);
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
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
        let (rows, dim) = x.dim();
        let (lower, upper) = self.factors(params, ws);
        let (b, sum) = self.shift_and_log_det(params);
        let mut y = ws.take(rows, dim);
        gemm(T::one(), x.view(), upper.t(), T::zero(), y.view_mut());
        if let Some(tape) = tape {
            let mut copy = ws.take(rows, dim);
            copy.assign(&x);
            tape.push(copy);
            let mut copy = ws.take(rows, dim);
            copy.assign(&y);
            tape.push(copy);
        }
        gemm(T::one(), y.view(), lower.t(), T::zero(), x.view_mut());
        self.permutation
            .forward(&[], x.view_mut(), context, log_det, None, ws);
        for mut row in x.rows_mut() {
            row.iter_mut().zip(b).for_each(|(x, &b)| *x += b);
        }
        log_det.iter_mut().for_each(|l| *l += sum);
        for a in [lower, upper, y] {
            ws.give(a);
        }
    }

    fn inverse(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let dim = self.columns();
        let (lower, upper) = self.factors(params, ws);
        let (b, sum) = self.shift_and_log_det(params);
        for mut row in z.rows_mut() {
            row.iter_mut().zip(b).for_each(|(z, &b)| *z -= b);
        }
        self.permutation.inverse(&[], z.view_mut(), context, log_det, ws);
        for mut v in z.rows_mut() {
            for i in 1..dim {
                let known = lower.slice(s![i, ..i]).dot(&v.slice(s![..i]));
                v[i] -= known;
            }
            for i in (0..dim).rev() {
                let known = upper.slice(s![i, i + 1..]).dot(&v.slice(s![i + 1..]));
                v[i] = (v[i] - known) / upper[[i, i]];
            }
        }
        log_det.iter_mut().for_each(|l| *l -= sum);
        ws.give(lower);
        ws.give(upper);
    }

    fn backward(
        &self,
        params: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        _: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (rows, dim) = g.dim();
        let (lower, upper) = self.factors(params, ws);
        let (y, x) = (tape.pop(), tape.pop());
        let (g_below, rest) = grads.split_at_mut(strict(dim));
        let (g_above, rest) = rest.split_at_mut(strict(dim));
        let (g_s, g_b) = rest.split_at_mut(dim);
        for row in g.rows() {
            g_b.iter_mut().zip(row).for_each(|(sum, &g)| *sum += g);
        }
        let (none, mut no_tape) = (&mut [], Tape::default());
        self.permutation
            .backward(&[], g.view_mut(), &[], context, None, none, &mut no_tape, ws);
        // z = y L^T, then y = x U^T, rows being points
        let mut product = ws.take(dim, dim);
        gemm(T::one(), g.t(), y.view(), T::zero(), product.view_mut());
        let below = (1..dim).flat_map(|i| (0..i).map(move |j| (i, j)));
        for (sum, (i, j)) in g_below.iter_mut().zip(below) {
            *sum += product[[i, j]];
        }
        let mut g_y = ws.take(rows, dim);
        gemm(T::one(), g.view(), lower.view(), T::zero(), g_y.view_mut());
        gemm(T::one(), g_y.t(), x.view(), T::zero(), product.view_mut());
        let above = (0..dim).flat_map(|i| (i + 1..dim).map(move |j| (i, j)));
        for (sum, (i, j)) in g_above.iter_mut().zip(above) {
            *sum += product[[i, j]];
        }
        // U_ii = exp(s_i), log_det = sum s_i
        let g_sum: T = g_log_det.iter().copied().sum();
        for (i, sum) in g_s.iter_mut().enumerate() {
            *sum += product[[i, i]] * upper[[i, i]] + g_sum;
        }
        gemm(T::one(), g_y.view(), upper.view(), T::zero(), g);
        for a in [lower, upper, y, x, product, g_y] {
            ws.give(a);
        }
    }
}
