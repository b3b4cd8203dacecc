//! Student's t.

use std::f64::consts::{PI, TAU};

use ef_bijectors::BijectorError;
use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};
use rand_core::RngCore;

use super::Base;
use crate::key::uniform;
use crate::normal::LN_SQRT_2PI;

/// Independent Student t variables with `nu` degrees of freedom:
/// `log p(z_j) = c(nu) - (nu + 1) / 2 log(1 + z_j² / nu)`. Tails fall like a power, so that a flow with light tails of
/// its own can still give heavy ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudentT {
    nu: f64,
    /// `log Gamma((nu + 1) / 2) - log Gamma(nu / 2) - log(pi nu) / 2`.
    constant: f64,
}

impl StudentT {
    /// With `nu` degrees of freedom.
    ///
    /// # Errors
    /// Unless `nu` is at least 0.1 (below, draws overflow) and finite.
    pub fn new(nu: f64) -> Result<Self, BijectorError> {
        if !(nu >= 0.1 && nu.is_finite()) {
            return Err(BijectorError::Setting {
                what: "the degrees of freedom of a Student t",
                value: nu.to_string(),
                expected: "at least 0.1, and finite",
            });
        }
        let constant = if nu < 1e6 {
            libm::lgamma(0.5 * (nu + 1.0)) - libm::lgamma(0.5 * nu) - 0.5 * (PI * nu).ln()
        } else {
            // Stirling's series: the difference of two large numbers has no digits left
            -LN_SQRT_2PI - 0.25 / nu
        };
        Ok(Self { nu, constant })
    }
}

impl<T: Real> Base<T> for StudentT {
    fn log_prob(&self, _: &[T], z: ArrayView1<'_, T>) -> f64 {
        let term = |z: f64| self.constant - 0.5 * (self.nu + 1.0) * (z * z / self.nu).ln_1p();
        z.iter().map(|v| term(v.wide())).sum()
    }

    fn nll_backward(&self, _: &[T], z: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>, _: &mut [T]) {
        g.zip_mut_with(&z, |g, &z| {
            let z = z.wide();
            *g = T::of((self.nu + 1.0) * z / (self.nu + z * z));
        });
    }

    fn sample(&self, _: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        for v in z {
            // Bailey (1994), Math. Comp. 62: the polar form of Box and Muller for t, two words and no rejection
            let radius = (self.nu * (-2.0 / self.nu * uniform(rng).ln()).exp_m1()).sqrt();
            let t = radius * (TAU * uniform(rng)).cos();
            *v = T::of(t).max(T::min_value()).min(T::max_value());
        }
    }
}
