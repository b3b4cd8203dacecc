//! Student's t.

use std::f64::consts::{PI, TAU};

use ef_tensor::Real;
use ndarray::{ArrayView1, ArrayViewMut1};
use rand::RngCore;

use super::Base;
use crate::key::uniform;

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
    /// With `nu` degrees of freedom; `None` unless `nu` is positive and finite.
    pub fn new(nu: f64) -> Option<Self> {
        let constant = libm::lgamma(0.5 * (nu + 1.0)) - libm::lgamma(0.5 * nu) - 0.5 * (PI * nu).ln();
        (nu > 0.0 && nu.is_finite()).then_some(Self { nu, constant })
    }

    /// The degrees of freedom.
    pub fn degrees_of_freedom(&self) -> f64 {
        self.nu
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
            *v = T::of(radius * (TAU * uniform(rng)).cos());
        }
    }
}
