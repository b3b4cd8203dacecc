//! Maps between the unit interval and the line, wrong at the edges.

use ef_bijectors::{Bijector, ParamVisitor, Tape, Workspace};
use ef_check::{CheckConfig, Domain, assert_bijector, total_mass};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rand::RngCore;

use crate::caught;

/// `z = ln(x / (1 - x))` from [0, 1] to the line, with one fault.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Logit {
    Right,
    NanAtTheEdge,
    FiniteLogDetOutside,
    NanOutside,
    LogDetInfiniteAtTheEdge,
    ImageTooWide,
    Panics,
}

fn softplus(v: f64) -> f64 {
    v.max(0.0) + (-v.abs()).exp().ln_1p()
}

impl Bijector<f64> for Logit {
    fn dim(&self) -> usize {
        2
    }

    fn num_params(&self) -> usize {
        0
    }

    fn visit_params(&self, _: &mut dyn ParamVisitor) {}

    fn init(&self, _: &mut dyn RngCore, _: &mut [f64]) {}

    fn forward(
        &self,
        _: &[f64],
        mut x: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<f64>>,
        _: &mut Workspace<f64>,
    ) {
        if let Some(tape) = tape {
            tape.push(x.to_owned());
        }
        for (mut row, l) in x.rows_mut().into_iter().zip(log_det) {
            for v in &mut row {
                assert!(*self != Self::Panics || !v.is_infinite(), "cannot map {v}");
                let inside = 0.0 < *v && *v < 1.0;
                let at_edge = *v == 0.0 || *v == 1.0;
                match self {
                    Self::NanAtTheEdge if at_edge => *v = f64::NAN,
                    Self::NanOutside if !inside && !at_edge => *v = v.ln(),
                    Self::FiniteLogDetOutside if !inside && !at_edge => *l += 1.0,
                    Self::LogDetInfiniteAtTheEdge if at_edge => *l += f64::INFINITY,
                    _ if !inside => *l = f64::NEG_INFINITY,
                    _ => *l -= v.ln() + (-*v).ln_1p(),
                }
                if !v.is_nan() {
                    let held = v.clamp(f64::MIN_POSITIVE, 1.0_f64.next_down());
                    *v = held.ln() - (-held).ln_1p();
                }
            }
        }
    }

    fn inverse(
        &self,
        _: &[f64],
        mut z: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        _: &mut Workspace<f64>,
    ) {
        for (mut row, l) in z.rows_mut().into_iter().zip(log_det) {
            for v in &mut row {
                *l -= softplus(*v) + softplus(-*v);
                let far = *self == Self::ImageTooWide && v.abs() >= 1e3;
                *v = (-softplus(-*v)).exp() * if far { 1.0 + 1e-12 } else { 1.0 };
            }
        }
    }

    fn backward(
        &self,
        _: &[f64],
        mut g: ArrayViewMut2<'_, f64>,
        g_log_det: &[f64],
        _: ArrayView2<'_, f64>,
        _: Option<ArrayViewMut2<'_, f64>>,
        _: &mut [f64],
        tape: &mut Tape<f64>,
        _: &mut Workspace<f64>,
    ) {
        let x = tape.pop();
        for ((r, j), g) in g.indexed_iter_mut() {
            let x = x[[r, j]];
            *g = (*g + g_log_det[r] * (2.0 * x - 1.0)) / (x * (1.0 - x));
        }
    }
}

fn config() -> CheckConfig {
    CheckConfig::default().domains(Domain::Interval(0.0, 1.0), Domain::Real)
}

#[test]
fn the_right_one_passes() {
    let report = assert_bijector(&Logit::Right, &config());
    assert!(report.masses >= 3, "{report}");
}

#[test]
fn each_wrong_one_is_caught_by_the_law_it_breaks() {
    for (wrong, law) in [
        (
            Logit::NanAtTheEdge,
            "values are finite at and beyond the edges, at forward of (0e0, 0e0)",
        ),
        (
            Logit::FiniteLogDetOutside,
            "log_det is -inf outside the domain, at forward of (",
        ),
        (
            Logit::NanOutside,
            "values are finite at and beyond the edges, at forward of (",
        ),
        (
            Logit::LogDetInfiniteAtTheEdge,
            "log_det is finite or -inf, at forward of (0e0, 0e0)",
        ),
        (
            Logit::ImageTooWide,
            "values inside the domain are mapped into the other domain, at inverse of (1e3, 1e3)",
        ),
        (Logit::Panics, "no method panics, at the panic 'cannot map inf'"),
    ] {
        caught(wrong, law, || assert_bijector(&wrong, &config()));
    }
}

/// A domain that is claimed too small: outside it the map goes on as if nothing were.
#[test]
fn a_false_claim_of_a_domain_is_caught() {
    let claimed = CheckConfig::default().domains(Domain::Interval(-1.0, 1.0), Domain::Real);
    let affine = ef_bijectors::ElementwiseAffine::new(1).unwrap();
    caught("affine", "log_det is -inf outside the domain", || {
        assert_bijector(&affine, &claimed)
    });
}

/// `z = x / sqrt(1 + x^2)`, which claims the whole line for its image and has only (-1, 1) of it. On data, every
/// round trip, determinant and gradient is right.
#[derive(Debug)]
struct Squash;

impl Bijector<f64> for Squash {
    fn dim(&self) -> usize {
        1
    }

    fn num_params(&self) -> usize {
        0
    }

    fn visit_params(&self, _: &mut dyn ParamVisitor) {}

    fn init(&self, _: &mut dyn RngCore, _: &mut [f64]) {}

    fn forward(
        &self,
        _: &[f64],
        mut x: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<f64>>,
        _: &mut Workspace<f64>,
    ) {
        if let Some(tape) = tape {
            tape.push(x.to_owned());
        }
        for (v, l) in x.iter_mut().zip(log_det) {
            *l -= 3.0 * 1.0_f64.hypot(*v).ln();
            *v /= 1.0_f64.hypot(*v);
        }
    }

    fn inverse(
        &self,
        _: &[f64],
        mut z: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        _: &mut Workspace<f64>,
    ) {
        for (v, l) in z.iter_mut().zip(log_det) {
            let held = v.clamp(-1.0 + 1e-12, 1.0 - 1e-12);
            *v = held / (1.0 - held * held).sqrt();
            *l += 3.0 * 1.0_f64.hypot(*v).ln();
        }
    }

    fn backward(
        &self,
        _: &[f64],
        mut g: ArrayViewMut2<'_, f64>,
        g_log_det: &[f64],
        _: ArrayView2<'_, f64>,
        _: Option<ArrayViewMut2<'_, f64>>,
        _: &mut [f64],
        tape: &mut Tape<f64>,
        _: &mut Workspace<f64>,
    ) {
        let x: Array2<f64> = tape.pop();
        for ((g, x), gl) in g.iter_mut().zip(&x).zip(g_log_det) {
            let r = 1.0_f64.hypot(*x);
            *g = *g / r.powi(3) - 3.0 * gl * x / (r * r);
        }
    }
}

#[test]
fn an_image_that_misses_a_part_of_the_base_is_caught_by_its_mass() {
    let config = CheckConfig::default();
    caught(Squash, "the density integrates to 1", || {
        assert_bijector(&Squash, &config)
    });
    // P(|z| < 1) of the standard normal
    let mass = total_mass(&Squash, &[], &[], &config, 1);
    assert!((mass.mean - 0.6827).abs() < 6.0 * mass.standard_error, "{mass:?}");
    let onto = config.domains(Domain::Real, Domain::Interval(-1.0, 1.0));
    let mass = total_mass(&Squash, &[], &[], &onto, 1);
    assert!((mass.mean - 1.0).abs() < 6.0 * mass.standard_error, "{mass:?}");
}
