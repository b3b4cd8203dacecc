//! Which rows are held out for validation, and the order in which training visits the others.
//!
//! Both are functions of the seed: the order of an epoch does not depend on the epochs before it.

use std::ops::Range;

use ef_random::Key;
use ef_tensor::shards::piece;
use rand_core::RngCore;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How many rows are held out for validation: `share` of them but not fewer than `min_rows`, unless that is more
/// than `max_share`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// The share aimed at.
    pub share: f64,
    /// Rows below which a validation loss says little.
    pub min_rows: usize,
    /// The most that is taken from training.
    pub max_share: f64,
    /// Which rows are held out: the first, second, .. part of a random order of all. When all have been held out once, the
    /// first are held out again. Fits of several parts hold out different rows, so that together they learn from all.
    pub fold: usize,
}

impl Default for SplitConfig {
    /// A tenth, at least 500 rows, at most a fifth.
    fn default() -> Self {
        Self {
            share: 0.1,
            min_rows: 500,
            max_share: 0.2,
            fold: 0,
        }
    }
}

impl SplitConfig {
    /// Tables with fewer rows are not split: they are trained and validated on all rows.
    pub const SMALLEST: usize = 10;

    /// Checks that both shares lie strictly between 0 and 1.
    pub fn validate(&self) -> Result<(), TrainError> {
        for (setting, share) in [
            ("validation.share", self.share),
            ("validation.max_share", self.max_share),
        ] {
            if !(share > 0.0 && share < 1.0) {
                return Err(TrainError::setting(setting, share, "a share between 0 and 1"));
            }
        }
        Ok(())
    }

    /// How many of `rows` rows are held out: at least one, and at least one is left; 0 if there are too few to split.
    pub fn validation_rows(&self, rows: usize) -> usize {
        if rows < Self::SMALLEST {
            return 0;
        }
        let part = |share: f64| (rows as f64 * share).round() as usize;
        part(self.share)
            .max(self.min_rows)
            .min(part(self.max_share))
            .clamp(1, rows - 1)
    }
}

/// The rows trained on and the rows held out, both in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows trained on.
    pub train: Vec<usize>,
    /// Rows validated on.
    pub validation: Vec<usize>,
    /// Whether there were too few rows to hold any out, so that both are all rows. The validation loss then does not
    /// show overfitting.
    pub validated_on_training: bool,
}

/// Holds out rows at random: every set of [`SplitConfig::validation_rows`] rows is equally likely.
///
/// ```
/// use ef_random::Key;
/// use ef_train::{SplitConfig, validation_split};
/// let split = validation_split(20_000, Key::new(1), &SplitConfig::default());
/// assert_eq!((split.train.len(), split.validation.len()), (18_000, 2_000));
/// ```
pub fn validation_split(rows: usize, key: Key, config: &SplitConfig) -> Split {
    let held_out = config.validation_rows(rows);
    let mut train: Vec<usize> = (0..rows).collect();
    if held_out == 0 {
        return Split {
            validation: train.clone(),
            train,
            validated_on_training: true,
        };
    }
    shuffle(&mut train, key.purpose("validation split"));
    let folds = (rows / held_out).max(1);
    train.rotate_right(config.fold % folds * held_out);
    let mut validation = train.split_off(rows - held_out);
    train.sort_unstable();
    validation.sort_unstable();
    Split {
        train,
        validation,
        validated_on_training: false,
    }
}

/// The mini-batches of a fit: each epoch goes once through all rows, in an order of its own.
///
/// The rows are cut into `ceil(rows / batch)` mini-batches whose sizes differ by at most one. No row is left out,
/// and no small rest at the end takes a step as long as a full mini-batch on a much noisier gradient.
#[derive(Debug, Clone)]
pub struct Batches {
    rows: Vec<usize>,
    order: Vec<usize>,
    steps: usize,
    key: Key,
}

impl Batches {
    /// Mini-batches of at most `batch` of these rows.
    pub fn new(rows: Vec<usize>, batch: usize, key: Key) -> Self {
        let steps = rows.len().div_ceil(batch.max(1));
        Self {
            order: rows.clone(),
            rows,
            steps,
            key: key.purpose("shuffle"),
        }
    }

    /// Mini-batches an epoch.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Rows an epoch.
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    /// Puts the rows in the order of epoch `epoch`: a Fisher-Yates shuffle of the ascending order, keyed by the epoch.
    pub fn start_epoch(&mut self, epoch: u64) {
        self.order.copy_from_slice(&self.rows);
        shuffle(&mut self.order, self.key.index(epoch));
    }

    /// The rows of mini-batch `step < steps()` of this epoch; none beyond.
    pub fn batch(&self, step: usize) -> &[usize] {
        let range = if step < self.steps {
            piece(self.order.len(), self.steps, step)
        } else {
            Range::default()
        };
        self.order.get(range).unwrap_or_default()
    }

    /// The first rows of this epoch's order, `count` of them or all.
    pub fn first(&self, count: usize) -> &[usize] {
        &self.order[..count.min(self.order.len())]
    }
}

/// Fisher-Yates with one 64-bit number a swap: `j = floor(u n / 2^64)`, which is uniform on `0..n` but for `n / 2^64`,
/// and does not depend on how a library draws ranges.
fn shuffle(items: &mut [usize], key: Key) {
    let mut rng = key.row(0);
    for i in (1..items.len()).rev() {
        let j = (u128::from(rng.next_u64()) * (i as u128 + 1)) >> 64;
        items.swap(i, j as usize);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_split_parts_the_rows(rows in 0usize..8000, seed: u64, share in 0.01_f64..0.99, max in 0.01_f64..0.99) {
            let config = SplitConfig { share, min_rows: 500, max_share: max, fold: 0 };
            let split = validation_split(rows, Key::new(seed), &config);
            prop_assert!(split.train.is_sorted() && split.validation.is_sorted());
            let all: Vec<usize> = (0..rows).collect();
            if split.validated_on_training {
                prop_assert!(rows < SplitConfig::SMALLEST);
                prop_assert_eq!(&split.train, &all);
                prop_assert_eq!(&split.validation, &all);
            } else {
                prop_assert!(!split.train.is_empty() && !split.validation.is_empty());
                let mut both = [split.train.clone(), split.validation.clone()].concat();
                both.sort_unstable();
                prop_assert_eq!(both, all);
                let most = (rows as f64 * max).round().max(1.0) as usize;
                prop_assert!(split.validation.len() <= most);
            }
            prop_assert_eq!(validation_split(rows, Key::new(seed), &config), split);
        }

        #[test]
        fn an_epoch_sees_each_row_once(rows in 0usize..500, batch in 0usize..100, seed: u64, epoch: u64) {
            let mut batches = Batches::new((0..rows).map(|i| 3 * i).collect(), batch, Key::new(seed));
            batches.start_epoch(epoch);
            let mut seen = Vec::new();
            for step in 0..batches.steps() {
                let b = batches.batch(step);
                prop_assert!(!b.is_empty() && b.len() <= batch.max(1));
                prop_assert!(b.len().abs_diff(batches.batch(0).len()) <= 1);
                seen.extend_from_slice(b);
            }
            prop_assert!(batches.batch(batches.steps()).is_empty());
            let order = seen.clone();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..rows).map(|i| 3 * i).collect::<Vec<_>>());

            // An epoch's order does not depend on the epochs before it.
            batches.start_epoch(epoch.wrapping_add(1));
            batches.start_epoch(epoch);
            prop_assert_eq!(batches.first(rows), &order[..]);
        }
    }

    #[test]
    fn the_defaults_hold_out_a_tenth_or_500_rows_or_a_fifth() {
        let held_out = |rows| SplitConfig::default().validation_rows(rows);
        assert_eq!(held_out(9), 0);
        assert_eq!(held_out(10), 2);
        assert_eq!(held_out(1000), 200);
        assert_eq!(held_out(4000), 500);
        assert_eq!(held_out(100_000), 10_000);
    }

    #[test]
    fn every_place_is_equally_likely() {
        // Row 0 of 10 rows over 20,000 epochs: 2,000 times in each place, standard deviation 42.
        let mut batches = Batches::new((0..10).collect(), 10, Key::new(3));
        let mut counts = [0_i32; 10];
        for epoch in 0..20_000 {
            batches.start_epoch(epoch);
            counts[batches.batch(0).iter().position(|&r| r == 0).unwrap()] += 1;
        }
        assert!(counts.iter().all(|c| (c - 2000).abs() < 5 * 42), "{counts:?}");
    }

    /// The folds of a table hold out different rows, all of them between them when they divide it, and begin again.
    #[test]
    fn folds_hold_out_different_rows() {
        let held_out = |fold| {
            let config = SplitConfig {
                fold,
                ..SplitConfig::default()
            };
            let split = validation_split(200, Key::new(3), &config);
            assert_eq!(split.train.len(), 160);
            assert!(split.validation.iter().all(|row| !split.train.contains(row)));
            split.validation
        };
        let mut all: Vec<usize> = (0..5).flat_map(held_out).collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<usize>>());
        assert_eq!(held_out(5), held_out(0));
    }
}
