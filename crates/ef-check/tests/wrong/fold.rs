//! A planar map that folds: without the constraint `w.u > -1` it is not one-to-one.

use ef_bijectors::{Bijector, ParamVisitor, Tape, Workspace};
use ef_check::{CheckConfig, assert_bijector, total_mass};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand::RngCore;

use crate::caught;

/// `z = x + u tanh(w.x)` in two columns (Rezende & Mohamed 2015, 1505.05770, eq. 10), started at
/// `w = (1, 0), u = (w_u, 0)`.
#[derive(Debug, Clone, Copy)]
struct Planar {
    w_u: f64,
}

fn dot(a: &[f64], b: [f64; 2]) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// The root of the rising function that `f` is if the map is one-to-one, by bisection.
fn root(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-1e31, 1e31);
    while low < 0.5 * (low + high) && 0.5 * (low + high) < high {
        let middle = 0.5 * (low + high);
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

impl Bijector<f64> for Planar {
    fn dim(&self) -> usize {
        2
    }

    fn num_params(&self) -> usize {
        4
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("w", &[2]);
        visitor.param("u", &[2]);
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [f64]) {
        params.copy_from_slice(&[1.0, 0.0, self.w_u, 0.0]);
    }

    fn forward(
        &self,
        params: &[f64],
        mut x: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<f64>>,
        _: &mut Workspace<f64>,
    ) {
        if let Some(tape) = tape {
            tape.push(x.to_owned());
        }
        let (w, u) = params.split_at(2);
        for (mut row, l) in x.rows_mut().into_iter().zip(log_det) {
            let t = dot(w, [row[0], row[1]]).tanh();
            *l += (1.0 + dot(w, [u[0], u[1]]) * (1.0 - t * t)).abs().ln();
            (0..2).for_each(|j| row[j] += u[j] * t);
        }
    }

    fn inverse(
        &self,
        params: &[f64],
        mut z: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        _: &mut Workspace<f64>,
    ) {
        let (w, u) = params.split_at(2);
        let wu = dot(w, [u[0], u[1]]);
        for (mut row, l) in z.rows_mut().into_iter().zip(log_det) {
            let wz = dot(w, [row[0], row[1]]);
            let t = root(|a| a + wu * a.tanh() - wz).tanh();
            *l -= (1.0 + wu * (1.0 - t * t)).abs().ln();
            (0..2).for_each(|j| row[j] -= u[j] * t);
        }
    }

    fn backward(
        &self,
        params: &[f64],
        mut g: ArrayViewMut2<'_, f64>,
        g_log_det: &[f64],
        _: ArrayView2<'_, f64>,
        _: Option<ArrayViewMut2<'_, f64>>,
        grads: &mut [f64],
        tape: &mut Tape<f64>,
        _: &mut Workspace<f64>,
    ) {
        let x = tape.pop();
        let (w, u) = params.split_at(2);
        let wu = dot(w, [u[0], u[1]]);
        for ((mut g, x), gl) in g.rows_mut().into_iter().zip(x.rows()).zip(g_log_det) {
            let t = dot(w, [x[0], x[1]]).tanh();
            let slope = 1.0 - t * t;
            let of_det = gl / (1.0 + wu * slope);
            // Through a = w.x: z = x + u tanh(a), det = 1 + w.u (1 - tanh^2 a).
            let ga = dot(u, [g[0], g[1]]) * slope - of_det * wu * 2.0 * t * slope;
            for j in 0..2 {
                grads[j] += ga * x[j] + of_det * slope * u[j];
                grads[2 + j] += g[j] * t + of_det * slope * w[j];
                g[j] += ga * w[j];
            }
        }
    }
}

/// Parameters stay near the start, so that the constraint holds or fails for all of them.
fn config() -> CheckConfig {
    CheckConfig {
        param_scale: 0.05,
        ..CheckConfig::default()
    }
}

#[test]
fn under_the_constraint_it_is_proved() {
    let near = CheckConfig {
        // With extreme parameters the constraint fails.
        extreme_scale: 0.0,
        ..config()
    };
    let report = assert_bijector(&Planar { w_u: -0.6 }, &near);
    assert!(report.masses >= 3, "{report}");
}

#[test]
fn a_fold_is_caught() {
    let folded = Planar { w_u: -3.0 };
    caught(folded, "inverse(forward(x)) = x", || {
        assert_bijector(&folded, &config())
    });
}

/// A fold counts what lies under it several times: the "density" has too much mass, and a likelihood that looks
/// better than it is.
#[test]
fn a_fold_has_too_much_mass() {
    for (w_u, folds) in [(-0.6, false), (-3.0, true)] {
        let mass = total_mass(&Planar { w_u }, &[1.0, 0.0, w_u, 0.0], &[], &config(), 1);
        assert_eq!(
            mass.mean > 1.0 + 6.0 * mass.standard_error + 0.1,
            folds,
            "{mass:?}"
        );
    }
}
