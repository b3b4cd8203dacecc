//! Maps that are right in `f64` and lose digits in `f32`.

use ef_bijectors::{Bijector, ParamVisitor, Real, Tape, Workspace};
use ef_check::{CheckConfig, Domain, assert_f32_agrees};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand::RngCore;

use crate::caught;

/// The identity on [0, 1] or on the line, computed with one fault.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Identity {
    Right,
    /// By way of a large number, which keeps few digits of a small one.
    ByALargeNumber,
    /// In `f32`, the number just below 1 becomes NaN.
    NanNextToTheEdge,
}

impl<T: Real> Bijector<T> for Identity {
    fn dim(&self) -> usize {
        1
    }

    fn num_params(&self) -> usize {
        0
    }

    fn visit_params(&self, _: &mut dyn ParamVisitor) {}

    fn init(&self, _: &mut dyn RngCore, _: &mut [T]) {}

    fn forward(
        &self,
        _: &[T],
        mut x: ArrayViewMut2<'_, T>,
        _: ArrayView2<'_, T>,
        log_det: &mut [f64],
        _: Option<&mut Tape<T>>,
        _: &mut Workspace<T>,
    ) {
        let large = T::of(1e4);
        for (v, l) in x.iter_mut().zip(log_det) {
            match self {
                Self::ByALargeNumber => *v = (*v + large) - large,
                Self::NanNextToTheEdge => {
                    if !(T::zero()..=T::one()).contains(v) {
                        *l = f64::NEG_INFINITY;
                    } else if (T::one() - *v).wide() > 0.0 && (T::one() - *v).wide() < 1e-7 {
                        *v = T::of(if T::NAME == "f32" { f64::NAN } else { v.wide() });
                    }
                }
                Self::Right => {}
            }
        }
    }

    fn inverse(
        &self,
        _: &[T],
        z: ArrayViewMut2<'_, T>,
        _: ArrayView2<'_, T>,
        log_det: &mut [f64],
        _: &mut Workspace<T>,
    ) {
        if *self == Self::NanNextToTheEdge {
            for (l, v) in log_det.iter_mut().zip(z) {
                if !(T::zero()..=T::one()).contains(v) {
                    *l = f64::NEG_INFINITY;
                }
            }
        }
    }

    fn backward(
        &self,
        _: &[T],
        _: ArrayViewMut2<'_, T>,
        _: &[T],
        _: ArrayView2<'_, T>,
        _: Option<ArrayViewMut2<'_, T>>,
        _: &mut [T],
        _: &mut Tape<T>,
        _: &mut Workspace<T>,
    ) {
    }
}

#[test]
fn lost_digits_are_caught() {
    let config = CheckConfig::default();
    assert_f32_agrees(&Identity::Right, &Identity::Right, &config);
    let wrong = Identity::ByALargeNumber;
    caught(wrong, "forward in f32 is that in f64", || {
        assert_f32_agrees(&wrong, &wrong, &config);
    });
}

#[test]
fn the_edge_of_f32_is_another_edge() {
    let unit = Domain::Interval(0.0, 1.0);
    let config = CheckConfig::default().domains(unit, unit);
    let wrong = Identity::NanNextToTheEdge;
    caught(
        wrong,
        "values are finite at and beyond the edges, at forward of (9.9999994",
        || {
            assert_f32_agrees(&wrong, &wrong, &config);
        },
    );
}
