//! The walk through a product: panels of the right operand, runs of terms, tiles of rows.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::lanes::{BLOCK, Lanes, Registers};
use super::tile::{self, Ahead, From, Tiles};
use super::{Finish, Part, Problem, Start, Strided};
#[cfg(target_arch = "x86_64")]
use crate::simd::{Level, level};

/// Bytes of a packed panel. It is read in one stream, which a second cache keeps up with; a shorter one would have the
/// result read and written more often. Tests want sums cut at every level.
const PANEL: usize = if cfg!(test) { 4 * 1024 } else { 64 * 1024 };

/// A right operand of at most so many bytes is read where it lies: a copy would cost more than it saves.
const SMALL: usize = if cfg!(test) { 2 * 1024 } else { 32 * 1024 };

/// An operand or a result of more bytes is not in a near cache when it is touched next.
const LARGE: usize = if cfg!(test) { 4 * 1024 } else { 128 * 1024 };

#[repr(align(64))]
struct Buffer(UnsafeCell<[MaybeUninit<u8>; PANEL]>);

thread_local! {
    /// A thread's packed panel. On the stack, every product would touch as many pages of it, packed or not.
    static PACKED: Buffer = const { Buffer(UnsafeCell::new([MaybeUninit::uninit(); PANEL])) };
}

impl<T: Registers> Problem<'_, '_, T> {
    /// Computes it, at the processor's level.
    pub(super) fn compute(&self) {
        #[cfg(target_arch = "x86_64")]
        {
            /// # Safety
            /// As for [`Problem::panels`].
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
            unsafe fn avx512<T: Registers>(p: &Problem<'_, '_, T>) {
                // SAFETY: the caller's promise.
                unsafe { p.panels::<T::Avx512>() }
            }
            /// # Safety
            /// As for [`Problem::panels`].
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<T: Registers>(p: &Problem<'_, '_, T>) {
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
        let n = self.sizes.2;
        let mut columns = 0..panel_columns::<T, V>(n);
        while !columns.is_empty() {
            let next = columns.end..columns.end + panel_columns::<T, V>(n - columns.end);
            // SAFETY: the caller's promise; a processor that has registers has their halves.
            unsafe {
                if has_half::<T, V>() && columns.len() <= V::Half::LEN {
                    self.panel::<V::Half>(columns, &next);
                } else {
                    self.panel::<V>(columns, &next);
                }
            }
            columns = next;
        }
    }

    /// The columns `columns`, at most two registers of them; `next` come after them.
    ///
    /// # Safety
    /// As for [`panels`](Self::panels).
    #[inline(always)]
    unsafe fn panel<V: Lanes<T>>(&self, columns: Range<usize>, next: &Range<usize>) {
        let (_, k, n) = self.sizes;
        let middle = columns.start + V::LEN;
        let wide = columns.end > middle;
        let cut = if wide {
            Cut::of(self.part(columns.start..middle), self.part(middle..columns.end))
        } else {
            let part = self.part(columns.clone());
            Cut::of(part.clone(), part)
        };
        let width = if wide { 2 * V::LEN } else { V::LEN };
        let small = k * self.b.rows.unsigned_abs() * size_of::<T>() <= SMALL;
        let pack = self.b.columns != 1 || columns.len() < width || (cut.rows >= 3 * V::ROWS && !small);
        let most = if pack {
            PANEL / size_of::<T>() / width
        } else {
            usize::MAX
        };
        let ahead = (pack && !next.is_empty() && k * n * size_of::<T>() > LARGE)
            .then(|| self.ahead(next, &self.part(next.clone()).depth));
        let mut first = cut.depth.start;
        loop {
            let end = first + (cut.depth.end - first).min(most);
            // SAFETY: rows, terms and columns stay inside the operands by the assertions of `part` and `product`; a packed
            // panel of `most` rows fits the buffer, which nobody else on this thread uses before the tiles are computed:
            // nothing of the caller's is called in between.
            unsafe {
                let mut b = self.b.at(first, columns.start);
                if pack {
                    let packed = PACKED.with(|buffer| buffer.0.get().cast::<T>());
                    V::pack(b, end - first, columns.len(), width, packed);
                    b = Strided {
                        start: packed.cast_const(),
                        rows: width as isize,
                        columns: 1,
                    };
                }
                let block = Block {
                    columns: columns.clone(),
                    terms: first..end,
                    head: cut.both.start.clamp(first, end) - first,
                    tail: end - cut.both.end.clamp(first, end),
                    b: b.start,
                    b_stride: b.rows,
                    ahead: ahead.filter(|_| first == cut.depth.start),
                    begins: first == cut.depth.start,
                    ends: end == cut.depth.end,
                };
                self.tiles::<V>(0..cut.both_rows, &block);
                if wide && cut.both_rows < cut.rows {
                    // Rows that the first register's columns do not need.
                    let second = Block {
                        columns: middle..columns.end,
                        head: 0,
                        tail: 0,
                        b: block.b.wrapping_add(V::LEN),
                        ahead: None,
                        ..block
                    };
                    self.tiles::<V>(cut.both_rows..cut.rows, &second);
                }
            }
            first = end;
            if first == cut.depth.end {
                break;
            }
        }
    }

    /// What columns need, checked to lie inside the operands.
    fn part(&self, columns: Range<usize>) -> Part {
        let (m, k, _) = self.sizes;
        let part = (self.part)(columns);
        let Part { rows, depth } = &part;
        assert!(
            *rows <= m && depth.start <= depth.end && depth.end <= k,
            "product: a part of the operands"
        );
        part
    }

    /// The addresses of a panel of the right operand, one in about every line of the cache.
    #[inline(always)]
    fn ahead(&self, columns: &Range<usize>, depth: &Range<usize>) -> Ahead<T> {
        const LINE: usize = 64;
        let line = LINE / size_of::<T>();
        let start = self.b.at(depth.start, columns.start).start;
        if self.b.columns == 1 {
            // A row is up to two lines long, and touches three where it begins inside one.
            return Ahead {
                start,
                outer: self.b.rows,
                inner: (columns.len() - 1) as isize / 2,
                per: 3,
                done: 0,
                left: 3 * depth.len(),
                each: 0,
            };
        }
        Ahead {
            start,
            outer: line as isize * self.b.rows,
            inner: self.b.columns,
            per: columns.len(),
            done: 0,
            left: columns.len() * depth.len().div_ceil(line),
            each: 0,
        }
    }

    /// Rows of a block, in tiles of about equal height; the first are one row higher.
    ///
    /// # Safety
    /// As for [`panels`](Self::panels); rows, columns and terms must lie inside the operands.
    #[inline(always)]
    unsafe fn tiles<V: Lanes<T>>(&self, rows: Range<usize>, block: &Block<T>) {
        let left = block.columns.start;
        let wide = block.columns.len() > V::LEN;
        let tiles = rows.len().div_ceil(if wide { V::ROWS } else { tile::ROWS });
        if tiles == 0 {
            return;
        }
        let (height, higher) = (rows.len() / tiles, rows.len() % tiles);
        let (m, _, n) = self.sizes;
        // SAFETY: the caller's promise.
        unsafe {
            let mut below = Tiles {
                columns: block.columns.len(),
                depth: block.terms.len(),
                head: block.head,
                tail: block.tail,
                a: self.a.at(rows.start, block.terms.start),
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
                        let first = rows.start as isize * stride;
                        Some((gate.as_ptr().offset(first).add(left), stride))
                    }
                    _ => None,
                },
                c: self.c.offset(rows.start as isize * self.c_stride).add(left),
                c_stride: self.c_stride,
                far: m * n * size_of::<T>() > LARGE && block.begins,
                ahead: block.ahead.map(|ahead| Ahead {
                    each: ahead.left.div_ceil(tiles),
                    ..ahead
                }),
            };
            if higher > 0 {
                tile::compute::<T, V>(height + 1, higher, &mut below);
            }
            tile::compute::<T, V>(height, tiles - higher, &mut below);
        }
    }
}

/// Whether half a register is a register of its own.
const fn has_half<T, V: Lanes<T>>() -> bool {
    V::Half::LEN < V::LEN
}

/// How many of the `rest` columns that are left the next panel takes: two registers', but one register's where half a
/// register holds what comes after.
#[inline(always)]
fn panel_columns<T, V: Lanes<T>>(rest: usize) -> usize {
    if has_half::<T, V>() && rest > V::LEN && rest <= V::LEN + V::Half::LEN {
        V::LEN
    } else {
        rest.min(2 * V::LEN)
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
    /// See [`Tiles`].
    head: usize,
    tail: usize,
    b: *const T,
    b_stride: isize,
    /// The panel after this one, if it should be fetched meanwhile.
    ahead: Option<Ahead<T>>,
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
pub(super) unsafe fn copy<T: Registers, V: Lanes<T>>(
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
