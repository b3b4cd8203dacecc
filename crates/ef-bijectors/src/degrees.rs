//! What the hidden units of a masked network may see.

/// How many columns each hidden unit of a masked network may see. Units are sorted by degree, so only the numbers of
/// units of each degree matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Degrees {
    /// Every degree for the same number of units (sequential degrees, as far as they go evenly).
    #[default]
    Equal,
    /// Drawn uniformly (Germain et al. 2015, 1502.03509) from the stream of this seed.
    Random {
        /// Two layers of one seed have the same degrees.
        seed: u64,
    },
}

impl Degrees {
    /// Sorted degrees of `hidden` units, from 0 (with context) or 1 to `dim - 1`; none where there are none to see.
    pub(crate) fn of_units(&self, dim: usize, with_context: bool, hidden: usize) -> Vec<usize> {
        let lowest = usize::from(!with_context);
        if dim <= lowest {
            return Vec::new();
        }
        let kinds = dim - lowest;
        let mut degrees: Vec<usize> = match *self {
            // fewer units than degrees: spread from the lowest to the highest, so that the last columns are seen
            Self::Equal if 1 < hidden && hidden < kinds => (0..hidden)
                .map(|u| lowest + u * (kinds - 1) / (hidden - 1))
                .collect(),
            Self::Equal => (0..hidden).map(|u| lowest + u * kinds / hidden).collect(),
            Self::Random { seed } => {
                let mut state = seed;
                (0..hidden)
                    .map(|_| lowest + ((u128::from(split_mix(&mut state)) * kinds as u128) >> 64) as usize)
                    .collect()
            }
        };
        degrees.sort_unstable();
        degrees
    }
}

/// SplitMix64 (Steele et al. 2014): a seed becomes a stream, the same in every version of every library.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_degree_has_its_share_and_the_last_is_seen() {
        for dim in 2..40 {
            for hidden in 2..60 {
                for with_context in [false, true] {
                    let degrees = Degrees::Equal.of_units(dim, with_context, hidden);
                    let lowest = usize::from(!with_context);
                    assert!(degrees.is_sorted() && degrees.len() == hidden);
                    let (first, last) = (degrees[0], degrees[hidden - 1]);
                    assert_eq!(first, lowest);
                    assert_eq!(last, dim - 1, "dim {dim}, hidden {hidden}");
                    let random = Degrees::Random { seed: 7 }.of_units(dim, with_context, hidden);
                    assert!(random.is_sorted() && random[0] >= lowest && random[hidden - 1] < dim);
                }
            }
        }
        assert_eq!(Degrees::Equal.of_units(1, false, 5), []);
    }
}
