//! The normal distribution: density and quantile, which is how normal numbers are drawn.
//!
//! The distribution function is `ef_tensor::normal::ndtr`.

/// `ln sqrt(2 pi)`.
pub const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// `ln phi(z)`, the standard normal log-density.
pub fn log_phi(z: f64) -> f64 {
    -0.5 * z * z - LN_SQRT_2PI
}

/// `Phi^-1(p)`, the standard normal quantile (Wichura 1988, algorithm AS 241, PPND16: relative error about 1e-16).
/// `-inf` at 0, `inf` at 1, NaN outside.
///
/// ```
/// use ef_random::{Key, normal::ndtri, uniform};
/// assert!((ndtri(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
/// let z = ndtri(uniform(&mut Key::new(7).row(3))); // a normal number
/// # assert!(z.is_finite());
/// ```
pub fn ndtri(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= CENTRE {
        return central(q);
    }
    let tail = lower_tail(p);
    if tail >= FAR {
        return tail_quantile(tail).copysign(q);
    }
    far_quantile(tail).copysign(q)
}

/// [`ndtri`] of `L` numbers in `(0, 1)`, for vector code: the same to the last bit at every instruction set, because it
/// has no fused operations.
#[inline(always)]
pub fn ndtri_lanes<const L: usize>(p: [f64; L]) -> [f64; L] {
    let mut z = [0.0; L];
    let mut far = false;
    for l in 0..L {
        let q = p[l] - 0.5;
        let tail = lower_tail(p[l]);
        let outer = tail_quantile(tail).copysign(q);
        z[l] = if q.abs() <= CENTRE { central(q) } else { outer };
        far |= tail < FAR;
    }
    // About one number in 1e10 is this far out, so the lanes do without a third pair of polynomials.
    if far {
        z = p.map(ndtri);
    }
    z
}

/// The largest `|p - 1/2|` of the central approximation.
const CENTRE: f64 = 0.425;

/// `exp(-25)`, below which the last approximation begins.
const FAR: f64 = 1.388_794_386_496_402e-11;

#[inline(always)]
fn lower_tail(p: f64) -> f64 {
    if p < 0.5 { p } else { 1.0 - p }
}

#[inline(always)]
fn central(q: f64) -> f64 {
    let r = 0.180_625 - q * q;
    q * poly(&A, r) / poly(&B, r)
}

/// `|z|` where the smaller tail has this probability, from `FAR` on.
#[inline(always)]
fn tail_quantile(tail: f64) -> f64 {
    let r = (-ln(tail)).sqrt() - 1.6;
    poly(&C, r) / poly(&D, r)
}

/// The same below `FAR`.
fn far_quantile(tail: f64) -> f64 {
    if tail.is_nan() || tail < 0.0 {
        return f64::NAN;
    }
    if tail == 0.0 {
        return f64::INFINITY;
    }
    let r = (-tail.ln()).sqrt() - 5.0;
    poly(&E, r) / poly(&F, r)
}

/// `ln x` of a normal number, without branches: `x = 2^n m` with `m` in `[sqrt 1/2, sqrt 2)`, and with `f = m - 1` and
/// `s = f / (2 + f)`, `ln m = f - f²/2 + s (f²/2 + R(s²))`. (The scheme and coefficients of fdlibm's `log`, error below
/// one unit in the last place.)
#[inline(always)]
fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_0000_0000;
    const ONE: u64 = 1.0_f64.to_bits();
    const MANTISSA: u64 = (1 << 52) - 1;
    // Setting an integer below 2^52 into the last bits of 2^52 gives 2^52 plus that integer.
    const INTEGER: f64 = 4_503_599_627_370_496.0;
    const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const R: [f64; 7] = [
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    let bits = x.to_bits().wrapping_add(ONE - SQRT_HALF);
    let n = f64::from_bits(INTEGER.to_bits() | bits >> 52) - (INTEGER + 1023.0);
    let f = f64::from_bits((bits & MANTISSA) + SQRT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let r = z * R.iter().rev().fold(0.0, |sum, &c| sum * z + c);
    let half = 0.5 * f * f;
    s * (half + r) + n * LN2[1] - half + f + n * LN2[0]
}

#[inline(always)]
fn poly(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, &c| sum * x + c)
}

const A: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const B: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_854,
];
const C: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    2.417_807_251_774_506e-1,
    2.272_384_498_926_918_4e-2,
    7.745_450_142_783_414e-4,
];
const D: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1,
    1.519_866_656_361_645_7e-2,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const E: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    2.965_605_718_285_048_7e-1,
    2.653_218_952_657_612_4e-2,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const F: [f64; 8] = [
    1.0,
    5.998_322_065_558_88e-1,
    1.369_298_809_227_358e-1,
    1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Over all sizes of the tail, far ones included.
        #[test]
        fn lanes_are_the_single_number(u in 0.0..1.0f64, exponent in 0..1000i32, place in 0..4usize) {
            let small = (u + f64::EPSILON) * 0.5_f64.powi(exponent);
            for p in [u.max(1e-300), small, 1.0 - small.clamp(f64::EPSILON, 0.5)] {
                let mut all = [0.3, 1e-5, 0.99, 0.5];
                all[place] = p;
                prop_assert_eq!(ndtri_lanes(all).map(f64::to_bits), all.map(|p| ndtri(p).to_bits()));
            }
        }

        #[test]
        fn the_logarithm_is_the_logarithm(m in 0.5..2.0f64, exponent in -1000..1000i32) {
            for x in [m, m * 2.0_f64.powi(exponent), 1.0 + (m - 1.0) * 1e-8] {
                assert_relative_eq!(ln(x), x.ln(), max_relative = 3e-16, epsilon = 1e-300);
            }
        }
    }

    #[test]
    fn known_values() {
        assert_abs_diff_eq!(ndtri(0.975), 1.959_963_984_540_054, epsilon = 1e-14);
        assert_abs_diff_eq!(ndtri(0.5), 0.0, epsilon = 0.0);
        assert_relative_eq!(ndtri(1e-300), -37.047_096_299_361_2, max_relative = 1e-13);
        assert_eq!(ndtri(0.0), f64::NEG_INFINITY);
        assert_eq!(ndtri(1.0), f64::INFINITY);
        assert!(ndtri(-0.1).is_nan() && ndtri(f64::NAN).is_nan());
    }
}
