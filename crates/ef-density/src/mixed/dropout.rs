//! Dropout keyed by row.

use ef_tensor::{DropoutMask, Real};
use ndarray::ArrayViewMut2;
use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use crate::key::Key;

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
    pub(crate) fn new(rate: f64, key: Key, first: u64) -> Self {
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
        let keep = T::of(self.keep);
        let key = self.key.index(block as u64);
        for (row, mut mask) in (self.first..).zip(mask.rows_mut()) {
            let mut rng: ChaCha8Rng = key.row(row);
            let (mut bits, mut left) = (0_u64, 0);
            for m in &mut mask {
                if left == 0 {
                    (bits, left) = (rng.next_u64(), 4);
                }
                *m = if (bits as u16) < self.threshold {
                    T::zero()
                } else {
                    keep
                };
                bits >>= 16;
                left -= 1;
            }
        }
    }
}
