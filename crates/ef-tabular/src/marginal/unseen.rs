//! The share of values that no training row has.

/// Probability of a value never seen, by Good-Turing: the share of values seen once, kept from 0 and below one half.
pub(crate) fn unseen_share(singletons: usize, rows: usize) -> f64 {
    ((singletons as f64 + 1.0) / (rows as f64 + 2.0)).min(0.5)
}
