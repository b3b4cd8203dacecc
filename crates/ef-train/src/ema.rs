//! An exponential moving average of the weights.
//!
//! The average `y` follows the weights `x` after step `t = 1, 2, ..` by `y <- d y + (1 - d) x`. Averaging takes out
//! the noise of the last mini-batches (Polyak & Juditsky 1992, SIAM J. Control Optim. 30(4)), and what is validated
//! and kept is the average. The decay grows into its setting, `d = min(decay, (1 + t) / (10 + t))`, so that the
//! average does not remember the starting values.

use ef_tensor::Real;
use ef_tensor::simd::{Kernel, dispatch};

/// The decay of step `t` (the first is 1): `min(decay, (1 + t) / (10 + t))`. `0` switches averaging off.
///
/// ```
/// use ef_train::ema_decay;
/// approx::assert_relative_eq!(ema_decay(0.998, 8), 0.5);
/// approx::assert_relative_eq!(ema_decay(0.998, 100_000), 0.998);
/// approx::assert_relative_eq!(ema_decay(0.0, 8), 0.0);
/// ```
pub fn ema_decay(decay: f64, t: u64) -> f64 {
    let t = t as f64;
    decay.min((1.0 + t) / (10.0 + t))
}

/// Moves `average` towards `params`: `y <- y + (1 - d) (x - y)`, elementwise. With `decay = 0` it is a copy.
pub fn ema_update<T: Real>(average: &mut [T], params: &[T], decay: f64) {
    debug_assert_eq!(average.len(), params.len());
    if decay == 0.0 {
        // Exactly: `y + (x - y)` may miss `x` by a rounding.
        average.copy_from_slice(params);
        return;
    }
    dispatch(Follow {
        average,
        params,
        rest: T::of(1.0 - decay),
    });
}

struct Follow<'a, T> {
    average: &'a mut [T],
    params: &'a [T],
    /// `1 - d`.
    rest: T,
}

impl<T: Real> Kernel for Follow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (y, x) in self.average.iter_mut().zip(self.params) {
            *y += self.rest * (*x - *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn the_average_of_a_constant_is_that_constant_soon() {
        let mut average = [0.0_f64, 5.0];
        for t in 1..=200 {
            ema_update(&mut average, &[1.0, 1.0], ema_decay(0.998, t));
        }
        // A decay of 0.998 throughout would still hold 67 % of the start here.
        assert_relative_eq!(average[0], 1.0, epsilon = 1e-6);
        assert_relative_eq!(average[1], 1.0, epsilon = 1e-6);
    }

    #[test]
    fn no_decay_is_a_copy() {
        let mut average = [1e30_f32];
        ema_update(&mut average, &[0.1], 0.0);
        // Bit for bit.
        assert_eq!(average[0].to_bits(), 0.1_f32.to_bits());
    }
}
