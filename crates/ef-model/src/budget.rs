//! The time of a fit, and how its parts share it.

use std::time::{Duration, Instant};

/// The share of the time of a fit that the model itself may take where an order-agnostic network is trained after it.
const SHARE_OF_MODEL: f64 = 2.0 / 3.0;

/// Until when work may go on. Every rule about the time of a fit is here; without a limit no clock decides anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    until: Option<Instant>,
}

impl Budget {
    /// A limit that begins now; `None` is no limit.
    pub(crate) fn from_now(limit: Option<Duration>) -> Self {
        Self {
            // a limit that the clock cannot count to is no limit
            until: limit.and_then(|limit| Instant::now().checked_add(limit)),
        }
    }

    /// What is left.
    pub(crate) fn left(self) -> Option<Duration> {
        self.until
            .map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether nothing is left.
    pub(crate) fn is_over(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// The next of `parts` equal parts of what is left.
    pub(crate) fn part_of(self, parts: usize) -> Self {
        Self::from_now(self.left().map(|left| left / parts.max(1) as u32))
    }

    /// The part of the model, where an order-agnostic network follows it.
    pub(crate) fn before_proposal(self) -> Self {
        Self::from_now(self.left().map(|left| left.mul_f64(SHARE_OF_MODEL)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let minute = Duration::from_secs(60);
        let near = |budget: Budget, seconds: f64| {
            let left = budget.left().unwrap().as_secs_f64();
            assert!(left <= seconds && left > seconds - 1.0, "{left} of {seconds}");
        };
        let whole = Budget::from_now(Some(minute));
        near(whole, 60.0);
        near(whole.part_of(3), 20.0);
        near(whole.before_proposal(), 40.0);
        assert!(!whole.is_over());
        let nothing = Budget::from_now(Some(Duration::ZERO));
        assert!(nothing.is_over() && nothing.part_of(2).is_over());
        let unlimited = Budget::from_now(None);
        assert_eq!((unlimited.left(), unlimited.is_over()), (None, false));
        assert_eq!(Budget::from_now(Some(Duration::MAX)).left(), None);
    }
}
