//! Which grids a column heaps on, and the weights of its parts.
//!
//! ```text
//! p(x) = e s(x) + sum_g w_g S_g(x) + w_r R(x)
//! ```
//!
//! `s` is the smoothed marginal, `S_g` the same rounded to multiples of `g`, `R` the counts of repeated values. Parts
//! are taken up one by one, the one that adds most to the leave-one-out likelihood first, as long as it adds more than
//! chance would; after each the weights of all are refitted by expectation maximization (Dempster, Laird & Rubin 1977).
//!
//! `R` counts `n_x - 4` copies of a value ([`DISCOUNT`]; absolute discounting, Ney, Essen & Kneser 1994): what fewer
//! than five training rows share is neither kept nor likelier for having been seen, so that a density does not tell who
//! was in the table. A left-out copy sees `n_x - 5`.

/// Copies of a value that do not count as evidence that it is drawn again.
pub(super) const DISCOUNT: f64 = 4.0;
/// Most coarser grids a column has.
const MOST_HEAPS: usize = 4;
/// Fewest multiples within the range seen.
const LEAST_MULTIPLES: f64 = 8.0;
/// Least weight of a grid.
const LEAST_HEAP: f64 = 0.002;
/// Least weight of the repeated values: they are kept with the marginal, so they have to be worth it.
const LEAST_REPEATS: f64 = 0.02;
/// The smooth part never gets less weight than this.
const MIN_WEIGHT: f64 = 1e-3;
/// Rounds of expectation maximization after a part is taken up.
const ROUNDS: usize = 60;

/// Multiples of the step that people round to, 2 to half the spread of the middle half, with 8 or more in the range.
pub(super) fn multiples(spread: f64, range: f64) -> Vec<i64> {
    let most = (0.5 * spread).min(range / LEAST_MULTIPLES);
    let mut multiples = Vec::new();
    let mut power = 1i64;
    while (power as f64) <= most && power < 1 << 50 {
        // 1, 1.25, 2, 2.5 and 5 times a power of ten, as far as they are whole
        for quarters in [4, 5, 8, 10, 20] {
            let multiple = power * quarters / 4;
            if power * quarters % 4 == 0 && multiple > 1 && multiple as f64 <= most {
                multiples.push(multiple);
            }
        }
        power *= 10;
    }
    multiples
}

/// The parts of a mixture at distinct values, a row of the value left out of each.
#[derive(Debug)]
pub(super) struct Parts {
    /// Rows that hold each value.
    pub(super) rows: Vec<f64>,
    pub(super) smooth: Vec<f64>,
    pub(super) repeats: Vec<f64>,
    /// One a grid.
    pub(super) heaps: Vec<Vec<f64>>,
}

/// Weights that sum to 1.
#[derive(Debug, PartialEq)]
pub(super) struct Weights {
    pub(super) smooth: f64,
    pub(super) repeats: f64,
    /// One a grid, 0 for those not taken up.
    pub(super) heaps: Vec<f64>,
}

impl Parts {
    /// The likeliest weights of as few parts as explain the rows.
    pub(super) fn weights(&self) -> Weights {
        let rows: f64 = self.rows.iter().sum();
        let least_gain = 3.0 + rows.max(1.0).ln();
        let parts: Vec<&[f64]> = [&self.smooth, &self.repeats]
            .into_iter()
            .chain(&self.heaps)
            .map(Vec::as_slice)
            .collect();
        let mut weights = vec![0.0; parts.len()];
        let mut refused = vec![false; parts.len()];
        weights[0] = 1.0;
        let mut mixture = self.smooth.clone();
        loop {
            let heaps = weights[2..].iter().filter(|weight| **weight > 0.0).count();
            let candidates = (1..parts.len()).filter(|part| {
                weights[*part] == 0.0 && !refused[*part] && (*part == 1 || heaps < MOST_HEAPS)
            });
            let best = candidates
                .map(|part| (part, gain(&self.rows, &mixture, parts[part])))
                .max_by(|a, b| a.1.1.total_cmp(&b.1.1));
            let Some((part, (share, _))) = best.filter(|(_, (_, gain))| *gain > least_gain) else {
                break;
            };
            let before = weights.clone();
            weights.iter_mut().for_each(|weight| *weight *= 1.0 - share);
            weights[part] = share;
            maximize(&self.rows, &parts, &mut weights, &mut mixture);
            let least = if part == 1 { LEAST_REPEATS } else { LEAST_HEAP };
            if weights[part] < least {
                refused[part] = true;
                weights = before;
            }
            // a part taken up earlier may have stood in for this one
            for earlier in 1..parts.len() {
                let least = if earlier == 1 { LEAST_REPEATS } else { LEAST_HEAP };
                if weights[earlier] > 0.0 && weights[earlier] < least {
                    weights[earlier] = 0.0;
                    refused[earlier] = true;
                }
            }
            maximize(&self.rows, &parts, &mut weights, &mut mixture);
        }
        if weights[0] < MIN_WEIGHT {
            let others = 1.0 - weights[0];
            weights
                .iter_mut()
                .for_each(|weight| *weight *= (1.0 - MIN_WEIGHT) / others);
            weights[0] = MIN_WEIGHT;
        }
        Weights {
            smooth: weights[0],
            repeats: weights[1],
            heaps: weights[2..].to_vec(),
        }
    }
}

/// The likeliest share of a new part in `(1 - a) mixture + a part`, and what it adds to the log-likelihood. It is
/// concave in `a`, so its slope is bisected.
fn gain(rows: &[f64], mixture: &[f64], part: &[f64]) -> (f64, f64) {
    let ratios = || {
        rows.iter()
            .zip(mixture.iter().zip(part))
            .map(|(rows, (p, q))| (rows, q / p - 1.0))
    };
    let slope = |a: f64| -> f64 { ratios().map(|(rows, r)| rows * r / (1.0 + a * r)).sum() };
    if slope(0.0) <= 0.0 {
        return (0.0, 0.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..12 {
        let middle = 0.5 * (low + high);
        if slope(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let share = 0.5 * (low + high);
    (share, ratios().map(|(rows, r)| rows * (share * r).ln_1p()).sum())
}

/// Expectation maximization over the parts with weight; weights are scaled to sum 1. Leaves the mixture's values.
fn maximize(rows: &[f64], parts: &[&[f64]], weights: &mut [f64], mixture: &mut [f64]) {
    let active: Vec<usize> = (0..parts.len()).filter(|part| weights[*part] > 0.0).collect();
    let mut shares = vec![0.0; active.len()];
    for round in 0..=ROUNDS {
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        mixture.fill(0.0);
        for &part in &active {
            let weight = weights[part];
            for (p, q) in mixture.iter_mut().zip(parts[part]) {
                *p += weight * q;
            }
        }
        if round == ROUNDS {
            return;
        }
        for (share, &part) in shares.iter_mut().zip(&active) {
            let counts = rows.iter().zip(parts[part].iter().zip(&*mixture));
            *share = weights[part] * counts.map(|(rows, (q, p))| rows * q / p).sum::<f64>();
        }
        for (share, &part) in shares.iter().zip(&active) {
            weights[part] = *share;
        }
    }
}
