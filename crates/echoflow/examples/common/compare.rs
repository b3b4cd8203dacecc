//! Comparing scores with labels, and samples with samples.

use super::Draws;

/// The ROC curve of a score that should be higher for the positives: `[false positive rate, true positive rate]` from
/// `[0, 0]` to `[1, 1]`. Equal scores are one step.
pub(crate) fn roc(scores: &[f64], positive: &[bool]) -> Vec<[f64; 2]> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let positives = positive.iter().filter(|p| **p).count() as f64;
    let negatives = scores.len() as f64 - positives;
    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut curve = vec![[0.0, 0.0]];
    for (k, &i) in order.iter().enumerate() {
        if positive[i] {
            hits += 1.0;
        } else {
            alarms += 1.0;
        }
        if order.get(k + 1).is_none_or(|&next| scores[next] != scores[i]) {
            curve.push([alarms / negatives, hits / positives]);
        }
    }
    curve
}

/// The area under a curve, by trapezoids; for a ROC curve the chance that a positive scores above a negative.
pub(crate) fn area(curve: &[[f64; 2]]) -> f64 {
    curve
        .windows(2)
        .map(|w| (w[1][0] - w[0][0]) * 0.5 * (w[1][1] + w[0][1]))
        .sum()
}

/// The corners of a curve that a picture needs: points whose neighbours lie on a straight line with them are dropped.
pub(crate) fn corners(curve: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut kept: Vec<[f64; 2]> = Vec::new();
    for &point in curve {
        if let [.., a, b] = kept[..]
            && ((b[0] - a[0]) * (point[1] - b[1]) - (b[1] - a[1]) * (point[0] - b[0])).abs() < 1e-12
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}

/// How two samples compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TwoSample {
    /// The energy distance; 0 for equal laws, also a little below it for samples.
    pub(crate) distance: f64,
    /// The share of random relabellings with a distance at least as large, counting the given one.
    pub(crate) p_value: f64,
}

/// The energy distance `2 E|X - Y| - E|X - X'| - E|Y - Y'|` (Szekely & Rizzo 2013, J. Stat. Plan. Inference 143) of
/// two samples, unbiased, with a permutation test: under equal laws the labels are exchangeable, so the p-value is
/// uniform; it is exact for any sample size.
pub(crate) fn energy_test(
    x: &[[f64; 2]],
    y: &[[f64; 2]],
    permutations: usize,
    draws: &mut Draws,
) -> TwoSample {
    let all: Vec<[f64; 2]> = x.iter().chain(y).copied().collect();
    let (n, m) = (x.len() as f64, y.len() as f64);
    let total = all.len();
    let distances: Vec<f32> = all
        .iter()
        .flat_map(|a| all.iter().map(|b| (a[0] - b[0]).hypot(a[1] - b[1]) as f32))
        .collect();
    // row sums once; a labelling then needs only the sums within the first sample
    let row_sums: Vec<f64> = distances
        .chunks(total)
        .map(|row| row.iter().map(|d| f64::from(*d)).sum())
        .collect();
    let whole: f64 = row_sums.iter().sum();
    let statistic = |first: &[usize]| {
        let within: f64 = first
            .iter()
            .map(|&i| {
                let row = &distances[i * total..(i + 1) * total];
                first.iter().map(|&j| f64::from(row[j])).sum::<f64>()
            })
            .sum();
        let from_first: f64 = first.iter().map(|&i| row_sums[i]).sum();
        let between = from_first - within;
        let rest = whole - within - 2.0 * between;
        2.0 * between / (n * m) - within / (n * (n - 1.0)) - rest / (m * (m - 1.0))
    };
    let mut labels: Vec<usize> = (0..total).collect();
    let distance = statistic(&labels[..x.len()]);
    let mut as_large = 1;
    for _ in 0..permutations {
        // the first `n` of a Fisher-Yates shuffle
        for i in 0..x.len() {
            labels.swap(i, i + draws.below(total - i));
        }
        labels[..x.len()].sort_unstable();
        if statistic(&labels[..x.len()]) >= distance {
            as_large += 1;
        }
    }
    TwoSample {
        distance,
        p_value: f64::from(as_large) / (permutations as f64 + 1.0),
    }
}
