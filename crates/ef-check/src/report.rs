//! What a check found.

use std::fmt;

use approx::AbsDiffEq;

/// A law a bijector broke: which, where, and the two numbers that should agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The law, in words.
    pub law: &'static str,
    /// Where: row and column, parameter name and index.
    pub place: String,
    /// What the bijector says.
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
    /// `Err` unless the two numbers agree; NaN agrees with nothing.
    pub(crate) fn unless_close(
        law: &'static str,
        found: f64,
        expected: f64,
        allowed: f64,
        place: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        if found.abs_diff_eq(&expected, allowed) {
            Ok(())
        } else {
            Err(Self {
                law,
                place: place(),
                found,
                expected,
                allowed,
            })
        }
    }
}

/// What was compared in all cases together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases run.
    pub cases: usize,
    /// Gradient coordinates compared with central differences.
    pub compared: usize,
    /// Coordinates skipped because one-sided differences disagree: a kink, such as ReLU's, lies within the step.
    pub skipped: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cases,
            compared,
            skipped,
        } = self;
        write!(
            f,
            "{cases} cases, {compared} gradient coordinates compared, {skipped} skipped at kinks"
        )
    }
}
