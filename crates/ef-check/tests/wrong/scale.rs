//! `z = x exp(a) + b`, with one fault each.

use std::sync::atomic::{AtomicUsize, Ordering};

use ef_bijectors::{Bijector, ParamVisitor, Tape, Workspace};
use ef_check::{CheckConfig, assert_bijector};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand::RngCore;

use crate::caught;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Right,
    WrongLogDetSign,
    OverwritesLogDet,
    MissingFactorInBackward,
    ForgetsLogDetInBackward,
    OverwritesGrads,
    GradientOfOneRowOnly,
    InverseIsOff,
    InverseLogDetMissing,
    RowsTalk,
    RecordedPassDiffers,
    LeavesTheTapeFull,
    ReadsOldScratch,
    NamesOneParameterTwice,
    CountsParametersWrong,
    RenamesParameters,
    LeavesAParameterUnset,
    InitIsRandom,
    ProjectDestroysWeights,
    ProjectUndoesInit,
    NotFinite,
    PanicsOnNoRows,
}

use Scale as S;

/// Something different every time.
fn next_number() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
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
            S::NamesOneParameterTwice => visitor.param("a", &[1]),
            S::CountsParametersWrong => visitor.param("b", &[3]),
            S::RenamesParameters => visitor.param(&format!("b{}", next_number()), &[1]),
            _ => visitor.param("b", &[1]),
        }
    }

    fn init(&self, _: &mut dyn RngCore, params: &mut [f64]) {
        params[0] = 0.0;
        match self {
            S::LeavesAParameterUnset => {}
            S::InitIsRandom => params[1] = next_number() as f64,
            _ => params[1] = 0.5,
        }
    }

    fn project(&self, params: &mut [f64]) {
        match self {
            S::ProjectDestroysWeights if params[0] > 0.1 => params[0] -= 0.05,
            S::ProjectUndoesInit => params[1] = 0.0,
            _ => {}
        }
    }

    fn forward(
        &self,
        params: &[f64],
        mut x: ArrayViewMut2<'_, f64>,
        _: ArrayView2<'_, f64>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<f64>>,
        ws: &mut Workspace<f64>,
    ) {
        assert!(*self != S::PanicsOnNoRows || x.nrows() > 0, "no rows");
        let scratch = ws.take(1, 1);
        let old = if *self == S::ReadsOldScratch {
            scratch[[0, 0]]
        } else {
            0.0
        };
        ws.give(scratch);
        let recorded = if tape.is_some() && *self == S::RecordedPassDiffers {
            1e-15
        } else {
            0.0
        };
        if let Some(tape) = tape {
            tape.push(x.to_owned());
            if *self == S::LeavesTheTapeFull {
                tape.push(x.to_owned());
            }
        }
        let talk = if *self == S::RowsTalk && x.nrows() > 0 {
            1e-3 * x[[0, 0]]
        } else {
            0.0
        };
        for (r, mut row) in x.rows_mut().into_iter().enumerate() {
            let heard = if r > 0 { talk } else { 0.0 };
            row.mapv_inplace(|v| v * (params[0].exp() + recorded) + params[1] + heard + old);
        }
        if *self == S::NotFinite {
            x[[0, 1]] = f64::NAN;
        }
        let sign = if *self == S::WrongLogDetSign { -1.0 } else { 1.0 };
        for l in log_det {
            *l = sign * 2.0 * params[0] + if *self == S::OverwritesLogDet { 0.0 } else { *l };
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
        let off = if *self == S::InverseIsOff { 1e-6 } else { 0.0 };
        let mut heard = 0.0;
        for mut row in z.rows_mut() {
            row.mapv_inplace(|v| (v - heard - params[1]) * (-params[0]).exp() + off);
            if *self == S::RowsTalk && heard == 0.0 {
                heard = 1e-3 * row[0];
            }
        }
        if *self != S::InverseLogDetMissing {
            let sign = if *self == S::WrongLogDetSign { 1.0 } else { -1.0 };
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
        let scale = if *self == S::MissingFactorInBackward {
            1.0
        } else {
            params[0].exp()
        };
        if *self == S::OverwritesGrads {
            grads.fill(0.0);
        }
        grads[0] += (&g * &x).sum() * scale;
        if *self != S::ForgetsLogDetInBackward {
            let sign = if *self == S::WrongLogDetSign { -1.0 } else { 1.0 };
            grads[0] += sign * 2.0 * g_log_det.iter().sum::<f64>();
        }
        let rows = if *self == S::GradientOfOneRowOnly {
            g.nrows().min(1)
        } else {
            g.nrows()
        };
        grads[1] += g.slice(ndarray::s![..rows, ..]).sum();
        g.mapv_inplace(|v| v * params[0].exp());
    }
}

#[test]
fn the_right_one_passes() {
    let report = assert_bijector(&S::Right, &CheckConfig::default());
    assert!(report.compared > 100 && report.skipped == 0, "{report}");
    assert!(report.masses >= 3, "{report}");
}

#[test]
fn each_wrong_one_is_caught_by_the_law_it_breaks() {
    for (wrong, law) in [
        (S::WrongLogDetSign, "log_det is that of the numerical Jacobian"),
        (S::OverwritesLogDet, "forward adds to log_det"),
        (
            S::MissingFactorInBackward,
            "gradient agrees with central differences, at a[0]",
        ),
        (
            S::ForgetsLogDetInBackward,
            "gradient agrees with central differences, at a[0]",
        ),
        (S::OverwritesGrads, "backward adds to grads, at a[0]"),
        (
            S::GradientOfOneRowOnly,
            "the gradient of a batch is the sum of its rows' gradients, at b[0]",
        ),
        (S::InverseIsOff, "inverse(forward(x)) = x"),
        (
            S::InverseLogDetMissing,
            "the log-determinants of forward and inverse cancel",
        ),
        (S::RowsTalk, "a row's result does not depend on the other rows"),
        (
            S::RecordedPassDiffers,
            "a recorded forward gives the bits of an unrecorded one",
        ),
        (S::LeavesTheTapeFull, "leaves the tape empty"),
        (S::ReadsOldScratch, "a workspace's memory"),
        (S::NamesOneParameterTwice, "each name once"),
        (
            S::CountsParametersWrong,
            "visit_params describes num_params values",
        ),
        (
            S::RenamesParameters,
            "loaded by the names and shapes they were saved under, at b",
        ),
        (
            S::LeavesAParameterUnset,
            "init writes every parameter, finite, at b[0]",
        ),
        (S::InitIsRandom, "init is reproducible, at b[0]"),
        (
            S::ProjectDestroysWeights,
            "project changes nothing that is projected, at a[0]",
        ),
        (
            S::ProjectUndoesInit,
            "project changes nothing that init wrote, at b[0]",
        ),
        (S::NotFinite, "forward is finite"),
        (S::PanicsOnNoRows, "no method panics, at the panic 'no rows'"),
    ] {
        caught(wrong, law, || assert_bijector(&wrong, &CheckConfig::default()));
    }
}

/// A failure prints the case in a form that runs it again, shrunken: noise and rows gone where they play no part.
#[test]
fn a_failure_shrinks_and_runs_again() {
    let config = CheckConfig::default();
    let panic = std::panic::catch_unwind(|| assert_bijector(&S::ForgetsLogDetInBackward, &config));
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("rows: 1, scale: 0.0"), "{message}");
    let seed = message.split("seed: ").nth(1).unwrap().split(',').next().unwrap();
    let draw = ef_check::Draw {
        seed: seed.parse().unwrap(),
        rows: 1,
        scale: 0.0,
        extreme: ef_check::Extreme::Zero,
    };
    let again = ef_check::check_bijector(&S::ForgetsLogDetInBackward, &config, draw).unwrap_err();
    assert!(
        message.contains(&again.to_string()),
        "{again} is not in {message}"
    );
}
