//! Fitting the marginal of numbers: the grid, what is listed, atoms, bounds, and the map to smooth under.

use std::sync::Arc;

use super::heaps::Heap;
use super::{Bound, NumberMarginal, Saved};
use crate::marginal::heaping::{DISCOUNT, multiples};
use crate::marginal::sample::{Grid, Sample, significant_digits};
use crate::marginal::smooth::{SmoothFit, SmoothMarginal};
use crate::transform::{Asinh, Identity, Transformer};

/// Quantiles of the sizes of a column's numbers that are tried as the scale of a map.
const SMALL_SIZES: [f64; 3] = [0.25, 0.05, 0.0];
/// By how much a scale has to be smaller than the one before: nearer ones make nearly the same map.
const WELL_BELOW: f64 = 4.0;
/// Nats, beside `ln n`, by which a map for numbers that span decades has to be likelier than the usual ones.
const CLEARLY: f64 = 3.0;

/// Distinct values from which on a column is listed only if its values repeat: fewer say little of a smooth law.
const MANY: usize = 20;
/// The least weight of the smooth part at which values do not repeat. Columns of adult, bank, bike_hour and housing that
/// are lists have at most .16, whole numbers of a smooth law 1.00.
const SMOOTH: f64 = 0.9;

/// Fits a [`NumberMarginal`]; a builder because a user's transformer may be refused with a reason.
#[derive(Debug)]
pub(crate) struct NumberMarginalBuilder {
    pub(crate) transformer: Option<Arc<dyn Transformer>>,
    /// Most distinct values that are listed.
    pub(crate) most_listed: usize,
    /// Fewest rows that listed values have on average.
    pub(crate) rows_a_value: usize,
    /// The first and the last number there is; `None` for all numbers, those below 0 only where one was seen.
    pub(crate) confined: Option<[f64; 2]>,
}

impl Default for NumberMarginalBuilder {
    fn default() -> Self {
        Self {
            transformer: None,
            most_listed: 256,
            rows_a_value: 10,
            confined: None,
        }
    }
}

impl NumberMarginalBuilder {
    /// Whether so many distinct numbers in so many rows are levels one by one, so that only they are ever drawn.
    pub(crate) fn lists(&self, distinct: usize, rows: usize) -> bool {
        distinct <= usize::max(2, (rows / self.rows_a_value).min(self.most_listed))
    }

    /// NaN and infinities count as missing.
    pub(crate) fn fit(&self, values: &[f64]) -> Result<NumberMarginal, String> {
        let present: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let missing = (values.len() - present.len()) as u64;
        // a column without any number still scores one: as if it had held a single 0
        let nothing = present.is_empty();
        let all = Sample::new(if nothing { vec![0.0] } else { present });
        let rows = all.total();
        let (mean, deviation) = moments(&all);
        let distinct = all.values.len();
        let listed = self.lists(distinct, rows as usize);
        // days have their own reasons to be listed
        if listed && distinct >= MANY && self.confined.is_none() {
            let unlisted = Self {
                transformer: self.transformer.clone(),
                most_listed: 0,
                ..*self
            };
            let marginal = unlisted.fit(values)?;
            if marginal.atoms().is_empty() && marginal.smooth_weight() >= SMOOTH {
                return Ok(marginal);
            }
        }
        let positions = if listed { Vec::new() } else { all.atoms() };
        let (atoms, rest) = all.split(&positions);
        let (atoms, rest) = if listed || rest.values.is_empty() {
            (all.clone(), all.clone())
        } else {
            (atoms, rest)
        };
        let continuous = if atoms.values.len() == distinct {
            0
        } else {
            rest.total()
        };
        let (floor, ceiling) = self.bounds(&all)?;
        let smoothing = self.smoothing(all.grid, floor, ceiling, continuous > 0);
        let fit = smoothing.likeliest(&rest)?;
        let on_grid = all.grid.decimals().is_some();
        let heaps = if continuous > 0 && on_grid {
            let step = all.grid.step();
            let (first, last) = (rest.quantile(0.0), rest.quantile(1.0));
            let spread = rest.quantile(0.75) - rest.quantile(0.25);
            multiples(spread / step, (last - first) / step)
        } else {
            Vec::new()
        };
        let saved = Saved {
            grid: all.grid,
            missing,
            continuous,
            atoms: if nothing { Vec::new() } else { atoms.values },
            counts: if nothing { Vec::new() } else { atoms.counts },
            smooth: fit.marginal,
            weight: 1.0,
            heaps: heaps
                .into_iter()
                .map(|multiple| Heap {
                    multiple,
                    weight: 0.0,
                })
                .collect(),
            seen: Vec::new(),
            seen_counts: Vec::new(),
            discount: DISCOUNT,
            floor,
            ceiling,
            confined: self.confined.is_some(),
            mean,
            deviation,
            min: all.values[0],
            max: all.values[distinct - 1],
            digits: all
                .values
                .iter()
                .map(|x| significant_digits(*x))
                .max()
                .unwrap_or(17),
        };
        let marginal = NumberMarginal::try_from(saved)?;
        if continuous > 0 && on_grid {
            marginal.weigh(&rest, fit.bandwidth, &smoothing)
        } else {
            Ok(marginal)
        }
    }

    /// Support: the numbers there are; else the transformer's domain, and nothing below 0 where nothing was.
    fn bounds(&self, all: &Sample) -> Result<(Option<Bound>, Option<Bound>), String> {
        if let Some(ends) = self.confined {
            let [floor, ceiling] = ends.map(|at| Some(Bound { at, closed: true }));
            return Ok((floor, ceiling));
        }
        let (low, high) = self
            .transformer
            .as_ref()
            .map_or((f64::NEG_INFINITY, f64::INFINITY), |map| map.domain());
        let (min, max) = (all.values[0], all.values[all.values.len() - 1]);
        if min <= low || max >= high {
            return Err(format!(
                "its domain is ({low}, {high}), the values reach from {min} to {max}; choose a map that covers them"
            ));
        }
        let natural = (min >= 0.0 && low < 0.0).then_some(Bound {
            at: 0.0,
            closed: true,
        });
        let open = |at: f64| at.is_finite().then_some(Bound { at, closed: false });
        Ok((natural.or(open(low)), open(high)))
    }

    fn smoothing(
        &self,
        grid: Grid,
        floor: Option<Bound>,
        ceiling: Option<Bound>,
        continuous: bool,
    ) -> Smoothing {
        let half_step = 0.5 * grid.step();
        let edge = |bound: Bound, outwards: f64| bound.at + if bound.closed { outwards } else { 0.0 };
        // a natural bound half a step below 0 may leave the domain
        let lowest = self
            .transformer
            .as_ref()
            .map_or(f64::NEG_INFINITY, |map| map.domain().0);
        let low = floor.map(|bound| edge(bound, -half_step).max(lowest));
        let high = ceiling.map(|bound| edge(bound, half_step));
        Smoothing {
            transformer: self.transformer.clone(),
            ends: (low, high),
            floored: floor.is_some() && self.confined.is_none(),
            continuous,
        }
    }
}

/// How the smooth part of a column is fitted.
pub(super) struct Smoothing {
    /// A map given from outside.
    transformer: Option<Arc<dyn Transformer>>,
    /// The support's ends.
    ends: (Option<f64>, Option<f64>),
    /// Whether 0 bounds the column.
    floored: bool,
    /// Whether it is for the continuous level, not for what lies between listed values.
    continuous: bool,
}

impl Smoothing {
    /// The fit under one map to so many copies of each value.
    pub(super) fn fit(&self, rest: &Sample, copies: &[f64], map: Arc<dyn Transformer>) -> Option<SmoothFit> {
        SmoothMarginal::fit(rest, copies, map, self.ends, self.continuous)
    }

    /// The fit under the likeliest map.
    fn likeliest(&self, rest: &Sample) -> Result<SmoothFit, String> {
        let copies = rest.copies();
        if let Some(map) = &self.transformer {
            return self.fit(rest, &copies, Arc::clone(map)).ok_or_else(|| {
                "it gives values that are not finite or not strictly monotone on this column; choose another map".to_owned()
            });
        }
        let center = rest.quantile(0.5);
        let spread = (rest.quantile(0.75) / 1.349 - rest.quantile(0.25) / 1.349).abs();
        let (_, deviation) = moments(rest);
        let scale = [spread, deviation, center.abs(), 1.0]
            .into_iter()
            .find(|scale| usable(*scale))
            .unwrap_or(1.0);
        let mut maps: Vec<Arc<dyn Transformer>> =
            vec![Arc::new(Identity), Arc::new(Asinh::new(center, scale))];
        if self.floored && usable(center) {
            maps.push(Arc::new(Asinh::new(0.0, center)));
        }
        let likelier = |a: SmoothFit, b: SmoothFit| if b.score > a.score { b } else { a };
        let fits = |maps: Vec<Arc<dyn Transformer>>| {
            let fits = maps.into_iter().filter_map(|map| self.fit(rest, &copies, map));
            fits.reduce(likelier)
        };
        let usual = fits(maps);
        // listed values need no more than a share for those between them
        let scales = if self.continuous {
            small_scales(rest, center)
        } else {
            Vec::new()
        };
        let wide: Vec<Arc<dyn Transformer>> = scales
            .into_iter()
            .map(|scale| -> Arc<dyn Transformer> { Arc::new(Asinh::new(0.0, scale)) })
            .collect();
        let best = match (usual, fits(wide)) {
            (Some(usual), Some(wide)) => {
                let clearly = wide.score - usual.score > CLEARLY + (rest.total() as f64).ln();
                Some(if clearly { wide } else { usual })
            }
            (usual, wide) => usual.or(wide),
        };
        best.or_else(|| {
            // values that no scale tells apart, or spread over all of them
            let lone = Sample::new(vec![center]);
            let map = |scale: f64| Arc::new(Asinh::new(0.0, scale));
            let fit = |scale: f64| SmoothMarginal::fit(&lone, &[1.0], map(scale), (None, None), false);
            fit(if usable(center.abs()) { center.abs() } else { 1.0 }).or_else(|| fit(1.0))
        })
        .ok_or_else(|| "the values cannot be put on any scale; transform the column first".to_owned())
    }
}

fn usable(scale: f64) -> bool {
    scale.is_finite() && scale > 0.0
}

/// Scales of `asinh` about 0 for numbers that span decades: their sizes at low quantiles, each well below the one
/// before, the first below the centre. Most columns have none.
fn small_scales(rest: &Sample, center: f64) -> Vec<f64> {
    let mut sizes: Vec<(f64, u64)> = rest
        .values
        .iter()
        .map(|x| x.abs())
        .zip(rest.counts.iter().copied())
        .filter(|(size, _)| *size > 0.0)
        .collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: u64 = sizes.iter().map(|(_, count)| count).sum();
    let quantile = |share: f64| {
        let mut below = 0;
        sizes
            .iter()
            .find(|(_, count)| {
                below += count;
                below as f64 >= share * total as f64
            })
            .map(|(size, _)| *size)
    };
    let mut scales = Vec::new();
    let mut last = if usable(center) { center } else { f64::INFINITY };
    for size in SMALL_SIZES.into_iter().filter_map(quantile) {
        if usable(size) && size * WELL_BELOW < last {
            scales.push(size);
            last = size;
        }
    }
    scales
}

/// Mean and standard deviation, finite for any finite values.
fn moments(sample: &Sample) -> (f64, f64) {
    let rows = sample.total() as f64;
    let pairs = || {
        sample
            .values
            .iter()
            .zip(&sample.counts)
            .map(|(value, count)| (*value, *count as f64 / rows))
    };
    let mean: f64 = pairs().map(|(value, share)| value * share).sum();
    let size = pairs().map(|(value, _)| (value - mean).abs()).fold(0.0, f64::max);
    if size <= 0.0 || !size.is_finite() {
        return (mean.clamp(f64::MIN, f64::MAX), 0.0);
    }
    let variance: f64 = pairs()
        .map(|(value, share)| share * ((value - mean) / size).powi(2))
        .sum();
    (mean, variance.sqrt() * size)
}
