//! The work of a planar layer on its rows: blocks of `L` rows, one row a lane.
//!
//! `D` is the number of columns if it is small, so that loops over it unroll and the interleaved columns of a block
//! load as vectors; 0 stands for any number, given by the length of `w`. Rows behind the last full block go through the
//! same code with `L = 1`. A row's numbers are the same in every block.

use ef_tensor::Real;
use ef_tensor::simd::{Kernel, dispatch, mul_add};

use crate::monotone::{Jet, Monotone};

/// Rows a block: a vector register of the widest level in `f32`.
const LANES: usize = 16;

/// The parameters as a row's formulas use them; see [`Planar`](super::Planar).
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction<'a, T> {
    /// `u^`.
    pub(super) u: &'a [T],
    /// `w`; zeros where `|w|` counts as 0.
    pub(super) w: &'a [T],
    /// `b`, for a layer without a context.
    pub(super) b: T,
    /// `b + V c`, one a row; empty without a context.
    pub(super) shifts: &'a [T],
    /// `k = w.u^`.
    pub(super) k: f64,
    /// `L`, the bound of `h'`.
    pub(super) max_slope: f64,
}

/// Runs `$kernel::<D>` for the number of columns at hand.
macro_rules! for_dim {
    ($dim:expr, $kernel:ident { $($field:ident),* $(,)? }) => {
        match $dim {
            1 => dispatch($kernel::<_, _, 1> { $($field),* }),
            2 => dispatch($kernel::<_, _, 2> { $($field),* }),
            3 => dispatch($kernel::<_, _, 3> { $($field),* }),
            4 => dispatch($kernel::<_, _, 4> { $($field),* }),
            _ => dispatch($kernel::<_, _, 0> { $($field),* }),
        }
    };
}

/// `z = x + u^ h(v)`, and `log_det += ln(1 + k h'(v))`.
pub(super) fn forward<T: Real, H: Monotone>(h: &H, at: Direction<'_, T>, x: &mut [T], log_det: &mut [f64]) {
    for_dim!(at.w.len(), Forward { h, at, x, log_det });
}

/// `x = z - u^ h(v)` for the root `v` of `v + k h(v) = w.z + b + V c`, and `log_det -= ln(1 + k h'(v))`.
pub(super) fn inverse<T: Real, H: Monotone>(h: &H, at: Direction<'_, T>, z: &mut [T], log_det: &mut [f64]) {
    for_dim!(at.w.len(), Inverse { h, at, z, log_det });
}

/// The gradient with respect to rows, and sums over rows.
pub(super) fn backward<T: Real, H: Monotone>(
    h: &H,
    at: Direction<'_, T>,
    x: &[T],
    g: &mut [T],
    g_log_det: &[T],
    to: Gradients<'_, T>,
) -> (T, T) {
    for_dim!(
        at.w.len(),
        Backward {
            h,
            at,
            x,
            g,
            g_log_det,
            to
        }
    )
}

/// The columns' roots `v`, for [`inverse_residual`](super::Planar::inverse_residual).
pub(super) fn roots<T: Real, H: Monotone>(h: &H, at: Direction<'_, T>, z: &[T], v: &mut [T]) {
    for_dim!(at.w.len(), Roots { h, at, z, v });
}

/// Where [`backward`] adds up; all have as many entries as there are columns, but for `v`.
#[derive(Debug)]
pub(super) struct Gradients<'a, T> {
    /// `dL/du^`.
    pub(super) u: &'a mut [T],
    /// `sum dL/dv x`, what reaches `w` through `w.x`.
    pub(super) w: &'a mut [T],
    /// `dL/dv`, one a row, written; empty without a context.
    pub(super) v: &'a mut [T],
}

/// A pass that handles `L` rows side by side.
trait Blocks {
    /// The rows `r .. r + L`.
    fn block<const FMA: bool, const L: usize>(&mut self, r: usize);
}

/// All rows: whole blocks, then the rest one by one.
#[inline(always)]
fn each_block<const FMA: bool>(pass: &mut impl Blocks, rows: usize) {
    let full = rows - rows % LANES;
    for r in (0..full).step_by(LANES) {
        pass.block::<FMA, LANES>(r);
    }
    for r in full..rows {
        pass.block::<FMA, 1>(r);
    }
}

struct Forward<'a, T, H, const D: usize> {
    h: &'a H,
    at: Direction<'a, T>,
    x: &'a mut [T],
    log_det: &'a mut [f64],
}

impl<T: Real, H: Monotone, const D: usize> Kernel for Forward<'_, T, H, D> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let rows = self.log_det.len();
        each_block::<FMA>(&mut self, rows);
    }
}

impl<T: Real, H: Monotone, const D: usize> Blocks for Forward<'_, T, H, D> {
    #[inline(always)]
    fn block<const FMA: bool, const L: usize>(&mut self, r: usize) {
        let block = Block::<D>::new(&self.at);
        let x = &mut self.x[block.span::<L>(r)];
        let v = block.project::<FMA, L, T>(self.at.w, x, self.at.shift(r));
        let det = Det::new(&self.at);
        let mut value = [T::zero(); L];
        let mut log = [T::zero(); L];
        for l in 0..L {
            let jet = self.h.lane::<FMA, T>(v[l]);
            value[l] = jet.value;
            log[l] = det.of::<FMA>(&jet).ln_lane::<FMA>();
        }
        for (log_det, log) in self.log_det[r..r + L].iter_mut().zip(log) {
            *log_det += log.wide();
        }
        block.add::<FMA, L, T>(x, value, self.at.u);
    }
}

struct Inverse<'a, T, H, const D: usize> {
    h: &'a H,
    at: Direction<'a, T>,
    z: &'a mut [T],
    log_det: &'a mut [f64],
}

impl<T: Real, H: Monotone, const D: usize> Kernel for Inverse<'_, T, H, D> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let rows = self.log_det.len();
        each_block::<FMA>(&mut self, rows);
    }
}

impl<T: Real, H: Monotone, const D: usize> Blocks for Inverse<'_, T, H, D> {
    #[inline(always)]
    fn block<const FMA: bool, const L: usize>(&mut self, r: usize) {
        let block = Block::<D>::new(&self.at);
        let z = &mut self.z[block.span::<L>(r)];
        let t = block.project::<FMA, L, T>(self.at.w, z, self.at.shift(r));
        let v = self.h.solve_lanes::<FMA, L, T>(self.at.k, t);
        let det = Det::new(&self.at);
        let mut value = [T::zero(); L];
        let mut log = [T::zero(); L];
        for l in 0..L {
            let jet = self.h.lane::<FMA, T>(v[l]);
            value[l] = -jet.value;
            log[l] = det.of::<FMA>(&jet).ln_lane::<FMA>();
        }
        for (log_det, log) in self.log_det[r..r + L].iter_mut().zip(log) {
            *log_det -= log.wide();
        }
        block.add::<FMA, L, T>(z, value, self.at.u);
    }
}

struct Roots<'a, T, H, const D: usize> {
    h: &'a H,
    at: Direction<'a, T>,
    z: &'a [T],
    v: &'a mut [T],
}

impl<T: Real, H: Monotone, const D: usize> Kernel for Roots<'_, T, H, D> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let block = Block::<D>::new(&self.at);
        for (r, v) in self.v.iter_mut().enumerate() {
            let t = block.project::<FMA, 1, T>(self.at.w, &self.z[block.span::<1>(r)], self.at.shift(r));
            *v = self.h.solve_lanes::<FMA, 1, T>(self.at.k, t)[0];
        }
    }
}

struct Backward<'a, T, H, const D: usize> {
    h: &'a H,
    at: Direction<'a, T>,
    x: &'a [T],
    g: &'a mut [T],
    g_log_det: &'a [T],
    to: Gradients<'a, T>,
}

/// Sums over rows, a lane each: `dL/dk`, `dL/db` and, for a small number of columns, the sums of [`Gradients`].
struct Sums<T, const D: usize, const L: usize> {
    k: [T; L],
    b: [T; L],
    u: [[T; L]; D],
    w: [[T; L]; D],
}

impl<T: Real, H: Monotone, const D: usize> Kernel for Backward<'_, T, H, D> {
    /// `(dL/dk, dL/db)`.
    type Output = (T, T);

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> (T, T) {
        let rows = self.g_log_det.len();
        let full = rows - rows % LANES;
        let mut sums = Sums::zero();
        for r in (0..full).step_by(LANES) {
            self.block::<FMA, LANES>(r, &mut sums);
        }
        let (k, b) = self.close(&sums);
        let mut sums = Sums::zero();
        for r in full..rows {
            self.block::<FMA, 1>(r, &mut sums);
        }
        let (rest_k, rest_b) = self.close(&sums);
        (k + rest_k, b + rest_b)
    }
}

impl<T: Real, const D: usize, const L: usize> Sums<T, D, L> {
    #[inline(always)]
    fn zero() -> Self {
        let lanes = [T::zero(); L];
        Self {
            k: lanes,
            b: lanes,
            u: [lanes; D],
            w: [lanes; D],
        }
    }
}

impl<T: Real, H: Monotone, const D: usize> Backward<'_, T, H, D> {
    /// With `z = x + u^ h(v)` and `log_det = ln(1 + k h'(v))`:
    ///
    /// ```text
    /// dL/dv = (G.u^) h' + g_log_det k h'' / (1 + k h')        dL/dx = G + dL/dv w
    /// ```
    #[inline(always)]
    fn block<const FMA: bool, const L: usize>(&mut self, r: usize, sums: &mut Sums<T, D, L>) {
        let block = Block::<D>::new(&self.at);
        let span = block.span::<L>(r);
        let (x, g) = (&self.x[span.clone()], &mut self.g[span]);
        let v = block.project::<FMA, L, T>(self.at.w, x, self.at.shift(r));
        let along = block.project::<FMA, L, T>(self.at.u, g, [T::zero(); L]);
        let g_log_det = &self.g_log_det[r..r + L];
        let (det, k) = (Det::new(&self.at), T::of(self.at.k));
        let mut value = [T::zero(); L];
        let mut g_v = [T::zero(); L];
        for l in 0..L {
            let jet = self.h.lane::<FMA, T>(v[l]);
            let share = g_log_det[l] / det.of::<FMA>(&jet);
            value[l] = jet.value;
            g_v[l] = mul_add::<FMA, T>(along[l], jet.slope, share * k * jet.curvature);
            sums.k[l] = mul_add::<FMA, T>(share, jet.slope, sums.k[l]);
            sums.b[l] += g_v[l];
        }
        if !self.to.v.is_empty() {
            self.to.v[r..r + L].copy_from_slice(&g_v);
        }
        if D > 0 {
            for l in 0..L {
                for j in 0..D {
                    sums.u[j][l] = mul_add::<FMA, T>(value[l], g[l * D + j], sums.u[j][l]);
                    sums.w[j][l] = mul_add::<FMA, T>(g_v[l], x[l * D + j], sums.w[j][l]);
                }
            }
        } else {
            for l in 0..L {
                let row = l * block.dim..(l + 1) * block.dim;
                add_scaled::<FMA, T>(self.to.u, value[l], &g[row.clone()]);
                add_scaled::<FMA, T>(self.to.w, g_v[l], &x[row]);
            }
        }
        block.add::<FMA, L, T>(g, g_v, self.at.w);
    }

    #[inline(always)]
    fn close<const L: usize>(&mut self, sums: &Sums<T, D, L>) -> (T, T) {
        for j in 0..D {
            self.to.u[j] += total(sums.u[j]);
            self.to.w[j] += total(sums.w[j]);
        }
        (total(sums.k), total(sums.b))
    }
}

/// The sum of all lanes, halves first.
#[inline(always)]
fn total<T: Real, const L: usize>(mut lanes: [T; L]) -> T {
    let mut half = L / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// `to += scale from`.
#[inline(always)]
fn add_scaled<const FMA: bool, T: Real>(to: &mut [T], scale: T, from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = mul_add::<FMA, T>(scale, from, *to);
    }
}

impl<T: Real> Direction<'_, T> {
    #[inline(always)]
    fn shift<const L: usize>(&self, r: usize) -> [T; L] {
        let mut shift = [self.b; L];
        if !self.shifts.is_empty() {
            shift.copy_from_slice(&self.shifts[r..r + L]);
        }
        shift
    }
}

/// `1 + k h'`, which is positive, without the cancellation of this form where `k` is near its bound `-1 / L`: as
/// `(1 - p) + p (1 + k L)` with `p = h' / L`.
struct Det<T> {
    per_slope: T,
    steepest: T,
}

impl<T: Real> Det<T> {
    #[inline(always)]
    fn new(at: &Direction<'_, T>) -> Self {
        Self {
            per_slope: T::of(at.max_slope.recip()),
            steepest: T::of(1.0 + at.k * at.max_slope),
        }
    }

    #[inline(always)]
    fn of<const FMA: bool>(&self, jet: &Jet<T>) -> T {
        let p = jet.slope * self.per_slope;
        mul_add::<FMA, T>(p, self.steepest, T::one() - p)
    }
}

/// Rows side by side.
struct Block<const D: usize> {
    dim: usize,
}

impl<const D: usize> Block<D> {
    #[inline(always)]
    fn new<T>(at: &Direction<'_, T>) -> Self {
        let dim = if D > 0 { D } else { at.w.len() };
        Self { dim }
    }

    /// Where rows `r..r + L` lie.
    #[inline(always)]
    fn span<const L: usize>(&self, r: usize) -> std::ops::Range<usize> {
        r * self.dim..(r + L) * self.dim
    }

    /// `start + w.x` of each row.
    #[inline(always)]
    fn project<const FMA: bool, const L: usize, T: Real>(&self, w: &[T], x: &[T], start: [T; L]) -> [T; L] {
        let mut out = start;
        if D > 0 {
            for l in 0..L {
                for j in 0..D {
                    out[l] = mul_add::<FMA, T>(w[j], x[l * D + j], out[l]);
                }
            }
        } else {
            for (out, x) in out.iter_mut().zip(x.chunks_exact(self.dim)) {
                *out += dot::<FMA, T>(w, x);
            }
        }
        out
    }

    /// `x += scale direction` for each row.
    #[inline(always)]
    fn add<const FMA: bool, const L: usize, T: Real>(&self, x: &mut [T], scale: [T; L], direction: &[T]) {
        if D > 0 {
            for l in 0..L {
                for j in 0..D {
                    x[l * D + j] = mul_add::<FMA, T>(scale[l], direction[j], x[l * D + j]);
                }
            }
        } else {
            for (scale, x) in scale.into_iter().zip(x.chunks_exact_mut(self.dim)) {
                add_scaled::<FMA, T>(x, scale, direction);
            }
        }
    }
}

/// `a.b`, in eight running sums.
#[inline(always)]
fn dot<const FMA: bool, T: Real>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = (a.remainder(), b.remainder());
    for (a, b) in a.zip(b) {
        for l in 0..8 {
            sums[l] = mul_add::<FMA, T>(a[l], b[l], sums[l]);
        }
    }
    for (l, (&a, &b)) in rest.0.iter().zip(rest.1).enumerate() {
        sums[l] = mul_add::<FMA, T>(a, b, sums[l]);
    }
    total(sums)
}
