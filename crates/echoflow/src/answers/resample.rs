//! Rows chosen from weighted draws.

use ef_density::{Key, uniform};
use rand::seq::SliceRandom;

/// Chooses `count` positions with probabilities proportional to the weights, in random order: systematic resampling
/// (Kitagawa 1996), so that a draw of weight `w` is taken `count w / sum` times, rounded up or down. Empty if no weight
/// counts.
pub(super) fn resample(log_weights: &[f64], count: usize, key: Key) -> Vec<usize> {
    let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY || count == 0 {
        return Vec::new();
    }
    let weights: Vec<f64> = log_weights.iter().map(|w| (w - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut stream = key.purpose("resample").row(0);
    let mut chosen = Vec::with_capacity(count);
    let (mut before, start) = (0.0, uniform(&mut stream));
    let mut last = 0;
    for (at, weight) in weights.iter().enumerate() {
        if *weight > 0.0 {
            last = at;
        }
        before += weight / total * count as f64;
        while chosen.len() < count && start + chosen.len() as f64 <= before && *weight > 0.0 {
            chosen.push(at);
        }
    }
    // rounding may leave the last one out
    chosen.resize(count, last);
    chosen.shuffle(&mut stream);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_weights() {
        let weights = [0.1_f64, 0.0, 0.25, 0.6, 0.05];
        let log: Vec<f64> = weights.iter().map(|w| w.ln() + 700.0).collect();
        for seed in 0..20 {
            let chosen = resample(&log, 1000, Key::new(seed));
            assert_eq!(chosen.len(), 1000);
            for (at, weight) in weights.iter().enumerate() {
                let taken = chosen.iter().filter(|c| **c == at).count() as f64;
                assert!((taken - 1000.0 * weight).abs() <= 1.0, "{at}: {taken}");
            }
        }
        assert!(resample(&[f64::NEG_INFINITY; 3], 5, Key::new(1)).is_empty());
        assert_eq!(resample(&[f64::NEG_INFINITY, 0.0], 2, Key::new(1)), [1, 1]);
    }
}
