//! The learning rate, step by step: linear warm-up, then a cosine.

use std::f64::consts::PI;

/// Linear warm-up over `w` steps to `lr`, then a cosine down to `lr_min` at the last of `n` planned steps
/// (Loshchilov & Hutter 2017, [arXiv:1608.03983], equation 5, without restarts):
///
/// ```text
/// s < w:   lr (s + 1) / w
/// s >= w:  lr_min + (lr - lr_min) (1 + cos(pi (s - w) / (n - 1 - w))) / 2
/// ```
///
/// A function of the step alone: a fit that is cut short has seen the beginning of the same curve.
///
/// ```
/// use ef_train::Schedule;
/// let schedule = Schedule::new(1e-2, 1e-4, 100, 2000);
/// approx::assert_relative_eq!(schedule.lr(49), 5e-3);
/// approx::assert_relative_eq!(schedule.lr(100), 1e-2);
/// approx::assert_relative_eq!(schedule.lr(1999), 1e-4);
/// ```
///
/// [arXiv:1608.03983]: https://arxiv.org/abs/1608.03983
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    lr: f64,
    lr_min: f64,
    warmup: u64,
    steps: u64,
}

impl Schedule {
    /// A schedule of `steps` planned steps. The warm-up takes at most a tenth of them.
    pub fn new(lr: f64, lr_min: f64, warmup: u64, steps: u64) -> Self {
        Self {
            lr,
            lr_min,
            warmup: warmup.min(steps / 10),
            steps,
        }
    }

    /// The learning rate of step `step`, the first being 0. After the planned steps it stays at `lr_min`.
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let last = self.steps.saturating_sub(1);
        if step == self.warmup {
            // Also where the plan is a single step: it is taken at the full rate.
            self.lr
        } else if step >= last {
            self.lr_min
        } else {
            let share = (step - self.warmup) as f64 / (last - self.warmup) as f64;
            self.lr_min + (self.lr - self.lr_min) * 0.5 * (1.0 + (PI * share).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_way_is_the_middle() {
        let schedule = Schedule::new(1.0, 0.2, 10, 111);
        assert_relative_eq!(schedule.lr(0), 0.1);
        assert_relative_eq!(schedule.lr(9), 1.0);
        assert_relative_eq!(schedule.lr(60), 0.6, epsilon = 1e-12);
        assert_relative_eq!(schedule.lr(110), 0.2);
        assert_relative_eq!(schedule.lr(u64::MAX), 0.2);
    }

    proptest! {
        #[test]
        fn rises_then_falls_within_bounds(warmup in 0u64..50, steps in 0u64..300) {
            let schedule = Schedule::new(1e-2, 1e-4, warmup, steps);
            let warmup = warmup.min(steps / 10);
            for s in 0..steps {
                let (here, next) = (schedule.lr(s), schedule.lr(s + 1));
                prop_assert!(here > 0.0 && here <= 1e-2);
                prop_assert_eq!(next >= here, s < warmup || next == here);
            }
            assert_relative_eq!(schedule.lr(warmup), 1e-2);
            if steps > 1 {
                assert_relative_eq!(schedule.lr(steps - 1), 1e-4);
            }
        }
    }
}
