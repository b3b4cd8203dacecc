//! What a check found.

use std::fmt;
use std::ops::AddAssign;

use approx::AbsDiffEq;

/// A law that was broken: which, where, and the two numbers that should agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The law, in words.
    pub law: &'static str,
    /// Where: row and column, parameter name and index.
    pub place: String,
    /// What was found.
    pub found: f64,
    /// What it should be.
    pub expected: f64,
    /// How far apart they may be.
    pub allowed: f64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            law,
            place,
            found,
            expected,
            allowed,
        } = self;
        write!(
            f,
            "{law}, at {place}: found {found:e}, expected {expected:e}, allowed error {allowed:e}"
        )
    }
}

impl std::error::Error for Violation {}

impl Violation {
    /// `Err` unless the two numbers agree; NaN agrees with nothing, an infinity with itself.
    pub(crate) fn unless_close(
        law: &'static str,
        found: f64,
        expected: f64,
        allowed: f64,
        place: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        if found == expected || found.abs_diff_eq(&expected, allowed) {
            return Ok(());
        }
        Err(Self {
            law,
            place: place(),
            found,
            expected,
            allowed,
        })
    }

    /// `Err` unless the number is finite.
    pub(crate) fn unless_finite(
        law: &'static str,
        found: f64,
        place: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        Self::unless_close(law, found, 0.0, f64::MAX, place)
    }

    /// `Err` unless all pairs agree to the last bit; NaN agrees with nothing.
    pub(crate) fn unless_same<'a>(
        law: &'static str,
        found: impl IntoIterator<Item = &'a f64>,
        expected: impl IntoIterator<Item = &'a f64>,
        place: impl Fn(usize) -> String,
    ) -> Result<(), Self> {
        for (i, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            Self::unless_close(law, *found, *expected, 0.0, || place(i))?;
        }
        Ok(())
    }
}

/// What was compared in all cases together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases run.
    pub cases: usize,
    /// Gradient coordinates compared with differences.
    pub compared: usize,
    /// Gradient coordinates skipped, because one-sided differences disagree and the gradient lies between them: a
    /// kink, such as ReLU's, lies within the step.
    pub skipped: usize,
    /// Densities whose integral was estimated and compared with 1.
    pub masses: usize,
    /// Densities whose integral could not be estimated well enough to say.
    pub masses_unsettled: usize,
}

impl Report {
    /// Whether more than 5 % of the gradient coordinates were skipped.
    pub(crate) fn skips_too_many(&self) -> bool {
        self.skipped * 20 > self.compared + self.skipped
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.cases += other.cases;
        self.compared += other.compared;
        self.skipped += other.skipped;
        self.masses += other.masses;
        self.masses_unsettled += other.masses_unsettled;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cases,
            compared,
            skipped,
            masses,
            masses_unsettled,
        } = self;
        write!(
            f,
            "{cases} cases, {compared} gradient coordinates compared, {skipped} skipped at kinks, {masses} integrals \
             compared with 1, {masses_unsettled} unsettled"
        )
    }
}
