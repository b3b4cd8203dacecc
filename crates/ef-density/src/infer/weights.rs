//! What weights of draws say, and rows chosen by them.

/// What some weights say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightSummary {
    /// `ln` of their mean: of the probability of what is known.
    pub log_mean: f64,
    /// The standard error of that mean over the mean.
    pub relative_error: f64,
    /// Effective sample size, `(sum w)^2 / sum w^2` (Kish 1965).
    pub ess: f64,
}

impl WeightSummary {
    /// Of these weights, nats.
    pub fn of(log_weights: &[f64]) -> Self {
        let n = log_weights.len() as f64;
        let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if top == f64::NEG_INFINITY {
            return Self {
                log_mean: top,
                relative_error: 0.0,
                ess: 0.0,
            };
        }
        let (mut sum, mut squares) = (0.0, 0.0);
        for w in log_weights {
            let w = (w - top).exp();
            sum += w;
            squares += w * w;
        }
        let ess = sum * sum / squares;
        // of weights that differ by roundings alone nothing is uncertain
        let relative = (n / ess - 1.0).max(0.0);
        let relative = if relative < 1e-10 { 0.0 } else { relative };
        Self {
            log_mean: top + (sum / n).ln(),
            relative_error: (relative / (n - 1.0).max(1.0)).sqrt(),
            ess,
        }
    }
}

/// Chooses `count` positions with probabilities proportional to the weights, in ascending order: systematic resampling
/// (Kitagawa 1996) from one number `uniform` in [0, 1), so that a draw of weight `w` is taken `count w / sum` times,
/// rounded up or down. Empty if no weight counts.
///
/// ```
/// let log_weights = [0.5_f64.ln(), f64::NEG_INFINITY, 0.25_f64.ln(), 0.25_f64.ln()];
/// assert_eq!(ef_density::infer::resample(&log_weights, 4, 0.5), [0, 0, 2, 3]);
/// ```
pub fn resample(log_weights: &[f64], count: usize, uniform: f64) -> Vec<usize> {
    let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY || count == 0 {
        return Vec::new();
    }
    let weights: Vec<f64> = log_weights.iter().map(|w| (w - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut chosen = Vec::with_capacity(count);
    let (mut before, mut last) = (0.0, 0);
    for (at, weight) in weights.iter().enumerate() {
        if *weight > 0.0 {
            last = at;
        }
        before += weight / total * count as f64;
        while chosen.len() < count && uniform + chosen.len() as f64 <= before && *weight > 0.0 {
            chosen.push(at);
        }
    }
    // rounding may leave the last one out
    chosen.resize(count, last);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_weights() {
        let weights = [0.1_f64, 0.0, 0.25, 0.6, 0.05];
        let log: Vec<f64> = weights.iter().map(|w| w.ln() + 700.0).collect();
        for uniform in (0..20).map(|i| (f64::from(i) + 0.5) / 20.0) {
            let chosen = resample(&log, 1000, uniform);
            assert_eq!(chosen.len(), 1000);
            for (at, weight) in weights.iter().enumerate() {
                let taken = chosen.iter().filter(|c| **c == at).count() as f64;
                assert!((taken - 1000.0 * weight).abs() <= 1.0, "{at}: {taken}");
            }
        }
        assert!(resample(&[f64::NEG_INFINITY; 3], 5, 0.3).is_empty());
        assert_eq!(resample(&[f64::NEG_INFINITY, 0.0], 2, 0.3), [1, 1]);
    }
}
