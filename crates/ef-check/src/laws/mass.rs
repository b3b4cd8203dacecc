//! The density of a bijector integrates to 1.
//!
//! `p(x) = p_base(forward(x)) exp(log_det)` is a density only if `forward` is one-to-one and onto. A map that folds
//! has too much mass, one that misses a part of the base has too little, whatever its Jacobian and its `inverse` say.

use ef_bijectors::Bijector;
use ndarray::{Array2, ArrayView1, s};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::case::{Case, forward, inverse};
use crate::config::{CheckConfig, Domain};
use crate::report::{Report, Violation};
use crate::strategy::{self, stream};

/// Kernels of the proposal.
const KERNELS: usize = 128;
/// Points of the first estimate; each further one takes four times as many.
const FIRST_POINTS: usize = 1024;
/// Samples that say how well the proposal covers the density.
const SAMPLES: usize = 512;
/// The largest standard error of a settled estimate.
const SETTLED_ERROR: f64 = 0.02;
/// Share of the proposal's points that come from its widest part.
const WIDE_SHARE: f64 = 0.25;

/// An estimate of `integral of p(x) dx` by importance sampling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mass {
    /// The estimate.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The effective number of points, `(sum w)^2 / sum w^2` of the importance weights. Below some hundreds the
    /// standard error is not to be trusted.
    pub effective: f64,
}

impl Mass {
    fn settled(&self) -> bool {
        self.effective >= 300.0 && self.standard_error <= SETTLED_ERROR
    }
}

/// Estimates the integral of the density that `b` makes of its base: the standard normal, or on an interval the
/// uniform distribution. `context`: one row.
///
/// The proposal is independent of `forward`: heavy-tailed kernels at points that `inverse` draws, as wide as their
/// neighbours are far, and one wide Cauchy distribution over everything. Points are added until the estimate has
/// settled, or there are `config.mass_points`.
///
/// ```
/// use ef_check::{CheckConfig, total_mass};
/// let layer = ef_bijectors::ElementwiseAffine::new(2).unwrap();
/// let mass = total_mass(&layer, &[0.5, -2.0, 0.0, 3.0], &[], &CheckConfig::default(), 1);
/// assert!((mass.mean - 1.0).abs() < 6.0 * mass.standard_error);
/// ```
pub fn total_mass(
    b: &dyn Bijector<f64>,
    params: &[f64],
    context: &[f64],
    config: &CheckConfig,
    seed: u64,
) -> Mass {
    let mut rng = stream(seed, 200);
    let contexts = |rows: usize| Array2::from_shape_fn((rows, context.len()), |(_, j)| context[j]);
    let sample = |rows: usize, rng: &mut ChaCha8Rng| {
        let z = strategy::inside(config.inverse_domain, rows, b.dim(), 1.0, rng);
        inverse(b, params, z.view(), contexts(rows).view()).0
    };
    let proposal = Proposal::around(&sample(KERNELS, &mut rng));
    let weights_at = |x: &Array2<f64>| -> Vec<f64> {
        let (z, log_det) = forward(b, params, x.view(), contexts(x.nrows()).view());
        let weight = |r: usize| {
            let inside = x.row(r).iter().all(|&v| config.forward_domain.contains(v));
            let log_p = log_base(config.inverse_domain, z.row(r)) + log_det[r];
            if inside {
                (log_p - proposal.log_density(x.row(r))).exp()
            } else {
                0.0
            }
        };
        (0..x.nrows()).map(weight).collect()
    };
    let square = mean_of_finite(&weights_at(&sample(SAMPLES, &mut rng)));
    let mut weights = Vec::new();
    loop {
        let points = FIRST_POINTS.max(3 * weights.len());
        let x: Vec<f64> = (0..points).flat_map(|_| proposal.draw(&mut rng)).collect();
        let x = Array2::from_shape_vec((points, b.dim()), x).expect("as many columns as a centre has");
        weights.extend(weights_at(&x));
        let mass = Mass::of(&weights, square);
        let hopeless = square > config.mass_points as f64 * SETTLED_ERROR.powi(2);
        if mass.settled() || hopeless || !mass.mean.is_finite() || weights.len() >= config.mass_points {
            return mass;
        }
    }
}

fn mean_of_finite(values: &[f64]) -> f64 {
    let finite = values.iter().filter(|v| v.is_finite());
    finite.clone().sum::<f64>() / (finite.count().max(1) as f64)
}

pub(crate) fn is_one(case: &Case<'_>) -> Result<Report, Violation> {
    let context = case.context.row(0).to_vec();
    let mass = total_mass(case.b, &case.params, &context, case.config, case.draw.seed);
    if mass.mean.is_finite() && !mass.settled() {
        return Ok(Report {
            masses_unsettled: 1,
            ..Report::default()
        });
    }
    let law = "the density integrates to 1";
    let allowed = 6.0 * mass.standard_error + 0.005;
    Violation::unless_close(law, mass.mean, 1.0, allowed, || {
        format!(
            "the context of row 0, over a base of {:?}",
            case.config.inverse_domain
        )
    })?;
    Ok(Report {
        masses: 1,
        ..Report::default()
    })
}

impl Mass {
    /// `square`: the mean square of the weights as samples of the density tell it, `E_q[w^2] = E_p[w]`. They see what
    /// the proposal misses.
    fn of(weights: &[f64], square: f64) -> Self {
        let n = weights.len() as f64;
        let (sum, squares) = weights.iter().fold((0.0, 0.0), |(a, b), w| (a + w, b + w * w));
        let mean = sum / n;
        Self {
            mean,
            standard_error: (((squares / n).max(square) - mean * mean).max(0.0) / n).sqrt(),
            effective: if squares > 0.0 { sum * sum / squares } else { n },
        }
    }
}

fn log_base(domain: Domain, z: ArrayView1<'_, f64>) -> f64 {
    match domain {
        Domain::Real => z
            .iter()
            .map(|v| -0.5 * (v * v + (2.0 * std::f64::consts::PI).ln()))
            .sum(),
        Domain::Interval(low, high) if z.iter().all(|&v| domain.contains(v)) => {
            -(z.len() as f64) * (high - low).ln()
        }
        Domain::Interval(..) => f64::NEG_INFINITY,
    }
}

/// Student t kernels (2 degrees of freedom) at centres, and a Cauchy distribution over all.
struct Proposal {
    /// `(kernels, dim)`.
    centres: Array2<f64>,
    widths: Array2<f64>,
    /// Per column: median and width.
    wide: Vec<(f64, f64)>,
}

impl Proposal {
    fn around(drawn: &Array2<f64>) -> Self {
        let dim = drawn.ncols();
        let finite: Vec<usize> = (0..drawn.nrows())
            .filter(|&r| drawn.row(r).iter().all(|v| v.is_finite()))
            .collect();
        let centres = drawn.select(ndarray::Axis(0), &finite);
        let spread: Vec<(f64, f64)> = (0..dim)
            .map(|j| {
                let mut column = centres.column(j).to_vec();
                column.sort_by(f64::total_cmp);
                let at = |share: f64| {
                    column
                        .get((share * column.len() as f64) as usize)
                        .copied()
                        .unwrap_or(0.0)
                };
                (at(0.5), (at(0.9) - at(0.1)).max(1e-9))
            })
            .collect();
        let mut widths = Array2::zeros(centres.dim());
        for (k, mut widths) in widths.rows_mut().into_iter().enumerate() {
            let away = |other: ArrayView1<'_, f64>| {
                let scaled = |j: usize| (other[j] - centres[[k, j]]).abs() / spread[j].1;
                (0..dim).map(scaled).fold(0.0, f64::max)
            };
            let mut distances: Vec<f64> = centres.rows().into_iter().map(away).collect();
            distances.sort_by(f64::total_cmp);
            let neighbour = distances[(KERNELS / 12).min(distances.len() - 1)];
            (0..dim).for_each(|j| widths[j] = neighbour.max(1e-6) * spread[j].1);
        }
        Self {
            centres,
            widths,
            wide: spread
                .iter()
                .map(|&(median, width)| (median, 3.0 * width))
                .collect(),
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let kernel = (self.centres.nrows() > 0 && !rng.random_bool(WIDE_SHARE))
            .then(|| rng.random_range(0..self.centres.nrows()));
        (0..self.wide.len())
            .map(|j| {
                let u: f64 = rng.random_range(1e-12..1.0 - 1e-12);
                match kernel {
                    Some(k) => {
                        let t = (2.0 * u - 1.0) / (2.0 * u * (1.0 - u)).sqrt();
                        self.centres[[k, j]] + self.widths[[k, j]] * t
                    }
                    None => self.wide[j].0 + self.wide[j].1 * (std::f64::consts::PI * (u - 0.5)).tan(),
                }
            })
            .collect()
    }

    fn log_density(&self, x: ArrayView1<'_, f64>) -> f64 {
        let kernel = |k: usize| -> f64 {
            let (centre, width) = (self.centres.slice(s![k, ..]), self.widths.slice(s![k, ..]));
            let one = |j: usize| {
                let t = (x[j] - centre[j]) / width[j];
                1.0 / (width[j] * (2.0 + t * t) * (2.0 + t * t).sqrt())
            };
            (0..x.len()).map(one).product()
        };
        let kernels: f64 = (0..self.centres.nrows()).map(kernel).sum();
        let wide: f64 = (x.iter().zip(&self.wide))
            .map(|(x, (median, width))| {
                let t = (x - median) / width;
                1.0 / (std::f64::consts::PI * width * (1.0 + t * t))
            })
            .product();
        let (share, n) = match self.centres.nrows() {
            0 => (1.0, 1.0),
            n => (WIDE_SHARE, n as f64),
        };
        (share * wide + (1.0 - share) * kernels / n).ln()
    }
}
