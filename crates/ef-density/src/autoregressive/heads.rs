//! The heads of a row: what its values' log-probabilities are, and their gradients.

use ef_tensor::Real;
use ef_tensor::simd::Kernel;
use ndarray::ArrayView1;

use super::mixture::{ScoredPlace, mixture_nll};
use super::network::Network;
use super::plan::Column;
use crate::softmax::softmax_nll;

/// The heads of one row.
pub(super) struct Heads<'a, T, F> {
    pub(super) network: &'a Network,
    pub(super) low: ArrayView1<'a, f64>,
    pub(super) high: ArrayView1<'a, f64>,
    pub(super) levels: ArrayView1<'a, u32>,
    /// Which columns count.
    pub(super) scored: F,
    pub(super) y: &'a mut [T],
}

impl<T: Real, F: Fn(usize) -> bool> Kernel for Heads<'_, T, F> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut log_prob = 0.0;
        for (j, column) in self.network.columns.iter().enumerate() {
            let y = &mut self.y[column.outputs.clone()];
            if let Some(logits) = &column.marginal {
                // Ranks are uniform under the marginal, so that a place adds nothing. A value never seen has no logit: its
                // mass is in `log_measure`.
                let scored = (self.scored)(j);
                let level = column.variable.map_or(0, |v| self.levels[v]) as usize;
                log_prob += if scored {
                    logits.get(level).copied().unwrap_or(0.0)
                } else {
                    0.0
                };
                continue;
            }
            if !(self.scored)(j) {
                y.fill(T::zero());
                continue;
            }
            let level = column.variable.map_or(0, |v| self.levels[v]);
            let ranks = column.rank.map(|r| (self.low[r], self.high[r]));
            let offsets = &self.network.offsets[column.outputs.clone()];
            y.iter_mut()
                .zip(offsets)
                .for_each(|(y, &offset)| *y += T::of(offset));
            log_prob += column_nll::<FMA, T>(column, level, ranks, y);
        }
        log_prob
    }
}

/// The log-probability of one column's value, whose outputs `y` become the gradient of its negative.
#[inline(always)]
fn column_nll<const FMA: bool, T: Real>(
    column: &Column,
    level: u32,
    ranks: Option<(f64, f64)>,
    y: &mut [T],
) -> f64 {
    let components = column.components;
    match ranks {
        _ if y.is_empty() => 0.0,
        None => softmax_nll::<FMA, T>(y, level),
        Some((low, high)) if level == 0 => mixture_nll::<FMA, T>(y, components, &ScoredPlace::new(low, high)),
        Some(_) => {
            let (logits, rest) = y.split_at_mut(components + column.levels);
            rest.fill(T::zero());
            // An unseen value stays unseen: its code is beyond every logit.
            softmax_nll::<FMA, T>(logits, level.saturating_add(components as u32))
        }
    }
}

/// The head of one column of one row.
pub(super) struct Head<'a, T> {
    pub(super) column: &'a Column,
    pub(super) level: u32,
    /// Lower and upper end of its place, if the column has ranks.
    pub(super) ranks: Option<(f64, f64)>,
    pub(super) y: &'a mut [T],
}

impl<T: Real> Kernel for Head<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        column_nll::<FMA, T>(self.column, self.level, self.ranks, self.y)
    }
}
