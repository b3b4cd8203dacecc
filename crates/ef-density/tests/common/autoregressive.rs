//! The autoregressive model and the order-agnostic network over tables of simple columns, every row of such a table,
//! and passes of both.

#![allow(dead_code, reason = "not every test has one")]

use ef_density::autoregressive::{AncestralPass, OrderAgnostic, PassSums, Step, TableMade, TableMadeConfig};
use ef_density::rows::{Layout, RowScratch, Rows};
use ef_density::{Density, Key, LevelSet, Marginal, Place, ScoreKey};
use ef_tensor::params::ParamLayout;
use ef_tensor::{Activation, MlpConfig, Real};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{TestMarginal, gridded, listed, marginal, tables};

fn config(dropout: f64) -> TableMadeConfig {
    let net = MlpConfig {
        hidden: 11,
        blocks: 1,
        residual: true,
        activation: Activation::Silu,
    };
    TableMadeConfig {
        net,
        dropout,
        components: 3,
    }
}

pub(crate) fn chain(marginals: &[TestMarginal], context: usize, dropout: f64) -> (Layout, TableMade) {
    let layout = Layout::new(marginals, context);
    let chain = TableMade::new(&layout, &config(dropout)).unwrap();
    (layout, chain)
}

pub(crate) fn order_agnostic(
    marginals: &[TestMarginal],
    context: usize,
    dropout: f64,
) -> (Layout, OrderAgnostic) {
    let layout = Layout::new(marginals, context);
    let any = OrderAgnostic::new(&layout, &config(dropout)).unwrap();
    (layout, any)
}

/// Those of flows, and numbers on grids.
pub(crate) fn all_tables() -> Vec<Vec<TestMarginal>> {
    let mut all = tables();
    all.push(vec![gridded(5, 0), marginal(false, 3), gridded(4, 2)]);
    all.push(vec![marginal(false, 1), gridded(3, 1), marginal(true, 1)]);
    all.push(vec![listed(4), marginal(false, 2), listed(5)]);
    all.push(vec![listed(3), gridded(3, 0), listed(4)]);
    all
}

/// Those whose rows can be listed.
pub(crate) fn listed_tables() -> Vec<Vec<TestMarginal>> {
    let mut all = all_tables();
    all.retain(|marginals| densities(marginals) == 0);
    all.push(vec![marginal(false, 3), marginal(false, 1), gridded(3, 2)]);
    all
}

/// How many columns have a density.
pub(crate) fn densities(marginals: &[TestMarginal]) -> usize {
    marginals.iter().filter(|l| l.continuous && l.steps == 0).count()
}

/// A model of the default number of logistics that is not trained; its parameters, and the same after it has seen the rows
/// at `index`.
pub(crate) fn started(
    marginals: &[TestMarginal],
    rows: &Rows,
    index: &[usize],
) -> (TableMade, Vec<f64>, Vec<f64>) {
    let layout = Layout::new(marginals, rows.context.ncols());
    let config = TableMadeConfig {
        net: MlpConfig {
            hidden: 8,
            ..MlpConfig::default()
        },
        dropout: 0.0,
        ..TableMadeConfig::default()
    };
    let model = TableMade::new(&layout, &config).unwrap();
    let mut before = vec![0.0; Density::<f64>::num_params(&model)];
    model.init(&mut seeded(1), &mut before);
    let mut after = before.clone();
    model.init_from_data(&mut after, rows, index);
    (model, before, after)
}

/// Starting values, with uniform noise of this width. Every column of a tree has a parent or none, as chance has it.
pub(crate) fn params<D: Density<f64>>(density: &D, scale: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut params = vec![0.0; density.num_params()];
    density.init(rng, &mut params);
    params
        .iter_mut()
        .for_each(|p| *p += scale * (rng.random::<f64>() - 0.5));
    let layout = ParamLayout::of(|visitor| density.visit_params(visitor));
    for tensor in layout
        .entries()
        .iter()
        .filter(|entry| entry.name == "tree.parent")
    {
        let parents = &mut params[tensor.offset..tensor.offset + tensor.len()];
        for (column, parent) in parents.iter_mut().enumerate() {
            *parent = rng.random_range(0..=column) as f64;
        }
    }
    density.project(&mut params);
    params
}

pub(crate) fn log_probs<D: Density<f64, Rows = Rows, Scratch = RowScratch<f64>>>(
    density: &D,
    params: &[f64],
    rows: &Rows,
) -> Vec<f64> {
    let index: Vec<usize> = (0..rows.log_measure.len()).collect();
    let mut out = vec![0.0; index.len()];
    let mut scratch = RowScratch::default();
    density.log_prob(params, rows, &index, ScoreKey::new(1), &mut scratch, &mut out);
    out
}

/// Rows of these values, all with the same context.
pub(crate) fn rows_of(
    layout: &Layout,
    marginals: &[TestMarginal],
    values: &[Vec<(u32, f64)>],
    context: f32,
) -> Rows {
    let places: Vec<Vec<Place>> = marginals
        .iter()
        .enumerate()
        .map(|(j, marginal)| values.iter().map(|v| marginal.place(&v[j])).collect())
        .collect();
    let context = Array2::from_elem((values.len(), layout.context_dim()), context);
    layout.rows(places.iter().map(Vec::as_slice), context)
}

/// The rows at `index`.
pub(crate) fn chosen(rows: &Rows, index: &[usize]) -> Rows {
    let axis = ndarray::Axis(0);
    Rows {
        levels: rows.levels.select(axis, index),
        low: rows.low.select(axis, index),
        high: rows.high.select(axis, index),
        log_measure: index.iter().map(|&i| rows.log_measure[i]).collect(),
        context: rows.context.select(axis, index),
    }
}

/// Every value of a column with its weight in sums: 1 for levels and grid points; for a density, those of midpoints.
pub(crate) fn every_value(marginal: &TestMarginal, points: u32) -> Vec<((u32, f64), f64)> {
    let first = u32::from(marginal.continuous);
    let mut values: Vec<((u32, f64), f64)> = (first..marginal.levels() as u32)
        .map(|c| ((c, 0.5), 1.0))
        .collect();
    if marginal.steps > 0 {
        let middles = (0..marginal.steps).map(|k| (k as f64 + 0.5) / marginal.steps as f64);
        values.extend(middles.map(|x| ((0, x), 1.0)));
    } else if marginal.continuous {
        values.extend(midpoints(0.0, 1.0, points));
    }
    values
}

/// Midpoints of an interval of ranks in the logit, where the logistics live, with their weights.
fn midpoints(low: f64, high: f64, points: u32) -> impl Iterator<Item = ((u32, f64), f64)> {
    let logit = |rank: f64| (rank.ln() - (-rank).ln_1p()).clamp(-24.0, 24.0);
    let (low, high) = (logit(low), logit(high));
    let dw = (high - low) / f64::from(points);
    (0..points).map(move |k| {
        let w = low + dw * (f64::from(k) + 0.5);
        let rank = 1.0 / (1.0 + (-w).exp());
        ((0, rank), dw * rank * (1.0 - rank))
    })
}

/// Every row of a table, with its weight in sums.
pub(crate) fn every_row(marginals: &[TestMarginal], points: u32) -> (Vec<Vec<(u32, f64)>>, Vec<f64>) {
    rows_among(marginals.iter().map(|marginal| every_value(marginal, points)))
}

/// Every row of these values of each column, with the product of their weights.
pub(crate) fn rows_among(
    columns: impl Iterator<Item = Vec<((u32, f64), f64)>>,
) -> (Vec<Vec<(u32, f64)>>, Vec<f64>) {
    let mut rows: Vec<(Vec<(u32, f64)>, f64)> = vec![(Vec::new(), 1.0)];
    for values in columns {
        rows = rows
            .into_iter()
            .flat_map(|(head, w)| {
                values.iter().map(move |&(value, v)| {
                    let mut next = head.clone();
                    next.push(value);
                    (next, w * v)
                })
            })
            .collect();
    }
    rows.into_iter().unzip()
}

/// A set of some grid points or intervals of ranks, of some levels, and of parts of others.
pub(crate) fn some_values(marginal: &TestMarginal, rng: &mut ChaCha8Rng) -> LevelSet {
    let share = |rng: &mut ChaCha8Rng| match rng.random_range(0..3) {
        0 => 0.0,
        1 => 1.0,
        _ => rng.random(),
    };
    let levels = (0..marginal.levels()).map(|_| share(rng)).collect();
    let ranks = if marginal.steps > 0 {
        let steps = marginal.steps as f64;
        let held = (0..marginal.steps).filter(|_| rng.random());
        held.map(|k| (k as f64 / steps, (k + 1) as f64 / steps)).collect()
    } else if marginal.continuous {
        let mut ends: Vec<f64> = (0..4).map(|_| rng.random()).collect();
        ends.sort_by(f64::total_cmp);
        vec![(ends[0], ends[1]), (ends[2], ends[3])]
    } else {
        Vec::new()
    };
    LevelSet::new(levels, ranks)
}

/// Every value of a column in a set with its weight in sums, its share included.
pub(crate) fn values_in(marginal: &TestMarginal, set: &LevelSet, points: u32) -> Vec<((u32, f64), f64)> {
    let mut values = every_value(marginal, 0);
    for ((level, rank), weight) in &mut values {
        *weight = if marginal.continuous && *level == 0 {
            f64::from(u8::from(set.contains(0, Some(*rank))))
        } else {
            set.shares[*level as usize]
        };
    }
    if marginal.continuous && marginal.steps == 0 {
        for &(low, high) in &set.ranks {
            values.extend(midpoints(low, high, points));
        }
    }
    values.retain(|(_, weight)| *weight > 0.0);
    values
}

/// The position of a row's values among those of [`every_row`], for tables that can be listed.
pub(crate) fn position(layout: &Layout, marginals: &[TestMarginal], rows: &Rows, row: usize) -> usize {
    marginals.iter().enumerate().fold(0, |at, (j, marginal)| {
        let (level, rank) = layout.level_and_rank(rows, row, j);
        let value = if marginal.continuous && level == 0 {
            marginal.atoms + (rank * marginal.steps as f64) as usize
        } else {
            level as usize - usize::from(marginal.continuous)
        };
        at * (marginal.atoms + marginal.steps) + value
    })
}

/// Rows without values, of one context.
pub(crate) fn blank(layout: &Layout, n: usize, context: f32) -> Rows {
    layout.blank(Array2::from_elem((n, layout.context_dim()), context))
}

fn streams(rows: &Rows) -> Vec<u64> {
    (0..rows.log_measure.len() as u64).collect()
}

/// A scored pass of the autoregressive model over all columns.
pub(crate) fn pass<'a, T: Real>(
    chain: &TableMade,
    params: &[T],
    rows: &mut Rows,
    steps: impl Fn(usize, usize) -> Step<'a> + Sync,
) -> PassSums {
    let pass = AncestralPass {
        steps: &|row, j| steps(row, j),
        streams: &streams(rows),
        key: Key::new(31),
        scored: true,
        by_column: true,
    };
    chain.pass(params, rows, chain.columns(), pass, &mut RowScratch::default())
}

/// A scored pass of an order-agnostic network over the columns of `order`.
pub(crate) fn pass_in<'a, T: Real>(
    any: &OrderAgnostic,
    params: &[T],
    rows: &mut Rows,
    order: &[usize],
    steps: impl Fn(usize, usize) -> Step<'a> + Sync,
) -> PassSums {
    let pass = AncestralPass {
        steps: &|row, j| steps(row, j),
        streams: &streams(rows),
        key: Key::new(31),
        scored: true,
        by_column: true,
    };
    any.pass(params, rows, order, pass, &mut RowScratch::default())
}

/// All orders of `n` columns.
pub(crate) fn orders(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for j in 0..n {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |at| {
                    let mut next = order.clone();
                    next.insert(at, j);
                    next
                })
            })
            .collect();
    }
    all
}

/// Chi-squared of counts: at most its mean and four standard deviations.
pub(crate) fn assert_follow(counts: &[f64], expected: &[f64]) {
    let terms = counts.iter().zip(expected).filter(|(_, e)| **e >= 5.0);
    let chi2: f64 = terms.clone().map(|(c, e)| (c - e).powi(2) / e).sum();
    let freedom = terms.count() as f64 - 1.0;
    assert!(
        chi2 < freedom + 4.0 * (2.0 * freedom).sqrt() + 8.0,
        "chi-squared {chi2} of {freedom}"
    );
}

/// Kolmogorov: the largest distance of sorted ranks from the distribution with these masses between `edges` is at most
/// its 99.99 % quantile, and the grid's own error.
pub(crate) fn assert_distributed(ranks: &[f64], edges: &[f64], masses: &[f64]) {
    let total: f64 = masses.iter().sum();
    let mut below = 0.0;
    let mut largest = 0.0_f64;
    for (edge, mass) in edges[1..].iter().zip(masses) {
        below += mass / total;
        let found = ranks.partition_point(|r| r <= edge) as f64 / ranks.len() as f64;
        largest = largest.max((found - below).abs());
    }
    assert!(
        largest < 2.2 / (ranks.len() as f64).sqrt() + 1e-3,
        "distance {largest} of {} ranks",
        ranks.len()
    );
}

/// The mean of weights is `expected` within five standard errors, and what quadrature leaves.
pub(crate) fn assert_average(weights: &[f64], expected: f64) {
    let n = weights.len() as f64;
    let mean = weights.iter().sum::<f64>() / n;
    let error = (weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>()).sqrt() / n;
    println!("mean {mean} with error {error}, expected {expected}");
    assert!(
        (mean - expected).abs() <= 5.0 * error + 1e-5 * expected,
        "mean {mean} with error {error}, expected {expected}"
    );
}

pub(crate) fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}
