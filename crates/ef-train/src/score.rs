//! The validation loss, and what makes one better than another.

/// The loss of a set of rows. Rows without a finite log-density are counted apart, so that one of them does not hide
/// the loss of the others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Score {
    sum: f64,
    finite: usize,
    /// Rows whose log-density is not finite.
    pub(crate) impossible: usize,
}

impl Score {
    pub(crate) fn add(&mut self, log_prob: &[f64]) {
        for &l in log_prob {
            if l.is_finite() {
                self.sum -= l;
                self.finite += 1;
            } else {
                self.impossible += 1;
            }
        }
    }

    /// Adds the rows of another score.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.finite += other.finite;
        self.impossible += other.impossible;
    }

    /// How many rows were scored.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> usize {
        self.finite + self.impossible
    }

    /// Mean negative log-density of the rows where it is finite, nats; infinite if there is no such row.
    pub(crate) fn nll(&self) -> f64 {
        if self.finite == 0 {
            f64::INFINITY
        } else {
            self.sum / self.finite as f64
        }
    }

    /// Fewer impossible rows are better, then the lower loss.
    pub(crate) fn better_than(&self, other: &Self) -> bool {
        self.impossible < other.impossible
            || (self.impossible == other.impossible && self.nll() < other.nll())
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn score(log_prob: &[f64]) -> Score {
        let mut score = Score::default();
        score.add(log_prob);
        score
    }

    #[test]
    fn fewer_impossible_rows_come_first_then_the_loss() {
        let good = score(&[-1.0, -3.0]);
        assert_relative_eq!(good.nll(), 2.0);
        assert!(good.better_than(&score(&[-1.0, -3.1])));
        assert!(good.better_than(&score(&[1.0, f64::NEG_INFINITY])));
        assert!(!good.better_than(&good));
        let none = score(&[f64::NAN, f64::INFINITY]);
        assert!(none.nll() == f64::INFINITY && !none.better_than(&none));
    }
}
