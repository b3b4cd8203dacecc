//! Clipping by the global norm.
//!
//! A gradient longer than `c` is shortened to `c`, its direction kept: `g <- g min(1, c / |g|)`, with `|g|` over all
//! parameters at once (Pascanu, Mikolov & Bengio 2013, [arXiv:1211.5063], algorithm 1). One extreme row then costs
//! one step of bounded length.
//!
//! [arXiv:1211.5063]: https://arxiv.org/abs/1211.5063

use ef_tensor::Real;
use ef_tensor::simd::{Kernel, dispatch};

/// `sum g^2`, taken in `f64` and in one fixed order: eight running sums, added at the end.
///
/// ```
/// approx::assert_relative_eq!(ef_train::squared_norm(&[3.0_f32, 4.0]), 25.0);
/// ```
pub fn squared_norm<T: Real>(grads: &[T]) -> f64 {
    dispatch(SquaredNorm(grads))
}

struct SquaredNorm<'a, T>(&'a [T]);

impl<T: Real> Kernel for SquaredNorm<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        add_squares(self.0)
    }
}

/// [`squared_norm`], for use inside a [`Kernel`].
#[inline(always)]
pub(crate) fn add_squares<T: Real>(grads: &[T]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let chunks = grads.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, g) in sums.iter_mut().zip(chunk) {
            let g = g.wide();
            *sum += g * g;
        }
    }
    for (sum, g) in sums.iter_mut().zip(rest) {
        let g = g.wide();
        *sum += g * g;
    }
    sums.iter().sum()
}

/// `min(1, max_norm / norm)`: what a gradient of length `norm` is multiplied by.
///
/// ```
/// approx::assert_relative_eq!(ef_train::clip_factor(4.0, 1.0), 0.25);
/// approx::assert_relative_eq!(ef_train::clip_factor(0.5, 1.0), 1.0);
/// ```
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if norm > max_norm { max_norm / norm } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn clipped_is_never_longer(g in prop::collection::vec(-1e3_f64..1e3, 0..40), max in 1e-3_f64..1e3) {
            let slow: f64 = g.iter().map(|g| g * g).sum();
            assert_relative_eq!(squared_norm(&g), slow, max_relative = 1e-12);
            let norm = slow.sqrt();
            let clipped = norm * clip_factor(norm, max);
            assert_relative_eq!(clipped, norm.min(max), max_relative = 1e-12);
        }
    }

    #[test]
    fn the_largest_f32_has_a_finite_square() {
        assert!(squared_norm(&[f32::MAX; 9]).is_finite());
        assert!(!squared_norm(&[1.0, f32::NAN]).is_finite());
    }
}
