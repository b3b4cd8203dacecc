//! Philox4x32-10, the generator behind every [`Key`](crate::Key).
//!
//! Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3" (SC11, sec. 3.3 and table 2). A block
//! of four words is a function of a counter of four words and a key of two, so a stream is opened by writing a counter
//! down, and blocks of many streams are computed side by side. One of its ten rounds, with `L` and `R` the low and the
//! high halves of the products `M0 c0` and `M1 c2`:
//!
//! ```text
//! (c0, c1, c2, c3) <- (R1 ^ c1 ^ k0, L1, R0 ^ c3 ^ k1, L0)        (k0, k1) <- (k0 + W0, k1 + W1)
//! ```

use rand_core::RngCore;
use rand_core::impls::fill_bytes_via_next;

const ROUNDS: usize = 10;
const M: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const W: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// The blocks of `L` counters, given word by word, under one key: `L` independent computations side by side, for vector
/// code.
#[inline(always)]
pub fn blocks<const L: usize>(mut c: [[u32; L]; 4], mut key: [u32; 2]) -> [[u32; L]; 4] {
    for _ in 0..ROUNDS {
        for l in 0..L {
            let p0 = u64::from(M[0]) * u64::from(c[0][l]);
            let p1 = u64::from(M[1]) * u64::from(c[2][l]);
            c[0][l] = (p1 >> 32) as u32 ^ c[1][l] ^ key[0];
            c[1][l] = p1 as u32;
            c[2][l] = (p0 >> 32) as u32 ^ c[3][l] ^ key[1];
            c[3][l] = p0 as u32;
        }
        key = [key[0].wrapping_add(W[0]), key[1].wrapping_add(W[1])];
    }
    c
}

/// The block of one counter.
#[inline]
pub(crate) fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    blocks(counter.map(|word| [word]), key).map(|[word]| word)
}

/// A stream of one row: `2^34` words of 32 bits, then the same again. Made by [`Key::row`](crate::Key::row).
///
/// Block `n` of the stream is that of counter `(n, tag, row, row >> 32)`. A number of 64 bits takes two words, the low
/// one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
    counter: [u32; 4],
    words: [u32; 4],
    /// How many of `words` are used up.
    used: usize,
}

impl Philox {
    pub(crate) fn new(key: [u32; 2], tag: u32, row: u64) -> Self {
        Self {
            key,
            counter: counter(0, tag, row),
            words: [0; 4],
            used: 4,
        }
    }
}

/// The counter of block `block` of a row's stream; `tag` is what [`Key::streams`](crate::Key::streams) gives.
#[inline(always)]
pub fn counter(block: u32, tag: u32, row: u64) -> [u32; 4] {
    [block, tag, row as u32, (row >> 32) as u32]
}

impl RngCore for Philox {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.words = block(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        let word = self.words[self.used];
        self.used += 1;
        word
    }

    #[inline]
    fn next_u64(&mut self) -> u64 {
        let low = self.next_u32();
        wide(low, self.next_u32())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        fill_bytes_via_next(self, bytes);
    }
}

/// The number of 64 bits that a stream makes of two words.
#[inline(always)]
pub fn wide(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Blocks computed side by side.
const LANES: usize = 16;

/// Fills `out` with the words of a row's stream from block `first` on, sixteen blocks side by side.
#[inline(always)]
pub fn fill_words(key: [u32; 2], tag: u32, row: u64, first: u32, out: &mut [u32]) {
    let mut next = first;
    for out in out.chunks_mut(4 * LANES) {
        let mut c = counter(0, tag, row).map(|word| [word; LANES]);
        for l in 0..LANES {
            c[0][l] = next + l as u32;
        }
        next += LANES as u32;
        let words = blocks(c, key);
        for (l, out) in out.chunks_mut(4).enumerate() {
            for (out, words) in out.iter_mut().zip(&words) {
                *out = words[l];
            }
        }
    }
}

/// The upper bits choose one of `2^52` equal cells of the unit interval; the result is its centre. It is never 0 or 1,
/// and `1 - u` is as exact as `u`.
#[inline(always)]
pub fn inside_unit(bits: u64) -> f64 {
    const ONE: u64 = 1.0_f64.to_bits();
    // A number in [1, 2) whose last bits are the cell, less 1, plus half a cell.
    f64::from_bits(ONE | bits >> 12) - (1.0 - 0.5 * f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_core::RngCore;

    use super::*;

    /// The known answers that the authors publish with Random123 (`kat_vectors`, philox4x32, 10 rounds).
    #[test]
    fn known_answers() {
        let answers = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in answers {
            assert_eq!(block(counter, key), answer);
        }
    }

    proptest! {
        /// Blocks side by side, words one by one and bytes are the same stream.
        #[test]
        fn a_stream_is_the_same_however_it_is_read(key: [u32; 2], tag: u32, row: u64, len in 0usize..300) {
            let stream = Philox::new(key, tag, row);
            let mut one_by_one = stream.clone();
            let words: Vec<u32> = (0..len).map(|_| one_by_one.next_u32()).collect();
            let mut filled = vec![0; len];
            fill_words(key, tag, row, 0, &mut filled);
            prop_assert_eq!(&filled, &words);
            let from = 4.min(len);
            fill_words(key, tag, row, 1, &mut filled[from..]);
            prop_assert_eq!(&filled, &words);
            let mut bytes = vec![0; 4 * len];
            stream.clone().fill_bytes(&mut bytes);
            let little: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            prop_assert_eq!(bytes, little);
        }
    }

    #[test]
    fn the_ends_of_the_unit_interval_are_never_drawn() {
        let half = 0.5 * f64::EPSILON;
        assert_eq!(inside_unit(0), half);
        assert_eq!(inside_unit(u64::MAX), 1.0 - half);
        assert_eq!(1.0 - inside_unit(u64::MAX), half);
        assert_eq!(inside_unit(1 << 63), 0.5 + half);
    }
}
