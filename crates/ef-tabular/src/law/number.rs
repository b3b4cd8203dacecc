//! The law of numbers: listed values, or a continuous cell with atoms.
//!
//! * Few distinct values: each is a cell (**listed**); a number off the list has the smoothed marginal, its share by
//!   Good-Turing.
//! * Else cell 0 is **continuous**, and values that stand out of their surroundings (**atoms**) are cells of their own.
//!   On a rounding grid the continuous cell is `(1 - e) empirical + e smooth`; without a grid it is smooth.
//! * Missing, if seen at fit, is the last cell.
//!
//! On a grid the points of listed values and atoms are cut out of the smooth part, so that no mass is counted twice.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sample::{Grid, Sample};
use super::smooth::{SmoothFit, SmoothLaw};
use super::{NUMBER_FEATURES, PIECES, Place, Value, unseen_share};
use crate::transform::{Asinh, Identity, Transformer};

/// Probability of a number on the wrong side of a natural bound.
const OUTSIDE: f64 = 1e-6;
/// The log-probability given to values so far out that the tail's own underflows.
const FAR_OUT: f64 = -1e15;

/// The law of one column of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct NumberLaw {
    pub(super) saved: Saved,
    /// Grid indices of the points.
    point_index: Vec<i64>,
    /// Rows of points before each, and the total.
    point_rows: Vec<u64>,
    /// Smooth mass of points before each, and the total (0 without a grid).
    cut: Vec<f64>,
    /// Seen rows before each seen grid point, and the total.
    seen_rows: Vec<u64>,
    missing_unseen: f64,
    new: f64,
    log_seen: f64,
}

/// What a law keeps: plain numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Saved {
    grid: Grid,
    missing: u64,
    /// Rows in the continuous cell; 0 if all values are listed.
    pub(super) continuous: u64,
    /// Listed values, or atoms, ascending.
    points: Vec<f64>,
    counts: Vec<u64>,
    smooth: SmoothLaw,
    /// Weight e of the smooth part.
    weight: f64,
    /// Grid points seen in the continuous cell, kept only if the empirical part has weight.
    pub(super) seen: Vec<i64>,
    seen_counts: Vec<u64>,
    /// The support's ends, where it has any, and whether the end itself belongs to it.
    floor: Option<Bound>,
    ceiling: Option<Bound>,
    mean: f64,
    deviation: f64,
    min: f64,
    max: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bound {
    at: f64,
    closed: bool,
}

/// Fits a [`NumberLaw`]; a builder because a user's transformer may be refused with a reason.
#[derive(Debug)]
pub(crate) struct NumberLawBuilder {
    pub(crate) transformer: Option<Arc<dyn Transformer>>,
}

impl NumberLawBuilder {
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
        let listed = distinct <= usize::max(2, (rows as usize / 10).min(256));
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
        let empirical = continuous > 0 && on_grid && fit.weight < 0.98;
        let seen_of = |value: &f64| all.grid.index(*value);
        let seen: Vec<i64> = if empirical {
            rest.values.iter().filter_map(seen_of).collect()
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
            weight: if empirical { fit.weight } else { 1.0 },
            seen,
            seen_counts: if empirical { rest.counts } else { Vec::new() },
            floor,
            ceiling,
            mean,
            deviation,
            min: all.values[0],
            max: all.values[distinct - 1],
        };
        NumberLaw::try_from(saved)
    }

    /// Support: the transformer's domain, and nothing below 0 where nothing was.
    fn bounds(&self, all: &Sample) -> Result<(Option<Bound>, Option<Bound>), String> {
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
        let low = floor.map(|bound| {
            if bound.closed {
                bound.at - half_step
            } else {
                bound.at
            }
        });
        let high = ceiling.map(|bound| bound.at);
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
        if floor.is_some() && usable(center) {
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

impl TryFrom<Saved> for NumberLaw {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        let sums = |counts: &[u64]| {
            let mut sums = vec![0u64];
            counts
                .iter()
                .for_each(|count| sums.push(sums[sums.len() - 1].saturating_add(*count)));
            sums
        };
        let whole = saved.points.len() == saved.counts.len()
            && saved.seen.len() == saved.seen_counts.len()
            && saved.smooth.resolution() > 0
            && (0.0..=1.0).contains(&saved.weight);
        if !whole {
            return Err("the law of a number column is damaged; its lists do not fit together".to_owned());
        }
        let point_rows = sums(&saved.counts);
        let seen_rows = sums(&saved.seen_counts);
        let on_grid = saved.grid.decimals().is_some();
        let point_index = if on_grid {
            saved.points.iter().filter_map(|x| saved.grid.index(*x)).collect()
        } else {
            Vec::new()
        };
        let numbers = saved.continuous + point_rows[point_rows.len() - 1];
        let rows = (numbers + saved.missing) as usize;
        let listed = saved.continuous == 0;
        let singletons = saved.counts.iter().filter(|count| **count == 1).count();
        let unseen = if listed {
            unseen_share(singletons, rows)
        } else {
            1.0 / (rows as f64 + 2.0)
        };
        // a missing cell where none was missing at fit is one unseen event among others
        let missing_unseen = match (saved.missing > 0, listed) {
            (true, _) => 0.0,
            (false, true) => unseen / (rows as f64 + 2.0),
            (false, false) => unseen,
        };
        let new = if listed { unseen - missing_unseen } else { 0.0 };
        let outside = OUTSIDE
            * (f64::from(u8::from(saved.floor.is_some())) + f64::from(u8::from(saved.ceiling.is_some())));
        let log_seen = (-(missing_unseen + new + outside)).ln_1p();
        let mut law = Self {
            saved,
            point_index,
            point_rows,
            cut: vec![0.0],
            seen_rows,
            missing_unseen,
            new,
            log_seen,
        };
        for i in 0..law.point_index.len() {
            let mass = law.log_smooth_mass(law.point_index[i]).exp();
            law.cut.push(law.cut[i] + mass);
        }
        Ok(law)
    }
}

impl From<NumberLaw> for Saved {
    fn from(law: NumberLaw) -> Self {
        law.saved
    }
}

/// Grid arithmetic: masses and ranks of grid points in the smooth part.
impl NumberLaw {
    fn on_grid(&self) -> bool {
        self.saved.grid.decimals().is_some()
    }

    /// First and last grid point of the support.
    fn ends(&self) -> (Option<i64>, Option<i64>) {
        let grid = self.saved.grid;
        let inner = |bound: Bound, inwards: i64| {
            grid.index(bound.at).map(|index| {
                let on_bound = grid.value(index) == bound.at && bound.closed;
                let inside = if inwards > 0 {
                    grid.value(index) > bound.at
                } else {
                    grid.value(index) < bound.at
                };
                if on_bound || inside {
                    index
                } else {
                    index + inwards
                }
            })
        };
        (
            self.saved.floor.and_then(|bound| inner(bound, 1)),
            self.saved.ceiling.and_then(|bound| inner(bound, -1)),
        )
    }

    /// w half a step above a grid point; infinite at the ends of the support.
    fn edge(&self, index: i64) -> f64 {
        let (first, last) = self.ends();
        if first.is_some_and(|first| index < first) {
            f64::NEG_INFINITY
        } else if last.is_some_and(|last| index >= last) {
            f64::INFINITY
        } else {
            self.saved.smooth.w(self.saved.grid.edge(index))
        }
    }

    /// `ln` of the smooth mass of a grid point, nothing cut out.
    fn log_smooth_mass(&self, index: i64) -> f64 {
        let mass = self
            .saved
            .smooth
            .log_mass(self.edge(index.saturating_sub(1)), self.edge(index));
        if mass == f64::NEG_INFINITY {
            self.log_point_density(self.saved.grid.value(index))
        } else {
            mass
        }
    }

    /// Mass of a grid point from the density there, where w cannot resolve a step.
    fn log_point_density(&self, x: f64) -> f64 {
        let log = self.saved.smooth.log_density(x) + self.saved.grid.step().ln();
        if log.is_nan() { f64::NEG_INFINITY } else { log }
    }

    /// Smooth mass that is not cut out.
    fn kept(&self) -> f64 {
        (1.0 - self.cut[self.cut.len() - 1]).max(1e-12)
    }

    /// Rank at a grid point's upper end under the smooth part, points cut out.
    fn smooth_upper(&self, mut index: i64) -> f64 {
        let mut points = self.point_index.partition_point(|point| *point <= index);
        // a point of its own has no extent: its rank is the one before it
        while points > 0 && self.point_index[points - 1] == index {
            index = index.saturating_sub(1);
            points -= 1;
        }
        let cut = if self.on_grid() { self.cut[points] } else { 0.0 };
        ((self.saved.smooth.cdf(self.edge(index)) - cut) / self.kept()).clamp(0.0, 1.0)
    }

    /// Rank at a grid point's upper end in the continuous cell.
    pub(super) fn upper(&self, index: i64) -> f64 {
        let smooth = self.smooth_upper(index);
        if self.saved.seen.is_empty() {
            return smooth;
        }
        let before = self.saved.seen.partition_point(|seen| *seen <= index);
        let empirical = self.seen_rows[before] as f64 / self.saved.continuous as f64;
        (1.0 - self.saved.weight) * empirical + self.saved.weight * smooth
    }

    /// `ln` of a grid point's mass within the continuous cell.
    fn log_cell_mass(&self, index: i64) -> f64 {
        let smooth = self.log_smooth_mass(index) - self.kept().ln() + self.saved.weight.ln();
        match self.saved.seen.binary_search(&index) {
            Ok(at) => {
                let empirical = self.saved.seen_counts[at] as f64 / self.saved.continuous as f64;
                ((1.0 - self.saved.weight) * empirical + smooth.exp()).ln()
            }
            Err(_) => smooth,
        }
    }

    /// The grid point that holds rank u: the first whose upper end reaches it.
    fn point_at(&self, u: f64) -> i64 {
        const FAR: i64 = 1 << 53;
        let seen = &self.saved.seen;
        let (mut low, mut high) = if seen.is_empty() {
            let mut passed = 0;
            let mut guess = self.saved.smooth.inverse(u * self.kept());
            while passed < self.point_index.len() && guess > self.saved.points[passed] {
                passed += 1;
                guess = self
                    .saved
                    .smooth
                    .inverse((u * self.kept() + self.cut[passed]).min(1.0));
            }
            let guess = self
                .saved
                .grid
                .index(guess)
                .unwrap_or(if guess < 0.0 { -FAR } else { FAR });
            (guess - 1, guess)
        } else {
            let after = seen.partition_point(|index| self.upper(*index) < u);
            let low = if after > 0 { seen[after - 1] } else { seen[0] - 1 };
            (low, seen.get(after).copied().unwrap_or(low + 1))
        };
        let mut reach = 1;
        while self.upper(low) >= u && low > -FAR {
            high = low;
            low -= reach;
            reach *= 2;
        }
        reach = 1;
        while self.upper(high) < u && high < FAR {
            low = high;
            high += reach;
            reach *= 2;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.upper(middle) < u {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

impl NumberLaw {
    /// Whether the column has a continuous cell.
    pub fn is_continuous(&self) -> bool {
        self.saved.continuous > 0
    }

    /// Number of decimals of the rounding grid, if the column has one.
    pub fn decimals(&self) -> Option<u8> {
        self.saved.grid.decimals()
    }

    /// Listed values, or atoms beside the continuous cell, ascending.
    pub fn points(&self) -> &[f64] {
        &self.saved.points
    }

    /// Smallest and largest training value.
    pub fn range(&self) -> (f64, f64) {
        (self.saved.min, self.saved.max)
    }

    /// Weight of the smooth part of the continuous cell; the rest is the training values' own counts.
    pub fn smooth_weight(&self) -> f64 {
        self.saved.weight
    }

    /// The map under which the marginal was smoothed.
    pub fn transformer(&self) -> &dyn Transformer {
        self.saved.smooth.transformer()
    }

    /// The cell of missing values, if any were missing at fit.
    pub fn missing_cell(&self) -> Option<u32> {
        (self.saved.missing > 0).then(|| (usize::from(self.is_continuous()) + self.saved.points.len()) as u32)
    }

    pub(super) fn cells(&self) -> usize {
        let cells =
            usize::from(self.is_continuous()) + self.saved.points.len() + usize::from(self.saved.missing > 0);
        cells.max(1)
    }

    fn rows(&self) -> f64 {
        (self.numbers() + self.saved.missing).max(1) as f64
    }

    fn numbers(&self) -> u64 {
        self.saved.continuous + self.point_rows[self.point_rows.len() - 1]
    }

    pub(super) fn cell_shares(&self) -> Vec<f64> {
        if self.numbers() + self.saved.missing == 0 {
            return vec![1.0];
        }
        let continuous = self.is_continuous().then_some(self.saved.continuous);
        let missing = self.missing_cell().map(|_| self.saved.missing);
        let counts = continuous
            .into_iter()
            .chain(self.saved.counts.iter().copied())
            .chain(missing);
        counts.map(|count| count as f64 / self.rows()).collect()
    }

    /// Position of a listed value or atom.
    fn point_of(&self, x: f64) -> Option<usize> {
        match self.saved.grid.index(x) {
            Some(index) => self.point_index.binary_search(&index).ok(),
            None => self
                .saved
                .points
                .binary_search_by(|point| point.total_cmp(&x))
                .ok(),
        }
    }

    pub(super) fn place(&self, value: Value<'_>) -> Place {
        match value {
            Value::Number(x) if x.is_finite() => self.place_number(x + 0.0),
            Value::Number(x) if x.is_infinite() => Place::discrete(None, f64::NEG_INFINITY),
            Value::Missing | Value::Number(_) => match self.missing_cell() {
                Some(cell) => Place::discrete(Some(cell), self.log_seen),
                None => Place::discrete(None, self.missing_unseen.ln()),
            },
            Value::Text(_) | Value::Boolean(_) => Place::discrete(None, f64::NEG_INFINITY),
        }
    }

    fn place_number(&self, x: f64) -> Place {
        let first = u32::from(self.is_continuous());
        if let Some(point) = self.point_of(x) {
            return Place::discrete(Some(first + point as u32), self.log_seen);
        }
        if let Some(log) = self.log_outside(x) {
            return Place::discrete(None, log.max(FAR_OUT));
        }
        let index = self.saved.grid.index(x);
        if !self.is_continuous() {
            let log = match index {
                Some(index) => self.log_smooth_mass(index) - self.kept().ln(),
                None if self.on_grid() => self.log_point_density(x) - self.kept().ln(),
                None => self.saved.smooth.log_density(x),
            };
            return Place::discrete(None, (self.new.ln() + log).max(FAR_OUT));
        }
        let (lo, hi, log) = match index {
            Some(index) => (
                self.upper(index.saturating_sub(1)),
                self.upper(index),
                self.log_cell_mass(index),
            ),
            None => {
                let rank = self.saved.smooth.cdf(self.saved.smooth.w(x));
                let log = if self.on_grid() {
                    self.log_point_density(x) - self.kept().ln() + self.saved.weight.ln()
                } else {
                    self.saved.smooth.log_density(x)
                };
                (rank, rank, log)
            }
        };
        Place {
            cell: Some(0),
            lo,
            hi: hi.max(lo),
            log_measure: (self.log_seen + log).max(FAR_OUT),
        }
    }

    /// Scale of the exponential beyond a bound.
    fn outside_scale(&self) -> f64 {
        let range = 0.05 * (self.saved.max - self.saved.min);
        let least = self.saved.grid.step().max(0.05 * self.saved.max.abs());
        if range.is_finite() && range > 0.0 {
            range
        } else {
            least.max(1e-300)
        }
    }

    /// Distance beyond a bound: in x, or in whole steps.
    fn beyond(&self, x: f64) -> Option<f64> {
        let grid = self.saved.grid;
        let out = |bound: Bound, distance: f64| {
            if distance < 0.0 || (distance == 0.0 && !bound.closed) {
                Some(-distance)
            } else {
                None
            }
        };
        match grid.index(x) {
            Some(index) => {
                let (first, last) = self.ends();
                let below = first
                    .filter(|first| index < *first)
                    .map(|first| (first - index) as f64);
                below.or(last
                    .filter(|last| index > *last)
                    .map(|last| (index - last) as f64))
            }
            None => {
                let below = self.saved.floor.and_then(|bound| out(bound, x - bound.at));
                let distance = below.or(self.saved.ceiling.and_then(|bound| out(bound, bound.at - x)))?;
                Some(if self.on_grid() {
                    distance / grid.step()
                } else {
                    distance
                })
            }
        }
    }

    /// `ln` of the probability (or density) of a number outside the support: exponential, geometric on a grid.
    fn log_outside(&self, x: f64) -> Option<f64> {
        let distance = self.beyond(x)?;
        let scale = self.outside_scale();
        Some(if self.on_grid() {
            let decay = self.saved.grid.step() / scale;
            OUTSIDE.ln() - (distance - 1.0) * decay + (-(-decay).exp_m1()).ln()
        } else {
            OUTSIDE.ln() - distance / scale - scale.ln()
        })
    }

    pub(super) fn draw(&self, cell: u32, rank: f64) -> Value<'static> {
        let first = usize::from(self.is_continuous());
        if self.is_continuous() && cell == 0 {
            // keeps away from 0 and 1, where the tails are endless
            let u = if rank.is_nan() {
                0.5
            } else {
                rank.clamp(f64::EPSILON / 4.0, 1.0 - f64::EPSILON / 2.0)
            };
            let x = if self.on_grid() {
                self.saved.grid.value(self.point_at(u))
            } else {
                let x = self.saved.smooth.inverse(u);
                x.max(self.saved.floor.map_or(f64::MIN, |bound| bound.at))
            };
            return Value::Number(x);
        }
        let point = (cell as usize)
            .checked_sub(first)
            .and_then(|point| self.saved.points.get(point));
        point.map_or(Value::Missing, |x| Value::Number(*x))
    }

    /// Marginal probability of a number in `[lo, hi]`, both ends included; missing cells are outside every range.
    pub fn mass(&self, lo: f64, hi: f64) -> f64 {
        if lo.is_nan() || hi.is_nan() || lo > hi {
            return 0.0;
        }
        let seen = self.log_seen.exp();
        let inside =
            self.saved.points.partition_point(|x| *x < lo)..self.saved.points.partition_point(|x| *x <= hi);
        let points = if inside.start < inside.end {
            self.point_rows[inside.end] - self.point_rows[inside.start]
        } else {
            0
        };
        let (smooth, cell) = if self.on_grid() {
            let (first, last) = (self.ceil(lo), self.floor(hi));
            if first > last {
                (0.0, 0.0)
            } else {
                let before = first.saturating_sub(1);
                (
                    self.smooth_upper(last) - self.smooth_upper(before),
                    self.upper(last) - self.upper(before),
                )
            }
        } else {
            let law = &self.saved.smooth;
            let at = |x: f64| if x.is_infinite() { x } else { law.w(self.clip(x)) };
            let mass = law.cdf(at(hi)) - law.cdf(at(lo));
            (mass, mass)
        };
        let continuous = self.saved.continuous as f64 * cell;
        seen * (points as f64 + continuous) / self.rows() + self.new * smooth + self.outside_mass(lo, hi)
    }

    fn clip(&self, x: f64) -> f64 {
        let low = self.saved.floor.map_or(f64::MIN, |bound| bound.at);
        let high = self.saved.ceiling.map_or(f64::MAX, |bound| bound.at);
        x.max(low).min(high)
    }

    /// First grid point at or above x.
    fn ceil(&self, x: f64) -> i64 {
        match self.saved.grid.index(x) {
            Some(index) => index + i64::from(self.saved.grid.value(index) < x),
            None => {
                if x < 0.0 {
                    -(1 << 53)
                } else {
                    1 << 53
                }
            }
        }
    }

    /// Last grid point at or below x.
    fn floor(&self, x: f64) -> i64 {
        -self.ceil(-x)
    }

    fn outside_mass(&self, lo: f64, hi: f64) -> f64 {
        let scale = self.outside_scale();
        // mass of distances in (near, far]
        let between = |near: f64, far: f64| {
            if far <= near {
                0.0
            } else {
                OUTSIDE * ((-near.max(0.0) / scale).exp() - (-far.max(0.0) / scale).exp())
            }
        };
        if self.on_grid() {
            let step = self.saved.grid.step();
            let (first, last) = self.ends();
            let (low, high) = (self.ceil(lo), self.floor(hi));
            let side =
                |near: i64, far: i64| between((near.max(1) - 1) as f64 * step, far.max(0) as f64 * step);
            first.map_or(0.0, |first| side(first - high, first - low))
                + last.map_or(0.0, |last| side(low - last, high - last))
        } else {
            self.saved
                .floor
                .map_or(0.0, |bound| between(bound.at - hi, bound.at - lo))
                + self
                    .saved
                    .ceiling
                    .map_or(0.0, |bound| between(lo - bound.at, hi - bound.at))
        }
    }

    /// Rank of a number among all numbers of the column, the middle of its own share, in [0, 1].
    pub fn mid_rank(&self, x: f64) -> f64 {
        let numbers = self.numbers().max(1) as f64;
        let points = &self.saved.points;
        let middle = |i: usize| (self.point_rows[i] as f64 + 0.5 * self.saved.counts[i] as f64) / numbers;
        let found = self.point_of(x);
        if !self.is_continuous() {
            if let Some(point) = found {
                return middle(point);
            }
            let after = points.partition_point(|point| *point < x);
            if after == 0 || after == points.len() {
                return if after == 0 { 0.0 } else { 1.0 };
            }
            let share = ((x - points[after - 1]) / (points[after] - points[after - 1])).clamp(0.0, 1.0);
            let share = if share.is_nan() { 0.5 } else { share };
            return middle(after - 1) + share * (middle(after) - middle(after - 1));
        }
        let within = match self.saved.grid.index(x) {
            Some(index) => 0.5 * (self.upper(index.saturating_sub(1)) + self.upper(index)),
            None => self.saved.smooth.cdf(self.saved.smooth.w(self.clip(x))),
        };
        let below = match found {
            Some(point) => middle(point),
            None => self.point_rows[points.partition_point(|point| *point < x)] as f64 / numbers,
        };
        (below + within * self.saved.continuous as f64 / numbers).clamp(0.0, 1.0)
    }

    pub(super) fn features(&self, value: Value<'_>, out: &mut [f32]) {
        let out = &mut out[..NUMBER_FEATURES];
        out.fill(0.0);
        let x = match value {
            Value::Number(x) if x.is_finite() => x + 0.0,
            _ => {
                out[NUMBER_FEATURES - 1] = 1.0;
                return;
            }
        };
        let rank = self.mid_rank(x);
        out[0] = (2.0 * rank - 1.0) as f32;
        let standard = (x - self.saved.mean) / self.saved.deviation;
        out[1] = if standard.is_nan() {
            0.0
        } else {
            standard.clamp(-6.0, 6.0) as f32
        };
        for (piece, feature) in out[2..2 + PIECES].iter_mut().enumerate() {
            *feature = ((PIECES as f64 * rank - piece as f64).clamp(0.0, 1.0) - 0.5) as f32;
        }
    }

    pub(super) fn stored_training_values(&self) -> usize {
        self.saved.points.len() + self.saved.seen.len()
    }

    pub(super) fn grid(&self) -> Grid {
        self.saved.grid
    }
}
