//! Random numbers by address: a fixed-width block of them for every row, so that row `k` depends on the seed and on
//! `k` only.

use std::ops::Range;

use ef_random::rand_core::SeedableRng;
use ef_random::uniform;
use rand_chacha::ChaCha8Rng;

use super::normal;

/// Words of the generator (32 bits) behind one uniform number.
const WORDS_PER_UNIFORM: u128 = 2;

/// Calls `row` for every row of the range with that row's `WIDTH` numbers, each uniform on the open (0, 1).
///
/// The demos have one `stream` of the generator each, so that two demos under one seed share no numbers.
pub(super) fn map_rows<const WIDTH: usize, R>(
    rows: Range<u64>,
    seed: u64,
    stream: u64,
    row: impl Fn(&[f64; WIDTH]) -> R,
) -> Vec<R> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rows.map(|k| {
        rng.set_word_pos(u128::from(k) * WORDS_PER_UNIFORM * WIDTH as u128);
        row(&std::array::from_fn(|_| uniform(&mut rng)))
    })
    .collect()
}

/// A normal number by the inverse of its distribution function.
pub(super) fn normal(uniform: f64, mean: f64, sd: f64) -> f64 {
    mean + sd * normal::quantile(uniform)
}

/// An index drawn from probabilities that sum to 1; what rounding leaves over goes to the last.
pub(super) fn categorical(uniform: f64, probabilities: &[f64]) -> usize {
    let mut upto = 0.0;
    for (index, probability) in probabilities.iter().enumerate() {
        upto += probability;
        if uniform < upto {
            return index;
        }
    }
    probabilities.len().saturating_sub(1)
}

/// The nearest number with nine significant digits, which a file holds exactly.
pub(super) fn nine_digits(x: f64) -> f64 {
    format!("{x:.8e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_depends_on_its_number_only() {
        let whole = map_rows::<3, _>(0..100, 5, 1, |u| *u);
        assert_eq!(map_rows::<3, _>(17..30, 5, 1, |u| *u), whole[17..30]);
        assert_ne!(map_rows::<3, _>(0..100, 5, 2, |u| *u), whole);
        assert_ne!(map_rows::<3, _>(0..100, 6, 1, |u| *u), whole);
        // neighbouring rows use neighbouring words: no number is used twice
        let mut all: Vec<u64> = whole.iter().flatten().map(|u| u.to_bits()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 300);
    }

    #[test]
    fn nine_digits_are_kept_and_no_more() {
        assert_eq!(nine_digits(1.0 / 7.0), 0.142_857_143);
        assert_eq!(nine_digits(-1.0 / 3.0e5), -3.333_333_33e-6);
        assert_eq!(nine_digits(0.0), 0.0);
    }

    #[test]
    fn categories_follow_the_order_of_their_probabilities() {
        let p = [0.2, 0.5, 0.3];
        assert_eq!([0.1, 0.2, 0.69, 0.71].map(|u| categorical(u, &p)), [0, 1, 1, 2]);
        assert_eq!(categorical(0.999_999, &[0.5, 0.4]), 1);
    }
}
