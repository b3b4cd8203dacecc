//! Gradients against central differences.

use crate::report::Violation;

/// What [`check_gradient`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GradientReport {
    /// Coordinates compared.
    pub compared: usize,
    /// Coordinates skipped because a kink lies within the step.
    pub skipped: usize,
}

/// Compares `gradient[i]` with `(f(x + h e_i) - f(x - h e_i)) / 2h` for the coordinates given.
///
/// Steps are `1e-5 (1 + |x_i|)`. Where the two one-sided differences disagree by more than smooth curvature
/// explains, the coordinate is skipped and counted: a kink lies within the step. `f` must be deterministic.
///
/// # Errors
/// The first coordinate that disagrees by more than `tolerance (1 + |gradient| + rounding)`, named by `describe`.
///
/// ```
/// let f = |x: &[f64]| x[0] * x[0] + x[1].abs();
/// let report = ef_check::check_gradient(f, &[1.5, -2.0], &[3.0, -1.0], &[0, 1], 1e-6, |i| format!("x[{i}]"))?;
/// assert_eq!(report.compared, 2);
/// let wrong = ef_check::check_gradient(f, &[1.5, -2.0], &[2.0, -1.0], &[0], 1e-6, |i| format!("x[{i}]"));
/// assert!(wrong.unwrap_err().to_string().contains("x[0]"));
/// # Ok::<(), ef_check::Violation>(())
/// ```
pub fn check_gradient(
    mut f: impl FnMut(&[f64]) -> f64,
    x: &[f64],
    gradient: &[f64],
    coordinates: &[usize],
    tolerance: f64,
    describe: impl Fn(usize) -> String,
) -> Result<GradientReport, Violation> {
    let mut report = GradientReport::default();
    let mut at = x.to_vec();
    let middle = f(&at);
    for &i in coordinates {
        let h = 1e-5 * (1.0 + x[i].abs());
        at[i] = x[i] + h;
        let up = f(&at);
        at[i] = x[i] - h;
        let down = f(&at);
        at[i] = x[i];
        let (right, left) = ((up - middle) / h, (middle - down) / h);
        let central = (up - down) / (2.0 * h);
        // What rounding of f alone can do to a difference quotient.
        let rounding = 1e-14 * (1.0 + middle.abs()) / h;
        let scale = 1.0 + central.abs();
        let close = (central - gradient[i]).abs() <= tolerance * scale + rounding;
        if !close && (right - left).abs() > 1e-3 * scale + rounding {
            report.skipped += 1;
            continue;
        }
        Violation::unless_close(
            "gradient agrees with central differences",
            gradient[i],
            central,
            tolerance * scale + rounding,
            || describe(i),
        )?;
        report.compared += 1;
    }
    Ok(report)
}
