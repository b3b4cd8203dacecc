//! How far apart two samples of a column are, and how far two samples of one law would be.
//!
//! A column of numbers is cut into at most ten bins of equal mass at the quantiles of the reference, and one for missing
//! cells; labels are bins as they are. With shares `p` and `q` of the bins,
//!
//! ```text
//! TV = 1/2 sum_b |p_b - q_b|
//! E[TV] of two samples of one law p, of n and m rows:  1/2 sum_b sqrt(2/pi p_b (1 - p_b) (1/n + 1/m))
//! ```
//!
//! The expectation takes each difference of shares as normal, of which the mean modulus is `sqrt(2/pi)` standard deviations.

use super::pool::{Column, MISSING};

/// Bins of equal mass of a column of numbers.
const BINS: usize = 10;

/// A column's bins, and the law of the reference over them.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Upper ends of all but the last bin, ascending; bin `b` is `(edges[b - 1], edges[b]]`. None for labels.
    edges: Option<Vec<f64>>,
    /// Probability of each bin; the last is that of missing cells.
    shares: Vec<f64>,
    /// Rows that the probabilities were counted from; infinite if they were computed.
    rows: f64,
}

/// Total variation, and its mean by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    tv: f64,
    noise: f64,
}

impl Distance {
    /// The total variation distance.
    pub fn tv(&self) -> f64 {
        self.tv
    }

    /// Its mean if both were samples of one law.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The distance beyond what chance makes.
    pub fn excess(&self) -> f64 {
        self.tv - self.noise
    }
}

impl Bins {
    /// The bins of the rows `hits` of a column, of `levels` labels so far.
    pub fn of(column: &Column, hits: &[u32], levels: usize) -> Self {
        let edges = match column {
            Column::Numbers(cells) => {
                let values = hits.iter().map(|row| cells[*row as usize]);
                let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
                values.sort_by(f64::total_cmp);
                Some(quantiles(&values))
            }
            Column::Labels(_) => None,
        };
        let bins = edges.as_ref().map_or(levels, |edges| edges.len() + 1) + 1;
        let mut known = Self {
            edges,
            shares: vec![0.0; bins],
            rows: hits.len() as f64,
        };
        known.shares = known.count(column, hits);
        known
    }

    /// The bins of a law of numbers: points `x`, ascending, and the distribution function there, which ends at 1.
    pub fn of_law(x: &[f64], cumulated: &[f64]) -> Self {
        let at = |k: usize| {
            let target = k as f64 / BINS as f64;
            x[cumulated.partition_point(|mass| *mass < target).min(x.len() - 1)]
        };
        let edges: Vec<f64> = (1..BINS).map(at).collect();
        let mut shares = Vec::with_capacity(BINS + 1);
        let mut below = 0.0;
        for edge in &edges {
            let mass = cumulated[x.partition_point(|x| x < edge).min(x.len() - 1)];
            shares.push(mass - below);
            below = mass;
        }
        shares.push(1.0 - below);
        shares.push(0.0);
        Self {
            edges: Some(edges),
            shares,
            rows: f64::INFINITY,
        }
    }

    /// Whether the reference has more than one bin.
    pub fn is_free(&self) -> bool {
        self.shares.iter().filter(|share| **share > 0.0).count() > 1
    }

    /// The distance of the reference to rows of a column, which may have labels the reference never had.
    pub fn distance(&self, column: &Column, rows: &[u32]) -> Distance {
        let shares = self.count(column, rows);
        Distance {
            tv: variation(&self.shares, &shares),
            noise: expected_noise(&self.shares, 1.0 / rows.len() as f64 + 1.0 / self.rows),
        }
    }

    /// The distance of the reference's two halves by chance, scaled to samples of `rows` rows and of the reference's
    /// own: a distance of one law to itself. None for a law that was computed.
    pub fn null(&self, column: &Column, hits: &[u32], rows: usize) -> Option<Distance> {
        if self.rows.is_infinite() {
            return None;
        }
        let half = |odd: usize| hits.iter().copied().skip(odd).step_by(2).collect::<Vec<u32>>();
        let (one, other) = (self.count(column, &half(0)), self.count(column, &half(1)));
        let spread = 1.0 / rows as f64 + 1.0 / self.rows;
        Some(Distance {
            tv: variation(&one, &other) * (spread * self.rows / 4.0).sqrt(),
            noise: expected_noise(&self.shares, spread),
        })
    }

    fn count(&self, column: &Column, rows: &[u32]) -> Vec<f64> {
        let mut shares = vec![0.0; self.shares.len()];
        let last = shares.len() - 1;
        let weight = 1.0 / rows.len() as f64;
        for row in rows {
            let bin = match (column, &self.edges) {
                (Column::Labels(cells), _) => match cells[*row as usize] {
                    MISSING => last,
                    // labels beyond those of the reference come behind all its bins
                    code if usize::from(code) >= last => usize::from(code) + 1,
                    code => usize::from(code),
                },
                (Column::Numbers(cells), Some(edges)) => match cells[*row as usize] {
                    value if value.is_nan() => last,
                    value => edges.partition_point(|edge| *edge < value),
                },
                (Column::Numbers(_), None) => last,
            };
            if bin >= shares.len() {
                shares.resize(bin + 1, 0.0);
            }
            shares[bin] += weight;
        }
        shares
    }
}

/// Different values that cut sorted ones into bins of equal mass, as far as ties allow.
fn quantiles(sorted: &[f64]) -> Vec<f64> {
    let Some(last) = sorted.len().checked_sub(1) else {
        return Vec::new();
    };
    let at = |k: usize| sorted[(k * sorted.len()).div_ceil(BINS).saturating_sub(1).min(last)];
    let mut edges: Vec<f64> = (1..BINS).map(at).collect();
    edges.dedup();
    edges.retain(|edge| *edge < sorted[last]);
    edges
}

/// Total variation distance of two laws; the shorter one has no mass in what it lacks.
fn variation(p: &[f64], q: &[f64]) -> f64 {
    let at = |law: &[f64], b: usize| law.get(b).copied().unwrap_or(0.0);
    0.5 * (0..p.len().max(q.len()))
        .map(|b| (at(p, b) - at(q, b)).abs())
        .sum::<f64>()
}

/// The mean of [`variation`] between two samples of one law, `spread` being `1/n + 1/m`.
fn expected_noise(p: &[f64], spread: f64) -> f64 {
    let deviation = |p: &f64| (p * (1.0 - p) * spread).sqrt();
    0.5 * (2.0 / std::f64::consts::PI).sqrt() * p.iter().map(deviation).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use ef_random::{Key, uniform};

    use super::*;

    fn numbers(rows: usize, seed: u64) -> Column {
        let mut rng = Key::new(seed).row(0);
        Column::Numbers((0..rows).map(|_| uniform(&mut rng).powi(2)).collect())
    }

    fn all(rows: usize) -> Vec<u32> {
        (0..rows as u32).collect()
    }

    #[test]
    fn samples_of_one_law_differ_by_the_expected_noise() {
        let (n, m, times) = (3_000, 1_000, 60);
        let mut sums = [0.0; 3];
        for seed in 0..times {
            let (one, other) = (numbers(m, 2 * seed), numbers(n, 2 * seed + 1));
            let bins = Bins::of(&one, &all(m), 0);
            let found = bins.distance(&other, &all(n));
            let null = bins.null(&one, &all(m), n).expect("a counted law");
            for (sum, value) in sums.iter_mut().zip([found.tv, found.noise, null.tv]) {
                *sum += value / times as f64;
            }
        }
        // the deviation of one distance is about a quarter of its mean
        assert_relative_eq!(sums[0], sums[1], max_relative = 0.12);
        assert_relative_eq!(sums[2], sums[1], max_relative = 0.12);
    }

    #[test]
    fn another_law_is_seen_and_a_law_by_its_formula_is_the_sampled_one() {
        let rows = 200_000;
        let column = numbers(rows, 1);
        let x: Vec<f64> = (0..=10_000).map(|i| f64::from(i) / 1e4).collect();
        let cumulated: Vec<f64> = x.iter().map(|x| x.sqrt()).collect();
        let exact = Bins::of_law(&x, &cumulated);
        let found = exact.distance(&column, &all(rows));
        assert!(found.excess().abs() < found.noise, "{found:?}");
        // the uniform law has bins of mass sqrt: its distance to x = u^2 is sup |sqrt x - x| = 1/4, less what bins hide
        let mut rng = Key::new(9).row(0);
        let flat = Column::Numbers((0..rows).map(|_| uniform(&mut rng)).collect());
        let found = exact.distance(&flat, &all(rows));
        assert_abs_diff_eq!(found.tv, 0.25, epsilon = 0.005);
    }

    #[test]
    fn ties_missing_cells_and_new_labels_have_their_bins() {
        let heavy = Column::Numbers(vec![0.0, 0.0, 0.0, 0.0, 1.0, f64::NAN]);
        let bins = Bins::of(&heavy, &all(6), 0);
        assert!(bins.is_free());
        let same = bins.distance(&heavy, &all(6));
        assert_abs_diff_eq!(same.tv, 0.0);
        assert_abs_diff_eq!(bins.distance(&heavy, &[0, 1]).tv, 1.0 / 3.0, epsilon = 1e-12);
        let labels = Column::Labels(vec![0, 1, MISSING, 0]);
        let bins = Bins::of(&labels, &all(4), 2);
        let other = Column::Labels(vec![0, 5]);
        assert_abs_diff_eq!(bins.distance(&other, &all(2)).tv, 0.5, epsilon = 1e-12);
        assert!(!Bins::of(&labels, &[0, 3], 2).is_free());
    }
}
