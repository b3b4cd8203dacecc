//! Tables of simple columns, and densities over their rows.

pub(crate) mod autoregressive;

use ef_bijectors::{Bijector, FlowConfig, MlpConfig, maf, real_nvp};
use ef_density::rows::{Layout, Rows};
use ef_density::two_part::{DiscreteConfig, DiscreteMade, RankFlow, TwoPart};
use ef_density::{Marginal, Place};
use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A column with `atoms` atoms after an optional uniform continuous level on (0, 1), with a grid of so many `steps` or
/// none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestMarginal {
    pub(crate) continuous: bool,
    pub(crate) atoms: usize,
    pub(crate) steps: usize,
    /// Whether its levels have an order, all but the last.
    pub(crate) ordered: bool,
}

impl Marginal for TestMarginal {
    fn levels(&self) -> usize {
        self.atoms + usize::from(self.continuous)
    }
    fn is_continuous(&self) -> bool {
        self.continuous
    }
    fn level_shares(&self) -> Vec<f64> {
        // no two alike, and rare last ones
        let weights = (1..=self.levels()).rev().map(|weight| weight as f64);
        let total = (self.levels() * (self.levels() + 1) / 2) as f64;
        weights.map(|weight| weight / total).collect()
    }
    fn level_features(&self, level: u32) -> Vec<f64> {
        vec![f64::from(level), 1.0]
    }
    fn rank_edges(&self) -> Vec<f64> {
        let edges = if self.steps > 0 { self.steps + 1 } else { 0 };
        (0..edges).map(|i| i as f64 / self.steps as f64).collect()
    }
    fn level_rank(&self, level: u32) -> Option<f64> {
        if self.ordered {
            let known = level as usize + 1 < self.levels();
            return known.then(|| f64::from((level + 1) * 3 % 7));
        }
        (level == 1).then_some(0.5)
    }
}

impl TestMarginal {
    pub(crate) fn place(&self, &(level, x): &(u32, f64)) -> Place {
        let steps = self.steps as f64;
        let (low, high) = match (self.continuous && level == 0, self.steps) {
            (true, 0) => (x, x),
            (true, _) => ((x * steps).floor() / steps, ((x * steps).floor() + 1.0) / steps),
            (false, _) => (0.0, 1.0),
        };
        Place {
            level: Some(level),
            low,
            high,
            // With uniform ranks, a grid point has the mass of its interval.
            log_measure: if low < high { (high - low).ln() } else { 0.0 },
        }
    }
}

pub(crate) fn marginal(continuous: bool, atoms: usize) -> TestMarginal {
    TestMarginal {
        continuous,
        atoms,
        steps: 0,
        ordered: false,
    }
}

/// A column of levels that have an order, not that of their numbers, and one more that has none.
#[allow(dead_code, reason = "not every test has one")]
pub(crate) fn listed(ordered: usize) -> TestMarginal {
    TestMarginal {
        ordered: true,
        ..marginal(false, ordered + 1)
    }
}

/// A column of numbers on a grid.
#[allow(dead_code, reason = "not every test has one")]
pub(crate) fn gridded(steps: usize, atoms: usize) -> TestMarginal {
    TestMarginal {
        steps,
        ..marginal(true, atoms)
    }
}

/// The tables every law is tried on: categories only, numbers only, both, one column of each.
pub(crate) fn tables() -> Vec<Vec<TestMarginal>> {
    vec![
        vec![marginal(false, 3), marginal(false, 2), marginal(false, 4)],
        vec![marginal(false, 2)],
        vec![marginal(true, 0)],
        vec![marginal(true, 0), marginal(true, 0), marginal(true, 0)],
        vec![marginal(true, 2), marginal(false, 3), marginal(true, 0)],
    ]
}

/// A small network.
#[allow(dead_code, reason = "not every test has one")]
const NET: MlpConfig = MlpConfig {
    hidden: 11,
    blocks: 1,
    residual: true,
    activation: ef_tensor::Activation::Silu,
};

#[allow(dead_code, reason = "not every test has one")]
pub(crate) fn density(
    marginals: &[TestMarginal],
    context: usize,
    dropout: f64,
    coupling: bool,
) -> (Layout, TwoPart<f64>) {
    let layout = Layout::new(marginals, context);
    let discrete = (!layout.variables().is_empty())
        .then(|| DiscreteMade::new(&layout, &DiscreteConfig { net: NET, dropout }).unwrap());
    let config = FlowConfig {
        layers: 2,
        conditioner: MlpConfig { hidden: 9, ..NET },
        ..FlowConfig::default()
    };
    let continuous = (layout.continuous() > 0).then(|| {
        RankFlow::new(
            &layout,
            4,
            |dim, width| -> Result<Box<dyn Bijector<f64>>, ef_bijectors::BijectorError> {
                Ok(if coupling {
                    Box::new(real_nvp(dim, width, &config)?)
                } else {
                    Box::new(maf(dim, width, &config)?)
                })
            },
        )
        .unwrap()
    });
    (layout, TwoPart::new(discrete, continuous))
}

#[allow(dead_code, reason = "not every test draws rows")]
pub(crate) fn draw_rows(
    layout: &Layout,
    marginals: &[TestMarginal],
    n: usize,
    context: usize,
    rng: &mut ChaCha8Rng,
) -> Rows {
    let places: Vec<Vec<Place>> = marginals
        .iter()
        .map(|marginal| {
            (0..n)
                .map(|_| {
                    marginal.place(&(
                        rng.random_range(0..marginal.levels() as u32),
                        rng.random_range(0.01..0.99),
                    ))
                })
                .collect()
        })
        .collect();
    let context = Array2::from_shape_fn((n, context), |_| rng.random_range(-1.0..1.0));
    layout.rows(places.iter().map(Vec::as_slice), context)
}
