//! Run-time choice of instruction set, behind a safe door.
//!
//! [`dispatched!`](crate::dispatched) compiles one plain, autovectorised kernel once per [`Level`] and picks the
//! best the processor has. Kernels take a `const FMA: bool` because `mul_add` without the instruction is a slow
//! library call. Tests force each level with [`with_level`]; results of different levels differ in the last bits,
//! so a model file names the level it was fitted with.

use std::cell::Cell;
use std::sync::OnceLock;

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

/// Defines `fn name(args)` that runs `kernel::<FMA>(args)` compiled for the best instruction set at hand.
///
/// `kernel` must be an `#[inline(always)]` function with one `const FMA: bool` parameter.
#[macro_export]
#[doc(hidden)]
macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) = $kernel:ident) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        $vis fn $name($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) {
                    $kernel::<true>($($arg),*);
                }
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                fn avx512($($arg: $ty),*) {
                    $kernel::<true>($($arg),*);
                }
                match $crate::simd::level() {
                    // SAFETY: `level` never exceeds what `is_x86_feature_detected` found on this processor.
                    $crate::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::simd::Level::Baseline => {}
                }
            }
            $kernel::<false>($($arg),*);
        }
    };
}
