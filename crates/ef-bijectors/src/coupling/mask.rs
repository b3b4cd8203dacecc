//! Which columns a coupling layer moves.

use rand::seq::SliceRandom;
use rand_core::RngCore;

/// Odd and even columns in turn: layer `layer` moves every second one. A single column is moved by every layer, since
/// it has nothing to be conditioned on but the context.
pub fn alternating_mask(dim: usize, layer: usize) -> Vec<bool> {
    (0..dim).map(|j| dim == 1 || (j + layer) % 2 == 1).collect()
}

/// The first and the second half in turn: even layers move the second half. A single column is moved by every layer.
pub fn half_mask(dim: usize, layer: usize) -> Vec<bool> {
    (0..dim)
        .map(|j| dim == 1 || (j >= dim / 2) == layer.is_multiple_of(2))
        .collect()
}

/// The second half, in a random order of the columns. The mask of the layer after it may be its negation.
pub fn random_mask<R: RngCore + ?Sized>(dim: usize, rng: &mut R) -> Vec<bool> {
    let mut mask = half_mask(dim, 0);
    mask.shuffle(rng);
    mask
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn two_layers_in_a_row_move_every_column_once() {
        for dim in 2..7 {
            for mask in [alternating_mask, half_mask] {
                for layer in 0..3 {
                    let (a, b) = (mask(dim, layer), mask(dim, layer + 1));
                    assert!(a.iter().zip(&b).all(|(a, b)| a != b), "{dim} {layer}");
                }
            }
            let random = random_mask(dim, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
            assert_eq!(random.iter().filter(|m| **m).count(), dim.div_ceil(2));
        }
        assert_eq!(alternating_mask(1, 0), [true]);
        assert_eq!(half_mask(1, 1), [true]);
    }
}
