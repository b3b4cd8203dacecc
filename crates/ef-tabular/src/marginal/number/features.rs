//! What a network sees of a number.

use super::NumberMarginal;
use crate::value::Value;

/// Width of the network inputs a number gives: rank, standardized value, 16 piecewise-linear features, missing bit.
pub const NUMBER_FEATURES: usize = 3 + PIECES;
const PIECES: usize = 16;

impl NumberMarginal {
    /// Rank of a number among all numbers of the column, the middle of its own share, in [0, 1].
    pub fn mid_rank(&self, x: f64) -> f64 {
        let numbers = self.numbers().max(1) as f64;
        let atoms = &self.saved.atoms;
        let middle = |i: usize| (self.atom_rows[i] as f64 + 0.5 * self.saved.counts[i] as f64) / numbers;
        let found = self.atom_of(x);
        if !self.is_continuous() {
            if let Some(atom) = found {
                return middle(atom);
            }
            let after = atoms.partition_point(|atom| *atom < x);
            if after == 0 || after == atoms.len() {
                return if after == 0 { 0.0 } else { 1.0 };
            }
            let share = ((x - atoms[after - 1]) / (atoms[after] - atoms[after - 1])).clamp(0.0, 1.0);
            let share = if share.is_nan() { 0.5 } else { share };
            return middle(after - 1) + share * (middle(after) - middle(after - 1));
        }
        let grid = self.saved.grid;
        let within = match grid.index(x) {
            Some(_) if grid.is_off(x) => self.upper(grid.floor(x)),
            Some(index) => 0.5 * (self.upper(index.saturating_sub(1)) + self.upper(index)),
            None => self.saved.smooth.cdf(self.saved.smooth.w(self.clip(x))),
        };
        let below = match found {
            Some(atom) => middle(atom),
            None => self.atom_rows[atoms.partition_point(|atom| *atom < x)] as f64 / numbers,
        };
        (below + within * self.saved.continuous as f64 / numbers).clamp(0.0, 1.0)
    }

    pub(in crate::marginal) fn features(&self, value: Value<'_>, out: &mut [f32]) {
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
}
