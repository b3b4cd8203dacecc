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
/// Steps are `h = 1e-5 (1 + |x_i|)`, then a tenth and a hundredth of that, until the two agree. If they never do,
/// but the gradient lies between the two one-sided differences, a kink lies within the step: the coordinate is skipped
/// and counted. `f` must be deterministic.
///
/// # Errors
/// The first coordinate that disagrees by more than `tolerance (1 + |gradient|)` and what rounding of `f` explains,
/// named by `describe`.
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
        let mut first = None;
        let mut kink = false;
        for step in [1e-5, 1e-6, 1e-7] {
            let h = step * (1.0 + x[i].abs());
            at[i] = x[i] + h;
            let up = f(&at);
            at[i] = x[i] - h;
            let down = f(&at);
            at[i] = x[i];
            let central = (up - down) / (2.0 * h);
            // What rounding of f alone can do to a difference quotient.
            let rounding = 1e-14 * (1.0 + middle.abs()) / h;
            let allowed = tolerance * (1.0 + central.abs()) + rounding;
            let compared = Violation::unless_close(
                "gradient agrees with central differences",
                gradient[i],
                central,
                allowed,
                || describe(i),
            );
            let (right, left) = ((up - middle) / h, (middle - down) / h);
            kink = (right.min(left) - allowed..=right.max(left) + allowed).contains(&gradient[i]);
            match compared {
                Ok(()) => {
                    first = None;
                    break;
                }
                Err(violation) => first = first.or(Some(violation)),
            }
        }
        match first {
            None => report.compared += 1,
            Some(_) if kink => report.skipped += 1,
            Some(violation) => return Err(violation),
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relu(slope: f64) -> Result<GradientReport, Violation> {
        check_gradient(|x| x[0].max(0.0), &[0.0], &[slope], &[0], 1e-6, |_| String::new())
    }

    #[test]
    fn a_kink_is_skipped_if_the_gradient_is_one_of_its_slopes() {
        assert_eq!(relu(1.0).unwrap().skipped, 1);
        assert_eq!(relu(0.0).unwrap().skipped, 1);
        assert!(relu(1.5).is_err());
        assert!(relu(f64::NAN).is_err());
    }

    #[test]
    fn a_kink_farther_off_than_the_smallest_step_is_no_excuse() {
        let f = |x: &[f64]| x[0].max(0.0);
        let check = |slope: f64| check_gradient(f, &[5e-6], &[slope], &[0], 1e-6, |_| String::new());
        assert_eq!(check(1.0).unwrap().compared, 1);
        assert!(check(0.5).is_err());
    }
}
