//! Columns carried from one array to another.

use ef_tensor::Real;
use ndarray::{ArrayView2, ArrayViewMut2};

/// `put(target[to], source[from])` for the `(to, from)` of `pairs` in every row.
fn carry<T: Real>(
    source: ArrayView2<'_, T>,
    mut target: ArrayViewMut2<'_, T>,
    pairs: impl Iterator<Item = (usize, usize)> + Clone,
    put: impl Fn(&mut T, T),
) {
    debug_assert_eq!(source.nrows(), target.nrows());
    let (from, to) = (source.ncols().max(1), target.ncols().max(1));
    if let (Some(source), Some(target)) = (source.as_slice(), target.as_slice_mut()) {
        for (source, target) in source.chunks_exact(from).zip(target.chunks_exact_mut(to)) {
            for (to, from) in pairs.clone() {
                put(&mut target[to], source[from]);
            }
        }
        return;
    }
    for (source, mut target) in source.rows().into_iter().zip(target.rows_mut()) {
        for (to, from) in pairs.clone() {
            put(&mut target[to], source[from]);
        }
    }
}

/// `target[to] <- source[from]` for the `(to, from)` of `pairs` in every row.
pub(crate) fn copy_columns<T: Real>(
    source: ArrayView2<'_, T>,
    target: ArrayViewMut2<'_, T>,
    pairs: impl Iterator<Item = (usize, usize)> + Clone,
) {
    carry(source, target, pairs, |to, from| *to = from);
}

/// `target[to] += source[from]` for the `(to, from)` of `pairs` in every row.
pub(crate) fn add_columns<T: Real>(
    source: ArrayView2<'_, T>,
    target: ArrayViewMut2<'_, T>,
    pairs: impl Iterator<Item = (usize, usize)> + Clone,
) {
    carry(source, target, pairs, |to, from| *to += from);
}
