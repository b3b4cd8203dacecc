//! Normal draws of many rows side by side.

use ef_random::normal::ndtri_lanes;
use ef_random::philox::{blocks, counter, inside_unit, wide};
use ef_tensor::Real;
use ef_tensor::simd::Kernel;

/// Rows drawn side by side.
const LANES: usize = 16;

/// Normal draws of many rows: the quantiles of the first uniform numbers of each row's stream, as
/// [`uniform`](crate::uniform) takes them, for `LANES` rows side by side.
pub(super) struct FillNormals<'a, T> {
    pub(super) key: [u32; 2],
    pub(super) tag: u32,
    /// The numbers of the rows, as many as `out` has.
    pub(super) rows: &'a mut dyn Iterator<Item = u64>,
    /// `(rows, dim)`.
    pub(super) out: &'a mut [T],
    pub(super) dim: usize,
}

impl<T: Real> Kernel for FillNormals<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for out in self.out.chunks_mut(LANES * self.dim) {
            let mut c = [[0; LANES]; 4];
            c[1] = [self.tag; LANES];
            for (l, row) in Iterator::take(&mut *self.rows, out.len() / self.dim).enumerate() {
                let [_, _, low, high] = counter(0, self.tag, row);
                (c[2][l], c[3][l]) = (low, high);
            }
            // A block is two numbers.
            for first in (0..self.dim).step_by(2) {
                c[0] = [first as u32 / 2; LANES];
                let words = blocks(c, self.key);
                for half in 0..2.min(self.dim - first) {
                    let mut u = [0.0; LANES];
                    for l in 0..LANES {
                        u[l] = inside_unit(wide(words[2 * half][l], words[2 * half + 1][l]));
                    }
                    for (row, z) in out.chunks_mut(self.dim).zip(ndtri_lanes(u)) {
                        row[first + half] = T::of(z);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ef_random::Key;
    use ef_random::normal::ndtri;
    use ef_tensor::simd::{Level, dispatch, with_level};
    use proptest::prelude::*;
    use rand_core::RngCore;

    use super::*;

    proptest! {
        /// Rows filled side by side hold what each row's own stream gives, at every level.
        #[test]
        fn rows_are_filled_from_their_own_streams(seed: u64, dim in 1usize..6, rows in prop::collection::vec(any::<u64>(), 0..40)) {
            let family = Key::new(seed);
            let (key, tag) = family.streams();
            let mut out = vec![0.0_f64; rows.len() * dim];
            for level in Level::ALL {
                out.fill(0.0);
                let fill = FillNormals { key, tag, rows: &mut rows.iter().copied(), out: &mut out, dim };
                with_level(level, || dispatch(fill));
                for (&row, out) in rows.iter().zip(out.chunks(dim)) {
                    let mut rng = family.row(row);
                    for &z in out {
                        prop_assert_eq!(z, ndtri(inside_unit(rng.next_u64())));
                    }
                }
            }
        }
    }
}
