//! A marginal by hand: minutes waited, of which a third are exactly 0 and the others exponential with mean 10.

use ef_column::{Level, LevelSet, Marginal, Place};

#[derive(Debug)]
struct WaitingTime;

const MEAN: f64 = 10.0;
/// The level of those who did not wait; level 0 is the continuous one.
const NOT_AT_ALL: Level = 1;

impl Marginal for WaitingTime {
    fn levels(&self) -> usize {
        2
    }
    fn is_continuous(&self) -> bool {
        true
    }
    fn level_shares(&self) -> Vec<f64> {
        vec![2.0 / 3.0, 1.0 / 3.0]
    }
    fn level_rank(&self, level: Level) -> Option<f64> {
        // shorter than every other wait
        (level == NOT_AT_ALL).then_some(0.0)
    }
}

impl WaitingTime {
    /// `F(x) = 1 - exp(-x / mean)`, the rank of a wait.
    fn rank(minutes: f64) -> f64 {
        -(-minutes / MEAN).exp_m1()
    }

    /// Where a wait stands: its rank is a point, and `log_measure` is the log-density there.
    fn place(minutes: f64) -> Place {
        if minutes == 0.0 {
            return Place::discrete(Some(NOT_AT_ALL), 0.0);
        }
        let rank = Self::rank(minutes);
        Place {
            level: Some(0),
            low: rank,
            high: rank,
            log_measure: -minutes / MEAN - MEAN.ln(),
        }
    }
}

fn main() {
    let shares = WaitingTime.level_shares();
    println!("minutes  level  rank   log-density");
    for minutes in [0.0, 1.0, 10.0, 60.0] {
        let place = WaitingTime::place(minutes);
        let share = place.level.map_or(1.0, |level| shares[level as usize]);
        println!(
            "{minutes:>7}  {:>5}  {:.3}  {:.3}",
            place.level.unwrap_or_default(),
            0.5 * (place.low + place.high),
            place.log_measure + share.ln()
        );
    }

    // more than a quarter of an hour: a part of the continuous level
    let from = WaitingTime::rank(15.0);
    let long = LevelSet::new(vec![1.0 - from, 0.0], vec![(from, 1.0)]);
    let inside = |minutes| {
        let place = WaitingTime::place(minutes);
        place
            .level
            .is_some_and(|level| long.contains(level, Some(place.low)))
    };
    assert!(inside(16.0) && !inside(14.0) && !inside(0.0));
    println!("P(more than 15 minutes) = {:.4}", long.mass(&shares));
}
