//! All laws of a bijector, over drawn cases.

use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ef_bijectors::Bijector;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::case::Case;
use crate::config::CheckConfig;
use crate::laws;
use crate::report::{Report, Violation};
use crate::strategy::{self, Draw};

/// Proves a bijector by its laws, over drawn parameters, data and contexts; panics with the law broken, the place,
/// both numbers and the shrunken case. The laws are listed in the [crate's documentation](crate).
///
/// # Panics
/// If a law is broken, or more than 5 % of gradient coordinates had to be skipped at kinks.
pub fn assert_bijector(b: &dyn Bijector<f64>, config: &CheckConfig) -> Report {
    if config.sees_all
        && let Err(violation) = laws::dependence::is_complete(b, config)
    {
        panic!(
            "law broken: {violation}\nof the bijector {:.300}",
            format!("{b:?}")
        );
    }
    let (number, shrinking) = (Cell::new(0_u32), Cell::new(false));
    let outcome = run(config.cases, strategy::draws(config), |draw| {
        let every = config.mass_every;
        let turn = every > 0 && number.replace(number.get() + 1).is_multiple_of(every);
        let outcome = check(b, config, *draw, turn || shrinking.get() && every > 0);
        shrinking.set(shrinking.get() || outcome.is_err());
        outcome
    });
    match outcome {
        Ok(report) => report,
        Err(message) => panic!("{message}\nof the bijector {:.300}", format!("{b:?}")),
    }
}

/// One case of [`assert_bijector`]: the laws at the parameters, data and context of a draw. The integral of the density
/// is always among them, unless the configuration says never.
///
/// # Errors
/// The first law broken.
pub fn check_bijector(b: &dyn Bijector<f64>, config: &CheckConfig, draw: Draw) -> Result<Report, Violation> {
    check(b, config, draw, config.mass_every > 0)
}

fn check(
    b: &dyn Bijector<f64>,
    config: &CheckConfig,
    draw: Draw,
    with_mass: bool,
) -> Result<Report, Violation> {
    // Before anything reads a parameter by its place.
    laws::params::layout(b)?;
    let case = Case::new(b, config, draw);
    laws::params::starts(&case)?;
    let (z, log_det) = laws::inverse::values(&case)?;
    laws::inverse::round_trips(&case, &z, &log_det)?;
    laws::params::saved(&case, &z)?;
    laws::rows::independent(&case, &z, &log_det)?;
    laws::passes::add_and_repeat(&case, &z, &log_det)?;
    let mut report = laws::gradients::agree(&case)?;
    laws::edges::hold(&case)?;
    if with_mass && b.dim() <= 2 {
        report += laws::mass::is_one(&case)?;
    }
    Ok(report)
}

/// Runs cases until one fails, shrinks that one, and says what it was.
pub(crate) fn run<S: Strategy>(
    cases: u32,
    strategy: S,
    check: impl Fn(&S::Value) -> Result<Report, Violation>,
) -> Result<Report, String>
where
    S::Value: Debug,
{
    let total = Cell::new(Report::default());
    let settings = Config {
        cases,
        failure_persistence: None,
        // What is printed is the shrunken case; the numbers of iterations on the way there are of no interest.
        verbose: 0,
        max_shrink_iters: 256,
        ..Config::default()
    };
    let outcome = TestRunner::new(settings).run(&strategy, |draw| {
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&draw))).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Violation {
                law: "no method panics",
                place: format!("the panic '{}'", said.unwrap_or("without a message")),
                found: f64::NAN,
                expected: 0.0,
                allowed: 0.0,
            })
        });
        let report = outcome.map_err(|v| TestCaseError::fail(v.to_string()))?;
        let mut sum = total.get();
        sum += report;
        total.set(sum);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, draw)) => return Err(format!("law broken: {why}\nin the case {draw:?}")),
        Err(TestError::Abort(why)) => return Err(format!("could not draw cases: {why}")),
    }
    let report = total.get();
    if report.skips_too_many() {
        return Err(format!(
            "more than 5 % of gradient coordinates lie at kinks and prove nothing: {report}"
        ));
    }
    Ok(report)
}
