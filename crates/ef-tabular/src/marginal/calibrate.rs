//! Masses of a kernel estimate that are clearly not those of the rows.
//!
//! A kernel spreads what lies under it. Where a column has a long tail in `w`, one bandwidth for all of it is too wide
//! for one of its ends, and the tail gets more mass than rows. The range is cut at quantiles, finer towards its ends,
//! and every block is scaled to the rows it has, if that makes the rows likelier by more than one nat a block (Akaike
//! 1974), or if the mass below a cut is further from its rows than chance has it. Other estimates stay as they are.

use super::kernel::Point;

/// Shares of the rows where blocks end, and the same from the upper end.
const ENDS: [f64; 7] = [0.0075, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5];
/// Fewest rows of a block: a block's share is then known within a quarter of it.
const LEAST_ROWS: f64 = 16.0;
/// Distance to the rows, times the root of their number, that one sample in ten of a true distribution exceeds
/// (Kolmogorov 1933).
const BY_CHANCE: f64 = 1.22;

/// Scales the shares of bins, equal bins from `start` on, to the rows of ascending points.
pub(super) fn calibrate(shares: &mut [f64], points: &[Point], start: f64, width: f64) {
    let rows: f64 = points.iter().map(|point| point.copies).sum();
    let blocks = blocks(points, rows, start, width, shares.len());
    let total: f64 = shares.iter().sum();
    let factors: Vec<f64> = blocks
        .windows(2)
        .map(|ends| {
            let mass = shares[ends[0].0..ends[1].0].iter().sum::<f64>() / total * rows;
            (ends[1].1 - ends[0].1) / mass
        })
        .collect();
    let gains = blocks
        .windows(2)
        .zip(&factors)
        .map(|(ends, factor)| (ends[1].1 - ends[0].1) * factor.ln());
    let gain: f64 = gains.sum();
    let off =
        |&(bin, before): &(usize, f64)| (shares[..bin].iter().sum::<f64>() / total * rows - before).abs();
    let distance = blocks.iter().map(off).fold(0.0, f64::max) / rows.sqrt();
    if !gain.is_finite() || (gain <= factors.len() as f64 && distance <= BY_CHANCE) {
        return;
    }
    for (ends, factor) in blocks.windows(2).zip(factors) {
        shares[ends[0].0..ends[1].0]
            .iter_mut()
            .for_each(|share| *share *= factor);
    }
}

/// Where blocks end, as bins with the rows before them, from the first bin to the last. A block ends between the
/// rounding intervals of two values.
fn blocks(points: &[Point], rows: f64, start: f64, width: f64, bins: usize) -> Vec<(usize, f64)> {
    let upper = ENDS.iter().rev().skip(1).map(|share| 1.0 - share);
    let mut targets = ENDS.iter().copied().chain(upper).peekable();
    let mut blocks = vec![(0, 0.0)];
    let mut before = 0.0;
    for pair in points.windows(2) {
        before += pair[0].copies;
        let Some(target) = targets.peek() else { break };
        if before < target * rows {
            continue;
        }
        let end = if pair[0].half > 0.0 {
            pair[0].w + pair[0].half
        } else {
            0.5 * (pair[0].w + pair[1].w)
        };
        let bin = ((end - start) / width).round() as usize;
        let (last_bin, last_rows) = blocks[blocks.len() - 1];
        if bin > last_bin && bin < bins && before - last_rows >= LEAST_ROWS && rows - before >= LEAST_ROWS {
            blocks.push((bin, before));
        }
        while targets.next_if(|target| before >= target * rows).is_some() {}
    }
    blocks.push((bins, rows));
    blocks
}
