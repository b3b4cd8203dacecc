//! A training step of a density over mixed rows allocates nothing.

use std::alloc::System;

use ef_bijectors::{Bijector, BijectorError, FlowConfig, MlpConfig, maf, real_nvp};
use ef_density::autoregressive::{OrderAgnostic, TableMade, TableMadeConfig};
use ef_density::rows::{Layout, RowScratch};
use ef_density::two_part::{DiscreteConfig, DiscreteMade, RankFlow};
use ef_density::{Density, Key, Marginal, Place, StepKey};
use ndarray::Array2;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Two levels, or ranks.
#[derive(Debug)]
struct Column {
    continuous: bool,
}

impl Marginal for Column {
    fn levels(&self) -> usize {
        if self.continuous { 1 } else { 2 }
    }
    fn is_continuous(&self) -> bool {
        self.continuous
    }
    fn level_shares(&self) -> Vec<f64> {
        vec![1.0 / self.levels() as f64; self.levels()]
    }
}

impl Column {
    fn place(&self, x: f64) -> Place {
        let level = if self.continuous { 0 } else { u32::from(x > 0.5) };
        Place {
            level: Some(level),
            low: x * 0.9,
            high: x * 0.9 + 0.1,
            log_measure: 0.0,
        }
    }
}

/// Allocations of a step after the first; the least of a few counts, because the test harness allocates too.
fn allocations<D: Density<f32, Rows = ef_density::rows::Rows, Scratch = RowScratch<f32>>>(
    density: &D,
    rows: &ef_density::rows::Rows,
) -> usize {
    let mut params = vec![0.0; density.num_params()];
    density.init(&mut Key::new(1).row(0), &mut params);
    let (mut grads, mut scratch) = (params.clone(), RowScratch::default());
    let index: Vec<usize> = (0..32).collect();
    let mut step = |step: u64| {
        let before = COUNTING.stats().allocations + COUNTING.stats().reallocations;
        let key = StepKey {
            key: Key::new(1),
            step,
            row: 0,
        };
        density.nll_backward(&params, rows, &index, key, &mut scratch, &mut grads);
        COUNTING.stats().allocations + COUNTING.stats().reallocations - before
    };
    step(0);
    (1..6).map(step).min().unwrap()
}

/// One test, so that no other allocates meanwhile.
#[test]
fn a_step_allocates_nothing() {
    let marginals: Vec<Column> = [true, false, true, false, true]
        .map(|continuous| Column { continuous })
        .into();
    let layout = Layout::new(&marginals, 2);
    let values: Vec<f64> = (0..32).map(|r| f64::from(r) / 32.0).collect();
    let places: Vec<Vec<Place>> = marginals
        .iter()
        .map(|l| values.iter().map(|&x| l.place(x)).collect())
        .collect();
    let rows = layout.rows(places.iter().map(Vec::as_slice), Array2::ones((32, 2)));
    let net = MlpConfig {
        hidden: 12,
        blocks: 2,
        ..MlpConfig::default()
    };

    let levels = DiscreteMade::new(&layout, &DiscreteConfig { net, dropout: 0.2 }).unwrap();
    assert_eq!(allocations(&levels, &rows), 0);

    let config = TableMadeConfig {
        net,
        dropout: 0.2,
        components: 4,
    };
    let chain = TableMade::new(&layout, &config).unwrap();
    assert_eq!(allocations(&chain, &rows), 0);
    let any = OrderAgnostic::new(&layout, &config).unwrap();
    assert_eq!(allocations(&any, &rows), 0);

    let config = FlowConfig {
        layers: 3,
        conditioner: net,
        ..FlowConfig::default()
    };
    for coupling in [false, true] {
        let make = |dim, width| -> Result<Box<dyn Bijector<f32>>, BijectorError> {
            Ok(if coupling {
                Box::new(real_nvp(dim, width, &config)?)
            } else {
                Box::new(maf(dim, width, &config)?)
            })
        };
        let flow = RankFlow::new(&layout, 8, make).unwrap();
        assert_eq!(allocations(&flow, &rows), 0, "coupling {coupling}");
    }
}
