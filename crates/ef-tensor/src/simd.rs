//! Run-time choice of instruction set, behind a safe door.
//!
//! [`dispatch`] compiles one plain, autovectorised [`Kernel`] once per [`Level`] and runs the best the processor has.
//! Tests force each level with [`with_level`]; results of different levels differ in the last bits, so a model file
//! names the level it was fitted with.

use std::cell::Cell;
use std::sync::OnceLock;

use ndarray::NdFloat;

/// An instruction set kernels are compiled for. Ordered: a processor that has one has all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the target always has (SSE2 on x86-64, NEON on AArch64).
    Baseline,
    /// AVX2 and fused multiply-add.
    Avx2,
    /// AVX-512 F, VL, BW and DQ.
    Avx512,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Avx2, Self::Avx512];

    /// The name `inspect` prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// The best level of this processor.
pub fn detected() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let avx2 = has!("avx2") && has!("fma");
            if avx2 && has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq") {
                return Level::Avx512;
            }
            if avx2 {
                return Level::Avx2;
            }
        }
        Level::Baseline
    })
}

thread_local! {
    static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
}

/// The level kernels called from this thread use now.
#[inline]
pub fn level() -> Level {
    FORCED.get().unwrap_or_else(detected)
}

/// Runs `f` with this thread's kernels held to `level`, or to the processor's best if it lacks that level. For tests
/// and measurements.
pub fn with_level<R>(level: Level, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Level>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(Some(level.min(detected()))));
    f()
}

/// Work that is compiled once per [`Level`] and run at the best one: see [`dispatch`].
///
/// Mark `run` (and what it calls in its loops) `#[inline(always)]`: only code that is inlined into the entry of a
/// level is compiled for that level. `FMA` says whether the level has fused multiply-add, see [`mul_add`].
///
/// ```
/// use ef_tensor::simd::{Kernel, dispatch, mul_add};
/// struct Axpy<'a>(f32, &'a [f32], &'a mut [f32]);
/// impl Kernel for Axpy<'_> {
///     type Output = ();
///     #[inline(always)]
///     fn run<const FMA: bool>(self) {
///         for (x, y) in self.1.iter().zip(self.2) {
///             *y = mul_add::<FMA, f32>(self.0, *x, *y);
///         }
///     }
/// }
/// let mut y = [1.0, 2.0];
/// dispatch(Axpy(2.0, &[10.0, 20.0], &mut y));
/// assert_eq!(y, [21.0, 42.0]);
/// ```
pub trait Kernel {
    /// What it returns.
    type Output;

    /// The work.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// Runs `kernel` compiled for the best instruction set at hand.
#[inline]
#[allow(unsafe_code)]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<true>()
        }
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<true>()
        }
        match level() {
            // SAFETY: `level` never exceeds what `is_x86_feature_detected` found on this processor.
            Level::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { avx2(kernel) },
            Level::Baseline => {}
        }
    }
    // NEON has the instruction in its baseline.
    #[cfg(target_arch = "aarch64")]
    return kernel.run::<true>();
    #[cfg(not(target_arch = "aarch64"))]
    kernel.run::<false>()
}

/// `a b + c`, in one rounding where the level has the instruction: elsewhere `mul_add` is a slow library call.
#[inline(always)]
pub fn mul_add<const FMA: bool, T: NdFloat>(a: T, b: T, c: T) -> T {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}
