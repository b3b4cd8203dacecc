//! When a relation that holds in every row is believed.
//!
//! A relation may hold by accident. Were the derived column independent of the sources, a row would agree with it with
//! the share of its value, so that all rows agree with probability `exp(-E)`, `E` the sum of `-ln(share)` over the rows
//! that the relation was not read off. It is believed if `E` exceeds 30 nats and the logarithm of the number of
//! relations tried: the chance of one accident among them all is then below `exp(-30)`.
//!
//! What is nearly a rule is no accident, and passes for a rule in a table too short to hold its exceptions: `n` rows
//! without an exception leave room for one in some `n / 3`. Where one value fills most of a column, the other values are
//! what a rule is about, so 30 rows must have one of them. Scores allow for the rest, see `eps` in
//! [`Dependencies`](super::Dependencies).

/// Nats of evidence asked for.
const BOUND: f64 = 30.0;
/// Rows of a source value, on average, without the commonest one.
const GROUP: f64 = 5.0;
/// Rows that do not have a column's commonest value.
const MINORITY: u64 = 30;

/// The evidence needed when `tried` relations of a kind are tried.
pub(super) fn bound(tried: usize) -> f64 {
    BOUND + (tried.max(1) as f64).ln()
}

/// Evidence for a relation that a column agrees with in every row, from the counts of its values, nats.
pub(super) fn of_column(counts: impl Iterator<Item = u64> + Clone) -> f64 {
    if !varies(counts.clone()) {
        return 0.0;
    }
    let total: u64 = counts.clone().sum();
    counts
        .filter(|count| *count > 0)
        .map(|count| count as f64 * (total as f64 / count as f64).ln())
        .sum()
}

/// Whether a column, by the counts of its values, varies enough for a rule about it.
pub(super) fn varies(counts: impl Iterator<Item = u64> + Clone) -> bool {
    counts.clone().sum::<u64>() - counts.max().unwrap_or(0) >= MINORITY
}

/// Counts of equal neighbours in a sorted list.
pub(super) fn counts<T: PartialEq>(sorted: &[T]) -> Vec<u64> {
    sorted
        .chunk_by(PartialEq::eq)
        .map(|run| run.len() as u64)
        .collect()
}

/// Evidence for a lookup: a source value seen `groups[k].0` times stands for a derived value of share `groups[k].1`.
///
/// The first row of each group is free, as the entry is read off it. The commonest source value does not count at all:
/// the one value "none" that settles another column says nothing about the others. 0 if the other groups hold fewer
/// than 5 rows on average: a column of keys determines everything and explains nothing.
pub(super) fn of_lookup(groups: &[(u64, f64)]) -> f64 {
    let Some(largest) = (0..groups.len()).max_by_key(|k| groups[*k].0) else {
        return 0.0;
    };
    let others = || {
        groups
            .iter()
            .enumerate()
            .filter(|(k, (rows, _))| *k != largest && *rows > 0)
            .map(|(_, group)| group)
    };
    let rows: u64 = others().map(|(rows, _)| rows).sum();
    if (rows as f64) < GROUP * others().count() as f64 {
        return 0.0;
    }
    others()
        .map(|(rows, share)| -((rows - 1) as f64) * share.ln())
        .sum()
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn the_first_rows_and_the_commonest_value_are_no_evidence() {
        // 11 + 6 repeats beside the commonest group, at shares 1/4 and 1/8
        let groups = [(100, 0.5), (12, 0.25), (7, 0.125)];
        assert_relative_eq!(
            of_lookup(&groups),
            11.0 * 4f64.ln() + 6.0 * 8f64.ln(),
            epsilon = 1e-12
        );
        let keys: Vec<(u64, f64)> = std::iter::once((1000, 0.9))
            .chain((0..100).map(|_| (4, 0.001)))
            .collect();
        assert_eq!(of_lookup(&keys), 0.0);
        assert_eq!(of_lookup(&[(50, 1.0)]), 0.0);
        assert_eq!(of_lookup(&[]), 0.0);
    }

    #[test]
    fn a_column_gives_rows_times_entropy_if_it_varies() {
        assert_relative_eq!(
            of_column([40, 40].into_iter()),
            80.0 * std::f64::consts::LN_2,
            epsilon = 1e-12
        );
        assert_eq!(of_column([1000, 29].into_iter()), 0.0);
        assert!(of_column([1000, 14, 16].into_iter()) > 0.0);
        assert_eq!(counts(&[1, 1, 2, 5, 5, 5]), [2, 1, 3]);
    }
}
