//! Passes add to their accumulators, give the same result again, and do not read old scratch memory.

use ef_tensor::Workspace;
use ndarray::Array2;

use crate::case::{Case, Passed, Start, pass};
use crate::report::Violation;

/// Something not zero that every accumulator holds before.
const HELD: f64 = 3.0;

pub(crate) fn add_and_repeat(case: &Case<'_>, z: &Array2<f64>, log_det: &[f64]) -> Result<(), Violation> {
    let ones = vec![1.0; case.x.nrows()];
    let run = |start: Start<'_>| {
        pass(
            case.b,
            &case.params,
            case.x.view(),
            case.context.view(),
            Array2::clone,
            start,
        )
    };
    let plain = run(Start::of(&ones));
    recording_changes_nothing(&plain, z, log_det)?;
    adding(
        case,
        &plain,
        &run(Start {
            held: HELD,
            ..Start::of(&ones)
        }),
    )?;

    let law = "backward gives the same bits without a context gradient";
    same(
        law,
        &run(Start {
            with_context: false,
            ..Start::of(&ones)
        }),
        &plain,
    )?;
    let law = "what a workspace's memory holds before does not matter";
    same(
        law,
        &run(Start {
            ws: leftovers(),
            ..Start::of(&ones)
        }),
        &plain,
    )
}

fn recording_changes_nothing(plain: &Passed, z: &Array2<f64>, log_det: &[f64]) -> Result<(), Violation> {
    let law = "a recorded forward gives the bits of an unrecorded one";
    Violation::unless_same(law, &plain.z, z, |i| format!("value {i}"))?;
    Violation::unless_same(law, &plain.log_det, log_det, |r| format!("log_det, row {r}"))?;
    let law = "backward leaves the tape empty";
    Violation::unless_close(law, plain.tape_left as f64, 0.0, 0.0, || "the tape".into())
}

/// Every accumulator that starts at `HELD` ends at `HELD` plus the result of the pass.
fn adding(case: &Case<'_>, plain: &Passed, onto: &Passed) -> Result<(), Violation> {
    let close = |law, found: f64, due: f64, place: &dyn Fn() -> String| {
        let allowed = 1e-11 * (1.0 + due.abs());
        Violation::unless_close(law, found, HELD + due, allowed, place)
    };
    for (r, (&found, &due)) in onto.log_det.iter().zip(&plain.log_det).enumerate() {
        close("forward adds to log_det", found, due, &|| format!("row {r}"))?;
    }
    let context = case.context.view();
    let mut log_det = vec![HELD; case.x.nrows()];
    case.b.inverse(
        &case.params,
        plain.z.clone().view_mut(),
        context,
        &mut log_det,
        &mut Workspace::default(),
    );
    let due = case.inverse(plain.z.view(), context).1;
    for (r, (&found, &due)) in log_det.iter().zip(&due).enumerate() {
        close("inverse adds to log_det", found, due, &|| format!("row {r}"))?;
    }
    let layout = ef_tensor::params::ParamLayout::of(|v| case.b.visit_params(v));
    // Sums start elsewhere, so the largest gradient sets the rounding.
    let largest = plain.grads.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    // The gradient of what a mask excludes is 0, and may be set to that.
    let mut held = vec![HELD; plain.grads.len()];
    case.b.project(&mut held);
    for (i, (&found, &due)) in onto.grads.iter().zip(&plain.grads).enumerate() {
        let law = "backward adds to grads";
        if held[i] != 0.0 {
            Violation::unless_close(law, found, HELD + due, 1e-11 * largest, || layout.describe(i))?;
        }
    }
    let largest = plain.g_context.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    for (i, (&found, &due)) in onto.g_context.iter().zip(&plain.g_context).enumerate() {
        let law = "backward adds to g_context";
        Violation::unless_close(law, found, HELD + due, 1e-11 * largest, || format!("value {i}"))?;
    }
    Ok(())
}

fn same(law: &'static str, found: &Passed, expected: &Passed) -> Result<(), Violation> {
    Violation::unless_same(law, &found.z, &expected.z, |i| format!("z, value {i}"))?;
    Violation::unless_same(law, &found.log_det, &expected.log_det, |r| {
        format!("log_det, row {r}")
    })?;
    Violation::unless_same(law, &found.g, &expected.g, |i| format!("dL/dx, value {i}"))?;
    Violation::unless_same(law, &found.grads, &expected.grads, |i| format!("grads[{i}]"))
}

/// A workspace whose arrays hold NaN.
fn leftovers() -> Workspace<f64> {
    let mut ws = Workspace::default();
    for size in (0..14).map(|k| 1 << k) {
        let arrays = [(); 6].map(|()| ws.take(1, size));
        for mut array in arrays {
            array.fill(f64::NAN);
            ws.give(array);
        }
    }
    ws
}
