//! The normal distribution: density, CDF, quantile.

use crate::simd::mul_add;

pub use ef_random::normal::{LN_SQRT_2PI, log_phi, ndtri, ndtri_lanes};

/// `Phi(z)`, the standard normal CDF; accurate in the lower tail.
pub fn ndtr(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// `Phi(-x)` and `phi(x)` of an `x >= 0`, for use inside a [`Kernel`](crate::simd::Kernel), where the loop around it
/// vectorises: in `f64` for models of either precision, because differences of tails cancel.
///
/// `Phi(-x) = e^(-x^2/2) P(x) / Q(x)` (Hart et al. 1968, Computer Approximations, no. 5666; West 2005, Better
/// approximations to cumulative normal functions). The error is below 1e-15, and below 3e-9 relative to `Phi(-x)` up to
/// 7; beyond 37 both are 0 in effect.
#[inline(always)]
pub fn upper_tail_lane<const FMA: bool>(x: f64) -> (f64, f64) {
    const P: [f64; 7] = [
        220.206_867_912_376,
        221.213_596_169_931,
        112.079_291_497_871,
        33.912_866_078_383,
        6.373_962_203_531_65,
        7.003_830_644_436_88e-1,
        3.526_249_659_989_11e-2,
    ];
    const Q: [f64; 8] = [
        440.413_735_824_752,
        793.826_512_519_948,
        637.333_633_378_831,
        296.564_248_779_674,
        86.780_732_202_946_1,
        16.064_177_579_207,
        1.755_667_163_182_64,
        8.838_834_764_831_84e-2,
    ];
    const INV_SQRT_2PI: f64 = 0.398_942_280_401_432_7;
    let e = crate::vmath::exp_wide::<FMA>(-0.5 * x * x);
    let (mut p, mut q) = (0.0, 0.0);
    for c in P.iter().rev() {
        p = mul_add::<FMA, f64>(p, x, *c);
    }
    for c in Q.iter().rev() {
        q = mul_add::<FMA, f64>(q, x, *c);
    }
    (e * p / q, e * INV_SQRT_2PI)
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tails_in_lanes_are_the_cdf(x in 0.0..9.0_f64) {
            for (tail, density) in [upper_tail_lane::<true>(x), upper_tail_lane::<false>(x)] {
                assert_abs_diff_eq!(tail, ndtr(-x), epsilon = 1e-15);
                assert_relative_eq!(tail, ndtr(-x), max_relative = 2e-8);
                assert_relative_eq!(density, log_phi(x).exp(), max_relative = 1e-14);
            }
        }

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
