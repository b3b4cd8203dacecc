//! Fixed splits of rows and parameters.
//!
//! How work is cut is a setting, never a thread count: the same cut on 1, 2 or 8 threads, and sums taken in the
//! order of the pieces, give the same bytes.

use std::ops::Range;

/// Piece `i` of `len` cut into `pieces` parts whose sizes differ by at most one.
///
/// ```
/// use ef_tensor::shards::piece;
/// assert_eq!([piece(10, 3, 0), piece(10, 3, 1), piece(10, 3, 2)], [0..3, 3..6, 6..10]);
/// ```
pub fn piece(len: usize, pieces: usize, i: usize) -> Range<usize> {
    debug_assert!(i < pieces);
    // 128 bits: `len * i` must not overflow for any length.
    let at = |i: usize| (len as u128 * i as u128 / pieces as u128) as usize;
    at(i)..at(i + 1)
}

/// `len` cut into runs of `size` (the last may be shorter), aligned to multiples of `size`.
pub fn chunks(len: usize, size: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
    let size = size.max(1);
    (0..len.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_tile(len in 0usize..1000, pieces in 1usize..20) {
            let all: Vec<usize> = (0..pieces).flat_map(|i| piece(len, pieces, i)).collect();
            prop_assert_eq!(all, (0..len).collect::<Vec<_>>());
            let all: Vec<usize> = chunks(len, pieces).flatten().collect();
            prop_assert_eq!(all, (0..len).collect::<Vec<_>>());
        }
    }
}
