//! Random numbers by counter: what row 1,000,000 draws does not depend on who computed the rows before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A family of random streams, one a row. Streams of different seeds or purposes share nothing.
///
/// ```
/// use ef_density::Key;
/// use rand::Rng;
/// let key = Key::new(7).purpose("sample");
/// assert_eq!(key.row(3).random::<u64>(), key.row(3).random::<u64>());
/// assert_ne!(key.row(3).random::<u64>(), Key::new(7).purpose("score").row(3).random::<u64>());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    words: [u64; 4],
}

impl Key {
    /// The root family of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            words: [seed, 0, 0, 0x6563_686f_666c_6f77],
        }
    }

    /// The family of this one set aside for a purpose, such as `"dropout"`.
    #[must_use]
    pub fn purpose(self, name: &str) -> Self {
        // FNV-1a, 64 bits: a name becomes a number; ChaCha does the mixing.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        let [seed, purpose, index, tag] = self.words;
        Self {
            words: [seed, purpose.rotate_left(23) ^ hash, index, tag],
        }
    }

    /// The family of this one with number `index`, such as a training step.
    #[must_use]
    pub fn index(self, index: u64) -> Self {
        let [seed, purpose, old, tag] = self.words;
        Self {
            words: [
                seed,
                purpose,
                old.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index,
                tag,
            ],
        }
    }

    /// The stream of row `row`.
    pub fn row(self, row: u64) -> ChaCha8Rng {
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(8).zip(self.words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(seed);
        rng.set_stream(row);
        rng
    }
}

/// What a training step's noise is keyed by: the step, and where in the mini-batch a shard starts, so that row `i`
/// of the batch gets the same noise however the batch is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepKey {
    /// The fit's family of streams.
    pub key: Key,
    /// Number of the optimizer step.
    pub step: u64,
    /// Position in the mini-batch of the first row given.
    pub row: u64,
}

impl StepKey {
    /// The streams of one purpose in this step; row `i` of the rows given takes stream `self.row + i`.
    pub fn purpose(&self, name: &str) -> Key {
        self.key.purpose(name).index(self.step)
    }
}

/// How rows are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreKey {
    /// The streams auxiliary draws come from; row `k` of a table takes stream `k`.
    pub key: Key,
    /// Auxiliary draws a row, where the density needs any (see [`Density::log_prob`](crate::Density::log_prob)).
    pub draws: usize,
}

impl ScoreKey {
    /// Auxiliary draws a row in ordinary scoring.
    pub const DRAWS: usize = 32;

    /// [`Self::DRAWS`] draws, from the streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            key: Key::new(seed).purpose("score"),
            draws: Self::DRAWS,
        }
    }
}

/// One uniform number strictly between 0 and 1, from one 64-bit word.
pub fn uniform(rng: &mut dyn rand::RngCore) -> f64 {
    // 53 random bits at the centres of 2^53 equal cells: never 0, never 1.
    ((rng.next_u64() >> 11) as f64 + 0.5) * (1.0 / 9_007_199_254_740_992.0)
}
