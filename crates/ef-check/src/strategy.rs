//! What cases are made of, as proptest strategies: seeds, parameters, data and contexts.
//!
//! Arrays are drawn from a seed and a scale, so that a case of a thousand parameters shrinks as fast as one of two:
//! towards fewer rows and smaller scales, with the seed kept. [`assert_bijector`](crate::assert_bijector) draws its
//! cases from [`draws`]; the other strategies are the same draws, one array at a time, for tests of your own.
//!
//! ```
//! use ef_check::{CheckConfig, strategy};
//! use proptest::prelude::*;
//!
//! let layer = ef_bijectors::ElementwiseAffine::new(3).unwrap();
//! let config = CheckConfig::default();
//! proptest!(|(params in strategy::params(&layer, &config), x in strategy::data(4, 3, &config))| {
//!     prop_assert_eq!(params.len(), 6);
//!     prop_assert!(x.iter().all(|v| v.is_finite()));
//! });
//! proptest!(|(params in strategy::extreme_params(&layer, &config))| {
//!     prop_assert!(params.iter().all(|p| p.abs() <= config.extreme_scale));
//! });
//! ```

use ef_bijectors::Bijector;
use ndarray::Array2;
use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::strategy::Just;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{CheckConfig, Domain};

/// What a case is drawn from. A failure prints it; [`check_bijector`](crate::check_bijector) runs it again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Every number of the case comes from this.
    pub seed: u64,
    /// Number of rows.
    pub rows: usize,
    /// From 0 to 1: the share of `CheckConfig::param_scale` and `data_scale` that is used.
    pub scale: f64,
    /// The extreme parameters that are tried beside the ordinary ones.
    pub extreme: Extreme,
}

/// Parameters that training does not ask for and a bad step can leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extreme {
    /// All zero: norms vanish.
    Zero,
    /// All at the largest value: logits tie, everything saturates.
    Largest,
    /// All at the smallest value.
    Smallest,
    /// Each at the largest or the smallest.
    Signs,
    /// Ordinary ones, and one in ten at the largest or the smallest.
    Few,
}

/// Seeds. They do not shrink: another seed is another case.
pub fn seeds() -> impl Strategy<Value = u64> {
    any::<u64>().no_shrink()
}

/// Whole cases.
pub fn draws(config: &CheckConfig) -> impl Strategy<Value = Draw> + use<> {
    let extreme = prop_oneof![
        Just(Extreme::Zero),
        Just(Extreme::Largest),
        Just(Extreme::Smallest),
        Just(Extreme::Signs),
        Just(Extreme::Few),
    ];
    (seeds(), 1..=config.max_rows, 0.0..1.0_f64, extreme).prop_map(|(seed, rows, scale, extreme)| Draw {
        seed,
        rows,
        scale,
        extreme,
    })
}

/// Ordinary parameters of `b`: its own starting values with noise, projected.
pub fn params(b: &dyn Bijector<f64>, config: &CheckConfig) -> impl Strategy<Value = Vec<f64>> {
    (seeds(), 0.0..1.0_f64).prop_map(|(seed, scale)| ordinary_params(b, config, seed, scale))
}

/// Extreme parameters of `b`, projected.
pub fn extreme_params(b: &dyn Bijector<f64>, config: &CheckConfig) -> impl Strategy<Value = Vec<f64>> {
    draws(config).prop_map(|draw| extreme(b, config, &draw))
}

/// Data inside the domain of `forward`: `(rows, dim)`.
pub fn data(rows: usize, dim: usize, config: &CheckConfig) -> impl Strategy<Value = Array2<f64>> {
    (seeds(), 0.0..1.0_f64).prop_map(move |(seed, scale)| {
        inside(
            config.forward_domain,
            rows,
            dim,
            data_scale(config, scale),
            &mut stream(seed, 1),
        )
    })
}

/// Contexts: `(rows, width)`, standard normal.
pub fn contexts(rows: usize, width: usize) -> impl Strategy<Value = Array2<f64>> {
    seeds().prop_map(move |seed| normal(rows, width, &mut stream(seed, 2)))
}

/// Random numbers of a seed for one purpose, so that fewer rows leave the parameters and the first rows as they were.
pub(crate) fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}

/// The standard deviation of data at this scale: never so small that everything happens at one point.
pub(crate) fn data_scale(config: &CheckConfig, scale: f64) -> f64 {
    config.data_scale * (0.1 + 0.9 * scale)
}

pub(crate) fn normal(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    Array2::random_using((rows, columns), StandardNormal, rng)
}

/// Normal on the real line; on an interval uniform, with room for a difference step at either end.
pub(crate) fn inside(
    domain: Domain,
    rows: usize,
    columns: usize,
    scale: f64,
    rng: &mut ChaCha8Rng,
) -> Array2<f64> {
    match domain {
        Domain::Real => normal(rows, columns, rng) * scale,
        Domain::Interval(low, high) => Array2::from_shape_simple_fn((rows, columns), || {
            low + (high - low) * rng.random_range(1e-3..1.0 - 1e-3)
        }),
    }
}

pub(crate) fn ordinary_params(
    b: &dyn Bijector<f64>,
    config: &CheckConfig,
    seed: u64,
    scale: f64,
) -> Vec<f64> {
    let mut rng = stream(seed, 0);
    let mut params = vec![0.0; b.num_params()];
    if config.around_init {
        b.init(&mut rng, &mut params);
    }
    add_noise(&mut params, scale * config.param_scale, &mut rng);
    b.project(&mut params);
    params
}

pub(crate) fn add_noise(params: &mut [f64], scale: f64, rng: &mut ChaCha8Rng) {
    for p in params {
        let noise: f64 = rng.sample(StandardNormal);
        *p += scale * noise;
    }
}

pub(crate) fn extreme(b: &dyn Bijector<f64>, config: &CheckConfig, draw: &Draw) -> Vec<f64> {
    let mut rng = stream(draw.seed, 3);
    let mut params = ordinary_params(b, config, draw.seed, draw.scale);
    for p in &mut params {
        let largest = config.extreme_scale;
        let either = if rng.random() { largest } else { -largest };
        *p = match draw.extreme {
            Extreme::Zero => 0.0,
            Extreme::Largest => largest,
            Extreme::Smallest => -largest,
            Extreme::Signs => either,
            Extreme::Few if rng.random_bool(0.1) => either,
            Extreme::Few => *p,
        };
    }
    b.project(&mut params);
    params
}
