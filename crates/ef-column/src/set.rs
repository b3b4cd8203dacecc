//! Sets of values of a column.

use crate::place::Level;

/// A set of values of one column: how much of each level lies in it, and which ranks of the continuous one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LevelSet {
    /// Per level, the share of it that lies in the set, from 0 to 1. That of a continuous level is the length of
    /// `ranks`; who weighs its ranks differently goes by those.
    pub shares: Vec<f64>,
    /// Of a continuous level, the open intervals of ranks in the set: ascending, disjoint, each with a number inside.
    pub ranks: Vec<(f64, f64)>,
    /// Of a level that pools rare labels, the open intervals of positions among them, by cumulated counts: ascending
    /// and disjoint. Empty where there is no such level, or nothing of it in the set.
    pub positions: Vec<(f64, f64)>,
}

impl LevelSet {
    /// The set of these shares of levels and, of a continuous level, these ranks; nothing is pooled.
    pub fn new(shares: Vec<f64>, ranks: Vec<(f64, f64)>) -> Self {
        Self {
            shares,
            ranks,
            positions: Vec::new(),
        }
    }

    /// The share of a level; a level that does not exist has none.
    pub fn share(&self, level: Level) -> f64 {
        self.shares.get(level as usize).copied().unwrap_or(0.0)
    }

    /// `ln` of the share of a level, nats.
    pub fn log_share(&self, level: Level) -> f64 {
        self.share(level).max(0.0).ln()
    }

    /// Whether nothing lies in the set.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty() && self.shares.iter().all(|share| *share <= 0.0)
    }

    /// Whether a level, and the rank of a continuous one, lies in the set; of a level that does in part, whether any of
    /// it does.
    pub fn contains(&self, level: Level, rank: Option<f64>) -> bool {
        match rank {
            Some(rank) if level == 0 => holds(&self.ranks, rank),
            _ => self.share(level) > 0.0,
        }
    }

    /// Whether a position among pooled labels lies in the set.
    pub fn contains_position(&self, position: f64) -> bool {
        holds(&self.positions, position)
    }

    /// The probability of the set where each level has its share of `level_shares` and ranks are uniform.
    pub fn mass(&self, level_shares: &[f64]) -> f64 {
        let shares = level_shares.iter().zip(&self.shares);
        shares.map(|(share, held)| share * held).sum()
    }

    /// The position among pooled labels that a number in (0, 1) stands for: uniform numbers give each label in the set
    /// its share. The number itself where no position is ruled out.
    pub fn position(&self, u: f64) -> f64 {
        let mut left = u * length(&self.positions);
        for (low, high) in &self.positions {
            if left < high - low {
                return (low + left).max(low.next_up()).min(high.next_down());
            }
            left -= high - low;
        }
        self.positions.last().map_or(u, |(_, high)| high.next_down())
    }
}

/// How much of (0, 1) lies in disjoint intervals.
fn length(intervals: &[(f64, f64)]) -> f64 {
    intervals.iter().map(|(low, high)| high - low).sum()
}

/// Whether one of ascending, disjoint, open intervals holds a number.
fn holds(intervals: &[(f64, f64)], x: f64) -> bool {
    let before = intervals.partition_point(|(low, _)| *low < x);
    before > 0 && x < intervals[before - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> LevelSet {
        LevelSet {
            shares: vec![0.5, 0.0, 1.0],
            ranks: vec![(0.0, 0.25), (0.5, 0.75)],
            positions: Vec::new(),
        }
    }

    #[test]
    fn open_intervals_hold_what_lies_strictly_inside() {
        let inside = [0.0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.75, 1.0].map(|rank| set().contains(0, Some(rank)));
        assert_eq!(inside, [false, true, false, false, false, true, false, false]);
        assert!(!set().contains(0, Some(f64::NAN)));
        assert!(set().contains(0, None) && set().contains(2, Some(0.3)));
        assert!(!set().contains(1, None) && !set().contains(7, None));
    }

    #[test]
    fn masses_are_weighted_shares() {
        assert_eq!(set().mass(&[0.5, 0.25, 0.25]), 0.5);
        assert_eq!(set().log_share(0), 0.5_f64.ln());
        assert_eq!(set().log_share(1), f64::NEG_INFINITY);
        assert!(LevelSet::default().is_empty() && !set().is_empty());
    }

    #[test]
    fn positions_are_drawn_inside_their_intervals() {
        let pooled = LevelSet {
            shares: vec![0.5],
            ranks: Vec::new(),
            positions: vec![(0.1, 0.2), (0.5, 0.9)],
        };
        let steps = 1000;
        let mut first = 0;
        for k in 0..=steps {
            let position = pooled.position(f64::from(k) / f64::from(steps));
            assert!(pooled.contains_position(position), "{position}");
            first += i32::from(position < 0.3);
        }
        assert!((first - steps / 5).abs() <= 1);
        assert_eq!(set().position(0.3), 0.3);
    }
}
