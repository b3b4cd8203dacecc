//! Every density of the crate through the laws of `ef-check`.

mod common;

use ef_bijectors::{Bijector, FlowConfig, MlpConfig, Standardize, any_order_autoregressive, maf, real_nvp};
use ef_check::{DensityConfig, assert_density};
use ef_density::flow::base::{Base, DiagonalNormal, Logistic, NormalMixture, StudentT};
use ef_density::{Flow, FlowRows, OrderEnsemble};
use ef_tensor::SparseLinear;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use common::{density, draw_rows, tables};

const ROWS: usize = 12;

#[test]
fn flows() {
    let config = FlowConfig {
        layers: 3,
        conditioner: MlpConfig {
            hidden: 9,
            ..MlpConfig::default()
        },
        ..FlowConfig::default()
    };
    for (dim, context) in [(1, 0), (2, 3), (4, 0)] {
        let mut rng = ChaCha8Rng::seed_from_u64(dim as u64);
        let rows = FlowRows {
            x: Array2::from_shape_simple_fn((ROWS, dim), || rng.random_range(-2.0..2.0)),
            context: Array2::from_shape_simple_fn((ROWS, context), || rng.random_range(-1.0..1.0)),
        };
        let bijectors: [(&str, Box<dyn Bijector<f64>>); 2] = [
            ("maf", Box::new(maf(dim, context, &config).unwrap())),
            ("real_nvp", Box::new(real_nvp(dim, context, &config).unwrap())),
        ];
        for (name, bijector) in bijectors {
            let report = assert_density(&Flow::boxed(bijector), &rows, &DensityConfig::default());
            println!("{name}, {dim} columns, context {context}: {report}");
        }
        let bases: [Box<dyn Base<f64>>; 4] = [
            Box::new(Logistic),
            Box::new(StudentT::new(3.0).unwrap()),
            Box::new(DiagonalNormal::new(dim)),
            Box::new(NormalMixture::new(dim, 3).unwrap()),
        ];
        for base in bases {
            let name = format!("{base:?}");
            let flow = Flow::with_base(Box::new(maf(dim, context, &config).unwrap()), base).unwrap();
            let report = assert_density(&flow, &rows, &DensityConfig::default());
            println!("maf over {name}, {dim} columns, context {context}: {report}");
        }
        let clamp = Standardize::default();
        let orders = any_order_autoregressive(dim, context, &config, clamp, 4, &mut rng).unwrap();
        // a step is under one order, a score under all
        let claims = DensityConfig {
            exact_loss: false,
            ..DensityConfig::default()
        };
        let report = assert_density(&OrderEnsemble::new(orders).unwrap(), &rows, &claims);
        println!("maf of any order, {dim} columns, context {context}: {report}");
    }
}

/// Each part of a mixed density, and both on one row. Dropout and intervals of ranks draw noise in training; intervals
/// also make the score an estimate. One level is of a value never seen.
#[test]
fn mixed_densities() {
    for (i, marginals) in tables().iter().enumerate() {
        for (context, coupling, dropout) in [(0, false, 0.0), (2, true, 0.0), (2, false, 0.3)] {
            let mut rng = ChaCha8Rng::seed_from_u64(i as u64);
            let (layout, mixed) = density(marginals, context, dropout, coupling);
            let mut rows = draw_rows(&layout, marginals, ROWS, context, &mut rng);
            if rows.levels.ncols() > 0 {
                rows.levels[[0, 0]] = SparseLinear::NONE;
            }
            let exact = (0..ROWS).all(|r| !rows.has_intervals(r));
            let config = DensityConfig {
                cases: 4,
                exact_loss: exact && dropout == 0.0,
                exact_score: exact,
                ..DensityConfig::default()
            };
            if let Some(discrete) = mixed.discrete() {
                let config = DensityConfig {
                    exact_loss: dropout == 0.0,
                    exact_score: true,
                    ..config.clone()
                };
                println!(
                    "levels of table {i}: {}",
                    assert_density(discrete, &rows, &config)
                );
            }
            if let Some(ranks) = mixed.continuous() {
                // Dropout is in the network of levels only.
                let config = DensityConfig {
                    exact_loss: exact,
                    ..config.clone()
                };
                println!("ranks of table {i}: {}", assert_density(ranks, &rows, &config));
            }
            println!("table {i}: {}", assert_density(&mixed, &rows, &config));
        }
    }
}
