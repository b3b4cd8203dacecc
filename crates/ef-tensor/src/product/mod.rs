//! Products of layers: small, of many shapes, triangular, many a step.
//!
//! A general product packs both operands into fresh memory on every call; with 64 units and 64 rows that costs as much as
//! the product. Here the left operand is read where it lies, one number at a time (a register holds it in all lanes), and
//! the right one a row of two registers at a time: where it lies if the product has few rows, else from a copy of one
//! panel, in memory of the thread's own. A narrow rest is computed in registers of half the width. Sums run over the depth
//! in order, so a result does not depend on how rows or columns are cut.

#![allow(unsafe_code)]
// With the feature `gemm`, that crate does the work of these functions: see `product_by_gemm`.
#![cfg_attr(feature = "gemm", allow(dead_code))]

mod lanes;
mod panels;
mod tile;

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

pub(crate) use lanes::Registers;

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a, T> {
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
pub(crate) enum Finish<'a, T> {
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
pub(crate) struct Part {
    /// Rows of the result, from the first.
    pub rows: usize,
    /// The sum's terms.
    pub depth: Range<usize>,
}

/// Numbers addressed by row and column.
#[derive(Debug, Clone, Copy)]
pub struct Strided<T> {
    start: *const T,
    rows: isize,
    columns: isize,
}

impl<T: Registers> Strided<T> {
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
/// `part` gives the rows and terms that a run of columns needs. Their number must not fall from left to right; rows
/// beyond `part.rows` are not written.
///
/// # Panics
/// If shapes do not match, rows of `c` are not contiguous, or a part lies outside the operands.
pub(crate) fn product<T: Registers>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    start: Start<'_, T>,
    finish: Finish<'_, T>,
    mut c: ArrayViewMut2<'_, T>,
    part: impl Fn(Range<usize>) -> Part,
) {
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

impl<T> std::fmt::Debug for Problem<'_, '_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Problem")
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
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
    use crate::simd::{Level, with_level};

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
            m in 0usize..40, k in prop_oneof![0usize..20, 100usize..600], n in 0usize..80, seed: u64,
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
