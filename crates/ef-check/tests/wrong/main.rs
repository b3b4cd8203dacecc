//! Bijectors and densities that are wrong on purpose, each caught by the law it breaks.

mod blind;
#[cfg(feature = "density")]
mod density;
mod domain;
mod fold;
mod precision;
mod scale;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a check that must fail; its message must name the law and the case.
fn caught<R>(wrong: impl Debug, law: &str, check: impl FnOnce() -> R) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(check)) else {
        panic!("{wrong:?} goes unseen")
    };
    let message = *panic.downcast::<String>().expect("a message");
    assert!(message.contains(law), "{wrong:?} gave: {message}");
    assert!(message.contains("seed: "), "{message}");
}

/// A claim about the Jacobian's zeros is checked.
#[test]
fn a_false_claim_of_zeros_is_caught() {
    let reverse = ef_bijectors::Permute::reverse(2).unwrap();
    let config = ef_check::CheckConfig::default().autoregressive();
    caught("reverse", "zero where it is claimed", || {
        ef_check::assert_bijector(&reverse, &config)
    });
}
