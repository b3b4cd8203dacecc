//! Gradients against central differences.

use crate::report::Violation;

/// What [`check_gradient`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GradientReport {
    /// Coordinates compared.
    pub compared: usize,
    /// Coordinates skipped because a kink lies within the step, or because rounding leaves the differences no digits.
    pub skipped: usize,
}

/// Compares `gradient[i]` with `(f(x + h e_i) - f(x - h e_i)) / 2h` for the coordinates given.
///
/// Steps are `h = 1e-5 (1 + |x_i|)`, then 1e-6, 1e-7, 1e-4 and 1e-3 of the same, until the two agree. If they never do,
/// the coordinate is skipped and counted where the differences prove nothing: the gradient lies between the two
/// one-sided differences of the smallest step (a kink lies within it), or no two neighbouring steps give the same
/// difference (rounding of `f` leaves them no digits). `f` must be deterministic.
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
        let mut difference = |step: f64| {
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
            Difference {
                central,
                right: (up - middle) / h,
                left: (middle - down) / h,
                allowed,
            }
        };
        let mut tried: Vec<(f64, Difference)> = Vec::with_capacity(STEPS.len());
        let mut first = None;
        for step in STEPS {
            let d = difference(step);
            tried.push((step, d));
            let compared = Violation::unless_close(
                "gradient agrees with central differences",
                gradient[i],
                d.central,
                d.allowed,
                || describe(i),
            );
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
            Some(_) if at_kink(&mut tried, gradient[i]) || without_digits(&tried) => report.skipped += 1,
            Some(violation) => return Err(violation),
        }
    }
    Ok(report)
}

/// Tried in this order, times `1 + |x_i|`.
const STEPS: [f64; 5] = [1e-5, 1e-6, 1e-7, 1e-4, 1e-3];

/// What one step shows.
#[derive(Debug, Clone, Copy)]
struct Difference {
    central: f64,
    right: f64,
    left: f64,
    allowed: f64,
}

/// True if the gradient lies between the one-sided differences of the smallest step. Sorts by step.
fn at_kink(tried: &mut [(f64, Difference)], gradient: f64) -> bool {
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    tried.first().is_some_and(|(_, d)| {
        (d.right.min(d.left) - d.allowed..=d.right.max(d.left) + d.allowed).contains(&gradient)
    })
}

/// True if all differences are finite and no two neighbouring steps agree. `tried` is sorted by step.
fn without_digits(tried: &[(f64, Difference)]) -> bool {
    tried.iter().all(|(_, d)| d.central.is_finite())
        && tried.windows(2).all(|pair| {
            let (a, b) = (pair[0].1, pair[1].1);
            (a.central - b.central).abs() > a.allowed.min(b.allowed)
        })
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
    fn differences_without_digits_are_skipped_but_not_those_that_are_not_finite() {
        // Far from 0 rounding hides the slope: neighbouring numbers at 1e18 are 128 apart.
        let rough = |x: &[f64]| (1e4 * x[0]).sin().mul_add(1e6, 1e18) + 1e7 * (1e9 * x[0]).sin();
        let check =
            |f: &dyn Fn(&[f64]) -> f64| check_gradient(f, &[0.3], &[5.0], &[0], 1e-6, |_| String::new());
        assert_eq!(check(&rough).unwrap().skipped, 1);
        assert!(check(&|_| f64::NAN).is_err());
        assert!(check(&|x| 6.0 * x[0]).is_err());
    }

    #[test]
    fn a_kink_farther_off_than_the_smallest_step_is_no_excuse() {
        let f = |x: &[f64]| x[0].max(0.0);
        let check = |slope: f64| check_gradient(f, &[5e-6], &[slope], &[0], 1e-6, |_| String::new());
        assert_eq!(check(1.0).unwrap().compared, 1);
        assert!(check(0.5).is_err());
    }
}
