//! The smoothed marginal: a kernel estimate in `w = g(x)` kept as a piecewise-linear distribution function.
//!
//! Body: equal bins of w with a constant density in each. Beyond the data: exponential tails of mass [`TAIL`] each; on
//! a side with a natural bound they end there. Density, mass, distribution function and inverse all come from the same
//! numbers, so they are exact with each other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::calibrate::calibrate;
use super::kernel::{BINS, Choice, Kernel, Point};
use super::sample::Sample;
use crate::transform::{Map, Transformer};

/// Mass beyond the data on a side without a natural bound, at most: a new value is the largest of `n + 1` with
/// probability `1 / (n + 1)`, which is what a side gets from about 2,000 rows on.
const TAIL: f64 = 5e-4;
/// Least extent, as a share of w, that differences of w tell: 256 of its roundings, so to a hundredth.
const RESOLVED: f64 = 256.0 * f64::EPSILON;

/// What lies beyond the body on one side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum End {
    /// Exponential in w, ending at the bound `reach` away if there is one.
    Tail {
        scale: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reach: Option<f64>,
    },
    /// Nothing: the body reaches the bound.
    Closed,
}

impl End {
    /// `e^(-reach / scale)`: what an endless tail would have beyond the bound.
    fn beyond(scale: f64, reach: Option<f64>) -> f64 {
        reach.map_or(0.0, |reach| (-reach / scale).exp())
    }

    /// Share of the tail further out than `distance`.
    fn share(self, distance: f64) -> f64 {
        match self {
            Self::Tail { scale, reach } => {
                let q = Self::beyond(scale, reach);
                (((-distance / scale).exp() - q) / (1.0 - q)).clamp(0.0, 1.0)
            }
            Self::Closed => 0.0,
        }
    }

    /// `ln` of the tail's density at `distance`.
    fn log_density(self, distance: f64) -> f64 {
        match self {
            Self::Tail { scale, reach } if reach.is_none_or(|reach| distance <= reach) => {
                -distance / scale - scale.ln() - (-Self::beyond(scale, reach)).ln_1p()
            }
            _ => f64::NEG_INFINITY,
        }
    }

    /// `ln` of the tail's mass between two distances, with all digits far out.
    fn log_mass(self, near: f64, far: f64) -> f64 {
        match self {
            Self::Tail { scale, reach } => {
                let far = reach.map_or(far, |reach| far.min(reach));
                if far <= near {
                    return f64::NEG_INFINITY;
                }
                -near / scale + (-(-(far - near) / scale).exp_m1()).ln()
                    - (-Self::beyond(scale, reach)).ln_1p()
            }
            Self::Closed => f64::NEG_INFINITY,
        }
    }

    /// The distance beyond which this share of the tail lies.
    fn distance(self, share: f64) -> f64 {
        match self {
            Self::Tail { scale, reach } => {
                let q = Self::beyond(scale, reach);
                let distance = -scale * (share * (1.0 - q) + q).max(f64::MIN_POSITIVE).ln();
                reach.map_or(distance, |reach| distance.min(reach)).max(0.0)
            }
            Self::Closed => 0.0,
        }
    }
}

/// A distribution on the line, in w.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SmoothMarginal {
    map: Map,
    start: f64,
    width: f64,
    /// Distribution function at the bin edges.
    cdf: Vec<f64>,
    /// Mass above the last edge; `1 - cdf.last()` with all its digits.
    upper_mass: f64,
    lower: End,
    upper: End,
}

/// A marginal with its leave-one-out likelihood.
#[derive(Debug)]
pub(crate) struct SmoothFit {
    pub(crate) marginal: SmoothMarginal,
    /// Deviation of the kernels in w, at least about a bin's.
    pub(crate) bandwidth: f64,
    pub(crate) score: f64,
}

impl SmoothMarginal {
    /// Fits under one map to so many copies of each value; `None` if the map is of no use on these values. `floor` and
    /// `ceiling` bound the support in x. What is `calibrated` has the rows' mass in every part of the range: without
    /// need where the fit is for numbers that no row had.
    pub(crate) fn fit(
        sample: &Sample,
        copies: &[f64],
        transformer: Arc<dyn Transformer>,
        (floor, ceiling): (Option<f64>, Option<f64>),
        calibrated: bool,
    ) -> Option<SmoothFit> {
        let (min, max) = (*sample.values.first()?, *sample.values.last()?);
        let half_step = 0.5 * sample.grid.step();
        let clip = |x: f64| x.max(floor.unwrap_or(f64::MIN)).min(ceiling.unwrap_or(f64::MAX));
        let (low_x, high_x) = (clip(min - half_step), clip(max + half_step));
        let decreasing = transformer.forward(high_x) < transformer.forward(low_x);
        let map = Map::new(transformer, decreasing);
        let (mut low, mut high) = (map.forward(low_x), map.forward(high_x));
        // an edge of the domain may be infinitely far: stay with the data then
        if !low.is_finite() {
            low = map.forward(min);
        }
        if !high.is_finite() {
            high = map.forward(max);
        }
        if high.partial_cmp(&low)? == std::cmp::Ordering::Less || !(high - low).is_finite() {
            return None;
        }
        if high - low <= 1e-9 * low.abs() || high - low < 1e-290 {
            // one value, or several that w cannot tell apart: room around it
            let room = 0.05
                * low.abs().max(if sample.grid.decimals().is_some() {
                    half_step
                } else {
                    1e-3
                });
            if sample.values.len() > 2 || !room.is_finite() || room <= 1e-290 {
                return None;
            }
            (low, high) = (low - room, high + room);
        }
        let range = high - low;
        let floor_w = floor.map(|x| map.forward(x)).filter(|w| w.is_finite());
        let ceiling_w = ceiling.map(|x| map.forward(x)).filter(|w| w.is_finite());
        // with a bound some way off, the body takes in what the kernels spread beyond the data
        let start = floor_w.map_or(low, |bound| bound.max(low - 0.1 * range).min(low));
        let end = ceiling_w.map_or(high, |bound| bound.min(high + 0.1 * range).max(high));
        let width = (end - start) / BINS as f64;
        if width.is_nan() || width <= 1e-300 || !width.is_finite() {
            return None;
        }
        let rows: f64 = copies.iter().sum();
        let background = 1.0 / (rows + 2.0);
        let mut points = Vec::with_capacity(sample.values.len());
        for (value, copies) in sample.values.iter().zip(copies) {
            let w = map.forward(*value);
            let half = if half_step > 0.0 {
                let below = map.forward(clip(value - half_step)).max(start);
                let above = map.forward(clip(value + half_step)).min(end);
                let half = 0.5 * (above - below);
                if half > RESOLVED * w.abs() {
                    half
                } else {
                    // w has too few digits to tell the ends apart
                    (half_step * map.log_derivative(*value).exp()).max(1e-300)
                }
            } else {
                0.0
            };
            let log_derivative = if half_step > 0.0 {
                0.0
            } else {
                map.log_derivative(*value)
            };
            if !w.is_finite() || !log_derivative.is_finite() {
                return None;
            }
            points.push(Point {
                w,
                half,
                copies: *copies,
                log_derivative,
            });
        }
        let choice = if points.len() > 1 {
            let mut choice = Kernel::new(&points, start, width, background).choose();
            if calibrated {
                calibrate(&mut choice.shares, &points, start, width);
            }
            choice
        } else {
            Choice {
                bandwidth: end - start,
                score: 0.0,
                shares: vec![1.0 / BINS as f64; BINS],
            }
        };
        let tail = |at_x: f64, excess: f64| {
            let in_x = (max - min).max(2.0 * half_step) * map.log_derivative(at_x).exp();
            let scale = 0.05
                * if in_x.is_finite() && in_x > 1e-290 {
                    in_x.min(range)
                } else {
                    range
                };
            excess.clamp(1e-3 * scale, scale).max(1e-300)
        };
        let side = |bound: Option<f64>, edge: f64, at_x: f64, excess: f64| match bound {
            None => End::Tail {
                scale: tail(at_x, excess),
                reach: None,
            },
            Some(bound) if bound != edge => End::Tail {
                scale: tail(at_x, excess),
                reach: Some((bound - edge).abs()),
            },
            Some(_) => End::Closed,
        };
        let below = mean_excess(points.iter().map(|point| (-point.w, point.copies)), rows);
        let above = mean_excess(points.iter().rev().map(|point| (point.w, point.copies)), rows);
        let (lower, upper) = (side(floor_w, start, min, below), side(ceiling_w, end, max, above));
        let mut marginal = Self {
            map,
            start,
            width,
            cdf: Vec::new(),
            upper_mass: 0.0,
            lower,
            upper,
        };
        marginal.fill(choice.shares, choice.bandwidth, background);
        Some(SmoothFit {
            marginal,
            bandwidth: choice.bandwidth.max(0.6 * width),
            score: choice.score,
        })
    }

    /// Turns bin shares into the distribution function, in the widest bins that still resolve the bandwidth.
    fn fill(&mut self, mut shares: Vec<f64>, bandwidth: f64, background: f64) {
        while shares.len() > 16 && 2.0 * self.width <= 0.25 * bandwidth {
            shares = shares.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect();
            self.width *= 2.0;
        }
        let mass_of = |end: End| match end {
            End::Tail { .. } => TAIL.min(background),
            End::Closed => 0.0,
        };
        let (lower_mass, upper_mass) = (mass_of(self.lower), mass_of(self.upper));
        let body = 1.0 - lower_mass - upper_mass;
        let uniform = background / shares.len() as f64;
        self.cdf = Vec::with_capacity(shares.len() + 1);
        self.cdf.push(lower_mass);
        let mut sum = 0.0;
        let count = shares.len();
        for (bin, share) in shares.into_iter().enumerate() {
            sum += (1.0 - background) * share + uniform;
            let edge = if bin + 1 == count {
                1.0 - upper_mass
            } else {
                lower_mass + body * sum
            };
            self.cdf.push(edge.min(1.0 - upper_mass));
        }
        self.upper_mass = upper_mass;
    }

    fn bins(&self) -> usize {
        self.cdf.len().saturating_sub(1)
    }

    fn end(&self) -> f64 {
        self.start + self.width * self.bins() as f64
    }

    fn lower_mass(&self) -> f64 {
        self.cdf.first().copied().unwrap_or(0.0)
    }

    pub(crate) fn transformer(&self) -> &dyn Transformer {
        self.map.transformer()
    }

    pub(crate) fn shared_transformer(&self) -> Arc<dyn Transformer> {
        self.map.shared_transformer()
    }

    /// Whether the numbers make a distribution function; a damaged file's may not.
    pub(crate) fn is_whole(&self) -> bool {
        self.bins() > 0
            && self.width > 0.0
            && self.cdf.windows(2).all(|edges| edges[0] <= edges[1])
            && self.cdf[0] >= 0.0
            && self.cdf[self.bins()] <= 1.0
            && (0.0..=1.0).contains(&self.upper_mass)
    }

    /// w of a number; the start of the body where the map gives none.
    pub(crate) fn w(&self, x: f64) -> f64 {
        let w = self.map.forward(x);
        if w.is_nan() { self.start } else { w }
    }

    /// Distribution function at w; 0 and 1 at the infinities.
    pub(crate) fn cdf(&self, w: f64) -> f64 {
        let end = self.end();
        if w < self.start {
            self.lower_mass() * self.lower.share(self.start - w)
        } else if w >= end {
            1.0 - self.upper_mass * self.upper.share(w - end)
        } else {
            let at = (w - self.start) / self.width;
            let i = (at as usize).min(self.bins() - 1);
            let (below, above) = (self.cdf[i], self.cdf[i + 1]);
            (below + (at - i as f64) * (above - below)).clamp(below, above)
        }
    }

    /// `ln dF/dw`.
    pub(crate) fn log_density_w(&self, w: f64) -> f64 {
        let end = self.end();
        if w < self.start {
            self.lower_mass().ln() + self.lower.log_density(self.start - w)
        } else if w > end || (w == end && self.upper_mass == 0.0 && self.bins() == 0) {
            self.upper_mass.ln() + self.upper.log_density(w - end)
        } else {
            let i = (((w - self.start) / self.width) as usize).min(self.bins() - 1);
            (self.cdf[i + 1] - self.cdf[i]).ln() - self.width.ln()
        }
    }

    /// `dw/dx`.
    pub(crate) fn derivative(&self, x: f64) -> f64 {
        self.map.log_derivative(x).exp()
    }

    /// `ln f(x)`, the density in the units of x.
    pub(crate) fn log_density(&self, x: f64) -> f64 {
        self.log_density_w(self.w(x)) + self.map.log_derivative(x)
    }

    /// `ln (F(w2) - F(w1))`, with all digits in the tails; -inf if w cannot tell the two apart.
    pub(crate) fn log_mass(&self, w1: f64, w2: f64) -> f64 {
        if w1.is_nan() || w2.is_nan() || w1 >= w2 {
            return f64::NEG_INFINITY;
        }
        let end = self.end();
        if w2 <= self.start {
            self.lower_mass().ln() + self.lower.log_mass(self.start - w2, self.start - w1)
        } else if w1 >= end {
            self.upper_mass.ln() + self.upper.log_mass(w1 - end, w2 - end)
        } else if w1 >= self.start && w2 <= end && self.same_bin(w1, w2) {
            self.log_density_w(0.5 * (w1 + w2)) + (w2 - w1).ln()
        } else {
            (self.cdf(w2) - self.cdf(w1)).ln()
        }
    }

    /// Whether the mass between two w has digits.
    pub(crate) fn resolves(&self, w1: f64, w2: f64) -> bool {
        w2 - w1 > RESOLVED * w1.abs().min(w2.abs())
    }

    fn same_bin(&self, w1: f64, w2: f64) -> bool {
        (w1 - self.start) / self.width >= ((w2 - self.start) / self.width).floor()
    }

    /// The number at rank u.
    pub(crate) fn inverse(&self, u: f64) -> f64 {
        let last = self.bins();
        let w = if u < self.lower_mass() {
            self.start - self.lower.distance(u / self.lower_mass())
        } else if u > self.cdf[last] {
            self.end() + self.upper.distance(((1.0 - u) / self.upper_mass).clamp(0.0, 1.0))
        } else {
            let i = self.cdf.partition_point(|edge| *edge <= u).clamp(1, last) - 1;
            let (below, above) = (self.cdf[i], self.cdf[i + 1]);
            let share = if above > below {
                ((u - below) / (above - below)).clamp(0.0, 1.0)
            } else {
                0.5
            };
            self.start + (i as f64 + share) * self.width
        };
        let x = self.map.inverse(w);
        if x.is_nan() {
            0.0
        } else {
            x.clamp(f64::MIN, f64::MAX)
        }
    }
}

/// How far the extremes of a side lie beyond where its top `sqrt(n)` values (5 to 50) begin, on average: the maximum
/// likelihood scale of an exponential tail over that threshold. `points` come from the extreme inwards, as distances
/// outwards with their copies.
fn mean_excess(points: impl Iterator<Item = (f64, f64)>, rows: f64) -> f64 {
    let top = rows.sqrt().clamp(5.0, 50.0);
    let (mut count, mut sum) = (0.0, 0.0);
    for (w, copies) in points {
        if count + copies > top && count > 0.0 {
            return (sum / count - w).max(0.0);
        }
        count += copies;
        sum += w * copies;
    }
    0.0
}
