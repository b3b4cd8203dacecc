//! The normal distribution: density, CDF, quantile.

pub use ef_random::normal::{LN_SQRT_2PI, log_phi, ndtri, ndtri_lanes};

/// `Phi(z)`, the standard normal CDF; accurate in the lower tail.
pub fn ndtr(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantile_inverts_the_cdf(z in -37.0..8.0f64) {
            let p = ndtr(z);
            // What rounding of p alone does to z: dz = dp / phi(z).
            let rounding = 4.0 * f64::EPSILON * p.max(f64::MIN_POSITIVE) / log_phi(z).exp();
            assert_abs_diff_eq!(ndtri(p), z, epsilon = 1e-13 * (1.0 + z.abs()) + rounding);
            assert_relative_eq!(ndtri(1.0 - p.min(0.5)), -ndtri(1.0 - (1.0 - p.min(0.5))), max_relative = 1e-12);
        }
    }
}
