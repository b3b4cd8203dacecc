//! What the hidden units of a masked network may see.

/// How many columns each hidden unit of a masked network may see (Germain et al. 2015, 1502.03509). Units are sorted by
/// degree, so only the numbers of units of each degree matter.
///
/// An output sees column `d - 1` only through units of degree `d` or more, and column `j` may not use units beyond degree
/// `j`: without a unit of degree `j` its output cannot depend on the column before it. So **every degree has at least one
/// unit**, and a network that is asked to have fewer units than degrees has one a degree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Degrees {
    /// Every degree for the same number of units (sequential degrees, as far as they go evenly).
    #[default]
    Equal,
    /// One unit a degree, the others drawn uniformly from the stream of this seed.
    Random {
        /// Two layers of one seed have the same degrees.
        seed: u64,
    },
}

impl Degrees {
    /// Sorted degrees of `hidden` units, or of as many as there are degrees if those are more: from 0 (with a context) or 1
    /// to `dim - 1`. None where there is nothing to see.
    ///
    /// ```
    /// use ef_tensor::Degrees;
    /// assert_eq!(Degrees::Equal.of_units(4, false, 6), [1, 1, 2, 2, 3, 3]);
    /// assert_eq!(Degrees::Equal.of_units(4, true, 1), [0, 1, 2, 3]);
    /// ```
    pub fn of_units(&self, dim: usize, with_context: bool, hidden: usize) -> Vec<usize> {
        let lowest = usize::from(!with_context);
        let kinds = dim.saturating_sub(lowest);
        if kinds == 0 {
            return Vec::new();
        }
        let hidden = hidden.max(kinds);
        let mut degrees: Vec<usize> = match *self {
            Self::Equal => (0..hidden).map(|u| lowest + u * kinds / hidden).collect(),
            Self::Random { seed } => {
                let mut state = seed;
                let drawn = (kinds..hidden)
                    .map(|_| lowest + ((u128::from(split_mix(&mut state)) * kinds as u128) >> 64) as usize);
                (lowest..dim).chain(drawn).collect()
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
    fn every_degree_has_a_unit() {
        for dim in 0..40 {
            for hidden in 0..60 {
                for with_context in [false, true] {
                    for degrees in [Degrees::Equal, Degrees::Random { seed: 7 }] {
                        let lowest = usize::from(!with_context);
                        let found = degrees.of_units(dim, with_context, hidden);
                        assert!(found.is_sorted());
                        let kinds = dim.saturating_sub(lowest);
                        assert_eq!(found.len(), if kinds == 0 { 0 } else { hidden.max(kinds) });
                        let mut distinct = found;
                        distinct.dedup();
                        assert!(
                            distinct.into_iter().eq(lowest..dim.max(lowest)),
                            "{dim} columns, {hidden} units"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn equal_degrees_have_equally_many_units() {
        for dim in 2..40 {
            for hidden in dim..90 {
                let degrees = Degrees::Equal.of_units(dim, true, hidden);
                let units = |d: usize| degrees.iter().filter(|&&e| e == d).count();
                let counts: Vec<usize> = (0..dim).map(units).collect();
                assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
        }
    }
}
