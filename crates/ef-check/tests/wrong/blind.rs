//! A masked map with a hole in it.

use ef_bijectors::{Bijector, ParamVisitor, RngCore, Tape, Workspace};
use ef_check::{CheckConfig, assert_bijector};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::caught;

/// `z_i = x_i + a (sum of x_j over j < i)`, but that `z_3` leaves out `x_2` if there is a hole.
#[derive(Debug)]
struct Sums {
    hole: bool,
}

const DIM: usize = 5;

impl Sums {
    /// The matrix of `dz_i/dx_j` beside the diagonal, over `a`.
    fn sees(&self, i: usize, j: usize) -> f64 {
        f64::from(j < i && !(self.hole && (i, j) == (3, 2)))
    }
}

impl Bijector<f64> for Sums {
    fn dim(&self) -> usize {
        DIM
    }

    fn num_params(&self) -> usize {
        1
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("a", &[1]);
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [f64]) {
        params[0] = 0.0;
    }

    fn forward(
        &self,
        params: &[f64],
        mut x: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        _: &mut [f64],
        tape: Option<&mut Tape<f64>>,
        ws: &mut Workspace<f64>,
    ) {
        if let Some(tape) = tape {
            let mut copy = ws.take(x.nrows(), DIM);
            copy.assign(&x);
            tape.push(copy);
        }
        for mut x in x.rows_mut() {
            for i in (0..DIM).rev() {
                let sum: f64 = (0..i).map(|j| self.sees(i, j) * x[j]).sum();
                x[i] += params[0] * sum;
            }
        }
    }

    fn inverse(
        &self,
        params: &[f64],
        mut z: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        _: &mut [f64],
        _: &mut Workspace<f64>,
    ) {
        for mut z in z.rows_mut() {
            for i in 0..DIM {
                let sum: f64 = (0..i).map(|j| self.sees(i, j) * z[j]).sum();
                z[i] -= params[0] * sum;
            }
        }
    }

    fn backward(
        &self,
        params: &[f64],
        mut g: ArrayViewMut2<'_, f64>,
        _: &[f64],
        _: ArrayView2<'_, f64>,
        _: Option<ArrayViewMut2<'_, f64>>,
        grads: &mut [f64],
        tape: &mut Tape<f64>,
        ws: &mut Workspace<f64>,
    ) {
        let x = tape.pop();
        let seen = Array2::from_shape_fn((DIM, DIM), |(i, j)| self.sees(i, j));
        grads[0] += (&g * &x.dot(&seen.t())).sum();
        let through = g.dot(&seen) * params[0];
        g += &through;
        ws.give(x);
    }
}

/// A column that an output should see and does not is named.
#[test]
fn a_hole_in_a_mask_is_caught() {
    let config = CheckConfig::default().autoregressive();
    assert_bijector(&Sums { hole: false }, &config.clone().seeing_all());
    assert_bijector(&Sums { hole: true }, &config);
    caught("hole", "z_3 and x_2 (one of 1 such pairs)", || {
        assert_bijector(&Sums { hole: true }, &config.seeing_all())
    });
}
