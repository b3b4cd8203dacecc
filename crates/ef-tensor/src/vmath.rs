//! Elementary functions of one lane, and over slices.
//!
//! `f32` runs branch-free polynomials that the compiler vectorises inside a [`Kernel`] for each
//! [`simd::Level`] (relative error below 4e-7, held by tests against `f64`); `f64` runs the standard
//! library: proofs want accuracy, not speed.

use crate::real::Real;
use crate::simd::{self, Kernel};

#[inline(always)]
fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    simd::mul_add::<FMA, f32>(a, b, c)
}

/// `exp(x)`: `x = n ln 2 + r` with `|r| <= ln 2 / 2`, a degree-6 polynomial for `exp(r)`, the exponent by bits.
/// (The scheme of Cephes `expf`; `ln 2` in two parts so that `r` is exact.)
#[inline(always)]
pub(crate) fn exp_one<const FMA: bool>(x: f32) -> f32 {
    const LOG2E: f32 = std::f32::consts::LOG2_E;
    const LN2_HI: f32 = 0.693_359_4;
    const LN2_LO: f32 = -2.121_944_4e-4;
    // 1.5 * 2^23: adding it rounds to an integer that then sits in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Written so that NaN falls through.
    let c = if x > 88.0 { 88.0 } else { x };
    let c = if c < -87.0 { -87.0 } else { c };
    let shifted = mul_add::<FMA>(c, LOG2E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -LN2_HI, c);
    let r = mul_add::<FMA>(n, -LN2_LO, r);
    let mut p = 1.0 / 720.0;
    p = mul_add::<FMA>(p, r, 1.0 / 120.0);
    p = mul_add::<FMA>(p, r, 1.0 / 24.0);
    p = mul_add::<FMA>(p, r, 1.0 / 6.0);
    p = mul_add::<FMA>(p, r, 0.5);
    p = mul_add::<FMA>(p, r, 1.0);
    p = mul_add::<FMA>(p, r, 1.0);
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    let y = p * scale;
    let y = if x < -87.0 { 0.0 } else { y };
    if x > 88.0 { f32::INFINITY } else { y }
}

/// The same in `f64`, with the Taylor polynomial of degree 12, of numbers between -700 and 0.
#[inline(always)]
pub(crate) fn exp_wide<const FMA: bool>(x: f64) -> f64 {
    const LOG2E: f64 = std::f64::consts::LOG2_E;
    const LN2_HI: f64 = 6.931_471_803_691_238e-1;
    const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
    // 1.5 * 2^52, as above.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const INVERSE_FACTORIALS: [f64; 13] = {
        let mut c = [1.0; 13];
        let mut k = 1;
        while k < 13 {
            c[k] = c[k - 1] / k as f64;
            k += 1;
        }
        c
    };
    let x = if x < -700.0 { -700.0 } else { x };
    let shifted = simd::mul_add::<FMA, f64>(x, LOG2E, ROUND);
    let n = shifted - ROUND;
    let r = simd::mul_add::<FMA, f64>(n, -LN2_HI, x);
    let r = simd::mul_add::<FMA, f64>(n, -LN2_LO, r);
    let mut p = 0.0;
    for c in INVERSE_FACTORIALS.iter().rev() {
        p = simd::mul_add::<FMA, f64>(p, r, *c);
    }
    p * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()))
}

#[inline(always)]
pub(crate) fn sigmoid_one<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp_one::<FMA>(-x))
}

#[inline(always)]
pub(crate) fn tanh_one<const FMA: bool>(x: f32) -> f32 {
    // The polynomial where `1 - 2 sigmoid` would cancel (Cephes `tanhf`), the exponential elsewhere.
    let a = x.abs();
    let e = 1.0 - 2.0 / (exp_one::<FMA>(2.0 * a) + 1.0);
    let z = x * x;
    let mut p = -5.704_988_7e-3_f32;
    p = mul_add::<FMA>(p, z, 2.063_909e-2);
    p = mul_add::<FMA>(p, z, -5.373_971_5e-2);
    p = mul_add::<FMA>(p, z, 1.333_144_2e-1);
    p = mul_add::<FMA>(p, z, -3.333_328e-1);
    let small = mul_add::<FMA>(p * z, x, x);
    if a < 0.625 { small } else { e.copysign(x) }
}

/// `ln(x)`: `x = m 2^n` with `m` in `[sqrt 1/2, sqrt 2)`, a degree-8 polynomial for `ln m`. (The scheme of Cephes
/// `logf`; `ln 2` in two parts.) `-inf` at 0, NaN below.
#[inline(always)]
pub(crate) fn ln_one<const FMA: bool>(x: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    const LN2_HI: f32 = 0.693_359_4;
    const LN2_LO: f32 = -2.121_944_4e-4;
    // Below the normal numbers the exponent bits say nothing: times 2^23.
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let n = (bits as i32) >> 23;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF_BITS));
    let n = n as f32 - if tiny { 23.0 } else { 0.0 };
    let r = m - 1.0;
    let z = r * r;
    let mut p = 7.037_683_6e-2;
    p = mul_add::<FMA>(p, r, -1.151_461e-1);
    p = mul_add::<FMA>(p, r, 1.167_699_9e-1);
    p = mul_add::<FMA>(p, r, -1.242_014_1e-1);
    p = mul_add::<FMA>(p, r, 1.424_932_3e-1);
    p = mul_add::<FMA>(p, r, -1.666_805_7e-1);
    p = mul_add::<FMA>(p, r, 2.000_071_5e-1);
    p = mul_add::<FMA>(p, r, -2.499_999_4e-1);
    p = mul_add::<FMA>(p, r, 3.333_333e-1);
    let small = mul_add::<FMA>(n, LN2_LO, p * r * z);
    let y = r + mul_add::<FMA>(-0.5, z, small);
    let y = mul_add::<FMA>(n, LN2_HI, y);
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// `ln(1 + x)`, with the digits of a small `x`: what rounding took from `1 + x` comes back as a slope.
#[inline(always)]
pub(crate) fn ln_1p_one<const FMA: bool>(x: f32) -> f32 {
    let u = 1.0 + x;
    let lost = (x - (u - 1.0)) / u;
    let y = ln_one::<FMA>(u) + lost;
    if u == 0.0 || u == f32::INFINITY {
        ln_one::<FMA>(u)
    } else {
        y
    }
}

macro_rules! over_slices {
    ($($kernel:ident, $lane:ident, $name:ident, $doc:literal;)*) => {$(
        struct $kernel<'a, T>(&'a mut [T]);

        impl<T: Real> Kernel for $kernel<'_, T> {
            type Output = ();

            #[inline(always)]
            fn run<const FMA: bool>(self) {
                for v in self.0 {
                    *v = v.$lane::<FMA>();
                }
            }
        }

        #[doc = $doc]
        pub fn $name<T: Real>(x: &mut [T]) {
            simd::dispatch($kernel(x));
        }
    )*};
}

over_slices! {
    Exp, exp_lane, exp, "`x <- exp(x)`, elementwise; in `f32` 0 below -87 and infinite above 88; NaN kept.";
    Tanh, tanh_lane, tanh, "`x <- tanh(x)`, elementwise; NaN kept.";
    Sigmoid, sigmoid_lane, sigmoid, "`x <- 1 / (1 + exp(-x))`, elementwise; NaN kept.";
    Ln, ln_lane, ln, "`x <- ln(x)`, elementwise; `-inf` at 0, NaN below.";
    Ln1p, ln_1p_lane, ln_1p, "`x <- ln(1 + x)`, elementwise, with the digits of a small `x`.";
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;
    use crate::simd::{Level, with_level};

    fn at_every_level(f: impl Fn()) {
        for level in Level::ALL {
            with_level(level, &f);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agree_with_f64(x in -87.0f32..87.0, exponent in -126i32..127) {
            at_every_level(|| {
                let one = |f: fn(&mut [f32]), x: f32| { let mut y = [x]; f(&mut y); f64::from(y[0]) };
                let wide = f64::from(x);
                assert_relative_eq!(one(exp, x), wide.exp(), max_relative = 3e-7, epsilon = 1e-37);
                assert_relative_eq!(one(sigmoid, x), 1.0 / (1.0 + (-wide).exp()), max_relative = 4e-7, epsilon = 1e-37);
                for t in [x, x / 87.0, x / 1e4] {
                    assert_relative_eq!(one(tanh, t), f64::from(t).tanh(), max_relative = 4e-7);
                }
                let positive = (x.abs() / 87.0 + 1.0) * 2.0_f32.powi(exponent);
                for t in [positive, x.abs(), 1.0 + x / 1e3, 1.0 + x / 1e6] {
                    assert_relative_eq!(one(ln, t), f64::from(t).ln(), max_relative = 3e-7);
                }
                for t in [positive, x.abs(), x / 87.1, x / 1e3, x / 1e6, x / 1e12, -positive.min(0.999)] {
                    assert_relative_eq!(one(ln_1p, t), f64::from(t).ln_1p(), max_relative = 4e-7);
                }
            });
        }
    }

    proptest! {
        #[test]
        fn the_wide_exponential(x in -700.0..0.0_f64) {
            for x in [x, x / 700.0, x / 1e6] {
                assert_relative_eq!(exp_wide::<true>(x), x.exp(), max_relative = 1e-15);
                assert_relative_eq!(exp_wide::<false>(x), x.exp(), max_relative = 1e-15);
            }
        }
    }

    #[test]
    fn special_values() {
        at_every_level(|| {
            let mut y = [f32::NEG_INFINITY, -200.0, 0.0, 200.0, f32::INFINITY, f32::NAN];
            let mut t = y;
            exp(&mut y);
            assert_eq!(y[..5], [0.0, 0.0, 1.0, f32::INFINITY, f32::INFINITY]);
            assert!(y[5].is_nan());
            tanh(&mut t);
            assert_eq!(t[..5], [-1.0, -1.0, 0.0, 1.0, 1.0]);
            assert!(t[5].is_nan());

            let mut l = [0.0, -0.0, 1.0, f32::INFINITY, -1.0, f32::NEG_INFINITY, f32::NAN];
            ln(&mut l);
            assert_eq!(l[..4], [f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0, f32::INFINITY]);
            assert!(l[4..].iter().all(|v| v.is_nan()));
            let mut l = [-1.0, 0.0, f32::INFINITY, -1.5, f32::NAN, 1e-45];
            ln_1p(&mut l);
            assert_eq!(l[..3], [f32::NEG_INFINITY, 0.0, f32::INFINITY]);
            assert!(l[3].is_nan() && l[4].is_nan());
            assert_eq!(l[5], 1e-45);
            // the smallest number there is
            let mut l = [1e-45_f32];
            ln(&mut l);
            assert_relative_eq!(l[0], -103.278_93, max_relative = 1e-6);
        });
    }
}
