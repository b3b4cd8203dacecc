//! Sums of numbers of which only the logarithms can be held.

/// `log(sum(exp(terms)))`; `-inf` for none, or if all are.
pub(crate) fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    largest + terms.map(|t| (t - largest).exp()).sum::<f64>().ln()
}

/// `log(exp(a) + exp(b))`; `-inf` if both are.
pub(crate) fn log_add_exp(a: f64, b: f64) -> f64 {
    let largest = a.max(b);
    if !largest.is_finite() {
        return largest;
    }
    largest + (a.min(b) - largest).exp().ln_1p()
}

/// `log(mean(exp(terms)))`: the log-density of a mixture with equal weights.
///
/// ```
/// let mean = ef_density::log_mean_exp([0.5_f64, 0.1].iter().map(|p| p.ln()));
/// approx::assert_relative_eq!(mean, 0.3_f64.ln(), epsilon = 1e-12);
/// ```
pub fn log_mean_exp(terms: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = terms.len() as f64;
    log_sum_exp(terms) - count.ln()
}
