//! Elementary functions over slices.
//!
//! `f32` runs a branch-free polynomial that the compiler vectorises for each [`simd::Level`](crate::simd::Level)
//! (relative error below 3e-7 for `exp` and `sigmoid`, absolute error below 3e-7 for `tanh`, held by tests against
//! `f64`); `f64` runs the standard library: proofs want accuracy, not speed.

use crate::dispatched;

#[inline(always)]
fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `exp(x)`: `x = n ln 2 + r` with `|r| <= ln 2 / 2`, a degree-6 polynomial for `exp(r)`, the exponent by bits.
/// (The scheme of Cephes `expf`; `ln 2` in two parts so that `r` is exact.)
#[inline(always)]
fn exp_one<const FMA: bool>(x: f32) -> f32 {
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

#[inline(always)]
fn sigmoid_one<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp_one::<FMA>(-x))
}

#[inline(always)]
fn tanh_one<const FMA: bool>(x: f32) -> f32 {
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

macro_rules! over_slices {
    ($($kernel:ident, $one:ident, $name:ident, $doc:literal;)*) => {$(
        #[inline(always)]
        fn $kernel<const FMA: bool>(x: &mut [f32]) {
            for v in x {
                *v = $one::<FMA>(*v);
            }
        }
        dispatched! {
            #[doc = $doc]
            pub fn $name(x: &mut [f32]) = $kernel
        }
    )*};
}

over_slices! {
    exp_kernel, exp_one, exp_f32, "`x <- exp(x)`; 0 below -87, infinite above 88, NaN kept.";
    tanh_kernel, tanh_one, tanh_f32, "`x <- tanh(x)`; NaN kept.";
    sigmoid_kernel, sigmoid_one, sigmoid_f32, "`x <- 1 / (1 + exp(-x))`; NaN kept.";
}

/// `x <- exp(x)`.
pub fn exp_f64(x: &mut [f64]) {
    x.iter_mut().for_each(|v| *v = v.exp());
}

/// `x <- tanh(x)`.
pub fn tanh_f64(x: &mut [f64]) {
    x.iter_mut().for_each(|v| *v = v.tanh());
}

/// `x <- 1 / (1 + exp(-x))`.
pub fn sigmoid_f64(x: &mut [f64]) {
    x.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp()));
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
        fn agree_with_f64(x in -87.0f32..87.0) {
            at_every_level(|| {
                let wide = f64::from(x);
                let mut y = [x; 1];
                exp_f32(&mut y);
                assert_relative_eq!(f64::from(y[0]), wide.exp(), max_relative = 3e-7, epsilon = 1e-37);
                y = [x];
                sigmoid_f32(&mut y);
                assert_relative_eq!(f64::from(y[0]), 1.0 / (1.0 + (-wide).exp()), max_relative = 4e-7, epsilon = 1e-37);
                for t in [x, x / 87.0, x / 1e4] {
                    y = [t];
                    tanh_f32(&mut y);
                    assert_relative_eq!(f64::from(y[0]), f64::from(t).tanh(), max_relative = 4e-7);
                }
            });
        }
    }

    #[test]
    fn special_values() {
        at_every_level(|| {
            let mut y = [f32::NEG_INFINITY, -200.0, 0.0, 200.0, f32::INFINITY, f32::NAN];
            let mut t = y;
            exp_f32(&mut y);
            assert_eq!(y[..5], [0.0, 0.0, 1.0, f32::INFINITY, f32::INFINITY]);
            assert!(y[5].is_nan());
            tanh_f32(&mut t);
            assert_eq!(t[..5], [-1.0, -1.0, 0.0, 1.0, 1.0]);
            assert!(t[5].is_nan());
        });
    }
}
