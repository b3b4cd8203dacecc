//! The heads of a row: what its values' log-probabilities are, and their gradients.

use ef_tensor::Real;
use ef_tensor::simd::Kernel;
use ndarray::ArrayView1;

use super::affine::Affine;
use super::mixture::mixture_nll;
use super::network::Network;
use super::ordered::Ordered;
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
    /// Memory for the slopes of any column of ordered levels.
    pub(super) slopes: &'a mut [T],
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
            log_prob += column_nll::<FMA, T>(column, level, ranks, y, self.slopes);
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
    slopes: &mut [T],
) -> f64 {
    let components = column.components;
    match ranks {
        _ if y.is_empty() => 0.0,
        None => match &column.ordered {
            // A pass has added to the logits what the map adds.
            Some(ordered) if y.len() > column.levels => ordered_nll::<FMA, T>(ordered, level, y, slopes),
            _ => softmax_nll::<FMA, T>(y, level),
        },
        Some((low, high)) if level == 0 => mixture_nll::<FMA, T>(y, components, (low, high)),
        Some(_) => {
            let (logits, rest) = y.split_at_mut(components + column.levels);
            rest.fill(T::zero());
            // An unseen value stays unseen: its code is beyond every logit.
            softmax_nll::<FMA, T>(logits, level.saturating_add(components as u32))
        }
    }
}

/// The same of a column of ordered levels.
#[inline(always)]
fn ordered_nll<const FMA: bool, T: Real>(
    ordered: &Ordered,
    level: u32,
    y: &mut [T],
    slopes: &mut [T],
) -> f64 {
    let (logits, map) = y.split_at_mut(y.len() - 2);
    let affine = Affine::new(map[0].wide(), map[1].wide());
    let slopes = &mut slopes[..ordered.slopes()];
    ordered.add_with_slopes::<FMA, T>(&affine, logits, slopes);
    let log_prob = softmax_nll::<FMA, T>(logits, level);
    let gradient = ordered.gradient(&affine, logits, slopes);
    map[0] = T::of(gradient[0]);
    map[1] = T::of(gradient[1]);
    log_prob
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
        // A map has been added by a pass: it leaves no slopes.
        column_nll::<FMA, T>(self.column, self.level, self.ranks, self.y, &mut [])
    }
}
