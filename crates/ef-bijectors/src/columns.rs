//! Columns carried from one array to another.

use ef_tensor::Real;
use ef_tensor::simd::{Kernel, dispatch};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Some columns of an array, in order: taken out, and put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    list: Vec<usize>,
    /// Where they are every second one.
    alternate: Option<Alternate>,
}

impl Selection {
    /// Those of the list, of an array of `of` columns.
    pub(crate) fn new(list: Vec<usize>, of: usize) -> Self {
        let alternate = Alternate {
            first: list.first().copied().unwrap_or(0),
            of,
        };
        let alternates = !list.is_empty() && list.iter().copied().eq((alternate.first..of).step_by(2));
        Self {
            list,
            alternate: (alternates && alternate.first < 2).then_some(alternate),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        self.list.iter().copied()
    }

    /// `to <- x[columns]`.
    pub(crate) fn take<T: Real>(&self, x: ArrayView2<'_, T>, mut to: ArrayViewMut2<'_, T>) {
        debug_assert_eq!(x.nrows(), to.nrows());
        if let (Some(alternate), Some(x), Some(to)) = (self.alternate, x.as_slice(), to.as_slice_mut()) {
            return dispatch(TakeAlternate(alternate, x, to));
        }
        copy_columns(x, to, self.iter().enumerate());
    }

    /// `x[columns] <- from`.
    pub(crate) fn put<T: Real>(&self, from: ArrayView2<'_, T>, x: ArrayViewMut2<'_, T>) {
        self.give_back(from, x, |_, from| from);
    }

    /// `x[columns] += from`.
    pub(crate) fn add<T: Real>(&self, from: ArrayView2<'_, T>, x: ArrayViewMut2<'_, T>) {
        self.give_back(from, x, |to, from| to + from);
    }

    fn give_back<T: Real>(
        &self,
        from: ArrayView2<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
        new: impl Fn(T, T) -> T,
    ) {
        debug_assert_eq!(from.nrows(), x.nrows());
        if let (Some(alternate), Some(from), Some(x)) = (self.alternate, from.as_slice(), x.as_slice_mut()) {
            return dispatch(GiveAlternate(alternate, from, x, new));
        }
        let back = self.iter().enumerate().map(|(k, j)| (j, k));
        carry(from, x, back, |to, from| *to = new(*to, from));
    }
}

/// Every second one of `of` columns, from the first or the second on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Alternate {
    first: usize,
    of: usize,
}

impl Alternate {
    /// Numbers in a run that alternates throughout, and how many of them are in these columns: the whole array, if its
    /// columns are even in number; one row, if they are odd.
    fn run(self, len: usize) -> (usize, usize) {
        if self.of.is_multiple_of(2) {
            (len.max(1), (len / 2).max(1))
        } else {
            (self.of, (self.of - self.first).div_ceil(2))
        }
    }
}

/// Every second number.
struct TakeAlternate<'a, T>(Alternate, &'a [T], &'a mut [T]);

impl<T: Real> Kernel for TakeAlternate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(alternate, x, to) = self;
        let (all, some) = alternate.run(x.len());
        for (x, to) in x.chunks_exact(all).zip(to.chunks_exact_mut(some)) {
            let (pairs, single) = x.as_chunks::<2>();
            // One branch a half, so that the compiler knows which half of a pair it reads.
            if alternate.first == 0 {
                for (to, pair) in to.iter_mut().zip(pairs) {
                    *to = pair[0];
                }
                if let ([single], Some(to)) = (single, to.last_mut()) {
                    *to = *single;
                }
            } else {
                for (to, pair) in to.iter_mut().zip(pairs) {
                    *to = pair[1];
                }
            }
        }
    }
}

/// Every second number, made of the old one and one that is given back.
struct GiveAlternate<'a, T, F>(Alternate, &'a [T], &'a mut [T], F);

impl<T: Real, F: Fn(T, T) -> T> Kernel for GiveAlternate<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(alternate, from, x, new) = self;
        let (all, some) = alternate.run(x.len());
        for (x, from) in x.chunks_exact_mut(all).zip(from.chunks_exact(some)) {
            let (pairs, single) = x.as_chunks_mut::<2>();
            // Pairs are written whole, as registers are.
            if alternate.first == 0 {
                for (pair, &from) in pairs.iter_mut().zip(from) {
                    *pair = [new(pair[0], from), pair[1]];
                }
                if let ([single], Some(&from)) = (single, from.last()) {
                    *single = new(*single, from);
                }
            } else {
                for (pair, &from) in pairs.iter_mut().zip(from) {
                    *pair = [pair[0], new(pair[1], from)];
                }
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the definition, for columns that alternate and others.
        #[test]
        fn columns_go_there_and_back(
            (of, list) in (1usize..12).prop_flat_map(|of| {
                let alternating = (0..2usize).prop_map(move |first| (first..of).step_by(2).collect());
                let any = proptest::sample::subsequence((0..of).collect::<Vec<_>>(), 0..=of);
                (Just(of), prop_oneof![alternating, any])
            }),
            rows in 0usize..40,
        ) {
            let columns = Selection::new(list.clone(), of);
            let x = Array2::from_shape_fn((rows, of), |(i, j)| (i * of + j) as f64);
            let mut taken = Array2::zeros((rows, list.len()));
            columns.take(x.view(), taken.view_mut());
            let expected = Array2::from_shape_fn((rows, list.len()), |(i, k)| x[[i, list[k]]]);
            prop_assert_eq!(&taken, &expected);

            let (mut put, mut added) = (x.clone(), x.clone());
            let negative = taken.mapv(|v| -v - 1.0);
            columns.put(negative.view(), put.view_mut());
            columns.add(negative.view(), added.view_mut());
            for ((i, j), &v) in x.indexed_iter() {
                let theirs = list.contains(&j);
                prop_assert_eq!(put[[i, j]], if theirs { -v - 1.0 } else { v });
                prop_assert_eq!(added[[i, j]], if theirs { -1.0 } else { v });
            }
        }
    }
}
