//! Where the maps of columns of numbers start, ranked and ordered ones: the shrunk linear regression of each column's normal
//! score on those before it.
//!
//! An untrained model of numbers is the Gaussian copula
//!
//! ```text
//! z_j | z_<j ~ N(c_j + sum_{i<j} b_ji z_i, e^{2 ls_j})
//! ```
//!
//! whose coefficients `b`, intercepts `c` and log-scales `ls` are computed from the training rows, not trained: the heads
//! add what the network learns to them. All regressions come from one Cholesky factor of the correlation matrix of normal
//! scores, shrunk towards the identity: `R* = (1 - lambda) R + lambda I` with the intensity of Schäfer and Strimmer (2005,
//! Statistical Applications in Genetics and Molecular Biology 4, 32, section 2.4, target D)
//!
//! ```text
//! lambda = sum_{i != j} Var(r_ij) / sum_{i != j} r_ij^2,    Var(r_ij) = n / (n - 1)^3 sum_k (w_kij - mean w_ij)^2
//! ```
//!
//! where `w_kij` is the product of the standardized scores `i` and `j` of row `k`.

use ef_tensor::{Linear, ParamVisitor, Real, Scope, TensorError, Workspace};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis};

use super::affine::{Affine, PLAIN_LOG_SCALES};
use super::mixture::log_ratio_of_map;
use super::network::{BACKGROUND, Network};
use super::plan::Column;
use crate::normal::{LN_SQRT_2PI, ndtri};
use crate::rows::{RankInputs, Rows};

/// Most rows that regressions are computed from, and most numbers in them: of so many, more would not change the result
/// by anything that counts.
const MOST_ROWS: usize = 1 << 16;
const MOST_NUMBERS: usize = 1 << 24;
/// Most rows on which a regression is compared with none.
const MOST_COMPARED: usize = 1 << 12;
/// A column with fewer values in its continuous level has no regression.
const LEAST_VALUES: usize = 8;
/// Scores of less variance are constant.
const LEAST_VARIANCE: f64 = 1e-8;
/// The least shrinkage, so that columns that repeat others leave a matrix with a Cholesky factor. The scale that it leaves
/// is far below the least log-scale.
const LEAST_SHRINKAGE: f64 = 1e-4;

/// Visits parameters that training leaves alone: offsets, which do not decay, and to which no gradient is ever added.
pub(super) fn visit_constants(
    name: &str,
    params: &[(&'static str, Vec<usize>)],
    visitor: &mut dyn ParamVisitor,
) {
    let mut scope = Scope::new(name, visitor);
    for (name, shape) in params {
        scope.offset(name, shape);
    }
}

/// Locations and log-scales of columns before training, as parameters that training leaves alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    /// From normal scores to locations, both in the order of columns.
    location: Linear,
}

impl Start {
    pub(super) fn new(scores: usize) -> Result<Self, TensorError> {
        Ok(Self {
            location: Linear::masked(scores, &(0..scores).collect::<Vec<_>>())?,
        })
    }

    /// How many columns have normal scores.
    pub(super) fn scores(&self) -> usize {
        self.location.outputs()
    }

    pub(super) fn num_params(&self) -> usize {
        self.location.num_params() + self.scores()
    }

    /// Names and shapes.
    pub(super) fn params(&self) -> [(&'static str, Vec<usize>); 3] {
        let count = self.scores();
        [
            ("location", vec![count, count]),
            ("intercept", vec![count]),
            ("log_scale", vec![count]),
        ]
    }

    pub(super) fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visit_constants(Self::NAME, &self.params(), visitor);
    }

    /// What the names of the parameters begin with.
    pub(super) const NAME: &str = "start";

    pub(super) fn project<T: Real>(&self, params: &mut [T]) {
        self.location.project(params);
    }

    /// Adds to the outputs `y: (rows, outputs)`, given levels and dense features.
    pub(super) fn add<T: Real>(
        &self,
        columns: &[Column],
        params: &[T],
        levels: ArrayView2<'_, u32>,
        features: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        ws: &mut Workspace<T>,
    ) {
        if self.scores() == 0 {
            return;
        }
        let mut scores = ws.take(features.nrows(), self.scores());
        for column in columns {
            let Some(at) = column.score else { continue };
            let mut to = scores.column_mut(at);
            match (&column.ordered, column.variable) {
                (Some(ordered), Some(v)) => to.zip_mut_with(&levels.column(v), |to, &level| {
                    *to = T::of(ordered.score(level));
                }),
                _ => to.assign(&features.column(column.features.start)),
            }
        }
        let (p_location, log_scales) = params.split_at(self.location.num_params());
        let mut locations = ws.take(scores.nrows(), self.scores());
        self.location
            .forward(p_location, scores.view(), locations.view_mut());
        for (r, map) in maps(columns) {
            for (mut y, locations) in y.rows_mut().into_iter().zip(locations.rows()) {
                y[map] += locations[r];
                y[map + 1] += log_scales[r];
            }
        }
        ws.give(locations);
        ws.give(scores);
    }

    /// Adds to the outputs of one column, `y: (outputs, rows)`, given the scores of those before it, `(scores, rows)`.
    pub(super) fn add_to_column<T: Real>(
        &self,
        column: &Column,
        params: &[T],
        scores: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        ws: &mut Workspace<T>,
    ) {
        let Some((r, map)) = maps(std::slice::from_ref(column)).next() else {
            return;
        };
        let (p_location, log_scales) = params.split_at(self.location.num_params());
        let mut locations = ws.take(self.scores(), scores.ncols());
        self.location
            .forward_units(p_location, r..r + 1, scores, locations.view_mut());
        y.row_mut(map).zip_mut_with(&locations.row(r), |y, &l| *y += l);
        y.row_mut(map + 1).iter_mut().for_each(|y| *y += log_scales[r]);
        ws.give(locations);
    }

    /// Writes the regressions of the training rows at `index`. A column starts without one where it gains no more of the
    /// training rows' log-likelihood than a regression on noise would: the number of its parameters (Akaike 1974), of which
    /// coefficients count as far as they are not shrunk. Returns what each gains, nats a row.
    pub(super) fn fit<T: Real>(
        &self,
        network: &Network,
        rows: &Rows,
        index: &[usize],
        params: &mut [T],
    ) -> Vec<f64> {
        params.fill(T::zero());
        let count = self.scores();
        let mut gains = vec![0.0; count];
        let most = MOST_ROWS.min(MOST_NUMBERS / count.max(1));
        let index = &index[..index.len().min(most)];
        if count < 2 || index.len() < LEAST_VALUES {
            return gains;
        }
        let scores = Scores::of(network, count, rows, index);
        let (intensity, correlation) = shrunk_correlation(&scores.standardized);
        let (coefficients, residuals) = regressions(correlation);
        let (p_location, log_scales) = params.split_at_mut(self.location.num_params());
        // What each row's standardized scores leave unexplained: (rows, scores).
        let left = &scores.standardized - &scores.standardized.dot(&coefficients.t());
        for column in &network.columns {
            let Some((r, _)) = maps(std::slice::from_ref(column)).next() else {
                continue;
            };
            let weights: Vec<f64> = (0..r)
                .map(|i| {
                    if scores.scale[i] > 0.0 {
                        coefficients[[r, i]] * scores.scale[r] / scores.scale[i]
                    } else {
                        0.0
                    }
                })
                .collect();
            let found = Regression::of(column, r, &scores, rows, index, &left, residuals[r], &weights);
            let Some(found) = found.filter(|found| found.gain > 2.0 + (1.0 - intensity) * r as f64) else {
                continue;
            };
            for (i, &weight) in weights.iter().enumerate() {
                p_location[i * count + r] = T::of(weight);
            }
            p_location[count * count + r] = T::of(found.intercept);
            log_scales[r] = T::of(found.log_scale);
            gains[r] = found.gain / index.len() as f64;
        }
        gains
    }
}

impl Start {
    /// What the regressions leave of the numbers of the rows at `index`: `(rows, scores)` residuals, in units of their
    /// scale, NaN where a row has no number; and the log-scale of each score.
    pub(super) fn residuals<T: Real>(
        &self,
        network: &Network,
        rows: &Rows,
        index: &[usize],
        params: &[T],
    ) -> (Array2<f64>, Vec<f64>) {
        let count = self.scores();
        let (p_location, log_scales) = params.split_at(self.location.num_params());
        let log_scales: Vec<f64> = log_scales.iter().map(|l| l.wide()).collect();
        let scores = Scores::of(network, count, rows, index);
        let raw = &scores.standardized * &scores.scale + &scores.mean;
        let weights = Array2::from_shape_fn((count, count), |at| p_location[at.0 * count + at.1].wide());
        let intercepts = Array1::from_shape_fn(count, |r| p_location[count * count + r].wide());
        let mut left = &raw - &raw.dot(&weights) - &intercepts;
        for (mut left, log_scale) in left.columns_mut().into_iter().zip(&log_scales) {
            left.mapv_inplace(|z| z * (-log_scale).exp());
        }
        for column in &network.columns {
            let (Some(at), Some(v)) = (column.score, column.variable) else {
                continue;
            };
            for (left, &row) in left.column_mut(at).iter_mut().zip(index) {
                let level = rows.levels[[row, v]];
                let is_number = match &column.ordered {
                    Some(ordered) => ordered.place(level).is_some(),
                    None => level == 0,
                };
                if !is_number {
                    *left = f64::NAN;
                }
            }
        }
        (left, log_scales)
    }

    /// Takes the regression of a column out.
    pub(super) fn clear<T: Real>(&self, score: usize, params: &mut [T]) {
        let count = self.scores();
        for i in 0..=count {
            params[i * count + score] = T::zero();
        }
        params[self.location.num_params() + score] = T::zero();
    }
}

/// The number among the scores, and the output of the location, of each column that has a map. The output of its
/// log-scale is the next.
fn maps(columns: &[Column]) -> impl Iterator<Item = (usize, usize)> {
    columns
        .iter()
        .filter_map(|column| Some((column.score?, column.map()?.start)))
}

/// The normal scores of rows, as the network reads them.
struct Scores {
    /// Of mean 0 and variance 1, or all 0 where a column's scores are constant: `(rows, scores)`.
    standardized: Array2<f64>,
    mean: Array1<f64>,
    /// 0 where the scores are constant.
    scale: Array1<f64>,
}

impl Scores {
    fn of(network: &Network, count: usize, rows: &Rows, index: &[usize]) -> Self {
        let mut scores = Array2::zeros((index.len(), count));
        for column in &network.columns {
            let Some(at) = column.score else { continue };
            for (&row, score) in index.iter().zip(scores.column_mut(at)) {
                let level = column.variable.map_or(0, |v| rows.levels[[row, v]]);
                *score = match (&column.ordered, column.rank) {
                    (Some(ordered), _) => ordered.score(level),
                    (None, Some(r)) => {
                        let middle = 0.5 * (rows.low[[row, r]] + rows.high[[row, r]]);
                        RankInputs::score(network.ranks[r].representative(level, middle))
                    }
                    (None, None) => 0.0,
                };
            }
        }
        let n = index.len() as f64;
        let mean = scores.sum_axis(Axis(0)) / n;
        scores -= &mean;
        let variance = scores.mapv(|z| z * z).sum_axis(Axis(0)) / n;
        let scale = variance.mapv(|v| if v > LEAST_VARIANCE { v.sqrt() } else { 0.0 });
        for (mut scores, &scale) in scores.columns_mut().into_iter().zip(&scale) {
            scores.mapv_inplace(|z| if scale > 0.0 { z / scale } else { 0.0 });
        }
        Self {
            standardized: scores,
            mean,
            scale,
        }
    }
}

/// The regression of each column on those before it, given a shrunk correlation matrix: coefficients, strictly lower
/// triangular, and residual variances.
fn regressions(correlation: Array2<f64>) -> (Array2<f64>, Vec<f64>) {
    let factor = cholesky(correlation).expect("a matrix shrunk towards the identity is positive definite");
    // With R = L L', the rows of L^-1 are the standardized residuals (x_j - sum b_ji x_i) / L_jj.
    let inverse = lower_inverse(&factor);
    let n = factor.nrows();
    let coefficients = Array2::from_shape_fn((n, n), |(j, i)| {
        if i < j {
            -factor[[j, j]] * inverse[[j, i]]
        } else {
            0.0
        }
    });
    let residuals = factor.diag().iter().map(|l| l * l).collect();
    (coefficients, residuals)
}

/// The intensity of shrinkage, and the correlation matrix of the columns of `x: (rows, columns)`, of mean 0 and variance 1,
/// shrunk towards the identity; see the module.
fn shrunk_correlation(x: &Array2<f64>) -> (f64, Array2<f64>) {
    let n = x.nrows() as f64;
    let mut correlation = x.t().dot(x) / n;
    let squares = x.mapv(|x| x * x);
    let mean_squares = squares.t().dot(&squares) / n;
    let (mut noise, mut signal) = (0.0, 0.0);
    for ((i, j), &r) in correlation.indexed_iter().filter(|((i, j), _)| i != j) {
        noise += (mean_squares[[i, j]] - r * r) * n * n / (n - 1.0).powi(3);
        signal += r * r;
    }
    let intensity = if noise < signal { noise / signal } else { 1.0 };
    let intensity = intensity.max(LEAST_SHRINKAGE);
    correlation *= 1.0 - intensity;
    correlation.diag_mut().fill(1.0);
    (intensity, correlation)
}

/// The lower triangular `L` with `L L' = a` of a symmetric positive definite matrix, of which the lower triangle is read
/// (Cholesky and Banachiewicz, row by row); `None` for any other.
fn cholesky(mut a: Array2<f64>) -> Option<Array2<f64>> {
    for j in 0..a.nrows() {
        for k in 0..=j {
            let products: f64 = (0..k).map(|i| a[[j, i]] * a[[k, i]]).sum();
            let rest = a[[j, k]] - products;
            a[[j, k]] = if k < j {
                rest / a[[k, k]]
            } else if rest > 0.0 {
                rest.sqrt()
            } else {
                return None;
            };
        }
        a.row_mut(j).iter_mut().skip(j + 1).for_each(|above| *above = 0.0);
    }
    Some(a)
}

/// The inverse of a lower triangular matrix.
fn lower_inverse(l: &Array2<f64>) -> Array2<f64> {
    let n = l.nrows();
    let mut inverse = Array2::zeros((n, n));
    for j in 0..n {
        inverse[[j, j]] = 1.0 / l[[j, j]];
        for i in 0..j {
            let products: f64 = (i..j).map(|k| l[[j, k]] * inverse[[k, i]]).sum();
            inverse[[j, i]] = -products / l[[j, j]];
        }
    }
    inverse
}

/// What one column's regression leaves.
struct Regression {
    intercept: f64,
    log_scale: f64,
    /// Log-likelihood that the rows gain by it, nats.
    gain: f64,
}

/// A row's place in a column.
struct Value {
    /// Its row among the scores.
    at: usize,
    ranks: (f64, f64),
}

impl Regression {
    /// Of column `r` among the scores, by the rows in its continuous level or its order. `residual` is the standardized
    /// residual variance of the shrunk correlation, `weights` are those of the scores before it. `None` if it has too few
    /// values.
    #[allow(clippy::too_many_arguments, reason = "the parts of one computation")]
    fn of(
        column: &Column,
        r: usize,
        scores: &Scores,
        rows: &Rows,
        index: &[usize],
        left: &Array2<f64>,
        residual: f64,
        weights: &[f64],
    ) -> Option<Self> {
        let values: Vec<Value> = index
            .iter()
            .enumerate()
            .filter_map(|(at, &row)| {
                let level = column.variable.map_or(0, |v| rows.levels[[row, v]]);
                let (low, high) = match (&column.ordered, column.rank) {
                    (Some(ordered), _) => ordered.place(level)?.0,
                    (None, Some(rank)) if level == 0 => (rows.low[[row, rank]], rows.high[[row, rank]]),
                    _ => return None,
                };
                Some(Value {
                    at,
                    ranks: (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0)),
                })
            })
            .collect();
        if values.len() < LEAST_VALUES || scores.scale[r] == 0.0 {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().map(|value| left[[value.at, r]]).sum::<f64>() / n;
        let squares = values.iter().map(|value| (left[[value.at, r]] - mean).powi(2));
        let within_level = squares.sum::<f64>() / n;
        // The shrunk model leaves more than the training rows do, which the regression has seen.
        let of_all = left.column(r).iter().map(|e| e * e).sum::<f64>() / left.nrows() as f64;
        let unseen = (residual / of_all.max(f64::MIN_POSITIVE)).max(1.0);
        let between = scores.scale[r].powi(2) * (within_level * unseen).min(1.0);
        let inside = values
            .iter()
            .map(|value| variance_within(value.ranks))
            .sum::<f64>()
            / n;
        let log_scale = 0.5 * (between + inside).ln();
        let of_others: f64 = weights.iter().zip(&scores.mean).map(|(w, m)| w * m).sum();
        let mut found = Self {
            intercept: scores.mean[r] + scores.scale[r] * mean - of_others,
            log_scale: log_scale.clamp(PLAIN_LOG_SCALES.0, PLAIN_LOG_SCALES.1),
            gain: 0.0,
        };
        let compared = &values[..values.len().min(MOST_COMPARED)];
        let gain: f64 = compared
            .iter()
            .map(|value| {
                let score = |i: usize| scores.mean[i] + scores.scale[i] * scores.standardized[[value.at, i]];
                let location = found.intercept + (0..r).map(|i| weights[i] * score(i)).sum::<f64>();
                let log_ratio = log_ratio_of_map(value.ranks, &Affine::new(location, found.log_scale));
                ((1.0 - BACKGROUND) * log_ratio.exp() + BACKGROUND).ln()
            })
            .sum();
        found.gain = gain * n / compared.len() as f64;
        Some(found)
    }
}

/// The variance of a standard normal number between the quantiles of two ranks.
fn variance_within((low, high): (f64, f64)) -> f64 {
    let (a, b) = (ndtri(low), ndtri(high));
    if b - a < 0.1 {
        return if b > a { (b - a).powi(2) / 12.0 } else { 0.0 };
    }
    let density = |z: f64| (-0.5 * z * z - LN_SQRT_2PI).exp();
    let moment = |z: f64| if z.is_finite() { z * density(z) } else { 0.0 };
    let mass = high - low;
    let mean = (density(a) - density(b)) / mass;
    (1.0 + (moment(a) - moment(b)) / mass - mean * mean).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ef_random::{Key, uniform};
    use proptest::prelude::*;

    use super::*;

    /// Columns of mean 0 and variance 1 with a factor in common.
    fn columns(n: usize, columns: usize, factor: f64) -> Array2<f64> {
        let mut rng = Key::new(5).row(0);
        let mut normal = || ndtri(uniform(&mut rng).max(1e-12));
        let common: Vec<f64> = (0..n).map(|_| normal()).collect();
        let mut x = Array2::from_shape_fn((n, columns), |(row, _)| factor * common[row] + normal());
        for mut x in x.columns_mut() {
            let mean = x.sum() / n as f64;
            x -= mean;
            let scale = (x.dot(&x) / n as f64).sqrt();
            x /= scale;
        }
        x
    }

    fn kept(x: &Array2<f64>) -> f64 {
        shrunk_correlation(x).1[[1, 0]] / (x.column(1).dot(&x.column(0)) / x.nrows() as f64)
    }

    #[test]
    fn much_is_shrunk_where_little_is_known() {
        assert!(kept(&columns(3000, 36, 1.0)) > 0.99);
        assert!(kept(&columns(100, 37, 0.0)) < 0.2);
        assert_abs_diff_eq!(shrunk_correlation(&Array2::zeros((50, 3))).1, Array2::eye(3));
    }

    #[test]
    fn a_matrix_that_is_not_positive_has_no_factor() {
        assert!(cholesky(ndarray::array![[1.0, 0.0], [1.0, 1.0]]).is_none());
    }

    #[test]
    fn the_variance_within_wide_and_narrow_intervals() {
        assert_abs_diff_eq!(variance_within((0.0, 1.0)), 1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(
            variance_within((0.0, 0.5)),
            1.0 - 2.0 / std::f64::consts::PI,
            epsilon = 1e-12
        );
        let (z, d) = (0.4_f64, 0.0499);
        let ranks = (crate::normal::ndtr(z - d), crate::normal::ndtr(z + d));
        let wider = (
            crate::normal::ndtr(z - 1.01 * d),
            crate::normal::ndtr(z + 1.01 * d),
        );
        assert_abs_diff_eq!(
            variance_within(ranks),
            variance_within(wider) / 1.0201,
            epsilon = 1e-6
        );
        assert_eq!(variance_within((0.3, 0.3)), 0.0);
    }

    proptest! {
        /// `L L' = R` and `L L^-1 = 1`; residuals of a regression are uncorrelated with what they were regressed on.
        #[test]
        fn regressions_leave_nothing_linear(n in 1..8usize, factor in 0.0..3.0_f64) {
            let x = columns(60, n, factor);
            let (_, shrunk) = shrunk_correlation(&x);
            let factor = cholesky(shrunk.clone()).unwrap();
            assert_abs_diff_eq!(factor.dot(&factor.t()), shrunk, epsilon = 1e-12);
            assert_abs_diff_eq!(factor.dot(&lower_inverse(&factor)), Array2::eye(n), epsilon = 1e-10);
            let (coefficients, residuals) = regressions(shrunk.clone());
            let left = Array2::eye(n) - &coefficients;
            let covariance = left.dot(&shrunk).dot(&left.t());
            assert_abs_diff_eq!(covariance, Array2::from_diag(&Array1::from(residuals)), epsilon = 1e-10);
        }
    }
}
