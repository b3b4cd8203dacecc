//! Activation functions with their derivatives.

use crate::real::Real;
use crate::vmath;

/// The non-linearity between layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// `max(x, 0)`. Costs nothing; not differentiable at 0, where the derivative is taken as 0.
    Relu,
    /// `tanh(x)`.
    Tanh,
    /// `x sigmoid(x)` (Elfwing et al. 2018, 1702.03118). Smooth, so the density it shapes is smooth too.
    #[default]
    Silu,
}

impl Activation {
    /// The name a model file carries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Tanh => "tanh",
            Self::Silu => "silu",
        }
    }

    /// The activation of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Relu, Self::Tanh, Self::Silu]
            .into_iter()
            .find(|a| a.name() == name)
    }

    /// `y <- f(x)`, and `slope <- f'(x)`; the slices have one length.
    pub fn forward_with_slope<T: Real>(self, x: &[T], y: &mut [T], slope: &mut [T]) {
        debug_assert!(x.len() == y.len() && y.len() == slope.len());
        let one = T::one();
        y.copy_from_slice(x);
        match self {
            Self::Relu => {
                for (y, s) in y.iter_mut().zip(slope) {
                    let on = *y > T::zero();
                    *s = if on { one } else { T::zero() };
                    *y = if on { *y } else { T::zero() };
                }
            }
            Self::Tanh => {
                vmath::tanh(y);
                for (y, s) in y.iter().zip(slope) {
                    *s = one - *y * *y;
                }
            }
            Self::Silu => {
                vmath::sigmoid(y);
                for ((y, s), &x) in y.iter_mut().zip(slope).zip(x) {
                    let sig = *y;
                    *y = x * sig;
                    // f' = sig (1 + x (1 - sig))
                    *s = sig * (one + x * (one - sig));
                }
            }
        }
    }

    /// `x <- f(x)` in place; the same numbers as [`forward_with_slope`](Self::forward_with_slope), bit for bit.
    pub fn forward<T: Real>(self, x: &mut [T], scratch: &mut Vec<T>) {
        match self {
            Self::Relu => x
                .iter_mut()
                .for_each(|v| *v = if *v > T::zero() { *v } else { T::zero() }),
            Self::Tanh => vmath::tanh(x),
            Self::Silu => {
                scratch.clear();
                scratch.extend_from_slice(x);
                vmath::sigmoid(scratch);
                for (v, &sig) in x.iter_mut().zip(scratch.iter()) {
                    *v *= sig;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slope_is_the_derivative(x in -6.0f64..6.0) {
            prop_assume!(x.abs() > 1e-4);
            for a in [Activation::Relu, Activation::Tanh, Activation::Silu] {
                let (mut y, mut s, mut tmp) = ([0.0], [0.0], Vec::new());
                a.forward_with_slope(&[x], &mut y, &mut s);
                let at = |x: f64, tmp: &mut Vec<f64>| { let mut v = [x]; a.forward(&mut v, tmp); v[0] };
                assert_abs_diff_eq!(at(x, &mut tmp), y[0], epsilon = 0.0);
                let numeric = (at(x + 1e-5, &mut tmp) - at(x - 1e-5, &mut tmp)) / 2e-5;
                assert_abs_diff_eq!(s[0], numeric, epsilon = 1e-8);
                assert_eq!(Activation::from_name(a.name()), Some(a));
            }
        }
    }
}
