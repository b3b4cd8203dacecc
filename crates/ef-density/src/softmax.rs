//! Softmax over levels: its log-probability with the gradient, and draws.

use ef_tensor::{Real, vmath};
use ndarray::{ArrayView1, ArrayViewMut2};

/// Smaller shares are raised to this, because a logit of `-inf` has no gradient.
const LEAST_SHARE: f64 = 1e-12;

/// The logits of given shares, nats.
pub(crate) fn log_shares(shares: &[f64]) -> Vec<f64> {
    shares.iter().map(|share| share.max(LEAST_SHARE).ln()).collect()
}

/// Folds many numbers side by side: in a single chain each would wait for the one before.
#[inline(always)]
fn fold_lanes<T: Real>(x: &[T], start: T, fold: impl Fn(T, T) -> T) -> T {
    const LANES: usize = 16;
    let (blocks, rest) = x.as_chunks::<LANES>();
    let rest = rest.iter().fold(start, |a, &b| fold(a, b));
    if blocks.is_empty() {
        return rest;
    }
    let mut lanes = [start; LANES];
    for block in blocks {
        for l in 0..LANES {
            lanes[l] = fold(lanes[l], block[l]);
        }
    }
    lanes.iter().fold(rest, |a, &b| fold(a, b))
}

/// `log softmax(logits)[code]`; `logits` become `softmax - onehot`, the gradient of its negative.
#[inline(always)]
pub(crate) fn softmax_nll<const FMA: bool, T: Real>(logits: &mut [T], code: u32) -> f64 {
    let Some(&chosen) = logits.get(code as usize) else {
        // A value never seen: its mass is in `log_measure`, nothing here depends on the network.
        logits.fill(T::zero());
        return 0.0;
    };
    let top = fold_lanes(logits, T::neg_infinity(), |a, b| if b > a { b } else { a });
    for l in logits.iter_mut() {
        *l = (*l - top).exp_lane::<FMA>();
    }
    let sum = fold_lanes(logits, T::zero(), |a, b| a + b);
    let log_prob = (chosen - top).wide() - sum.wide().ln();
    let share = T::one() / sum;
    logits.iter_mut().for_each(|l| *l *= share);
    logits[code as usize] -= T::one();
    log_prob
}

/// For each row, the level at which the cumulated softmax of its logits passes its uniform number.
/// `logits: (levels, rows)`, which become weights; `left` is scratch memory.
pub(crate) fn draw_levels<T: Real>(
    mut logits: ArrayViewMut2<'_, T>,
    uniforms: ArrayView1<'_, f64>,
    left: &mut Vec<f64>,
    levels: &mut [u32],
) {
    let mut top = logits.row(0).to_owned();
    for l in logits.rows() {
        top.zip_mut_with(&l, |top, &l| *top = top.max(l));
    }
    left.clear();
    left.resize(levels.len(), 0.0);
    for mut l in logits.rows_mut() {
        l -= &top;
        let weights = l.as_slice_mut().expect("rows of a standard layout");
        vmath::exp(weights);
        left.iter_mut().zip(weights).for_each(|(sum, w)| *sum += w.wide());
    }
    left.iter_mut().zip(uniforms).for_each(|(left, u)| *left *= u);
    levels.fill(0);
    for (level, weights) in (0..).zip(logits.rows()) {
        for ((left, code), w) in left.iter_mut().zip(&mut *levels).zip(weights) {
            // The last level with any weight, until the rest is used up: rounding may leave some behind it.
            let takes = *left >= 0.0 && *w > T::zero();
            *code = if takes { level } else { *code };
            *left -= w.wide();
        }
    }
}
