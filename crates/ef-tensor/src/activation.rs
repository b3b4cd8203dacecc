//! Activation functions with their derivatives.

use crate::real::Real;
use crate::simd::{Kernel, dispatch};
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

    /// Whether [`chain`](Self::chain) wants slopes that [`apply`](Self::apply) wrote; else it wants the activation itself.
    pub fn keeps_slope(self) -> bool {
        self == Self::Silu
    }

    /// `x <- f(x)`; `slope <- f'(x)` if given, which only activations that [keep slopes](Self::keeps_slope) write.
    pub fn apply<T: Real>(self, x: &mut [T], slope: Option<&mut [T]>) {
        match (self, slope) {
            (Self::Relu, _) => dispatch(Relu(x)),
            (Self::Tanh, _) => vmath::tanh(x),
            (Self::Silu, None) => dispatch(Silu(x)),
            (Self::Silu, Some(slope)) => dispatch(SiluWithSlope(x, slope)),
        }
    }

    /// `g <- g f'(x)`, where `kept` holds the slopes if there are any, else `f(x)`.
    pub fn chain<T: Real>(self, g: &mut [T], kept: &[T]) {
        match self {
            Self::Relu => dispatch(ReluChain(g, kept)),
            Self::Tanh => dispatch(TanhChain(g, kept)),
            Self::Silu => dispatch(SlopeChain(g, kept)),
        }
    }
}

macro_rules! kernels {
    ($($name:ident($($field:ident: $ty:ty),*) $body:block)*) => {$(
        struct $name<'a, T>($($ty),*);

        impl<T: Real> Kernel for $name<'_, T> {
            type Output = ();

            #[inline(always)]
            fn run<const FMA: bool>(self) {
                let Self($($field),*) = self;
                $body
            }
        }
    )*};
}

kernels! {
    Relu(x: &'a mut [T]) {
        for v in x {
            *v = if *v > T::zero() { *v } else { T::zero() };
        }
    }

    ReluChain(g: &'a mut [T], y: &'a [T]) {
        for (g, &y) in g.iter_mut().zip(y) {
            *g = if y > T::zero() { *g } else { T::zero() };
        }
    }

    TanhChain(g: &'a mut [T], y: &'a [T]) {
        for (g, &y) in g.iter_mut().zip(y) {
            *g *= T::one() - y * y;
        }
    }

    Silu(x: &'a mut [T]) {
        for v in x {
            *v *= v.sigmoid_lane::<FMA>();
        }
    }

    SiluWithSlope(x: &'a mut [T], slope: &'a mut [T]) {
        for (v, slope) in x.iter_mut().zip(slope) {
            let sig = v.sigmoid_lane::<FMA>();
            // f' = sig (1 + x (1 - sig))
            *slope = sig * (T::one() + *v * (T::one() - sig));
            *v *= sig;
        }
    }

    SlopeChain(g: &'a mut [T], slope: &'a [T]) {
        for (g, &slope) in g.iter_mut().zip(slope) {
            *g *= slope;
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
                let at = |x: f64| { let mut v = [x]; a.apply(&mut v, None); v[0] };
                let (mut y, mut slope, mut g) = ([x], [0.0], [3.0]);
                a.apply(&mut y, Some(&mut slope));
                assert_abs_diff_eq!(at(x), y[0], epsilon = 0.0);
                a.chain(&mut g, if a.keeps_slope() { &slope } else { &y });
                let numeric = (at(x + 1e-5) - at(x - 1e-5)) / 2e-5;
                assert_abs_diff_eq!(g[0], 3.0 * numeric, epsilon = 1e-7);
                assert_eq!(Activation::from_name(a.name()), Some(a));
            }
        }
    }
}
