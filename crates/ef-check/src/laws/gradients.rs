//! Gradients of parameters, data and context, through `log_det` too.

use ef_tensor::params::ParamLayout;
use ndarray::Array2;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::case::{Case, Mapped, Start, forward, pass};
use crate::gradient::check_gradient;
use crate::report::{Report, Violation};
use crate::strategy::normal;

pub(crate) fn agree(case: &Case<'_>) -> Result<Report, Violation> {
    let (rows, dim) = case.x.dim();
    let width = case.context.ncols();
    let mut rng = case.rng(1);
    let weights = Weights::draw(rows, dim, &mut rng);
    let (x, context) = (case.x.view(), case.context.view());
    let exact = pass(
        case.b,
        &case.params,
        x,
        context,
        |z| &weights.linear + &(&weights.square * z),
        Start::of(&weights.log_det),
    );
    let mut report = Report {
        cases: 1,
        ..Report::default()
    };
    let mut compare = |f: &mut dyn FnMut(&[f64]) -> f64,
                       at: &[f64],
                       gradient: &[f64],
                       describe: &dyn Fn(usize) -> String| {
        let chosen = choose(at.len(), case.config.max_coordinates, &mut rng);
        let tolerance = case.config.gradient_tolerance;
        check_gradient(f, at, gradient, &chosen, tolerance, describe).map(|part| {
            report.compared += part.compared;
            report.skipped += part.skipped;
        })
    };

    let layout = ParamLayout::of(|v| case.b.visit_params(v));
    // What a mask excludes is no parameter: projecting first makes its difference quotient zero, as its gradient must
    // be.
    let mut of_params = |p: &[f64]| {
        let mut p = p.to_vec();
        case.b.project(&mut p);
        weights.loss(&forward(case.b, &p, x, context))
    };
    compare(&mut of_params, &case.params, &exact.grads, &|i| {
        layout.describe(i)
    })?;

    let flat = |a: &Array2<f64>| -> Vec<f64> { a.iter().copied().collect() };
    let shaped = |v: &[f64], width: usize| Array2::from_shape_fn((rows, width), |(r, j)| v[r * width + j]);
    let mut of_x = |v: &[f64]| weights.loss(&case.forward(shaped(v, dim).view(), context));
    compare(&mut of_x, &flat(&case.x), &flat(&exact.g), &|i| {
        format!("x, row {}, column {}", i / dim, i % dim)
    })?;
    let mut of_context = |v: &[f64]| weights.loss(&case.forward(x, shaped(v, width).view()));
    compare(
        &mut of_context,
        &flat(&case.context),
        &flat(&exact.g_context),
        &|i| format!("context, row {}, column {}", i / width, i % width),
    )?;
    Ok(report)
}

/// At most `most` of `n` coordinates, at random.
pub(crate) fn choose(n: usize, most: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    all.shuffle(rng);
    all.truncate(most);
    all
}

/// A loss that sees every output: `sum a_ij z_ij + b_ij z_ij^2 / 2 + sum c_i log_det_i`.
struct Weights {
    linear: Array2<f64>,
    square: Array2<f64>,
    log_det: Vec<f64>,
}

impl Weights {
    fn draw(rows: usize, dim: usize, rng: &mut ChaCha8Rng) -> Self {
        Self {
            linear: normal(rows, dim, rng),
            square: normal(rows, dim, rng),
            log_det: (0..rows).map(|_| rng.random_range(-2.0..2.0)).collect(),
        }
    }

    fn loss(&self, (z, log_det): &Mapped<f64>) -> f64 {
        let outputs: f64 = (&self.linear * z + &self.square * z * z * 0.5).sum();
        outputs + self.log_det.iter().zip(log_det).map(|(c, l)| c * l).sum::<f64>()
    }
}
