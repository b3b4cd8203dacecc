//! The innermost loops: tiles of the result held in registers.

#![allow(unsafe_code)]

use super::Strided;
use super::lanes::{Lanes, Registers};

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

/// The most rows of a tile; one that is two registers wide has at most [`Lanes::ROWS`].
pub(super) const ROWS: usize = 12;

/// Tiles of `C` one below the other, at most two registers wide.
#[derive(Debug)]
pub struct Tiles<T> {
    pub(super) columns: usize,
    pub(super) depth: usize,
    /// Of these terms the first so many count for the first register alone (the second would add zeros),
    pub(super) head: usize,
    /// and the last so many for the second alone.
    pub(super) tail: usize,
    /// Where the next tile's row begins.
    pub(super) a: Strided<T>,
    /// Rows of `2 LEN` (or `LEN`, for tiles that narrow) numbers; what is beyond `columns` may be anything finite.
    pub(super) b: *const T,
    pub(super) b_stride: isize,
    pub(super) from: From<T>,
    /// Whether what is below 0 becomes 0.
    pub(super) relu: bool,
    /// What is 0 where these numbers are not above 0: their address beside the next tile, and from row to row.
    pub(super) gate: Option<(*const T, isize)>,
    /// The next tile.
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
    /// Whether `C` lies beyond the near caches: then a tile fetches the one below, be it read or only written.
    pub(super) far: bool,
    /// What is read after these tiles from beyond the cache, if anything.
    pub(super) ahead: Option<Ahead<T>>,
}

/// Addresses to fetch: `per` of them `inner` numbers apart, as often as there are any, `outer` numbers apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead<T> {
    pub(super) start: *const T,
    pub(super) outer: isize,
    pub(super) inner: isize,
    pub(super) per: usize,
    /// How many of the `per` at `start` are done,
    pub(super) done: usize,
    /// how many there are still in all,
    pub(super) left: usize,
    /// and how many of them a tile fetches.
    pub(super) each: usize,
}

impl<T> Ahead<T> {
    #[inline(always)]
    fn fetch<V: Lanes<T>>(&mut self, count: usize) {
        for _ in 0..count.min(self.left) {
            V::fetch(self.start.wrapping_offset(self.done as isize * self.inner));
            self.done += 1;
            if self.done == self.per {
                self.done = 0;
                self.start = self.start.wrapping_offset(self.outer);
            }
        }
        self.left = self.left.saturating_sub(count);
    }
}

/// Computes `count` tiles of `rows` rows, and steps below them.
///
/// # Safety
/// As for [`Lanes`]; `a` must be valid for `count rows x depth` numbers, `b` for `depth` rows as wide as the tiles'
/// registers, a bias for `columns`, `c` and a gate for `count rows x columns`, `c` written by nobody else meanwhile.
#[inline(always)]
pub(super) unsafe fn compute<T: Registers, V: Lanes<T>>(rows: usize, count: usize, t: &mut Tiles<T>) {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match (rows, t.columns > V::LEN) {
                $(
                    // SAFETY: the caller's promise.
                    ($rows, true) if $rows <= V::ROWS => unsafe { V::tiles::<$rows, 2>(count, t) },
                    // SAFETY: the caller's promise.
                    ($rows, false) => unsafe { V::tiles::<$rows, 1>(count, t) },
                )*
                _ => unreachable!("a tile has 1 to ROWS rows"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// `count` tiles of `R` rows and `W` registers.
///
/// # Safety
/// As for [`compute`].
#[inline(always)]
pub(super) unsafe fn fixed<T: Registers, V: Lanes<T>, const R: usize, const W: usize>(
    count: usize,
    t: &mut Tiles<T>,
) {
    let below = |stride: isize| R as isize * stride;
    for _ in 0..count {
        // SAFETY: the caller's promise.
        unsafe { one::<T, V, R, W>(t) };
        t.a.start = t.a.start.wrapping_offset(below(t.a.rows));
        t.c = t.c.wrapping_offset(below(t.c_stride));
        if let Some((gate, stride)) = &mut t.gate {
            *gate = gate.wrapping_offset(below(*stride));
        }
    }
}

/// A tile of `R` rows and `W` registers.
///
/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn one<T: Registers, V: Lanes<T>, const R: usize, const W: usize>(t: &mut Tiles<T>) {
    // SAFETY: all addresses lie inside the operands as the caller promised: rows below `R`, `p` below `depth`, columns
    // below `columns`, or inside the registers' width for `b`.
    unsafe {
        let (c, c_stride) = (t.c, t.c_stride);
        let c_row = |i: usize| c.wrapping_offset(i as isize * c_stride);
        let mut acc = [[V::splat(T::zero()); W]; R];
        match t.from {
            From::Zero => {}
            From::Bias(bias) => {
                let bias = read::<T, V, W>(bias, t.columns);
                for i in 0..R {
                    acc[i] = bias;
                }
            }
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
        if W == 2 && t.head > 0 {
            at = steps::<T, V, R, W, 0, 1>(t, at, t.head, &mut acc);
        }
        // What is fetched is fetched a little at a time: much at once would hold up what is read now.
        let both = t.depth - t.head - t.tail;
        let fetches = t.far || t.ahead.is_some();
        let runs = if fetches { R } else { 1 };
        for i in 0..runs {
            let terms = if fetches {
                if let Some(ahead) = &mut t.ahead {
                    ahead.fetch::<V>(ahead.each.div_ceil(R));
                }
                if t.far {
                    let below = c_row(R + i);
                    for w in 0..W {
                        V::fetch(below.wrapping_add(w * V::LEN));
                    }
                    V::fetch(below.wrapping_add(t.columns - 1));
                }
                (i + 1) * both / R - i * both / R
            } else {
                both
            };
            at = steps::<T, V, R, W, 0, W>(t, at, terms, &mut acc);
        }
        if W == 2 && t.tail > 0 {
            steps::<T, V, R, W, 1, W>(t, at, t.tail, &mut acc);
        }
        if t.relu {
            for i in 0..R {
                for w in 0..W {
                    acc[i][w] = acc[i][w].max(V::splat(T::zero()));
                }
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
        write::<T, V, R, W>(&acc, c, c_stride, t.columns);
    }
}

/// Adds `terms` terms to the registers `FROM..TO` of every row, from `at`: where `a` and `b` are read. Returns where the
/// next term is.
///
/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn steps<
    T: Registers,
    V: Lanes<T>,
    const R: usize,
    const W: usize,
    const FROM: usize,
    const TO: usize,
>(
    t: &Tiles<T>,
    at: (*const T, *const T),
    terms: usize,
    acc: &mut [[V; W]; R],
) -> (*const T, *const T) {
    let (a, mut b) = at;
    let stride = t.a.rows;
    // A pointer every third row: from one alone, the address of a row would wait for that of the row before.
    let mut thirds: [*const T; ROWS / 3] =
        std::array::from_fn(|i| a.wrapping_offset(3 * i as isize * stride));
    for _ in 0..terms {
        // SAFETY: the caller's promise, for the terms that are left.
        unsafe {
            let mut row = [V::splat(T::zero()); W];
            for w in FROM..TO {
                row[w] = V::load(b.add(w * V::LEN));
            }
            for i in 0..R {
                let x = V::splat(*thirds[i / 3].offset((i % 3) as isize * stride));
                for w in FROM..TO {
                    acc[i][w] = x.mul_add(row[w], acc[i][w]);
                }
            }
        }
        for third in &mut thirds[..R.div_ceil(3)] {
            *third = opaque(third.wrapping_offset(t.a.columns));
        }
        b = b.wrapping_offset(t.b_stride);
    }
    (thirds[0], b)
}

/// The same pointer, of which the compiler does not know where it came from.
#[inline(always)]
#[allow(
    clippy::pointers_in_nomem_asm_block,
    reason = "nothing is read or written through it"
)]
fn opaque<T>(p: *const T) -> *const T {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut same = p;
        // SAFETY: no instruction at all.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) same, options(pure, nomem, nostack, preserves_flags));
        }
        same
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    p
}

/// # Safety
/// `p` must be valid for reading `columns` numbers, more than `W - 1` registers hold and at most `W`.
#[inline(always)]
unsafe fn read<T: Registers, V: Lanes<T>, const W: usize>(p: *const T, columns: usize) -> [V; W] {
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
/// `p` must be valid for writing `R` rows of `columns` numbers, more than `W - 1` registers hold and at most `W`.
#[inline(always)]
unsafe fn write<T: Registers, V: Lanes<T>, const R: usize, const W: usize>(
    acc: &[[V; W]; R],
    p: *mut T,
    stride: isize,
    columns: usize,
) {
    let last = W - 1;
    let rest = columns - last * V::LEN;
    // SAFETY: the caller's promise.
    unsafe {
        for i in 0..R {
            let p = p.wrapping_offset(i as isize * stride);
            for w in 0..last {
                acc[i][w].store(p.add(w * V::LEN));
            }
        }
        let p = p.add(last * V::LEN);
        if rest == V::LEN {
            for i in 0..R {
                acc[i][last].store(p.wrapping_offset(i as isize * stride));
            }
        } else {
            let mut lasts = [V::splat(T::zero()); R];
            for i in 0..R {
                lasts[i] = acc[i][last];
            }
            V::store_first(&lasts, p, stride, rest);
        }
    }
}
