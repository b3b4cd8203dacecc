//! Dropout keyed by row.

use ef_random::philox::fill_words;
use ef_tensor::simd::{Kernel, dispatch};
use ef_tensor::{DropoutMask, Mlp, Real};
use ndarray::ArrayViewMut2;

use crate::key::{Key, StepKey};

/// Masks whose row `i` comes from stream `first + i`: the same for a row of a mini-batch however it is sharded.
#[derive(Debug)]
pub(crate) struct KeyedDropout {
    key: Key,
    first: u64,
    /// Units are dropped where 16 random bits fall below this.
    threshold: u16,
    keep: f64,
}

impl KeyedDropout {
    /// The masks of a training step for the residual blocks of a network; `None` if nothing is dropped.
    pub(crate) fn of_step(rate: f64, net: &Mlp, key: StepKey) -> Option<Self> {
        let drops = rate > 0.0 && net.config().residual;
        drops.then(|| Self::new(rate, key.purpose("dropout"), key.row))
    }

    fn new(rate: f64, key: Key, first: u64) -> Self {
        let threshold = (rate * 65_536.0).round().clamp(0.0, 65_535.0) as u16;
        Self {
            key,
            first,
            threshold,
            keep: 1.0 / (1.0 - f64::from(threshold) / 65_536.0),
        }
    }
}

impl<T: Real> DropoutMask<T> for KeyedDropout {
    fn fill(&mut self, block: usize, mut mask: ArrayViewMut2<'_, T>) {
        let key = self.key.index(block as u64);
        for (row, mut mask) in (self.first..).zip(mask.rows_mut()) {
            let mask = mask.as_slice_mut().expect("rows of a mask are contiguous");
            dispatch(FillMask {
                key,
                row,
                threshold: u32::from(self.threshold),
                keep: T::of(self.keep),
                mask,
            });
        }
    }
}

/// Random words made at a time.
const WORDS: usize = 64;

/// One row of a mask: each unit takes 16 bits of the row's stream, the lower half of a word first.
struct FillMask<'a, T> {
    key: Key,
    row: u64,
    threshold: u32,
    keep: T,
    mask: &'a mut [T],
}

impl<T: Real> Kernel for FillMask<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (key, tag) = self.key.streams();
        for (i, mask) in self.mask.chunks_mut(2 * WORDS).enumerate() {
            let mut words = [0; WORDS];
            fill_words(key, tag, self.row, (i * WORDS / 4) as u32, &mut words);
            for (pair, word) in mask.chunks_mut(2).zip(words) {
                for (m, bits) in pair.iter_mut().zip([word & 0xffff, word >> 16]) {
                    *m = if bits < self.threshold {
                        T::zero()
                    } else {
                        self.keep
                    };
                }
            }
        }
    }
}
