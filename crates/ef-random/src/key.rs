//! Random numbers by counter: what row 1,000,000 draws does not depend on who computed the rows before it.

use rand_core::RngCore;

use crate::philox::{Philox, block, inside_unit};

/// A family of random streams, one a row. Streams of different seeds or purposes share nothing.
///
/// ```
/// use ef_random::Key;
/// use rand::Rng;
/// let key = Key::new(7).purpose("sample");
/// assert_eq!(key.row(3).random::<u64>(), key.row(3).random::<u64>());
/// assert_ne!(key.row(3).random::<u64>(), Key::new(7).purpose("score").row(3).random::<u64>());
/// ```
///
/// A family is 128 bits, of which its streams take 96: a [`Philox`] key of 64 bits and 32 bits of the counter. The next
/// family is a block of Philox, keyed by the family and by what kind of step it is, whose counter holds the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    words: [u32; 4],
}

/// Tags that keep the kinds of derived families apart from each other and from streams.
const SEED: u32 = 0x7365_6564;
const PURPOSE: u32 = 0x7075_7270;
const INDEX: u32 = 0x696e_6478;

impl Key {
    /// The root family of a seed.
    pub fn new(seed: u64) -> Self {
        let root = Self { words: [0; 4] };
        root.step(SEED, seed)
    }

    /// The family of this one set aside for a purpose, such as `"dropout"`.
    #[must_use]
    pub fn purpose(self, name: &str) -> Self {
        // FNV-1a, 64 bits: a name becomes a number; Philox does the mixing.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        self.step(PURPOSE, hash)
    }

    /// The family of this one with number `index`, such as a training step.
    #[must_use]
    pub fn index(self, index: u64) -> Self {
        self.step(INDEX, index)
    }

    fn step(self, kind: u32, value: u64) -> Self {
        let [a, b, c, d] = self.words;
        Self {
            words: block([value as u32, (value >> 32) as u32, c, d], [a ^ kind, !b]),
        }
    }

    /// The stream of row `row`.
    #[inline]
    pub fn row(self, row: u64) -> Philox {
        let (key, tag) = self.streams();
        Philox::new(key, tag, row)
    }

    /// What the streams of all rows share, for code that computes blocks of many rows at once (see
    /// [`philox`](crate::philox)): the generator's key, and the second word of its counter.
    #[inline]
    pub fn streams(self) -> ([u32; 2], u32) {
        let [a, b, tag, _] = self.words;
        ([a, b], tag)
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

/// One uniform number strictly between 0 and 1, from one 64-bit word.
#[inline]
pub fn uniform<R: RngCore + ?Sized>(rng: &mut R) -> f64 {
    inside_unit(rng.next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pearson's statistic of the counts of `values`, each one of `cells` equally likely, as a standard normal deviate
    /// (Wilson & Hilferty 1931).
    fn deviate(values: impl Iterator<Item = usize>, cells: usize) -> f64 {
        let mut counts = vec![0.0; cells];
        let mut total = 0.0;
        for value in values {
            counts[value] += 1.0;
            total += 1.0;
        }
        let expected = total / cells as f64;
        let statistic: f64 = counts.iter().map(|c| (c - expected).powi(2) / expected).sum();
        let freedom = (cells - 1) as f64;
        let spread = 2.0 / (9.0 * freedom);
        ((statistic / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
    }

    /// Families whose inputs are neighbouring numbers.
    fn neighbours() -> Vec<(&'static str, Box<dyn Fn(u64) -> Philox>)> {
        let key = Key::new(5).purpose("x");
        vec![
            ("rows", Box::new(move |i| key.row(i))),
            ("rows far out", Box::new(move |i| key.row(i << 32))),
            ("seeds", Box::new(|i| Key::new(i).row(0))),
            ("steps", Box::new(move |i| key.index(i).row(0))),
            ("purposes", Box::new(move |i| key.purpose(&i.to_string()).row(0))),
            (
                "steps of steps",
                Box::new(move |i| key.index(i % 200).index(i / 200).row(0)),
            ),
            ("rows of seeds", Box::new(|i| Key::new(i % 200).row(i / 200))),
        ]
    }

    /// The bytes of neighbouring streams are uniform: single bytes, pairs across streams and inside one, and the
    /// difference of neighbours. A deviate beyond 5 happens once in three million.
    #[test]
    fn neighbouring_streams_are_independent() {
        let n = 40_000;
        for (what, stream) in neighbours() {
            let words: Vec<[u64; 3]> = (0..n)
                .map(|i| {
                    let mut rng = stream(i);
                    [rng.next_u64(), rng.next_u64(), rng.next_u64()]
                })
                .collect();
            let byte = |w: u64, b: usize| (w >> (8 * b)) as usize & 0xff;
            let pair = |a: u64, b: u64, at: usize| byte(a, at) >> 2 << 6 | byte(b, at) >> 2;
            let mut found = Vec::new();
            for word in 0..3 {
                for b in 0..8 {
                    found.push(deviate(words.iter().map(|w| byte(w[word], b)), 256));
                    let across = words.windows(2).map(|w| pair(w[0][word], w[1][word], b));
                    found.push(deviate(across, 1 << 12));
                    let within = words.iter().map(|w| pair(w[word], w[(word + 1) % 3], b));
                    found.push(deviate(within, 1 << 12));
                    let flips = words.windows(2).map(|w| byte(w[0][word] ^ w[1][word], b));
                    found.push(deviate(flips, 256));
                }
            }
            let worst = found.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
            assert!(worst < 5.0, "{what}: {worst}");
        }
    }

    #[test]
    fn families_are_told_apart() {
        let key = Key::new(1);
        let families = [
            Key::new(0),
            key,
            Key::new(1 << 32),
            key.purpose("a"),
            key.purpose("b"),
            key.purpose("a").purpose("b"),
            key.purpose("b").purpose("a"),
            key.index(0),
            key.index(1),
            key.index(0).index(0),
            key.index(0).purpose("a"),
            key.purpose("a").index(0),
        ];
        for (i, a) in families.iter().enumerate() {
            for b in &families[..i] {
                assert_ne!(a.streams(), b.streams());
            }
        }
    }
}
