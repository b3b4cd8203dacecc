//! Both directions undo each other, and `log_det` is that of the map.

use ndarray::{Array2, s};
use rand::Rng;

use crate::case::{Case, Mapped, on_row};
use crate::jacobian::Jacobian;
use crate::report::Violation;

/// Numerical Jacobians are taken up to this dimension.
const MOST_JACOBIAN_COLUMNS: usize = 8;
/// Where the map compresses too much for differences and its determinant may be this far off, the way back is tried.
const GOOD_DETERMINANT_ERROR: f64 = 1e-3;
/// A numerical determinant that may be farther off than this is not a determinant: the map bends within the step.
const MOST_DETERMINANT_ERROR: f64 = 0.1;

/// The values of `forward`: finite, and inside the domain claimed for `inverse`.
pub(crate) fn values(case: &Case<'_>) -> Result<Mapped<f64>, Violation> {
    let (z, log_det) = case.forward(case.x.view(), case.context.view());
    for (r, &l) in log_det.iter().enumerate() {
        let finite = "forward is finite on ordinary data";
        Violation::unless_finite(finite, l, || format!("log_det, row {r}"))?;
        for (j, &v) in z.row(r).iter().enumerate() {
            let place = || format!("row {r}, column {j}");
            Violation::unless_finite(finite, v, place)?;
            let law = "forward maps into the domain claimed for inverse";
            Violation::unless_close(law, v, case.config.inverse_domain.nearest(v), 0.0, place)?;
        }
    }
    Ok((z, log_det))
}

pub(crate) fn round_trips(case: &Case<'_>, z: &Array2<f64>, log_det: &[f64]) -> Result<(), Violation> {
    let (config, context) = (case.config, case.context.view());
    let (x, back) = case.inverse(z.view(), context);
    let (z2, _) = case.forward(x.view(), context);
    for r in 0..case.x.nrows() {
        let condition = condition_and_determinant(case, z, log_det[r], r)?;
        let largest = case
            .x
            .row(r)
            .iter()
            .chain(z.row(r))
            .fold(1.0_f64, |m, v| m + v.abs());
        let allowed = config.tolerance * condition * largest;
        for j in 0..case.b.dim() {
            let place = || format!("row {r}, column {j}");
            let law = "inverse(forward(x)) = x";
            Violation::unless_close(law, x[[r, j]], case.x[[r, j]], allowed, place)?;
            let law = "forward(inverse(z)) = z";
            Violation::unless_close(law, z2[[r, j]], z[[r, j]], allowed, place)?;
        }
        let law = "the log-determinants of forward and inverse cancel";
        let allowed = allowed + config.tolerance * log_det[r].abs();
        Violation::unless_close(law, back[r], -log_det[r], allowed, || format!("row {r}"))?;
    }
    Ok(())
}

/// How much both directions together can enlarge an error in row `r`. With few columns it also checks the numerical
/// Jacobian's zeros and determinant.
fn condition_and_determinant(
    case: &Case<'_>,
    z: &Array2<f64>,
    log_det: f64,
    r: usize,
) -> Result<f64, Violation> {
    let context = case.context.slice(s![r..=r, ..]);
    let forward = |v: &[f64]| on_row(v, |x| case.forward(x, context).0);
    let inverse = |v: &[f64]| on_row(v, |z| case.inverse(z, context).0);
    let (x, z) = (case.x.row(r).to_vec(), z.row(r).to_vec());
    if case.b.dim() > MOST_JACOBIAN_COLUMNS {
        let mut rng = case.rng(0);
        return Ok(gain(forward, &x, &mut rng) * gain(inverse, &z, &mut rng));
    }
    let jacobian = Jacobian::of(forward, &x);
    if let Some(pattern) = case.config.pattern {
        for ((i, j), &v) in jacobian
            .matrix
            .indexed_iter()
            .filter(|((i, j), _)| !pattern(*i, *j))
        {
            let law = "the Jacobian is zero where it is claimed to be";
            Violation::unless_close(law, v, 0.0, 0.0, || format!("row {r}, dz_{i}/dx_{j}"))?;
        }
    }
    let back = Jacobian::of(inverse, &z);
    let (mut expected, mut error) = determinant(&jacobian, &back, &z);
    if error > GOOD_DETERMINANT_ERROR {
        let (minus_expected, back_error) = determinant(&back, &jacobian, &x);
        if back_error < error {
            (expected, error) = (-minus_expected, back_error);
        }
    }
    let law = "log_det is that of the numerical Jacobian";
    let allowed = 1e-7 * (1.0 + log_det.abs()) + error;
    if allowed < MOST_DETERMINANT_ERROR {
        Violation::unless_close(law, log_det, expected, allowed, || format!("row {r}"))?;
    }
    Ok(jacobian.gain() * back.gain())
}

/// `log|det J|` with its error. `to`: where the map arrives; `back`: the Jacobian of the way back.
fn determinant(jacobian: &Jacobian, back: &Jacobian, to: &[f64]) -> (f64, f64) {
    let (value, error) = jacobian.log_det();
    // What rounding of the differences does to a determinant that is small because columns are nearly parallel.
    let largest = to.iter().fold(1.0_f64, |m, v| m + v.abs());
    let rounding = 1e-10 * back.gain() * (largest + jacobian.gain());
    (value, error + rounding)
}

/// The most that `f` enlarges a few random small steps, at least 1.
fn gain(f: impl Fn(&[f64]) -> Vec<f64>, at: &[f64], rng: &mut impl Rng) -> f64 {
    let middle = f(at);
    (0..4).fold(1.0, |most, _| {
        let h = 1e-6;
        let moved: Vec<f64> = at
            .iter()
            .map(|v| v + if rng.random() { h } else { -h } * (1.0 + v.abs()))
            .collect();
        let change = |(a, b): (&f64, &f64)| (a - b).abs() / h;
        f(&moved).iter().zip(&middle).map(change).fold(most, f64::max)
    })
}
