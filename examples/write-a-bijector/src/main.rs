//! A bijector of one's own, and its proof. The walk through it: `docs/write-your-own-bijector.md`.

use ef_bijectors::ndarray::{ArrayView2, ArrayViewMut2};
use ef_bijectors::{Bijector, ParamVisitor, Real, RngCore, Tape, Workspace};
use ef_check::{CheckConfig, assert_bijector, assert_f32_agrees};

/// The sinh-arcsinh map (Jones & Pewsey 2009, Biometrika 96, 761-780), a skew `e_j` and a tail weight `d_j` a column:
/// `z = sinh(u)` with `u = d asinh(x) - e`, and `dz/dx = d cosh(u) / sqrt(1 + x^2)`. It makes a skew or heavy-tailed
/// column normal. `d = 4^tanh(t)` stays between 1/4 and 4, so that no number overflows.
#[derive(Debug)]
struct SinhArcsinh {
    dim: usize,
}

impl SinhArcsinh {
    /// `(e_j, d_j, dd_j/dt_j)`.
    fn column<T: Real>(&self, params: &[T], j: usize) -> (T, T, T) {
        let (ln_4, t) = (T::of(4_f64.ln()), params[self.dim + j].tanh());
        let d = (ln_4 * t).exp();
        (params[j], d, d * ln_4 * (T::one() - t * t))
    }
}

/// `ln(dz/dx)`, without the overflow of `cosh`.
fn log_slope(x: f64, u: f64, d: f64) -> f64 {
    let ln_cosh = u.abs() + (-2.0 * u.abs()).exp().ln_1p() - 2_f64.ln();
    d.ln() + ln_cosh - x.hypot(1.0).ln()
}

impl<T: Real> Bijector<T> for SinhArcsinh {
    fn dim(&self) -> usize {
        self.dim
    }

    fn num_params(&self) -> usize {
        2 * self.dim
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("skew", &[self.dim]);
        visitor.param("tail", &[self.dim]);
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero()); // e = 0, d = 1: the identity
    }

    fn forward(
        &self,
        params: &[T],
        mut x: ArrayViewMut2<'_, T>,
        _context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        if let Some(tape) = tape {
            let mut copy = ws.take(x.nrows(), x.ncols());
            copy.assign(&x);
            tape.push(copy);
        }
        for ((r, j), x) in x.indexed_iter_mut() {
            let (e, d, _) = self.column(params, j);
            let u = d * x.asinh() - e;
            log_det[r] += log_slope(x.wide(), u.wide(), d.wide());
            *x = u.sinh();
        }
    }

    fn inverse(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        _context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        _ws: &mut Workspace<T>,
    ) {
        for ((r, j), z) in z.indexed_iter_mut() {
            let (e, d, _) = self.column(params, j);
            let u = z.asinh();
            *z = ((u + e) / d).sinh();
            log_det[r] -= log_slope(z.wide(), u.wide(), d.wide());
        }
    }

    fn backward(
        &self,
        params: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        _context: ArrayView2<'_, T>,
        _g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let x = tape.pop();
        for ((r, j), g) in g.indexed_iter_mut() {
            let (x, gl) = (x[[r, j]], g_log_det[r]);
            let (e, d, d_of_t) = self.column(params, j);
            let (a, root) = (x.asinh(), x.hypot(T::one()));
            let u = d * a - e;
            let gu = *g * u.cosh() + gl * u.tanh();
            grads[j] -= gu;
            grads[self.dim + j] += (gu * a + gl / d) * d_of_t;
            *g = gu * d / root - gl * (x / root) / root;
        }
        ws.give(x);
    }
}

fn main() {
    let layer = SinhArcsinh { dim: 2 };
    let config = CheckConfig::default().autoregressive();
    println!("{}", assert_bijector(&layer, &config));
    assert_f32_agrees(&layer, &layer, &config);
    println!("f32 agrees with f64");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinh_arcsinh_is_a_bijector() {
        for dim in [1, 2, 5] {
            let layer = SinhArcsinh { dim };
            assert_bijector(&layer, &CheckConfig::default().autoregressive());
            assert_f32_agrees(&layer, &layer, &CheckConfig::default());
        }
    }
}
