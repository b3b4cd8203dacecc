//! The laws of a bijector.

use std::cell::Cell;

use ef_bijectors::Bijector;
use ef_tensor::params::ParamLayout;
use ef_tensor::{Tape, Workspace};
use ndarray::{Array2, ArrayView2, s};
use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::CheckConfig;
use crate::gradient::check_gradient;
use crate::jacobian::{jacobian, log_abs_det, norm};
use crate::report::{Report, Violation};

/// Numerical Jacobians are taken up to this dimension.
const MOST_JACOBIAN_COLUMNS: usize = 8;

/// Proves a bijector by its laws, over drawn parameters, data and contexts; panics with the law broken, the place,
/// both numbers and the shrunken case.
///
/// The laws: `forward` then `inverse`, and `inverse` then `forward`, return what went in; the two log-determinants
/// cancel; the log-determinant is that of the numerical Jacobian; gradients of parameters, data and context agree
/// with central differences, through `log_det` too; the Jacobian is zero where the configuration says so; rows are
/// mapped independently, in any order and alone; recording changes no bit; the tape is left empty; `num_params` and
/// `visit_params` agree. Tolerances grow with the map's condition, from the numerical Jacobian.
///
/// # Panics
/// If a law is broken, or more than 5 % of gradient coordinates had to be skipped at kinks.
pub fn assert_bijector(b: &dyn Bijector<f64>, config: &CheckConfig) -> Report {
    match run(b, config) {
        Ok(report) => report,
        Err(message) => panic!("{message}\nof the bijector {:.300}", format!("{b:?}")),
    }
}

/// One case of [`assert_bijector`]: the laws at the parameters, data and context drawn from `seed`.
///
/// # Errors
/// The first law broken.
pub fn check_bijector(
    b: &dyn Bijector<f64>,
    config: &CheckConfig,
    seed: u64,
    rows: usize,
    scale: f64,
) -> Result<Report, Violation> {
    Case::draw(b, config, seed, rows, scale).check(config)
}

fn run(b: &dyn Bijector<f64>, config: &CheckConfig) -> Result<Report, String> {
    let total = Cell::new(Report::default());
    let strategy = (proptest::num::u64::ANY, 1..=config.max_rows, 0.0..1.0_f64);
    let settings = Config {
        cases: config.cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(settings);
    let outcome = runner.run(&strategy, |(seed, rows, scale)| {
        let report =
            check_bijector(b, config, seed, rows, scale).map_err(|v| TestCaseError::fail(v.to_string()))?;
        let mut sum = total.get();
        sum.cases += 1;
        sum.compared += report.compared;
        sum.skipped += report.skipped;
        total.set(sum);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, (seed, rows, scale))) => {
            return Err(format!(
                "law broken: {why}\nin the case seed = {seed}, rows = {rows}, scale = {scale}"
            ));
        }
        Err(TestError::Abort(why)) => return Err(format!("could not draw cases: {why}")),
    }
    let report = total.get();
    if report.skipped * 20 > report.compared + report.skipped {
        return Err(format!(
            "more than 5 % of gradient coordinates lie at kinks and prove nothing: {report}"
        ));
    }
    Ok(report)
}

/// A bijector at drawn parameters, data and context.
struct Case<'a> {
    b: &'a dyn Bijector<f64>,
    params: Vec<f64>,
    x: Array2<f64>,
    context: Array2<f64>,
    rng: ChaCha8Rng,
}

impl<'a> Case<'a> {
    fn draw(b: &'a dyn Bijector<f64>, config: &CheckConfig, seed: u64, rows: usize, scale: f64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut params = vec![0.0; b.num_params()];
        if config.around_init {
            b.init(&mut rng, &mut params);
        }
        let (param_scale, data_scale) = (scale * config.param_scale, 0.1 + scale * config.data_scale);
        for p in &mut params {
            let noise: f64 = rng.sample(StandardNormal);
            *p += param_scale * noise;
        }
        b.project(&mut params);
        let x = Array2::random_using((rows, b.dim()), StandardNormal, &mut rng) * data_scale;
        let context = Array2::random_using((rows, b.context_dim()), StandardNormal, &mut rng);
        Self {
            b,
            params,
            x,
            context,
            rng,
        }
    }

    fn check(mut self, config: &CheckConfig) -> Result<Report, Violation> {
        self.layout()?;
        let (z, log_det) = self.forward(self.x.view(), self.context.view());
        let finite = "forward is finite on ordinary data";
        for (r, l) in log_det.iter().enumerate() {
            let ok = f64::from(u8::from(l.is_finite() && z.row(r).iter().all(|v| v.is_finite())));
            Violation::unless_close(finite, ok, 1.0, 0.0, || format!("row {r}"))?;
        }
        self.round_trips(config, &z, &log_det)?;
        self.rows_are_independent(&z, &log_det)?;
        self.gradients_agree(config, &z, &log_det)
    }

    fn layout(&self) -> Result<(), Violation> {
        let layout = ParamLayout::of(|v| self.b.visit_params(v));
        let law = "visit_params describes num_params values, each name once";
        Violation::unless_close(law, layout.len() as f64, self.b.num_params() as f64, 0.0, || {
            "the layout".into()
        })?;
        let mut names: Vec<_> = layout.entries().iter().map(|e| &e.name).collect();
        names.sort();
        names.dedup();
        let (found, expected) = (names.len() as f64, layout.entries().len() as f64);
        Violation::unless_close(law, found, expected, 0.0, || "the names".into())
    }

    fn forward(&self, x: ArrayView2<'_, f64>, context: ArrayView2<'_, f64>) -> (Array2<f64>, Vec<f64>) {
        forward(self.b, &self.params, x, context)
    }

    fn inverse(&self, z: ArrayView2<'_, f64>, context: ArrayView2<'_, f64>) -> (Array2<f64>, Vec<f64>) {
        let mut x = z.to_owned();
        let mut log_det = vec![0.0; z.nrows()];
        self.b.inverse(
            &self.params,
            x.view_mut(),
            context,
            &mut log_det,
            &mut Workspace::default(),
        );
        (x, log_det)
    }

    fn round_trips(&self, config: &CheckConfig, z: &Array2<f64>, log_det: &[f64]) -> Result<(), Violation> {
        let dim = self.b.dim();
        let (x, back) = self.inverse(z.view(), self.context.view());
        let (z2, _) = self.forward(x.view(), self.context.view());
        for r in 0..self.x.nrows() {
            let one = s![r..=r, ..];
            let context = self.context.slice(one);
            let mut condition = 1.0;
            if dim <= MOST_JACOBIAN_COLUMNS {
                let row = |m: &Array2<f64>| m.row(r).to_vec();
                let as_row = |v: &[f64]| Array2::from_shape_fn((1, dim), |(_, j)| v[j]);
                let j = jacobian(
                    |v| self.forward(as_row(v).view(), context).0.row(0).to_vec(),
                    &row(&self.x),
                );
                let k = jacobian(
                    |v| self.inverse(as_row(v).view(), context).0.row(0).to_vec(),
                    &row(z),
                );
                condition = norm(&j).max(1.0) * norm(&k).max(1.0);
                if let Some(pattern) = config.pattern {
                    for ((i, c), &v) in j.indexed_iter().filter(|((i, c), _)| !pattern(*i, *c)) {
                        let law = "the Jacobian is zero where it is claimed to be";
                        Violation::unless_close(law, v, 0.0, 0.0, || format!("row {r}, dz_{i}/dx_{c}"))?;
                    }
                }
                let law = "log_det is that of the numerical Jacobian";
                let allowed = 1e-6 * condition.min(1e3) * (1.0 + log_det[r].abs());
                Violation::unless_close(law, log_det[r], log_abs_det(j), allowed, || format!("row {r}"))?;
            }
            let allowed = config.tolerance * condition;
            let largest = self
                .x
                .row(r)
                .iter()
                .chain(z.row(r))
                .fold(0.0_f64, |m, v| m.max(v.abs()));
            for j in 0..dim {
                let place = || format!("row {r}, column {j}");
                let law = "inverse(forward(x)) = x";
                Violation::unless_close(law, x[[r, j]], self.x[[r, j]], allowed * (1.0 + largest), place)?;
                let law = "forward(inverse(z)) = z";
                Violation::unless_close(law, z2[[r, j]], z[[r, j]], allowed * (1.0 + largest), place)?;
            }
            let law = "the log-determinants of forward and inverse cancel";
            let allowed = allowed * (1.0 + log_det[r].abs() + largest);
            Violation::unless_close(law, back[r], -log_det[r], allowed, || format!("row {r}"))?;
        }
        Ok(())
    }

    /// Reversed, and alone, a row gives what it gave: within rounding of the products, whose tiles depend on the
    /// number of rows.
    fn rows_are_independent(&self, z: &Array2<f64>, log_det: &[f64]) -> Result<(), Violation> {
        let rows = self.x.nrows();
        let reversed = s![..;-1, ..];
        let (zr, lr) = self.forward(self.x.slice(reversed), self.context.slice(reversed));
        let law = "a row's result does not depend on the other rows";
        for r in 0..rows {
            let one = s![r..=r, ..];
            let (alone, la) = self.forward(self.x.slice(one), self.context.slice(one));
            for j in 0..self.b.dim() {
                let allowed = 1e-12 * (1.0 + z[[r, j]].abs());
                let place = || format!("row {r}, column {j}");
                Violation::unless_close(law, zr[[rows - 1 - r, j]], z[[r, j]], allowed, place)?;
                Violation::unless_close(law, alone[[0, j]], z[[r, j]], allowed, place)?;
            }
            let allowed = 1e-12 * (1.0 + log_det[r].abs());
            Violation::unless_close(law, lr[rows - 1 - r], log_det[r], allowed, || {
                format!("log_det, row {r}")
            })?;
            Violation::unless_close(law, la[0], log_det[r], allowed, || format!("log_det, row {r}"))?;
        }
        Ok(())
    }

    fn gradients_agree(
        &mut self,
        config: &CheckConfig,
        z: &Array2<f64>,
        log_det: &[f64],
    ) -> Result<Report, Violation> {
        let (rows, dim) = self.x.dim();
        let weights = Weights::draw(rows, dim, &mut self.rng);
        let gradients = self.gradients(&self.params, self.x.view(), self.context.view(), &weights);
        let recorded = "a recorded forward gives the same bits, and backward leaves the tape empty";
        let same = gradients.z == *z && gradients.log_det == log_det && gradients.tape_left == 0;
        Violation::unless_close(recorded, f64::from(u8::from(same)), 1.0, 0.0, || {
            "the recorded pass".into()
        })?;

        let mut report = Report {
            cases: 1,
            ..Report::default()
        };
        let layout = ParamLayout::of(|v| self.b.visit_params(v));
        let choose = |n: usize, rng: &mut ChaCha8Rng| {
            let mut all: Vec<usize> = (0..n).collect();
            all.shuffle(rng);
            all.truncate(config.max_coordinates);
            all
        };
        let mut compare = |f: &mut dyn FnMut(&[f64]) -> f64,
                           at: &[f64],
                           gradient: &[f64],
                           chosen: &[usize],
                           describe: &dyn Fn(usize) -> String|
         -> Result<(), Violation> {
            let part = check_gradient(f, at, gradient, chosen, config.gradient_tolerance, describe)?;
            report.compared += part.compared;
            report.skipped += part.skipped;
            Ok(())
        };

        let chosen: Vec<usize> = choose(self.params.len(), &mut self.rng);
        let (x, context) = (self.x.clone(), self.context.clone());
        // What a mask excludes is no parameter: projecting first makes its difference quotient zero, as its gradient
        // must be.
        let mut of_params = |p: &[f64]| {
            let mut p = p.to_vec();
            self.b.project(&mut p);
            weights.loss(&forward(self.b, &p, x.view(), context.view()))
        };
        compare(&mut of_params, &self.params, &gradients.params, &chosen, &|i| {
            layout.describe(i)
        })?;

        let flat: Vec<f64> = x.iter().copied().collect();
        let shaped =
            |v: &[f64], width: usize| Array2::from_shape_fn((rows, width), |(r, j)| v[r * width + j]);
        let mut of_x = |v: &[f64]| weights.loss(&self.forward(shaped(v, dim).view(), context.view()));
        let gx: Vec<f64> = gradients.x.iter().copied().collect();
        let all = choose(flat.len(), &mut self.rng.clone());
        compare(&mut of_x, &flat, &gx, &all, &|i| {
            format!("x, row {}, column {}", i / dim, i % dim)
        })?;

        let width = self.b.context_dim();
        if width > 0 {
            let flat: Vec<f64> = context.iter().copied().collect();
            let mut of_context = |v: &[f64]| weights.loss(&self.forward(x.view(), shaped(v, width).view()));
            let gc: Vec<f64> = gradients.context.iter().copied().collect();
            let all = choose(flat.len(), &mut self.rng.clone());
            let describe = |i: usize| format!("context, row {}, column {}", i / width, i % width);
            compare(&mut of_context, &flat, &gc, &all, &describe)?;
        }
        Ok(report)
    }

    fn gradients(
        &self,
        params: &[f64],
        x: ArrayView2<'_, f64>,
        context: ArrayView2<'_, f64>,
        weights: &Weights,
    ) -> Gradients {
        let (mut tape, mut ws) = (Tape::default(), Workspace::default());
        let mut z = x.to_owned();
        let mut log_det = vec![0.0; x.nrows()];
        self.b.forward(
            params,
            z.view_mut(),
            context,
            &mut log_det,
            Some(&mut tape),
            &mut ws,
        );
        let mut g = &weights.linear + &(&weights.square * &z);
        let mut grads = vec![0.0; params.len()];
        let mut g_context = Array2::zeros(context.dim());
        self.b.backward(
            params,
            g.view_mut(),
            &weights.log_det,
            context,
            Some(g_context.view_mut()),
            &mut grads,
            &mut tape,
            &mut ws,
        );
        Gradients {
            params: grads,
            x: g,
            context: g_context,
            z,
            log_det,
            tape_left: tape.len(),
        }
    }
}

fn forward(
    b: &dyn Bijector<f64>,
    params: &[f64],
    x: ArrayView2<'_, f64>,
    context: ArrayView2<'_, f64>,
) -> (Array2<f64>, Vec<f64>) {
    let mut z = x.to_owned();
    let mut log_det = vec![0.0; x.nrows()];
    b.forward(
        params,
        z.view_mut(),
        context,
        &mut log_det,
        None,
        &mut Workspace::default(),
    );
    (z, log_det)
}

struct Gradients {
    params: Vec<f64>,
    x: Array2<f64>,
    context: Array2<f64>,
    z: Array2<f64>,
    log_det: Vec<f64>,
    tape_left: usize,
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
            linear: Array2::random_using((rows, dim), StandardNormal, rng),
            square: Array2::random_using((rows, dim), StandardNormal, rng),
            log_det: (0..rows).map(|_| rng.sample(StandardNormal)).collect(),
        }
    }

    fn loss(&self, (z, log_det): &(Array2<f64>, Vec<f64>)) -> f64 {
        let outputs: f64 = (&self.linear * z + &self.square * z * z * 0.5).sum();
        outputs + self.log_det.iter().zip(log_det).map(|(c, l)| c * l).sum::<f64>()
    }
}
