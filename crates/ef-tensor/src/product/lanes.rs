//! Registers of numbers.

#![allow(unsafe_code)]

use ndarray::NdFloat;

use super::tile::{self, Tiles};
use super::{Problem, Strided, panels};

/// One register: `LEN` numbers that are added and multiplied at once.
///
/// # Safety
/// Every function may only run on a processor that has the register's instruction set; a [`tile`](super::tile) is entered
/// through a function compiled for it.
pub trait Lanes<T>: Copy {
    /// Half of it, where that costs less; else the same again.
    type Half: Lanes<T>;
    /// Numbers a register holds.
    const LEN: usize;
    /// Rows of a tile two registers wide that leave the processor registers to spare.
    const ROWS: usize;

    /// Reads `LEN` numbers.
    ///
    /// # Safety
    /// `p` must be valid for reading `LEN` numbers.
    unsafe fn load(p: *const T) -> Self;

    /// Writes `LEN` numbers.
    ///
    /// # Safety
    /// `p` must be valid for writing `LEN` numbers.
    unsafe fn store(self, p: *mut T);

    /// The same number in every lane.
    ///
    /// # Safety
    /// None beyond the trait's.
    unsafe fn splat(x: T) -> Self;

    /// `self * b + c`.
    ///
    /// # Safety
    /// None beyond the trait's.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;

    /// The larger of the two, lane by lane; `b` where `self` is NaN.
    ///
    /// # Safety
    /// None beyond the trait's.
    unsafe fn max(self, b: Self) -> Self;

    /// `self` where `gate` is above 0, else 0.
    ///
    /// # Safety
    /// None beyond the trait's.
    unsafe fn where_positive(self, gate: Self) -> Self;

    /// Reads `count` numbers, at most `LEN`; the other lanes are 0.
    ///
    /// # Safety
    /// `p` must be valid for reading `count` numbers.
    #[inline(always)]
    unsafe fn load_first(p: *const T, count: usize) -> Self
    where
        T: Copy + Default,
    {
        let mut part = [T::default(); MOST];
        // SAFETY: the caller's promise; no register has more lanes than `part`.
        unsafe {
            p.copy_to_nonoverlapping(part.as_mut_ptr(), count);
            Self::load(part.as_ptr())
        }
    }

    /// Writes the first `count` numbers, fewer than `LEN`, of every register; the next is written `stride` numbers on.
    ///
    /// # Safety
    /// `p` must be valid for writing `R` rows of `count` numbers.
    #[inline(always)]
    unsafe fn store_first<const R: usize>(rows: &[Self; R], p: *mut T, stride: isize, count: usize)
    where
        T: Copy + Default,
    {
        // By way of memory: a register cannot be indexed by a number that is known only at run time.
        let mut parts = [[T::default(); MOST]; R];
        // SAFETY: the caller's promise; no register has more lanes than a part.
        unsafe {
            for i in 0..R {
                rows[i].store(parts[i].as_mut_ptr());
            }
            for (i, part) in parts.iter().enumerate() {
                let p = p.wrapping_offset(i as isize * stride);
                let mut done = 0;
                macro_rules! some {
                    ($($some:literal)*) => {$(
                        if count & $some != 0 {
                            p.add(done).copy_from_nonoverlapping(part.as_ptr().add(done), $some);
                            done += $some;
                        }
                    )*};
                }
                some!(8 4 2 1);
                debug_assert!(done == count);
            }
        }
    }

    /// Computes `count` tiles of `R` rows and `W` registers, compiled for the register's instruction set.
    ///
    /// # Safety
    /// As for `tile::compute`.
    unsafe fn tiles<const R: usize, const W: usize>(count: usize, tiles: &mut Tiles<T>);

    /// Copies a panel, compiled for the register's instruction set.
    ///
    /// # Safety
    /// As for `panels::copy`.
    unsafe fn pack(b: Strided<T>, terms: usize, columns: usize, width: usize, to: *mut T);

    /// Asks for the memory at `p` to be brought into the cache; any address is allowed.
    #[inline(always)]
    fn fetch(p: *const T) {
        let _ = p;
    }

    /// Writes the transpose of a block of [`BLOCK`] by [`BLOCK`] numbers. Rows of the two lie `from_stride` and `to_stride`
    /// numbers apart.
    ///
    /// # Safety
    /// The blocks must be valid for reading and for writing.
    #[inline(always)]
    unsafe fn transpose(from: *const T, from_stride: isize, to: *mut T, to_stride: usize)
    where
        T: Copy,
    {
        // SAFETY: the caller's promise.
        unsafe {
            for i in 0..BLOCK {
                let row = from.offset(i as isize * from_stride);
                for j in 0..BLOCK {
                    *to.add(j * to_stride + i) = *row.add(j);
                }
            }
        }
    }
}

/// The most lanes of any register.
const MOST: usize = 16;

/// Rows and columns that are transposed at a time.
pub(super) const BLOCK: usize = 8;

#[cfg(target_arch = "x86_64")]
macro_rules! x86_register {
    (
        $v:ident, $half:ident, $t:ident, $len:literal, $rows:literal, $features:literal,
        $load:ident, $store:ident, $splat:ident, $fma:ident, $max:ident,
        { $($more:item)* }
    ) => {
        impl Lanes<$t> for std::arch::x86_64::$v {
            type Half = std::arch::x86_64::$half;
            const LEN: usize = $len;
            const ROWS: usize = $rows;

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn load(p: *const $t) -> Self {
                // SAFETY: the caller's promise.
                unsafe { std::arch::x86_64::$load(p) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn store(self, p: *mut $t) {
                // SAFETY: the caller's promise.
                unsafe { std::arch::x86_64::$store(p, self) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                // SAFETY: the caller's promise.
                unsafe { std::arch::x86_64::$splat(x) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { std::arch::x86_64::$fma(self, b, c) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn max(self, b: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { std::arch::x86_64::$max(self, b) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn tiles<const R: usize, const W: usize>(count: usize, tiles: &mut Tiles<$t>) {
                /// # Safety
                /// As for `tile::compute`.
                #[target_feature(enable = $features)]
                unsafe fn compiled<const R: usize, const W: usize>(count: usize, tiles: &mut Tiles<$t>) {
                    // SAFETY: the caller's promise.
                    unsafe { tile::fixed::<$t, std::arch::x86_64::$v, R, W>(count, tiles) }
                }
                // SAFETY: the caller's promise.
                unsafe { compiled::<R, W>(count, tiles) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn pack(b: Strided<$t>, terms: usize, columns: usize, width: usize, to: *mut $t) {
                /// # Safety
                /// As for `panels::copy`.
                #[target_feature(enable = $features)]
                unsafe fn compiled(b: Strided<$t>, terms: usize, columns: usize, width: usize, to: *mut $t) {
                    // SAFETY: the caller's promise.
                    unsafe { panels::copy::<$t, std::arch::x86_64::$v>(b, terms, columns, width, to) }
                }
                // SAFETY: the caller's promise.
                unsafe { compiled(b, terms, columns, width, to) }
            }

            #[inline(always)]
            fn fetch(p: *const $t) {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                // SAFETY: a hint, which never faults.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
            }

            $($more)*
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64 as x86;

    use super::{BLOCK, Lanes, Strided, Tiles};
    use crate::product::{panels, tile};

    x86_register!(
        __m512,
        __m256,
        f32,
        16,
        12,
        "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma",
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_max_ps,
        {
            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe {
                    let above = x86::_mm512_cmp_ps_mask::<{ x86::_CMP_GT_OQ }>(gate, Self::splat(0.0));
                    x86::_mm512_maskz_mov_ps(above, self)
                }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn load_first(p: *const f32, count: usize) -> Self {
                let first = u16::MAX >> (Self::LEN - count);
                // SAFETY: the caller's promise; lanes outside the mask are not read.
                unsafe { x86::_mm512_maskz_loadu_ps(first, p) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn store_first<const R: usize>(
                rows: &[Self; R],
                p: *mut f32,
                stride: isize,
                count: usize,
            ) {
                let first = u16::MAX >> (Self::LEN - count);
                for i in 0..R {
                    let p = p.wrapping_offset(i as isize * stride);
                    // SAFETY: the caller's promise; lanes outside the mask are not written.
                    unsafe { x86::_mm512_mask_storeu_ps(p, first, rows[i]) }
                }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
                // SAFETY: the caller's promise.
                unsafe { transpose_f32(from, from_stride, to, to_stride) }
            }
        }
    );

    x86_register!(
        __m512d,
        __m256d,
        f64,
        8,
        12,
        "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma",
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_set1_pd,
        _mm512_fmadd_pd,
        _mm512_max_pd,
        {
            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe {
                    let above = x86::_mm512_cmp_pd_mask::<{ x86::_CMP_GT_OQ }>(gate, Self::splat(0.0));
                    x86::_mm512_maskz_mov_pd(above, self)
                }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn load_first(p: *const f64, count: usize) -> Self {
                let first = u8::MAX >> (Self::LEN - count);
                // SAFETY: the caller's promise; lanes outside the mask are not read.
                unsafe { x86::_mm512_maskz_loadu_pd(first, p) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn store_first<const R: usize>(
                rows: &[Self; R],
                p: *mut f64,
                stride: isize,
                count: usize,
            ) {
                let first = u8::MAX >> (Self::LEN - count);
                for i in 0..R {
                    let p = p.wrapping_offset(i as isize * stride);
                    // SAFETY: the caller's promise; lanes outside the mask are not written.
                    unsafe { x86::_mm512_mask_storeu_pd(p, first, rows[i]) }
                }
            }
        }
    );

    x86_register!(
        __m256,
        __m256,
        f32,
        8,
        6,
        "avx2,fma",
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps,
        {
            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn load_first(p: *const f32, count: usize) -> Self {
                // SAFETY: the caller's promise; lanes outside the mask are not read.
                unsafe {
                    let first = x86::_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                    let mask = x86::_mm256_cmpgt_epi32(x86::_mm256_set1_epi32(count as i32), first);
                    x86::_mm256_maskload_ps(p, mask)
                }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe {
                    let above = x86::_mm256_cmp_ps::<{ x86::_CMP_GT_OQ }>(gate, Self::splat(0.0));
                    x86::_mm256_and_ps(above, self)
                }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
                // SAFETY: the caller's promise.
                unsafe { transpose_f32(from, from_stride, to, to_stride) }
            }
        }
    );

    x86_register!(
        __m256d,
        __m256d,
        f64,
        4,
        6,
        "avx2,fma",
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_set1_pd,
        _mm256_fmadd_pd,
        _mm256_max_pd,
        {
            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn load_first(p: *const f64, count: usize) -> Self {
                // SAFETY: the caller's promise; lanes outside the mask are not read.
                unsafe {
                    let first = x86::_mm256_setr_epi64x(0, 1, 2, 3);
                    let mask = x86::_mm256_cmpgt_epi64(x86::_mm256_set1_epi64x(count as i64), first);
                    x86::_mm256_maskload_pd(p, mask)
                }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe {
                    let above = x86::_mm256_cmp_pd::<{ x86::_CMP_GT_OQ }>(gate, Self::splat(0.0));
                    x86::_mm256_and_pd(above, self)
                }
            }
        }
    );

    /// Eight registers of eight: pairs, then fours, then halves change places.
    ///
    /// # Safety
    /// As for [`Lanes::transpose`], on a processor with AVX2.
    #[inline(always)]
    unsafe fn transpose_f32(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        use std::arch::x86_64::{
            _mm256_loadu_ps as load, _mm256_permute2f128_ps as halves, _mm256_shuffle_ps as shuffle,
            _mm256_storeu_ps as store, _mm256_unpackhi_ps as high, _mm256_unpacklo_ps as low,
        };
        // SAFETY: the caller's promise.
        unsafe {
            let mut r = [load(from); BLOCK];
            for i in 1..BLOCK {
                r[i] = load(from.offset(i as isize * from_stride));
            }
            let mut t = r;
            for i in (0..BLOCK).step_by(2) {
                (t[i], t[i + 1]) = (low(r[i], r[i + 1]), high(r[i], r[i + 1]));
            }
            for i in (0..BLOCK).step_by(4) {
                r[i] = shuffle::<0x44>(t[i], t[i + 2]);
                r[i + 1] = shuffle::<0xee>(t[i], t[i + 2]);
                r[i + 2] = shuffle::<0x44>(t[i + 1], t[i + 3]);
                r[i + 3] = shuffle::<0xee>(t[i + 1], t[i + 3]);
            }
            for i in 0..BLOCK / 2 {
                store(to.add(i * to_stride), halves::<0x20>(r[i], r[i + 4]));
                store(to.add((i + 4) * to_stride), halves::<0x31>(r[i], r[i + 4]));
            }
        }
    }
}

/// The register every target has, as an array the compiler keeps in one.
#[derive(Debug, Clone, Copy)]
pub struct Plain<T, const N: usize>([T; N]);

macro_rules! plain_register {
    ($t:ident, $len:literal) => {
        impl Lanes<$t> for Plain<$t, $len> {
            type Half = Self;
            const LEN: usize = $len;
            const ROWS: usize = 6;

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn load(p: *const $t) -> Self {
                // SAFETY: the caller's promise; an array of numbers is aligned as they are.
                Self(unsafe { p.cast::<[$t; $len]>().read() })
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn store(self, p: *mut $t) {
                // SAFETY: the caller's promise; an array of numbers is aligned as they are.
                unsafe { p.cast::<[$t; $len]>().write(self.0) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                Self([x; $len])
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                // Without the instruction `mul_add` is a slow library call.
                const FMA: bool = cfg!(target_arch = "aarch64");
                Self(std::array::from_fn(|i| {
                    let (a, b, c) = (self.0[i], b.0[i], c.0[i]);
                    if FMA { a.mul_add(b, c) } else { a * b + c }
                }))
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn tiles<const R: usize, const W: usize>(count: usize, tiles: &mut Tiles<$t>) {
                /// # Safety
                /// As for `tile::compute`.
                #[inline(never)]
                unsafe fn compiled<const R: usize, const W: usize>(count: usize, tiles: &mut Tiles<$t>) {
                    // SAFETY: the caller's promise.
                    unsafe { tile::fixed::<$t, Plain<$t, $len>, R, W>(count, tiles) }
                }
                // SAFETY: the caller's promise.
                unsafe { compiled::<R, W>(count, tiles) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(never)]
            unsafe fn pack(b: Strided<$t>, terms: usize, columns: usize, width: usize, to: *mut $t) {
                // SAFETY: the caller's promise.
                unsafe { panels::copy::<$t, Self>(b, terms, columns, width, to) }
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                Self(std::array::from_fn(|i| {
                    if gate.0[i] > 0.0 { self.0[i] } else { 0.0 }
                }))
            }

            // SAFETY: asks of its caller what the trait does.
            #[inline(always)]
            unsafe fn max(self, b: Self) -> Self {
                Self(std::array::from_fn(|i| {
                    if self.0[i] > b.0[i] {
                        self.0[i]
                    } else {
                        b.0[i]
                    }
                }))
            }
        }
    };
}

plain_register!(f32, 4);
plain_register!(f64, 2);

/// The registers of a number's type, one a [`Level`](crate::simd::Level).
pub trait Registers: NdFloat + Default {
    /// AVX-512's.
    type Avx512: Lanes<Self>;
    /// AVX2's.
    type Avx2: Lanes<Self>;
    /// What every processor of the target has.
    type Baseline: Lanes<Self>;

    /// Computes a product.
    #[doc(hidden)]
    fn compute(problem: &Problem<'_, '_, Self>);
}

macro_rules! registers {
    ($t:ident, $avx512:ident, $avx2:ident, $len:literal) => {
        impl Registers for $t {
            #[cfg(target_arch = "x86_64")]
            type Avx512 = std::arch::x86_64::$avx512;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = std::arch::x86_64::$avx2;
            #[cfg(not(target_arch = "x86_64"))]
            type Avx512 = Plain<$t, $len>;
            #[cfg(not(target_arch = "x86_64"))]
            type Avx2 = Plain<$t, $len>;
            type Baseline = Plain<$t, $len>;

            fn compute(problem: &Problem<'_, '_, Self>) {
                problem.compute();
            }
        }
    };
}

registers!(f32, __m512, __m256, 4);
registers!(f64, __m512d, __m256d, 2);
