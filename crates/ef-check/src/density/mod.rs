//! All laws of a density, over drawn parameters.

mod laws;

use std::fmt::Debug;
use std::ops::Range;

use ef_density::rows::Rows;
use ef_density::{Density, FlowRows};
use ndarray::{Array2, Axis, concatenate, s};
use proptest::strategy::Strategy;

use crate::bijector::run;
use crate::report::{Report, Violation};
use crate::strategy::seeds;

/// What [`assert_density`] draws, what it tolerates, and what is claimed of the density over rows of type `R`.
#[derive(Debug, Clone)]
pub struct DensityConfig<R> {
    /// Cases: each draws parameters and choices of rows anew.
    pub cases: u32,
    /// Noise of standard deviation up to this is added to the parameters that `init` writes.
    pub param_scale: f64,
    /// Allowed relative difference of two ways to compute the same.
    pub tolerance: f64,
    /// Allowed relative error of a gradient against central differences.
    pub gradient_tolerance: f64,
    /// Most coordinates of the gradient that are compared in a case; beyond, a random choice.
    pub max_coordinates: usize,
    /// Claim: the loss that `nll_backward` returns is `-sum log_prob`. Not so where training draws noise: auxiliary
    /// variables, dropout.
    pub exact_loss: bool,
    /// Claim: `log_prob` is exact and so the same under every key. Not so with auxiliary variables.
    pub exact_score: bool,
    /// Claim: the parameters whose names begin with one of these are not trained. Their gradient is 0, whatever differences
    /// say.
    pub untrained: &'static [&'static str],
    /// Cuts rows out of a set: what sampling a part is given.
    pub slice: fn(&R, Range<usize>) -> R,
    /// The rows as numbers, `(rows, any)`: how two sets are compared.
    pub numbers: fn(&R) -> Array2<f64>,
}

impl<R> DensityConfig<R> {
    /// For rows that are cut by `slice` and compared by `numbers`; the loss and the score are claimed to be exact.
    pub fn new(slice: fn(&R, Range<usize>) -> R, numbers: fn(&R) -> Array2<f64>) -> Self {
        Self {
            cases: 12,
            param_scale: 0.5,
            tolerance: 1e-9,
            gradient_tolerance: 1e-5,
            max_coordinates: 60,
            exact_loss: true,
            exact_score: true,
            untrained: &[],
            slice,
            numbers,
        }
    }
}

impl Default for DensityConfig<FlowRows<f64>> {
    fn default() -> Self {
        let slice = |rows: &FlowRows<f64>, range: Range<usize>| FlowRows {
            x: rows.x.slice(s![range.clone(), ..]).to_owned(),
            context: rows.context.slice(s![range, ..]).to_owned(),
        };
        Self::new(slice, |rows| rows.x.clone())
    }
}

impl Default for DensityConfig<Rows> {
    fn default() -> Self {
        let slice = |rows: &Rows, range: Range<usize>| {
            let part = s![range.clone(), ..];
            Rows {
                levels: rows.levels.slice(part).to_owned(),
                low: rows.low.slice(part).to_owned(),
                high: rows.high.slice(part).to_owned(),
                log_measure: rows.log_measure[range.clone()].to_vec(),
                context: rows.context.slice(part).to_owned(),
            }
        };
        Self::new(slice, |rows| {
            let levels = rows.levels.mapv(f64::from);
            concatenate![Axis(1), levels, rows.low, rows.high]
        })
    }
}

/// What a case is drawn from. A failure prints it; [`check_density`] runs it again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DensityDraw {
    /// Every number of the case comes from this.
    pub seed: u64,
    /// From 0 to 1: the share of `param_scale` that is used.
    pub scale: f64,
}

/// Proves a density by its laws on the given rows, over drawn parameters; panics with the law broken, the place, both
/// numbers and the shrunken case. The laws are listed in the [crate's documentation](crate).
///
/// ```
/// use ef_bijectors::{FlowConfig, maf, ndarray::array};
/// use ef_check::{DensityConfig, assert_density};
/// use ef_density::{Flow, FlowRows};
///
/// let flow = Flow::new(maf::<f64>(2, 0, &FlowConfig::default())?);
/// let rows = FlowRows::new(array![[0.3, -1.0], [1.2, 0.4], [-0.7, 2.0]]);
/// let report = assert_density(&flow, &rows, &DensityConfig { cases: 2, ..DensityConfig::default() });
/// assert!(report.compared > 0);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
///
/// # Panics
/// If a law is broken, more than 5 % of gradient coordinates had to be skipped at kinks, or there are no rows.
pub fn assert_density<D: Density<f64>>(
    density: &D,
    rows: &D::Rows,
    config: &DensityConfig<D::Rows>,
) -> Report {
    let draws = (seeds(), 0.0..1.0_f64).prop_map(|(seed, scale)| DensityDraw { seed, scale });
    match run(config.cases, draws, |&draw| {
        check_density(density, rows, config, draw)
    }) {
        Ok(report) => report,
        Err(message) => panic!("{message}\nof the density {:.300}", format!("{density:?}")),
    }
}

/// One case of [`assert_density`].
///
/// # Errors
/// The first law broken.
///
/// # Panics
/// If there are no rows.
pub fn check_density<D: Density<f64>>(
    density: &D,
    rows: &D::Rows,
    config: &DensityConfig<D::Rows>,
    draw: DensityDraw,
) -> Result<Report, Violation> {
    laws::layout(density)?;
    let case = laws::Case::new(density, rows, config, draw);
    case.starts()?;
    case.scores()?;
    case.saved()?;
    case.losses()?;
    case.samples()?;
    case.gradient()
}
