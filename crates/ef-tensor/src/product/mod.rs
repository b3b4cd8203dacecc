//! Products of layers: small, of many shapes, triangular, many a step.
//!
//! A general product packs both operands into fresh memory on every call; with 64 units and 64 rows that costs as much as
//! the product. Here the left operand is read where it lies, one number at a time (a register holds it in all lanes), and
//! the right one a row of two registers at a time: where it lies if the product has few rows, else from a copy of one
//! panel, a few kilobytes on the stack. Sums run over the depth in order, so a result does not depend on how rows or
//! columns are cut.

#![allow(unsafe_code)]
// The crate then does their work.
#![cfg_attr(feature = "gemm", allow(dead_code, unused_imports))]

mod lanes;
mod tile;

use std::mem::MaybeUninit;
use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::real::Real;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Level, level};
pub use lanes::Registers;
use lanes::{BLOCK, Lanes};
use tile::{Ahead, From, Tile};

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a, T> {
    /// Nothing.
    Zero,
    /// A row, to every row.
    Bias(&'a [T]),
    /// What the result holds.
    Result,
    /// What the result holds and a row, to every row.
    ResultAndBias(&'a [T]),
}

/// What is done to every number of a finished product.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a, T> {
    /// Nothing.
    Keep,
    /// `max(v, 0)`; 0 for NaN.
    Relu,
    /// `v` where a matrix of the result's shape, with contiguous rows, is above 0; else 0: the slope of [`Relu`](Self::Relu),
    /// from what it made.
    WherePositive(ArrayView2<'a, T>),
}

/// The part of a product that a run of result columns needs; the rest of the operands is known to be zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Rows of the result, from the first.
    pub rows: usize,
    /// The sum's terms.
    pub depth: Range<usize>,
}

/// Numbers addressed by row and column.
#[derive(Debug, Clone, Copy)]
struct Strided<T> {
    start: *const T,
    rows: isize,
    columns: isize,
}

impl<T: Real> Strided<T> {
    fn of(view: &ArrayView2<'_, T>) -> Self {
        Self {
            start: view.as_ptr(),
            rows: view.strides()[0],
            columns: view.strides()[1],
        }
    }

    fn at(self, row: usize, column: usize) -> Self {
        let offset = row as isize * self.rows + column as isize * self.columns;
        Self {
            start: self.start.wrapping_offset(offset),
            ..self
        }
    }
}

/// `C = finish(start + A B)`: `a: (m, k)` and `b: (k, n)` of any strides, `c: (m, n)` with contiguous rows.
///
/// `part` tells of a run of columns which rows and terms it needs; rows beyond `part.rows` are left as they are.
///
/// # Panics
/// If shapes do not match, rows of `c` are not contiguous, or a part lies outside the operands.
pub fn product<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    start: Start<'_, T>,
    finish: Finish<'_, T>,
    c: ArrayViewMut2<'_, T>,
    part: impl Fn(Range<usize>) -> Part,
) {
    #[cfg(not(feature = "gemm"))]
    let mut c = c;
    let ((m, k), n) = (a.dim(), b.ncols());
    assert!(
        b.nrows() == k && c.dim() == (m, n),
        "product: {:?} x {:?} -> {:?}",
        a.dim(),
        b.dim(),
        c.dim()
    );
    if let Start::Bias(bias) | Start::ResultAndBias(bias) = start {
        assert!(bias.len() == n, "product: a bias has one number a column");
    }
    if m == 0 || n == 0 {
        return;
    }
    if let Finish::WherePositive(gate) = finish {
        assert!(
            gate.dim() == (m, n) && (n <= 1 || gate.strides()[1] == 1),
            "product: a gate has the result's shape and contiguous rows"
        );
    }
    assert!(
        n <= 1 || c.strides()[1] == 1,
        "product: rows of the result are contiguous"
    );
    #[cfg(feature = "gemm")]
    by_crate(a, b, start, finish, c, part);
    #[cfg(not(feature = "gemm"))]
    // Compiled in this crate for each type of number, and not again in every crate that multiplies.
    T::compute(&Problem {
        sizes: (m, k, n),
        a: Strided::of(&a),
        b: Strided::of(&b),
        start,
        finish,
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
        part: &part,
    });
}

/// The same through [`gemm`](crate::gemm()), a few panels at a time: its calls cost more than ours.
#[cfg(feature = "gemm")]
fn by_crate<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    start: Start<'_, T>,
    finish: Finish<'_, T>,
    mut c: ArrayViewMut2<'_, T>,
    part: impl Fn(Range<usize>) -> Part,
) {
    use ndarray::s;
    let n = c.ncols();
    let dense = part(0..n) == part(0..n.min(WIDEST)) && part(0..n) == part(n - 1..n);
    let step = if dense { n } else { WIDEST };
    for left in (0..n).step_by(step) {
        let columns = left..(left + step).min(n);
        let Part { rows, depth } = part(columns.clone());
        let mut c = c.slice_mut(s![..rows, columns.clone()]);
        let beta = match start {
            Start::Zero => T::zero(),
            _ => T::one(),
        };
        for mut row in c.rows_mut() {
            match start {
                Start::Bias(bias) => row
                    .iter_mut()
                    .zip(&bias[columns.clone()])
                    .for_each(|(c, &b)| *c = b),
                Start::ResultAndBias(bias) => {
                    row.iter_mut()
                        .zip(&bias[columns.clone()])
                        .for_each(|(c, &b)| *c += b);
                }
                Start::Zero | Start::Result => {}
            }
        }
        let (a, b) = (
            a.slice(s![..rows, depth.clone()]),
            b.slice(s![depth, columns.clone()]),
        );
        crate::gemm(T::one(), a, b, beta, c.view_mut());
        match finish {
            Finish::Keep => {}
            Finish::Relu => c.mapv_inplace(|v| if v > T::zero() { v } else { T::zero() }),
            Finish::WherePositive(gate) => c.zip_mut_with(&gate.slice(s![..rows, columns]), |v, &gate| {
                if gate <= T::zero() || gate.is_nan() {
                    *v = T::zero();
                }
            }),
        }
    }
}

/// Checked operands of a [`product`].
pub struct Problem<'a, 'g, T> {
    sizes: (usize, usize, usize),
    a: Strided<T>,
    b: Strided<T>,
    start: Start<'a, T>,
    finish: Finish<'g, T>,
    c: *mut T,
    c_stride: isize,
    part: &'a dyn Fn(Range<usize>) -> Part,
}

/// The most columns that are computed together; they begin at multiples of it, or of a divisor of it.
pub(crate) const WIDEST: usize = if cfg!(feature = "gemm") { 64 } else { 32 };

/// Bytes of a packed panel. It is read in one stream, which a second cache keeps up with; a shorter one would have the
/// result read and written more often.
const PANEL: usize = 64 * 1024;

/// A right operand of at most so many bytes is read where it lies: it stays in the first cache.
const SMALL: usize = 16 * 1024;

/// A result of more bytes is not in a near cache when it is added to: gradients of wide layers are not.
const LARGE: usize = 64 * 1024;

#[repr(align(64))]
struct Buffer([MaybeUninit<u8>; PANEL]);

impl<T> std::fmt::Debug for Problem<'_, '_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Problem")
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}

impl<T: Real> Problem<'_, '_, T> {
    /// Computes it, at the processor's level.
    fn compute(&self) {
        #[cfg(target_arch = "x86_64")]
        {
            /// # Safety
            /// As for [`Problem::panels`].
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
            unsafe fn avx512<T: Real>(p: &Problem<'_, '_, T>) {
                // SAFETY: the caller's promise.
                unsafe { p.panels::<T::Avx512>() }
            }
            /// # Safety
            /// As for [`Problem::panels`].
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<T: Real>(p: &Problem<'_, '_, T>) {
                // SAFETY: the caller's promise.
                unsafe { p.panels::<T::Avx2>() }
            }
            match level() {
                // SAFETY: `level` never exceeds what this processor has; a `Problem` is made by `product` alone, from
                // live views whose shapes it has checked, `c` from a mutable one.
                Level::Avx512 => return unsafe { avx512(self) },
                // SAFETY: as above.
                Level::Avx2 => return unsafe { avx2(self) },
                Level::Baseline => {}
            }
        }
        // SAFETY: every processor of the target has the baseline's registers; the rest as above.
        unsafe { self.panels::<T::Baseline>() }
    }

    /// # Safety
    /// The processor must have the registers `V`, and the operands must be valid for the sizes.
    #[inline(always)]
    unsafe fn panels<V: Lanes<T>>(&self) {
        let mut buffer = Buffer([MaybeUninit::uninit(); PANEL]);
        let packed = buffer.0.as_mut_ptr().cast::<T>();
        let (m, k, n) = self.sizes;
        let widest = 2 * V::LEN;
        let small = k * self.b.rows.unsigned_abs() * size_of::<T>() <= SMALL;
        let mut left = 0;
        while left < n {
            let columns = (n - left).min(widest);
            let width = if columns > V::LEN { widest } else { V::LEN };
            let part = |columns: Range<usize>| {
                let part = (self.part)(columns);
                let Part { rows, depth } = &part;
                assert!(
                    *rows <= m && depth.start <= depth.end && depth.end <= k,
                    "product: a part of the operands"
                );
                part
            };
            let first = part(left..left + columns.min(V::LEN));
            let cut = if columns > V::LEN {
                Cut::of(first, part(left + V::LEN..left + columns))
            } else {
                Cut::of(first.clone(), first)
            };
            let Cut { rows, depth, .. } = cut.clone();
            let pack = self.b.columns != 1 || columns < width || (rows >= 3 * V::ROWS && !small);
            let most = if pack {
                PANEL / size_of::<T>() / width
            } else {
                usize::MAX
            };
            let next = left + columns..(left + columns + widest).min(n);
            let ahead = if pack && !next.is_empty() && k * n * size_of::<T>() > LARGE {
                self.ahead(next.clone(), part(next).depth)
            } else {
                self.ahead(0..0, 0..0)
            };
            let mut first = depth.start;
            loop {
                let terms = (depth.end - first).min(most);
                // SAFETY: rows, terms and columns stay inside the operands by the assertions here and in `product`; a
                // packed panel of `terms` rows fits the buffer by the choice of `most`.
                unsafe {
                    let b = self.b.at(first, left);
                    if pack {
                        copy_panel::<T, V>(b, terms, columns, width, packed);
                    }
                    let (b, b_stride) = if pack {
                        (packed.cast_const(), width as isize)
                    } else {
                        (b.start, b.rows)
                    };
                    let end = first + terms;
                    let block = Block {
                        columns: left..left + columns,
                        terms: first..end,
                        head: cut.both.start.clamp(first, end) - first,
                        tail: end - cut.both.end.clamp(first, end),
                        b,
                        b_stride,
                        ahead,
                        begins: first == depth.start,
                        ends: end == depth.end,
                    };
                    self.tiles::<V>(0..cut.both_rows, &block);
                    if cut.both_rows < rows {
                        // Rows that the first register's columns do not need.
                        let block = Block {
                            columns: left + V::LEN..left + columns,
                            head: 0,
                            tail: 0,
                            b: b.add(V::LEN),
                            ahead: self.ahead(0..0, 0..0),
                            ..block
                        };
                        self.tiles::<V>(cut.both_rows..rows, &block);
                    }
                }
                first += terms;
                if first == depth.end {
                    break;
                }
            }
            left += columns;
        }
    }

    /// The addresses of a panel of the right operand, at least one in each line of the cache.
    #[inline(always)]
    fn ahead(&self, columns: Range<usize>, depth: Range<usize>) -> Ahead<T> {
        const LINE: usize = 64;
        let line = LINE / size_of::<T>();
        let start = self.b.at(depth.start, columns.start).start;
        if self.b.columns == 1 {
            // A row is up to two lines long, and touches three where it begins inside one.
            return Ahead {
                start,
                outer: self.b.rows,
                inner: columns.len().saturating_sub(1) as isize / 2,
                per: 3,
                count: 3 * depth.len(),
            };
        }
        Ahead {
            start,
            outer: line as isize * self.b.rows,
            inner: self.b.columns,
            per: columns.len().max(1),
            count: columns.len() * depth.len().div_ceil(line),
        }
    }

    /// Rows of a block, in tiles of about equal height; the first are one row higher.
    ///
    /// # Safety
    /// As for [`panels`](Self::panels); rows, columns and terms must lie inside the operands.
    #[inline(always)]
    unsafe fn tiles<V: Lanes<T>>(&self, rows: Range<usize>, block: &Block<T>) {
        let left = block.columns.start;
        let tiles = rows.len().div_ceil(V::ROWS);
        let (m, _, n) = self.sizes;
        let large = m * n * size_of::<T>() > LARGE;
        let reads = large && block.begins && matches!(self.start, Start::Result | Start::ResultAndBias(_));
        let mut top = rows.start;
        for i in 0..tiles {
            let height = rows.len() / tiles + usize::from(i < rows.len() % tiles);
            // SAFETY: the caller's promise.
            unsafe {
                tile::compute::<T, V>(&Tile {
                    rows: height,
                    columns: block.columns.len(),
                    depth: block.terms.len(),
                    head: block.head,
                    tail: block.tail,
                    a: self.a.at(top, block.terms.start),
                    b: block.b,
                    b_stride: block.b_stride,
                    from: match self.start {
                        _ if !block.begins => From::Result,
                        Start::Zero => From::Zero,
                        Start::Bias(bias) => From::Bias(bias.as_ptr().add(left)),
                        Start::Result => From::Result,
                        Start::ResultAndBias(bias) => From::ResultAndBias(bias.as_ptr().add(left)),
                    },
                    relu: block.ends && matches!(self.finish, Finish::Relu),
                    gate: match self.finish {
                        Finish::WherePositive(gate) if block.ends => {
                            let stride = gate.strides()[0];
                            Some((gate.as_ptr().offset(top as isize * stride).add(left), stride))
                        }
                        _ => None,
                    },
                    c: self.c.offset(top as isize * self.c_stride).add(left),
                    c_stride: self.c_stride,
                    reads_next: reads && i + 1 < tiles,
                    ahead: block.ahead,
                    fetched: if block.begins {
                        (block.ahead.count * i / tiles, block.ahead.count * (i + 1) / tiles)
                    } else {
                        (0, 0)
                    },
                });
            }
            top += height;
        }
    }
}

/// What the two registers of a panel need, together and apart.
#[derive(Debug, Clone)]
struct Cut {
    /// Rows that either needs.
    rows: usize,
    /// Rows that both need; the first needs no more.
    both_rows: usize,
    /// Terms that either needs.
    depth: Range<usize>,
    /// Terms that both need; before them come the first's own, after them the second's.
    both: Range<usize>,
}

impl Cut {
    fn of(first: Part, second: Part) -> Self {
        let (a, b) = (first.depth, second.depth);
        let depth = a.start.min(b.start)..a.end.max(b.end);
        // Masks with sorted degrees are cut like this; anything else is computed whole.
        let sorted = a.start <= b.start && b.start <= a.end && a.end <= b.end;
        Self {
            rows: first.rows.max(second.rows),
            both_rows: first.rows,
            both: if sorted { b.start..a.end } else { depth.clone() },
            depth,
        }
    }
}

/// A run of columns and of terms.
#[derive(Debug, Clone)]
struct Block<T> {
    columns: Range<usize>,
    terms: Range<usize>,
    /// See [`Tile`].
    head: usize,
    tail: usize,
    b: *const T,
    b_stride: isize,
    /// The panel after this one.
    ahead: Ahead<T>,
    /// Whether these are the first terms,
    begins: bool,
    /// and whether they are the last.
    ends: bool,
}

/// Copies `terms` rows of `columns` numbers, each padded with zeros to `width`, one or two registers.
///
/// # Safety
/// As for [`Lanes`]; `b` must be valid for `terms x columns` numbers, `to` for writing `terms x width`.
#[inline(always)]
unsafe fn copy_panel<T: Real, V: Lanes<T>>(
    b: Strided<T>,
    terms: usize,
    columns: usize,
    width: usize,
    to: *mut T,
) {
    // Where whole blocks end: along the terms, and along the columns.
    let (mut blocks, mut right) = (0, 0);
    // SAFETY: the caller's promise.
    unsafe {
        if b.rows == 1 && b.columns != 1 {
            blocks = terms / BLOCK * BLOCK;
            right = columns / BLOCK * BLOCK;
            for p in (0..blocks).step_by(BLOCK) {
                for j in (0..right).step_by(BLOCK) {
                    V::transpose(b.at(p, j).start, b.columns, to.add(p * width + j), width);
                }
            }
        }
        for p in 0..terms {
            let row = to.add(p * width);
            if b.columns == 1 && columns == width {
                for j in (0..width).step_by(V::LEN) {
                    V::load(b.at(p, j).start).store(row.add(j));
                }
                continue;
            }
            for j in if p < blocks { right } else { 0 }..columns {
                *row.add(j) = *b.at(p, j).start;
            }
            for j in columns..width {
                *row.add(j) = T::zero();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, s};
    use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::simd::with_level;

    /// How an operand lies in memory.
    fn laid_out(transposed: bool, rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
        if transposed {
            Array2::random_using((columns + 3, rows + 2), StandardNormal, rng)
                .slice_move(s![..columns, 1..=rows])
                .reversed_axes()
        } else {
            Array2::random_using((rows + 2, columns + 3), StandardNormal, rng)
                .slice_move(s![..rows, 2..columns + 2])
        }
    }

    fn starts<T>(bias: &[T]) -> [Start<'_, T>; 4] {
        [
            Start::Zero,
            Start::Bias(bias),
            Start::Result,
            Start::ResultAndBias(bias),
        ]
    }

    fn to_f32(a: &Array2<f64>) -> Array2<f32> {
        let mut b = a.mapv(|v| v as f32);
        if a.strides()[0] == 1 {
            // the same layout: `mapv` keeps it only for contiguous arrays
            b = a.t().mapv(|v| v as f32).reversed_axes();
        }
        b
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Against the definition, at every level and in both precisions, for all layouts, starts, and triangles, with tiles
        /// and panels cut everywhere. What lies outside a part may be computed or left alone, nothing else.
        #[test]
        fn is_the_sum_of_products(
            m in 0usize..40, k in prop_oneof![0usize..20, 100usize..300], n in 0usize..80, seed: u64,
            layout in any::<[bool; 2]>(), start in 0u8..4, triangle in 0u8..3, finish in 0u8..3,
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let a = laid_out(layout[0], m, k, &mut rng);
            let mut b = laid_out(layout[1], k, n, &mut rng);
            let bias = Array2::<f64>::random_using((1, n), StandardNormal, &mut rng);
            let wide = Array2::<f64>::random_using((m, n + 5), StandardNormal, &mut rng);
            let gate = Array2::<f64>::random_using((m, n), StandardNormal, &mut rng);
            // Upper triangles end with the column, lower ones begin with it.
            let up_to = |size: usize, end: usize| if triangle == 1 { size * end / n } else { size };
            let from = |column: usize| if triangle == 2 { k * column / n } else { 0 };
            for j in 0..n {
                b.slice_mut(s![up_to(k, j + 1).., j]).fill(0.0);
                b.slice_mut(s![..from(j), j]).fill(0.0);
            }
            let part = |columns: Range<usize>| Part {
                rows: up_to(m, columns.end),
                depth: from(columns.start)..up_to(k, columns.end),
            };
            let expected = Array2::from_shape_fn((m, n), |(i, j)| {
                let sum: f64 = (0..k).map(|p| a[[i, p]] * b[[p, j]]).sum();
                let (was, bias) = (wide[[i, j + 3]], bias[[0, j]]);
                let whole = sum + [0.0, bias, was, was + bias][start as usize];
                let open = [true, whole > 0.0, gate[[i, j]] > 0.0][finish as usize];
                if open { whole } else { 0.0 }
            });
            let (a32, b32, bias32, wide32, gate32) =
                (to_f32(&a), to_f32(&b), to_f32(&bias), to_f32(&wide), to_f32(&gate));
            for level in Level::ALL {
                let (mut c, mut c32) = (wide.clone(), wide32.clone());
                with_level(level, || {
                    let start64 = starts(bias.as_slice().unwrap())[start as usize];
                    let finish64 = [Finish::Keep, Finish::Relu, Finish::WherePositive(gate.view())][finish as usize];
                    product(a.view(), b.view(), start64, finish64, c.slice_mut(s![.., 3..n + 3]), part);
                    let start32 = starts(bias32.as_slice().unwrap())[start as usize];
                    let finish32 = [Finish::Keep, Finish::Relu, Finish::WherePositive(gate32.view())][finish as usize];
                    product(a32.view(), b32.view(), start32, finish32, c32.slice_mut(s![.., 3..n + 3]), part);
                });
                for ((i, j), &now) in c.indexed_iter() {
                    let (was, now32) = (wide[[i, j]], f64::from(c32[[i, j]]));
                    if j < 3 || j >= n + 3 {
                        prop_assert_eq!((now, c32[[i, j]]), (was, wide32[[i, j]]));
                        continue;
                    }
                    let computed = expected[[i, j - 3]];
                    let left_alone = i >= up_to(m, j - 2);
                    if !(left_alone && now == was) {
                        assert_abs_diff_eq!(now, computed, epsilon = 1e-11);
                    }
                    if !(left_alone && c32[[i, j]] == wide32[[i, j]]) {
                        assert_abs_diff_eq!(now32, computed, epsilon = 2e-3);
                    }
                }
            }
        }

        /// A row's numbers do not depend on the rows beside it, and levels with fused multiply-add agree to the bit.
        #[test]
        fn rows_stand_alone(m in 1usize..50, k in 1usize..200, n in 1usize..70, cut in 0usize..50, seed: u64) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let a = Array2::<f64>::random_using((m, k), StandardNormal, &mut rng).mapv(|v| v as f32);
            let b = Array2::<f64>::random_using((k, n), StandardNormal, &mut rng).mapv(|v| v as f32);
            let run = |a: ArrayView2<'_, f32>, level| {
                let mut c = Array2::zeros((a.nrows(), n));
                let rows = a.nrows();
                with_level(level, || product(a, b.view(), Start::Zero, Finish::Keep, c.view_mut(), |_| Part { rows, depth: 0..k }));
                c
            };
            let cut = cut.min(m);
            for level in Level::ALL {
                let all = run(a.view(), level);
                prop_assert_eq!(run(a.slice(s![..cut, ..]), level), all.slice(s![..cut, ..]));
                prop_assert_eq!(run(a.slice(s![cut.., ..]), level), all.slice(s![cut.., ..]));
            }
            prop_assert_eq!(run(a.view(), Level::Avx2), run(a.view(), Level::Avx512));
        }
    }
}
