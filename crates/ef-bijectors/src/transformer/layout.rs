//! Where the parameters of a block of elements lie in memory.

use std::ops::Range;

use ef_tensor::Real;
use ndarray::{ArrayView3, Axis};

use super::lanes::Lanes;

/// The order of an array `(rows, columns, width)` in its memory. Elements are counted row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    order: Order,
    columns: usize,
    /// From one parameter to the next.
    step: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// All elements side by side, a parameter after the other.
    Flat,
    /// The elements of a row side by side, a parameter after the other; then the next row.
    Rows,
    /// The parameters of an element side by side, an element after the other.
    Elements,
}

impl Layout {
    /// The layout of a view; `None` if it has gaps, or an order that no layer makes.
    pub(super) fn of<T: Real>(h: &ArrayView3<'_, T>) -> Option<Self> {
        h.as_slice_memory_order()?;
        let ((rows, columns, width), strides) = (h.dim(), h.strides());
        // an axis of length 1 may have any stride
        let stride = |axis: usize| match h.len_of(Axis(axis)) {
            1 => Some(0),
            _ => usize::try_from(strides[axis]).ok(),
        };
        let (row, column, step) = (stride(0)?, stride(1)?, stride(2)?);
        let apart = if columns == 1 {
            Some(row)
        } else {
            (rows == 1 || row == columns * column).then_some(column)
        };
        let order = match apart {
            Some(0 | 1) => Order::Flat,
            Some(_) if step <= 1 => Order::Elements,
            _ if column == 1 && width > 0 => Order::Rows,
            _ => return None,
        };
        Some(Self { order, columns, step })
    }

    /// The standard layout.
    pub(super) fn standard(columns: usize, width: usize) -> Self {
        let order = if width == 1 { Order::Flat } else { Order::Elements };
        Self {
            order,
            columns,
            step: 1,
        }
    }

    /// The parameters of the `count` elements from `first` on, into the first lanes.
    #[inline(always)]
    pub(super) fn gather<T: Real>(self, data: &[T], first: usize, count: usize, to: &mut [Lanes<T>]) {
        let width = to.len();
        match self.order {
            Order::Flat => {
                for (w, to) in to.iter_mut().enumerate() {
                    copy(&data[first + w * self.step..][..count], &mut to[..count]);
                }
            }
            Order::Rows => {
                for (lanes, row, column) in rows_of(first, count, self.columns) {
                    let mut at = row * width * self.step + column;
                    for to in to.iter_mut() {
                        let to = &mut to[lanes.clone()];
                        copy(&data[at..][..to.len()], to);
                        at += self.step;
                    }
                }
            }
            Order::Elements => gather_elements(&data[first * width..][..count * width], to),
        }
    }

    /// Writes the parameters of the `count` elements from `first` on.
    #[inline(always)]
    pub(super) fn scatter<T: Real>(self, from: &[Lanes<T>], first: usize, count: usize, data: &mut [T]) {
        let width = from.len();
        match self.order {
            Order::Flat => {
                for (w, from) in from.iter().enumerate() {
                    copy(&from[..count], &mut data[first + w * self.step..][..count]);
                }
            }
            Order::Rows => {
                for (lanes, row, column) in rows_of(first, count, self.columns) {
                    let mut at = row * width * self.step + column;
                    for from in from {
                        let from = &from[lanes.clone()];
                        copy(from, &mut data[at..][..from.len()]);
                        at += self.step;
                    }
                }
            }
            Order::Elements => scatter_elements(from, &mut data[first * width..][..count * width]),
        }
    }
}

/// Side of the squares that are transposed at once.
const TILE: usize = 4;

#[inline(always)]
fn transposed<T: Real>(a: [[T; TILE]; TILE]) -> [[T; TILE]; TILE] {
    let mut b = a;
    for i in 0..TILE {
        for j in 0..TILE {
            b[i][j] = a[j][i];
        }
    }
    b
}

/// From elements one after the other, into the first lanes.
#[inline(always)]
fn gather_elements<T: Real>(data: &[T], to: &mut [Lanes<T>]) {
    if let [a, b] = to {
        // so common that it pays to let the compiler know
        for ((a, b), pair) in a.iter_mut().zip(b).zip(data.as_chunks().0) {
            [*a, *b] = *pair;
        }
        return;
    }
    let width = to.len();
    let count = data.len() / width;
    let tiled = if width < TILE { 0 } else { count - count % TILE };
    for lane in (0..tiled).step_by(TILE) {
        for w in (0..width).step_by(TILE) {
            // the last tile lies over a part of the one before
            let w = w.min(width - TILE);
            let mut tile = [[T::zero(); TILE]; TILE];
            for l in 0..TILE {
                tile[l].copy_from_slice(&data[(lane + l) * width + w..][..TILE]);
            }
            let tile = transposed(tile);
            for i in 0..TILE {
                to[w + i][lane..lane + TILE].copy_from_slice(&tile[i]);
            }
        }
    }
    for lane in tiled..count {
        for (to, &v) in to.iter_mut().zip(&data[lane * width..][..width]) {
            to[lane] = v;
        }
    }
}

/// The reverse.
#[inline(always)]
fn scatter_elements<T: Real>(from: &[Lanes<T>], data: &mut [T]) {
    if let [a, b] = from {
        for ((&a, &b), pair) in a.iter().zip(b).zip(data.as_chunks_mut().0) {
            *pair = [a, b];
        }
        return;
    }
    let width = from.len();
    let count = data.len() / width;
    let tiled = if width < TILE { 0 } else { count - count % TILE };
    for lane in (0..tiled).step_by(TILE) {
        for w in (0..width).step_by(TILE) {
            let w = w.min(width - TILE);
            let mut tile = [[T::zero(); TILE]; TILE];
            for i in 0..TILE {
                tile[i].copy_from_slice(&from[w + i][lane..lane + TILE]);
            }
            let tile = transposed(tile);
            for l in 0..TILE {
                data[(lane + l) * width + w..][..TILE].copy_from_slice(&tile[l]);
            }
        }
    }
    for lane in tiled..count {
        for (to, from) in data[lane * width..][..width].iter_mut().zip(from) {
            *to = from[lane];
        }
    }
}

/// `to <- from`, of one length: short pieces, for which a call would be slow.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    if let (Ok(from), Ok(to)) = (<&[T; 4]>::try_from(from), <&mut [T; 4]>::try_from(&mut *to)) {
        *to = *from;
    } else if from.len() >= 16 {
        copy_by::<16, T>(from, to);
    } else if from.len() >= 4 {
        copy_by::<4, T>(from, to);
    } else {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = from;
        }
    }
}

/// By pieces of `N`, the last of which lies over a part of the one before.
#[inline(always)]
fn copy_by<const N: usize, T: Copy>(from: &[T], to: &mut [T]) {
    for at in (0..from.len()).step_by(N) {
        let at = at.min(from.len() - N);
        to[at..at + N].copy_from_slice(&from[at..at + N]);
    }
}

/// The lanes of each row among the elements of a block: `(lanes, row, column of the first)`. An iterator and no closure:
/// a closure may be left out of line, and then it is not compiled for the level of its kernel.
#[derive(Debug)]
pub(super) struct RowsOf {
    lane: usize,
    count: usize,
    columns: usize,
    row: usize,
    column: usize,
}

/// Of the `count` elements from `first` on.
#[inline(always)]
pub(super) fn rows_of(first: usize, count: usize, columns: usize) -> RowsOf {
    RowsOf {
        lane: 0,
        count,
        columns,
        row: first / columns,
        column: first % columns,
    }
}

impl Iterator for RowsOf {
    type Item = (Range<usize>, usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.lane == self.count {
            return None;
        }
        let end = (self.lane + self.columns - self.column).min(self.count);
        let item = (self.lane..end, self.row, self.column);
        (self.lane, self.row, self.column) = (end, self.row + 1, 0);
        Some(item)
    }
}
