//! Bins in a row, of a block of elements.

use ef_tensor::Real;

use super::lanes::{LANES, Lanes, select};

/// The lengths of bins that follow each other. They are cumulated in `f64`: the rounding of `f32` would move a narrow
/// bin by more than its own digits.
pub(super) trait Bins {
    /// Where the first begins.
    fn start(&self) -> f64;

    /// The length of bin `k` in lane `l`.
    fn size<const FMA: bool>(&self, k: usize, l: usize) -> f64;
}

/// As many bins of equal length from 0 to 1.
pub(super) struct Equal(pub(super) usize);

impl Bins for Equal {
    #[inline(always)]
    fn start(&self) -> f64 {
        0.0
    }

    #[inline(always)]
    fn size<const FMA: bool>(&self, _: usize, _: usize) -> f64 {
        1.0 / self.0 as f64
    }
}

/// A bin of each element, and the one of the same number along another axis.
pub(super) struct Cell<T> {
    pub(super) index: Lanes<T>,
    pub(super) start: Lanes<f64>,
    pub(super) other_start: Lanes<f64>,
}

/// Which of `count` bins hold `at`; the first and the last reach as far as need be.
#[inline(always)]
pub(super) fn find<const FMA: bool, T: Real>(
    bins: &impl Bins,
    other: &impl Bins,
    count: usize,
    at: &Lanes<f64>,
) -> Cell<T> {
    let mut cell = Cell {
        index: [T::zero(); LANES],
        start: [bins.start(); LANES],
        other_start: [other.start(); LANES],
    };
    let mut number = T::zero();
    for k in 0..count - 1 {
        for l in 0..LANES {
            let end = cell.start[l] + bins.size::<FMA>(k, l);
            let other_end = cell.other_start[l] + other.size::<FMA>(k, l);
            // an element that stopped at a bin before does not go on
            let passed = cell.index[l] == number && at[l] >= end;
            cell.index[l] += select(passed, T::one(), T::zero());
            cell.start[l] = select(passed, end, cell.start[l]);
            cell.other_start[l] = select(passed, other_end, cell.other_start[l]);
        }
        number += T::one();
    }
    cell
}

/// Each lane's number in the row of its index, where rows are counted from `first`; 0 for an index without a row.
#[inline(always)]
pub(super) fn picked<T: Real>(rows: &[Lanes<T>], first: T, index: &Lanes<T>) -> Lanes<T> {
    let mut picked = [T::zero(); LANES];
    let mut k = first;
    for row in rows {
        for l in 0..LANES {
            // a sum, since a choice between two loads becomes a load from a chosen address
            picked[l] += select(index[l] == k, row[l], T::zero());
        }
        k += T::one();
    }
    picked
}
