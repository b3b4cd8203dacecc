//! The scalar every kernel is generic over.

use std::iter::Sum;

use ndarray::NdFloat;

use crate::product::Registers;
use crate::vmath;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A real number: `f32`, in which training runs, or `f64`, in which laws are proved. Sealed: the two share every
/// line of generic code, so what is proved in `f64` is what ships in `f32`.
pub trait Real: NdFloat + Sum + Default + Registers + sealed::Sealed {
    /// `"f32"` or `"f64"`, as model files and messages name it.
    const NAME: &'static str;

    /// The nearest value to an `f64`.
    fn of(x: f64) -> Self;

    /// As `f64`; exact for both types.
    fn wide(self) -> f64;

    /// `C = alpha A B + beta C` on raw strided matrices: the back of [`gemm`](crate::gemm()).
    #[doc(hidden)]
    fn gemm_raw(args: GemmArgs<Self>);

    /// `exp(self)` for use inside a [`Kernel`](crate::simd::Kernel), where the loop around it vectorises in `f32`.
    fn exp_lane<const FMA: bool>(self) -> Self;
    /// `tanh(self)`, likewise.
    fn tanh_lane<const FMA: bool>(self) -> Self;
    /// `1 / (1 + exp(-self))`, likewise.
    fn sigmoid_lane<const FMA: bool>(self) -> Self;
    /// `ln(self)`, likewise.
    fn ln_lane<const FMA: bool>(self) -> Self;
    /// `ln(1 + self)`, likewise.
    fn ln_1p_lane<const FMA: bool>(self) -> Self;
}

/// One product on raw strided matrices, checked by [`gemm`](crate::gemm()).
#[doc(hidden)]
#[derive(Debug)]
pub struct GemmArgs<T> {
    pub(crate) m: usize,
    pub(crate) k: usize,
    pub(crate) n: usize,
    pub(crate) alpha: T,
    pub(crate) a: (*const T, isize, isize),
    pub(crate) b: (*const T, isize, isize),
    pub(crate) beta: T,
    pub(crate) c: (*mut T, isize, isize),
}

macro_rules! real {
    ($t:ident, $name:literal, $gemm:path, $($lane:ident = $function:expr;)*) => {
        impl Real for $t {
            const NAME: &'static str = $name;

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $t
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[allow(unsafe_code)]
            fn gemm_raw(g: GemmArgs<Self>) {
                #[cfg(feature = "gemm")]
                // SAFETY: as below; with `read` false the crate does not read C.
                unsafe {
                    gemm::gemm(
                        g.m,
                        g.n,
                        g.k,
                        g.c.0,
                        g.c.2,
                        g.c.1,
                        g.beta != 0.0,
                        g.a.0,
                        g.a.2,
                        g.a.1,
                        g.b.0,
                        g.b.2,
                        g.b.1,
                        g.beta,
                        g.alpha,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
                #[cfg(not(feature = "gemm"))]
                // SAFETY: `GemmArgs` can only be built by `gemm`, which takes the pointers, sizes and strides from
                // three live ndarray views whose shapes it has checked; C comes from a mutable view, so it
                // overlaps neither A nor B, and no two of its elements share an address.
                unsafe {
                    $gemm(
                        g.m, g.k, g.n, g.alpha, g.a.0, g.a.1, g.a.2, g.b.0, g.b.1, g.b.2, g.beta, g.c.0,
                        g.c.1, g.c.2,
                    );
                }
            }

            $(
                #[inline(always)]
                fn $lane<const FMA: bool>(self) -> Self {
                    $function(self)
                }
            )*
        }
    };
}

real!(
    f32,
    "f32",
    matrixmultiply::sgemm,
    exp_lane = vmath::exp_one::<FMA>;
    tanh_lane = vmath::tanh_one::<FMA>;
    sigmoid_lane = vmath::sigmoid_one::<FMA>;
    ln_lane = vmath::ln_one::<FMA>;
    ln_1p_lane = vmath::ln_1p_one::<FMA>;
);
real!(
    f64,
    "f64",
    matrixmultiply::dgemm,
    exp_lane = f64::exp;
    tanh_lane = f64::tanh;
    sigmoid_lane = (|x: f64| 1.0 / (1.0 + (-x).exp()));
    ln_lane = f64::ln;
    ln_1p_lane = f64::ln_1p;
);
