//! Bijectors that are wrong on purpose, each caught by the law it breaks.

use std::panic::catch_unwind;

use ef_bijectors::{Bijector, ParamVisitor, Tape, Workspace};
use ef_check::{CheckConfig, assert_bijector};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand::RngCore;

/// `z = x exp(a) + b`, with one fault.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Right,
    WrongLogDetSign,
    MissingFactorInBackward,
    ForgetsLogDetInBackward,
    InverseIsOff,
    InverseLogDetMissing,
    RowsTalk,
    LeavesTheTapeFull,
    NamesOneParameterTwice,
    CountsParametersWrong,
    NotFinite,
}

impl Bijector<f64> for Scale {
    fn dim(&self) -> usize {
        2
    }

    fn num_params(&self) -> usize {
        2
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("a", &[1]);
        match self {
            Self::NamesOneParameterTwice => visitor.param("a", &[1]),
            Self::CountsParametersWrong => visitor.param("b", &[3]),
            _ => visitor.param("b", &[1]),
        }
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [f64]) {
        params.fill(0.0);
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
            if *self == Self::LeavesTheTapeFull {
                tape.push(x.to_owned());
            }
        }
        let first = x[[0, 0]];
        x.mapv_inplace(|v| v * params[0].exp() + params[1]);
        if *self == Self::RowsTalk {
            x.mapv_inplace(|v| v + 1e-3 * first);
        }
        if *self == Self::NotFinite {
            x[[0, 1]] = f64::NAN;
        }
        let sign = if *self == Self::WrongLogDetSign { -1.0 } else { 1.0 };
        log_det.iter_mut().for_each(|l| *l += sign * 2.0 * params[0]);
    }

    fn inverse(
        &self,
        params: &[f64],
        mut z: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        _: &mut Workspace<f64>,
    ) {
        let off = if *self == Self::InverseIsOff { 1e-6 } else { 0.0 };
        z.mapv_inplace(|v| (v - params[1]) * (-params[0]).exp() + off);
        if *self != Self::InverseLogDetMissing {
            let sign = if *self == Self::WrongLogDetSign { 1.0 } else { -1.0 };
            log_det.iter_mut().for_each(|l| *l += sign * 2.0 * params[0]);
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
        let scale = if *self == Self::MissingFactorInBackward {
            1.0
        } else {
            params[0].exp()
        };
        grads[0] += (&g * &x).sum() * scale;
        if *self != Self::ForgetsLogDetInBackward {
            let sign = if *self == Self::WrongLogDetSign { -1.0 } else { 1.0 };
            grads[0] += sign * 2.0 * g_log_det.iter().sum::<f64>();
        }
        grads[1] += g.sum();
        g.mapv_inplace(|v| v * params[0].exp());
    }
}

#[test]
fn the_right_one_passes() {
    let report = assert_bijector(&Scale::Right, &CheckConfig::default());
    assert!(report.compared > 100 && report.skipped == 0, "{report}");
}

#[test]
fn each_wrong_one_is_caught_by_the_law_it_breaks() {
    for (wrong, law) in [
        (
            Scale::WrongLogDetSign,
            "log_det is that of the numerical Jacobian",
        ),
        (
            Scale::MissingFactorInBackward,
            "gradient agrees with central differences, at a[0]",
        ),
        (
            Scale::ForgetsLogDetInBackward,
            "gradient agrees with central differences, at a[0]",
        ),
        (Scale::InverseIsOff, "inverse(forward(x)) = x"),
        (
            Scale::InverseLogDetMissing,
            "the log-determinants of forward and inverse cancel",
        ),
        (Scale::RowsTalk, "Jacobian"),
        (Scale::LeavesTheTapeFull, "leaves the tape empty"),
        (Scale::NamesOneParameterTwice, "each name once"),
        (
            Scale::CountsParametersWrong,
            "visit_params describes num_params values",
        ),
        (Scale::NotFinite, "forward is finite"),
    ] {
        let caught = catch_unwind(|| assert_bijector(&wrong, &CheckConfig::default()));
        let message = *caught
            .expect_err("a broken law goes unseen")
            .downcast::<String>()
            .unwrap();
        assert!(message.contains(law), "{wrong:?} gave: {message}");
        assert!(message.contains("seed = "), "{message}");
    }
}

/// A claim about the Jacobian's zeros is checked.
#[test]
fn a_false_claim_of_zeros_is_caught() {
    let reverse = ef_bijectors::Permute::reverse(2).unwrap();
    let config = CheckConfig::default().autoregressive();
    let caught = catch_unwind(|| assert_bijector(&reverse, &config));
    let message = *caught
        .expect_err("the claim is false")
        .downcast::<String>()
        .unwrap();
    assert!(message.contains("zero where it is claimed"), "{message}");
}
