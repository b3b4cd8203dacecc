//! The normal law to full precision: densities, quantiles and the mass of one rounding step, also far out.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

pub(super) use ef_random::normal::{LN_SQRT_2PI, log_phi as ln_phi, ndtri as quantile};

/// `ln N(x; mean, sd^2)`.
pub(super) fn ln_normal(x: f64, mean: f64, sd: f64) -> f64 {
    ln_phi((x - mean) / sd) - sd.ln()
}

/// `ln Phi(z)`, the log of the lower tail, without underflow.
pub(super) fn ln_ndtr(z: f64) -> f64 {
    if z > -30.0 {
        return (0.5 * libm::erfc(-z * FRAC_1_SQRT_2)).ln();
    }
    // Phi(z) = phi(z) / |z| * (1 - z^-2 + 3 z^-4 - 15 z^-6 + ...); at |z| = 30 the next term is 2e-10 of the last.
    let w = 1.0 / (z * z);
    ln_phi(z) - (-z).ln() + (-w * (1.0 - w * (3.0 - w * (15.0 - 105.0 * w)))).ln_1p()
}

/// `ln (Phi(high) - Phi(low))` for `low < high`, accurate in both tails and for steps so narrow that the two
/// probabilities agree in all their leading digits.
///
/// With centre `m` and width `d`, `Phi(m + d/2) - Phi(m - d/2) = phi(m) d (1 + d^2 (m^2 - 1) / 24 + ...)`; the
/// next term of the series is below `d^4 max(1, m^4) / 1920`, so under the limit chosen here it is under 1e-11.
pub(super) fn ln_mass(low: f64, high: f64) -> f64 {
    if high <= low {
        return f64::NEG_INFINITY;
    }
    let (centre, width) = (0.5 * (low + high), high - low);
    if width * centre.abs().max(1.0) < 1e-2 {
        return ln_phi(centre) + width.ln() + (width * width * (centre * centre - 1.0) / 24.0).ln_1p();
    }
    if low < 0.0 && high > 0.0 {
        let outside = 0.5 * (libm::erfc(-low * FRAC_1_SQRT_2) + libm::erfc(high * FRAC_1_SQRT_2));
        return (-outside).ln_1p();
    }
    // Both bounds in the lower tail, by symmetry: the difference of two small numbers of one sign.
    let (low, high) = if low >= 0.0 { (-high, -low) } else { (low, high) };
    let (ln_low, ln_high) = (ln_ndtr(low), ln_ndtr(high));
    ln_high + ln_one_minus_exp(ln_low - ln_high)
}

/// `ln (1 - e^x)` for `x <= 0`.
fn ln_one_minus_exp(x: f64) -> f64 {
    if x > -LN_2 {
        (-x.exp_m1()).ln()
    } else {
        (-x.exp()).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_inverts_the_distribution_function() {
        for k in 1..2000 {
            let z = -8.0 + f64::from(k) * 0.004;
            let p = 0.5 * libm::erfc(-z * FRAC_1_SQRT_2);
            assert!((quantile(p) - z).abs() < 1e-12 * (1.0 + z.abs()), "z = {z}");
            assert!((quantile(p) + quantile(1.0 - p)).abs() < 1e-6 * (1.0 + z * z) || p < 1e-12);
        }
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((quantile(1e-300) + 37.047_096_299_361_2).abs() < 1e-9);
    }

    #[test]
    fn lower_tail_is_smooth_where_the_series_takes_over() {
        let (near, far) = (ln_ndtr(-30.0 + 1e-9), ln_ndtr(-30.0 - 1e-9));
        assert!((near - far - 2e-9 * 30.033).abs() < 1e-9);
        assert!((ln_ndtr(-40.0) + 804.608_442_013_754).abs() < 1e-8);
    }

    #[test]
    fn mass_telescopes_and_is_symmetric_at_every_scale() {
        for (low, high) in [
            (-0.3, 0.4),
            (2.0, 2.5),
            (-9.0, -8.0),
            (31.0, 33.0),
            (0.001, 0.002),
            (-41.0, -40.99),
        ] {
            let whole = ln_mass(low, high);
            assert!((whole - ln_mass(-high, -low)).abs() < 1e-11 * (1.0 + whole.abs()));
            for parts in [2, 7, 1000] {
                let edge = |k: usize| low + (high - low) * k as f64 / parts as f64;
                let sum: f64 = (0..parts)
                    .map(|k| (ln_mass(edge(k), edge(k + 1)) - whole).exp())
                    .sum();
                assert!(
                    (sum - 1.0).abs() < 1e-9,
                    "[{low}, {high}] in {parts} parts sums to {sum}"
                );
            }
        }
        assert_eq!(ln_mass(1.0, 1.0), f64::NEG_INFINITY);
        assert!((ln_mass(f64::NEG_INFINITY, 0.0) - 0.5f64.ln()).abs() < 1e-15);
    }
}
