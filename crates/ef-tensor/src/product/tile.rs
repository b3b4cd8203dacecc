//! The innermost loops: a tile of the result held in registers.

#![allow(unsafe_code)]

use super::lanes::Lanes;
use super::{Strided, WIDEST};
use crate::real::Real;

/// What a tile starts from.
#[derive(Debug, Clone, Copy)]
pub(super) enum From<T> {
    Zero,
    /// One number a column.
    Bias(*const T),
    /// What `C` holds.
    Result,
    /// Both added.
    ResultAndBias(*const T),
}

/// One tile: `rows` rows and `columns` columns of `C`, at most `ROWS` and two registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile<T> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) depth: usize,
    pub(super) a: Strided<T>,
    /// Rows of `2 LEN` (or `LEN`, for a tile that narrow) numbers; what is beyond `columns` may be anything finite.
    pub(super) b: *const T,
    pub(super) b_stride: isize,
    pub(super) from: From<T>,
    /// Whether what is below 0 becomes 0.
    pub(super) relu: bool,
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
}

/// Computes a tile.
///
/// # Safety
/// As for [`Lanes`]; `a` must be valid for `rows x depth` numbers, `b` for `depth` rows as wide as the tile's registers, a
/// bias for `columns`, `c` for `rows x columns`, written by nobody else meanwhile.
#[inline(always)]
pub(super) unsafe fn compute<T: Real, V: Lanes<T>>(t: &Tile<T>) {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match t.rows {
                $(
                    $rows if $rows <= V::ROWS => {
                        // SAFETY: the caller's promise.
                        unsafe {
                            if t.columns > V::LEN {
                                fixed::<T, V, $rows, 2>(t);
                            } else {
                                fixed::<T, V, $rows, 1>(t);
                            }
                        }
                    }
                )*
                _ => unreachable!("a tile has 1 to ROWS rows"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// A tile of `R` rows and `W` registers.
///
/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn fixed<T: Real, V: Lanes<T>, const R: usize, const W: usize>(t: &Tile<T>) {
    // SAFETY: all addresses lie inside the operands as the caller promised: rows below `R = rows`, `p` below `depth`,
    // columns below `columns`, or inside the registers' width for `b`.
    unsafe {
        let full = t.columns == W * V::LEN;
        let c_row = |i: usize| t.c.offset(i as isize * t.c_stride);
        let mut acc = [[V::splat(T::zero()); W]; R];
        match t.from {
            From::Zero => {}
            From::Bias(bias) => acc = [read::<T, V, W>(bias, t.columns, full); R],
            From::Result => {
                for i in 0..R {
                    acc[i] = read::<T, V, W>(c_row(i), t.columns, full);
                }
            }
            From::ResultAndBias(bias) => {
                let bias = read::<T, V, W>(bias, t.columns, full);
                for i in 0..R {
                    let row = read::<T, V, W>(c_row(i), t.columns, full);
                    for w in 0..W {
                        acc[i][w] = V::splat(T::one()).mul_add(row[w], bias[w]);
                    }
                }
            }
        }
        let (mut a, mut b) = (t.a.start, t.b);
        for _ in 0..t.depth {
            let mut row = [V::splat(T::zero()); W];
            for w in 0..W {
                row[w] = V::load(b.add(w * V::LEN));
            }
            for i in 0..R {
                let x = V::splat(*a.offset(i as isize * t.a.rows));
                for w in 0..W {
                    acc[i][w] = x.mul_add(row[w], acc[i][w]);
                }
            }
            a = a.wrapping_offset(t.a.columns);
            b = b.wrapping_offset(t.b_stride);
        }
        if t.relu {
            for row in &mut acc {
                *row = row.map(|v| v.max(V::splat(T::zero())));
            }
        }
        for i in 0..R {
            write::<T, V, W>(acc[i], c_row(i), t.columns, full);
        }
    }
}

/// # Safety
/// `p` must be valid for reading `columns` numbers; `full` says that these are `W` registers.
#[inline(always)]
unsafe fn read<T: Real, V: Lanes<T>, const W: usize>(p: *const T, columns: usize, full: bool) -> [V; W] {
    let mut part = [T::zero(); WIDEST];
    // SAFETY: the caller's promise; `part` holds any tile's row.
    unsafe {
        let from = if full {
            p
        } else {
            p.copy_to_nonoverlapping(part.as_mut_ptr(), columns);
            part.as_ptr()
        };
        std::array::from_fn(|w| V::load(from.add(w * V::LEN)))
    }
}

/// # Safety
/// `p` must be valid for writing `columns` numbers; `full` says that these are `W` registers.
#[inline(always)]
unsafe fn write<T: Real, V: Lanes<T>, const W: usize>(row: [V; W], p: *mut T, columns: usize, full: bool) {
    let mut part = [T::zero(); WIDEST];
    // SAFETY: the caller's promise; `part` holds any tile's row.
    unsafe {
        let to = if full { p } else { part.as_mut_ptr() };
        for (w, v) in row.into_iter().enumerate() {
            v.store(to.add(w * V::LEN));
        }
        if !full {
            p.copy_from_nonoverlapping(part.as_ptr(), columns);
        }
    }
}
