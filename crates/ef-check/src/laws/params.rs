//! Parameters: their layout, how they start, what `project` and a file leave of them.

use ef_bijectors::Bijector;
use ef_tensor::params::ParamLayout;
use ndarray::Array2;

use crate::case::Case;
use crate::report::Violation;
use crate::saved;
use crate::strategy::stream;

fn layout_of(b: &dyn Bijector<f64>) -> ParamLayout {
    ParamLayout::of(|v| b.visit_params(v))
}

pub(crate) fn layout(b: &dyn Bijector<f64>) -> Result<(), Violation> {
    names_and_count(&layout_of(b), b.num_params())
}

/// `num_params` values in all, each name once.
pub(crate) fn names_and_count(layout: &ParamLayout, num_params: usize) -> Result<(), Violation> {
    let law = "visit_params describes num_params values, each name once";
    Violation::unless_close(law, layout.len() as f64, num_params as f64, 0.0, || {
        "the layout".into()
    })?;
    let mut names: Vec<_> = layout.entries().iter().map(|e| &e.name).collect();
    names.sort();
    names.dedup();
    let (found, expected) = (names.len() as f64, layout.entries().len() as f64);
    Violation::unless_close(law, found, expected, 0.0, || "the names".into())
}

pub(crate) fn starts(case: &Case<'_>) -> Result<(), Violation> {
    let b = case.b;
    started_and_projected(
        &layout_of(b),
        &case.params,
        |params, seed| b.init(&mut stream(seed, 0), params),
        |params| b.project(params),
        case.draw.seed,
    )
}

/// `init` writes every value, finite and reproducible; `project` changes neither those nor projected ones.
pub(crate) fn started_and_projected(
    layout: &ParamLayout,
    projected: &[f64],
    init: impl Fn(&mut [f64], u64),
    project: impl Fn(&mut [f64]),
    seed: u64,
) -> Result<(), Violation> {
    let start = |held: f64| {
        let mut params = vec![held; projected.len()];
        init(&mut params, seed);
        params
    };
    let (first, second) = (start(f64::NAN), start(7.0));
    let law = "init writes every parameter, finite";
    for (i, v) in first.iter().enumerate() {
        Violation::unless_finite(law, *v, || layout.describe(i))?;
    }
    let law = "init is reproducible";
    Violation::unless_same(law, &second, &first, |i| layout.describe(i))?;
    let projection = |params: &[f64]| {
        let mut params = params.to_vec();
        project(&mut params);
        params
    };
    let law = "project changes nothing that init wrote";
    Violation::unless_same(law, &projection(&first), &first, |i| layout.describe(i))?;
    let law = "project changes nothing that is projected";
    Violation::unless_same(law, &projection(projected), projected, |i| layout.describe(i))
}

/// Parameters that went through a file, by name and shape, give the same bits in both directions.
pub(crate) fn saved(case: &Case<'_>, z: &Array2<f64>) -> Result<(), Violation> {
    let mut params = through_a_file(|| layout_of(case.b), &case.params)?;
    case.b.project(&mut params);
    let again = Case {
        params,
        x: case.x.clone(),
        context: case.context.clone(),
        ..*case
    };
    let law = "saved and loaded parameters give the same bits";
    let context = case.context.view();
    for (direction, before, after) in [
        (
            "forward",
            case.forward(case.x.view(), context),
            again.forward(case.x.view(), context),
        ),
        (
            "inverse",
            case.inverse(z.view(), context),
            again.inverse(z.view(), context),
        ),
    ] {
        let place = |what: &str, i: usize| format!("{direction}, {what} {i}");
        Violation::unless_same(law, &after.0, &before.0, |i| place("value", i))?;
        Violation::unless_same(law, &after.1, &before.1, |i| place("log_det of row", i))?;
    }
    Ok(())
}

/// Saves by one reading of the layout, loads by another.
pub(crate) fn through_a_file(
    layout: impl Fn() -> ParamLayout,
    params: &[f64],
) -> Result<Vec<f64>, Violation> {
    let bytes = saved::save(&layout(), params);
    let law = "parameters are loaded by the names and shapes they were saved under";
    saved::load(&layout(), &bytes).map_err(|unknown| Violation {
        law,
        place: format!("{unknown}, which is not there any more"),
        found: 0.0,
        expected: 1.0,
        allowed: 0.0,
    })
}
