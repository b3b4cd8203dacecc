//! Numbers beyond a bound of the support, and the mass of a range.

use super::{Bound, NumberMarginal};

impl NumberMarginal {
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
                let (first, last) = (self.first, self.last);
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
    pub(super) fn log_outside(&self, x: f64) -> Option<f64> {
        let distance = self.beyond(x)?;
        let (log_outside, scale) = (self.saved.outside().ln(), self.outside_scale());
        Some(if self.on_grid() {
            let decay = self.saved.grid.step() / scale;
            log_outside - (distance - 1.0) * decay + (-(-decay).exp_m1()).ln()
        } else {
            log_outside - distance / scale - scale.ln()
        })
    }

    /// Marginal probability of a number in `[lo, hi]`, both ends included; missing cells are outside every range.
    pub fn mass(&self, lo: f64, hi: f64) -> f64 {
        if lo.is_nan() || hi.is_nan() || lo > hi {
            return 0.0;
        }
        let seen = self.log_seen.exp();
        let inside =
            self.saved.atoms.partition_point(|x| *x < lo)..self.saved.atoms.partition_point(|x| *x <= hi);
        let atoms = if inside.start < inside.end {
            self.atom_rows[inside.end] - self.atom_rows[inside.start]
        } else {
            0
        };
        let (smooth, level) = if self.on_grid() {
            let (first, last) = (self.saved.grid.ceil(lo), self.saved.grid.floor(hi));
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
            let marginal = &self.saved.smooth;
            let at = |x: f64| {
                if x.is_infinite() {
                    x
                } else {
                    marginal.w(self.clip(x))
                }
            };
            let mass = marginal.cdf(at(hi)) - marginal.cdf(at(lo));
            (mass, mass)
        };
        let continuous = self.saved.continuous as f64 * level;
        seen * (atoms as f64 + continuous) / self.rows() + self.new * smooth + self.outside_mass(lo, hi)
    }

    pub(super) fn clip(&self, x: f64) -> f64 {
        let low = self.saved.floor.map_or(f64::MIN, |bound| bound.at);
        let high = self.saved.ceiling.map_or(f64::MAX, |bound| bound.at);
        x.max(low).min(high)
    }

    fn outside_mass(&self, lo: f64, hi: f64) -> f64 {
        let (outside, scale) = (self.saved.outside(), self.outside_scale());
        // mass of distances in (near, far]
        let between = |near: f64, far: f64| {
            if far <= near {
                0.0
            } else {
                outside * ((-near.max(0.0) / scale).exp() - (-far.max(0.0) / scale).exp())
            }
        };
        if self.on_grid() {
            let step = self.saved.grid.step();
            let (first, last) = (self.first, self.last);
            let (low, high) = (self.saved.grid.ceil(lo), self.saved.grid.floor(hi));
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
}
