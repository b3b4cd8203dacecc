//! Fitting the law of numbers: the grid, what is listed, atoms, bounds, and the map to smooth under.

use std::sync::Arc;

use super::heaps::Heap;
use super::{Bound, NumberLaw, Saved};
use crate::law::heaping::{DISCOUNT, Parts, multiples};
use crate::law::sample::{Sample, significant_digits};
use crate::law::smooth::{SmoothFit, SmoothLaw};
use crate::transform::{Asinh, Identity, Transformer};

/// Most distinct values that the weights of a cell's parts are fitted to.
const MOST_WEIGHED: usize = 10_000;

/// Fits a [`NumberLaw`]; a builder because a user's transformer may be refused with a reason.
#[derive(Debug)]
pub(crate) struct NumberLawBuilder {
    pub(crate) transformer: Option<Arc<dyn Transformer>>,
    /// Most distinct values that are listed.
    pub(crate) most_listed: usize,
    /// Fewest rows that listed values have on average.
    pub(crate) rows_a_value: usize,
    /// The first and the last number there is; `None` for all numbers, those below 0 only where one was seen.
    pub(crate) confined: Option<[f64; 2]>,
}

impl Default for NumberLawBuilder {
    fn default() -> Self {
        Self {
            transformer: None,
            most_listed: 256,
            rows_a_value: 10,
            confined: None,
        }
    }
}

impl NumberLawBuilder {
    /// Whether so many distinct numbers in so many rows are cells one by one, so that only they are ever drawn.
    pub(crate) fn lists(&self, distinct: usize, rows: usize) -> bool {
        distinct <= usize::max(2, (rows / self.rows_a_value).min(self.most_listed))
    }

    /// NaN and infinities count as missing.
    pub(crate) fn fit(&self, values: &[f64]) -> Result<NumberLaw, String> {
        let present: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let missing = (values.len() - present.len()) as u64;
        // a column without any number still scores one: as if it had held a single 0
        let nothing = present.is_empty();
        let all = Sample::new(if nothing { vec![0.0] } else { present });
        let rows = all.total();
        let (mean, deviation) = moments(&all);
        let distinct = all.values.len();
        let listed = self.lists(distinct, rows as usize);
        let positions = if listed { Vec::new() } else { all.heavy() };
        let (atoms, rest) = all.split(&positions);
        let (points, rest) = if listed || rest.values.is_empty() {
            (all.clone(), all.clone())
        } else {
            (atoms, rest)
        };
        let continuous = if points.values.len() == distinct {
            0
        } else {
            rest.total()
        };
        let (floor, ceiling) = self.bounds(&all)?;
        let fit = self.smooth(&rest, floor, ceiling)?;
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
            points: if nothing { Vec::new() } else { points.values },
            counts: if nothing { Vec::new() } else { points.counts },
            smooth: fit.law,
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
        let law = NumberLaw::try_from(saved)?;
        if continuous > 0 && on_grid {
            law.weigh(&rest, fit.bandwidth)
        } else {
            Ok(law)
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

    fn smooth(
        &self,
        rest: &Sample,
        floor: Option<Bound>,
        ceiling: Option<Bound>,
    ) -> Result<SmoothFit, String> {
        let half_step = 0.5 * rest.grid.step();
        let edge = |bound: Bound, outwards: f64| bound.at + if bound.closed { outwards } else { 0.0 };
        let low = floor.map(|bound| edge(bound, -half_step));
        let high = ceiling.map(|bound| edge(bound, half_step));
        if let Some(map) = &self.transformer {
            // a natural bound half a step below 0 may leave the domain
            let low = low.map(|low| low.max(map.domain().0));
            return SmoothLaw::fit(rest, Arc::clone(map), low, high).ok_or_else(|| {
                "it gives values that are not finite or not strictly monotone on this column; choose another map".to_owned()
            });
        }
        let center = rest.quantile(0.5);
        let spread = (rest.quantile(0.75) / 1.349 - rest.quantile(0.25) / 1.349).abs();
        let (_, deviation) = moments(rest);
        let usable = |scale: f64| scale.is_finite() && scale > 0.0;
        let scale = [spread, deviation, center.abs(), 1.0]
            .into_iter()
            .find(|scale| usable(*scale))
            .unwrap_or(1.0);
        let mut maps: Vec<Arc<dyn Transformer>> =
            vec![Arc::new(Identity), Arc::new(Asinh::new(center, scale))];
        if floor.is_some() && self.confined.is_none() && usable(center) {
            maps.push(Arc::new(Asinh::new(0.0, center)));
        }
        let fits = maps
            .into_iter()
            .filter_map(|map| SmoothLaw::fit(rest, map, low, high));
        let best = fits.reduce(|a, b| if b.score > a.score { b } else { a });
        best.or_else(|| {
            // values that no scale tells apart, or spread over all of them
            let lone = Sample::new(vec![center]);
            let map = Arc::new(Asinh::new(
                0.0,
                if usable(center.abs()) { center.abs() } else { 1.0 },
            ));
            SmoothLaw::fit(&lone, map, None, None)
                .or_else(|| SmoothLaw::fit(&lone, Arc::new(Asinh::new(0.0, 1.0)), None, None))
        })
        .ok_or_else(|| "the values cannot be put on any scale; transform the column first".to_owned())
    }
}

impl NumberLaw {
    /// Finds the weights of the parts of the continuous cell, and keeps those that have one.
    fn weigh(self, rest: &Sample, bandwidth: f64) -> Result<Self, String> {
        let weights = self.parts(rest, bandwidth).weights();
        let mut saved = Saved::from(self);
        saved.weight = weights.smooth;
        let heaps = saved.heaps.iter().zip(weights.heaps);
        saved.heaps = heaps
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(heap, weight)| Heap { weight, ..*heap })
            .collect();
        if weights.repeats > 0.0 {
            (saved.seen, saved.seen_counts) = rest
                .values
                .iter()
                .zip(&rest.counts)
                .filter(|(_, count)| **count as f64 > DISCOUNT)
                .filter_map(|(value, count)| Some((rest.grid.index(*value)?, *count)))
                .unzip();
        }
        Self::try_from(saved)
    }

    /// The parts' masses at values of the continuous cell, one row of the value left out. Of many values a part that is
    /// spread evenly over them.
    fn parts(&self, rest: &Sample, bandwidth: f64) -> Parts {
        let share = MOST_WEIGHED as f64 / rest.values.len() as f64;
        // multiples of the golden ratio meet every residue class alike
        let chosen = (0..rest.values.len()).filter(|i| (*i as f64 * 0.618_033_988_749_894_9).fract() < share);
        let rows = rest.total() as f64;
        let counted: f64 = rest
            .counts
            .iter()
            .map(|count| (*count as f64 - DISCOUNT).max(0.0))
            .sum();
        let mut parts = Parts {
            rows: Vec::new(),
            smooth: Vec::new(),
            repeats: Vec::new(),
            heaps: vec![Vec::new(); self.saved.heaps.len()],
        };
        for i in chosen {
            let (value, copies) = (rest.values[i], rest.counts[i] as f64);
            let Some(index) = rest.grid.index(value) else {
                continue;
            };
            let w = self.saved.smooth.w(value);
            let without = |(low, high): (f64, f64)| {
                let all = self.saved.smooth.log_mass(low, high).exp();
                let own = kernel_mass((high - w) / bandwidth) - kernel_mass((low - w) / bandwidth);
                // what the background gives a lone value is left in any case
                ((rows * all - own) / (rows - 1.0).max(1.0)).max(1e-3 * all)
            };
            let left = without(self.ends(index));
            parts.rows.push(copies);
            parts.smooth.push((left / self.kept).max(1e-300));
            parts
                .repeats
                .push((copies - 1.0 - DISCOUNT).max(0.0) / (counted - 1.0).max(1.0));
            for (at, masses) in parts.heaps.iter_mut().enumerate() {
                let (heap, kept) = (&self.saved.heaps[at], self.heap_kept(at));
                // a grid whose multiples are nearly all points of their own has nothing to say here
                let ends = self.heap_ends(heap, index).filter(|_| kept > 1e-3);
                masses.push(ends.map_or(0.0, |ends| without(ends) / kept));
            }
        }
        parts
    }
}

/// Mass of the standard normal kernel between its centre and z, signed.
fn kernel_mass(z: f64) -> f64 {
    0.5 * libm::erf(z * std::f64::consts::FRAC_1_SQRT_2)
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
