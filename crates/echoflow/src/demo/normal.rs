//! The normal law to full precision: densities, quantiles and the mass of one rounding step, also far out.

// the published digits of AS 241, to be compared with the paper
#![allow(clippy::excessive_precision)]

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

/// `ln sqrt(2 pi)`.
pub(super) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// `ln phi(z)`, the log-density of the standard normal law.
pub(super) fn ln_phi(z: f64) -> f64 {
    -0.5 * z * z - LN_SQRT_2PI
}

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

/// `Phi^-1(p)`: Wichura's AS 241 (1988), routine PPND16, relative accuracy about 1e-16. `p` lies inside (0, 1).
pub(super) fn quantile(p: f64) -> f64 {
    debug_assert!(p > 0.0 && p < 1.0);
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRE_NUM, &CENTRE_DEN);
    }
    let r = (-(if q < 0.0 { p } else { 1.0 - p }).ln()).sqrt();
    let z = if r <= 5.0 {
        ratio(r - 1.6, &MIDDLE_NUM, &MIDDLE_DEN)
    } else {
        ratio(r - 5.0, &TAIL_NUM, &TAIL_DEN)
    };
    if q < 0.0 { -z } else { z }
}

/// A ratio of polynomials, coefficients from the constant term upward.
fn ratio(x: f64, numerator: &[f64; 8], denominator: &[f64; 8]) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    horner(numerator) / horner(denominator)
}

const CENTRE_NUM: [f64; 8] = [
    3.387_132_872_796_366_608,
    1.331_416_678_917_843_774_5e2,
    1.971_590_950_306_551_442_7e3,
    1.373_169_376_550_946_112_5e4,
    4.592_195_393_154_987_145_7e4,
    6.726_577_092_700_870_085_3e4,
    3.343_057_558_358_812_810_5e4,
    2.509_080_928_730_122_672_7e3,
];
const CENTRE_DEN: [f64; 8] = [
    1.0,
    4.231_333_070_160_091_125_2e1,
    6.871_870_074_920_579_083e2,
    5.394_196_021_424_751_107_7e3,
    2.121_379_430_158_659_586_7e4,
    3.930_789_580_009_271_061e4,
    2.872_908_573_572_194_267_4e4,
    5.226_495_278_852_854_561e3,
];
const MIDDLE_NUM: [f64; 8] = [
    1.423_437_110_749_683_577_34,
    4.630_337_846_156_545_295_9,
    5.769_497_221_460_691_405_5,
    3.647_848_324_763_204_605_04,
    1.270_458_252_452_368_382_58,
    2.417_807_251_774_506_117_7e-1,
    2.272_384_498_926_918_458_33e-2,
    7.745_450_142_783_414_076_4e-4,
];
const MIDDLE_DEN: [f64; 8] = [
    1.0,
    2.053_191_626_637_758_821_87,
    1.676_384_830_183_803_849_4,
    6.897_673_349_851_000_045_5e-1,
    1.481_039_764_274_800_745_9e-1,
    1.519_866_656_361_645_719_66e-2,
    5.475_938_084_995_344_946e-4,
    1.050_750_071_644_416_843_24e-9,
];
const TAIL_NUM: [f64; 8] = [
    6.657_904_643_501_103_777_2,
    5.463_784_911_164_114_369_9,
    1.784_826_539_917_291_335_8,
    2.965_605_718_285_048_912_3e-1,
    2.653_218_952_657_612_309_3e-2,
    1.242_660_947_388_078_438_6e-3,
    2.711_555_568_743_487_578_15e-5,
    2.010_334_399_292_288_132_65e-7,
];
const TAIL_DEN: [f64; 8] = [
    1.0,
    5.998_322_065_558_879_376_9e-1,
    1.369_298_809_227_358_053_1e-1,
    1.487_536_129_085_061_485_25e-2,
    7.868_691_311_456_132_591e-4,
    1.846_318_317_510_054_681_8e-5,
    1.421_511_758_316_445_888_7e-7,
    2.044_263_103_389_939_785_64e-15,
];

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
