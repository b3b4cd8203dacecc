//! The innermost loops: a tile of the result held in registers.

#![allow(unsafe_code)]

use super::Strided;
use super::lanes::Lanes;
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
    /// Of these terms the first so many count for the first register alone (the second would add zeros),
    pub(super) head: usize,
    /// and the last so many for the second alone.
    pub(super) tail: usize,
    pub(super) a: Strided<T>,
    /// Rows of `2 LEN` (or `LEN`, for a tile that narrow) numbers; what is beyond `columns` may be anything finite.
    pub(super) b: *const T,
    pub(super) b_stride: isize,
    pub(super) from: From<T>,
    /// Whether what is below 0 becomes 0.
    pub(super) relu: bool,
    /// What is 0 where these numbers are not above 0: their address, and from row to row.
    pub(super) gate: Option<(*const T, isize)>,
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
    /// Whether the tile below will be read too, from beyond the cache.
    pub(super) reads_next: bool,
    /// What later tiles read from beyond the cache, and the part of it to fetch meanwhile.
    pub(super) ahead: Ahead<T>,
    pub(super) fetched: (usize, usize),
}

/// Addresses to fetch: `per` of them `inner` numbers apart, as often as there are any, `outer` numbers apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead<T> {
    pub(super) start: *const T,
    pub(super) outer: isize,
    pub(super) inner: isize,
    pub(super) per: usize,
    pub(super) count: usize,
}

impl<T> Ahead<T> {
    #[inline(always)]
    fn address(&self, i: usize) -> *const T {
        let (row, column) = (i as u32 / self.per as u32, i as u32 % self.per as u32);
        self.start
            .wrapping_offset(row as isize * self.outer + column as isize * self.inner)
    }
}

/// Computes a tile.
///
/// # Safety
/// As for [`Lanes`]; `a` must be valid for `rows x depth` numbers, `b` for `depth` rows as wide as the tile's registers, a
/// bias for `columns`, `c` and a gate for `rows x columns`, `c` written by nobody else meanwhile.
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
        let c_row = |i: usize| t.c.wrapping_offset(i as isize * t.c_stride);
        let mut acc = [[V::splat(T::zero()); W]; R];
        match t.from {
            From::Zero => {}
            From::Bias(bias) => acc = [read::<T, V, W>(bias, t.columns); R],
            From::Result => {
                for i in 0..R {
                    acc[i] = read::<T, V, W>(c_row(i), t.columns);
                }
            }
            From::ResultAndBias(bias) => {
                let bias = read::<T, V, W>(bias, t.columns);
                for i in 0..R {
                    let row = read::<T, V, W>(c_row(i), t.columns);
                    for w in 0..W {
                        acc[i][w] = V::splat(T::one()).mul_add(row[w], bias[w]);
                    }
                }
            }
        }
        let mut at = (t.a.start, t.b);
        if W == 2 {
            at = steps::<T, V, R, W, 0, 1>(t, at, t.head, &mut acc);
        }
        let both = t.depth - t.head - t.tail;
        // Fetched a few at a time: many at once would hold up what is read now.
        let (from, to) = t.fetched;
        let runs = if t.reads_next || from < to { R } else { 1 };
        for i in 0..runs {
            for j in from + i * (to - from) / runs..from + (i + 1) * (to - from) / runs {
                V::fetch(t.ahead.address(j));
            }
            if t.reads_next {
                for w in 0..W {
                    V::fetch(c_row(R + i).wrapping_add(w * V::LEN));
                }
                V::fetch(c_row(R + i).wrapping_add(t.columns - 1));
            }
            let terms = (i + 1) * both / runs - i * both / runs;
            at = steps::<T, V, R, W, 0, W>(t, at, terms, &mut acc);
        }
        if W == 2 {
            steps::<T, V, R, W, 1, W>(t, at, t.tail, &mut acc);
        }
        if t.relu {
            for row in &mut acc {
                *row = row.map(|v| v.max(V::splat(T::zero())));
            }
        }
        if let Some((gate, stride)) = t.gate {
            for i in 0..R {
                let gate = read::<T, V, W>(gate.offset(i as isize * stride), t.columns);
                for w in 0..W {
                    acc[i][w] = acc[i][w].where_positive(gate[w]);
                }
            }
        }
        for i in 0..R {
            write::<T, V, W>(acc[i], c_row(i), t.columns);
        }
    }
}

/// Adds `terms` terms to the registers `FROM..TO` of every row, from `at`: where `a` and `b` are read. Returns where the
/// next term is.
///
/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn steps<T: Real, V: Lanes<T>, const R: usize, const W: usize, const FROM: usize, const TO: usize>(
    t: &Tile<T>,
    at: (*const T, *const T),
    terms: usize,
    acc: &mut [[V; W]; R],
) -> (*const T, *const T) {
    let (mut a, mut b) = at;
    for _ in 0..terms {
        // SAFETY: the caller's promise, for the terms that are left.
        unsafe {
            let mut row = [V::splat(T::zero()); W];
            for w in FROM..TO {
                row[w] = V::load(b.add(w * V::LEN));
            }
            for i in 0..R {
                let x = V::splat(*a.offset(i as isize * t.a.rows));
                for w in FROM..TO {
                    acc[i][w] = x.mul_add(row[w], acc[i][w]);
                }
            }
        }
        a = a.wrapping_offset(t.a.columns);
        b = b.wrapping_offset(t.b_stride);
    }
    (a, b)
}

/// # Safety
/// `p` must be valid for reading `columns` numbers, more than `W - 1` registers hold and at most `W`.
#[inline(always)]
unsafe fn read<T: Real, V: Lanes<T>, const W: usize>(p: *const T, columns: usize) -> [V; W] {
    let last = W - 1;
    // SAFETY: the caller's promise.
    unsafe {
        if columns == W * V::LEN {
            std::array::from_fn(|w| V::load(p.add(w * V::LEN)))
        } else {
            let rest = columns - last * V::LEN;
            std::array::from_fn(|w| {
                let p = p.add(w * V::LEN);
                if w < last {
                    V::load(p)
                } else {
                    V::load_first(p, rest)
                }
            })
        }
    }
}

/// # Safety
/// `p` must be valid for writing `columns` numbers, more than `W - 1` registers hold and at most `W`.
#[inline(always)]
unsafe fn write<T: Real, V: Lanes<T>, const W: usize>(row: [V; W], p: *mut T, columns: usize) {
    let last = W - 1;
    // SAFETY: the caller's promise.
    unsafe {
        for w in 0..last {
            row[w].store(p.add(w * V::LEN));
        }
        let (p, rest) = (p.add(last * V::LEN), columns - last * V::LEN);
        if rest == V::LEN {
            row[last].store(p);
        } else {
            row[last].store_first(p, rest);
        }
    }
}
