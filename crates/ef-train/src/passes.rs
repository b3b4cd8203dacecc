//! The two passes over all parameters that a training step makes, range by range.
//!
//! Both are bound by memory, so each number is fetched once: the reduction leaves zeros where it has read a shard's
//! gradient, for the next step to add to, and Adam and the average of the weights go together. Their arithmetic has no
//! fused operations and is elementwise, or of a fixed order: the same bytes at every instruction set and for any number
//! of threads.

use ef_tensor::Real;
use ef_tensor::simd::{Kernel, dispatch};

use std::ops::Range;

use crate::adam::{AdamStep, spans};
use crate::clip::add_squares;

/// Parameters a range: few enough that all of a pass's slices stay in the first cache together.
pub(crate) const RANGE: usize = 1024;

/// Parameters that are not worth a thread of their own.
const GRAIN: usize = 16 * RANGE;

/// Slices over the same parameters, which can be cut in two at any of them.
pub(crate) trait Slices: Sized + Send {
    fn len(&self) -> usize;
    fn split(self, at: usize) -> (Self, Self);
}

/// Runs `work` on every range of `all`, on many threads if `parallel`.
pub(crate) fn each_range<S: Slices>(all: S, parallel: bool, work: &(impl Fn(S) + Sync)) {
    if parallel && all.len() > GRAIN {
        let middle = (all.len() / 2).next_multiple_of(RANGE);
        let (left, right) = all.split(middle);
        rayon::join(|| each_range(left, true, work), || each_range(right, true, work));
        return;
    }
    let mut rest = all;
    while rest.len() > 0 {
        let (range, next) = rest.split(RANGE);
        work(range);
        rest = next;
    }
}

/// Cuts a slice at `at`; a shorter or empty one is cut at its end.
fn cut<T>(slice: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
    slice.split_at_mut(at.min(slice.len()))
}

/// Shards whose gradients are added in one pass.
pub(crate) const SHARDS_A_PASS: usize = 8;

/// Adds gradients to the first, leaves zeros in their place, and takes the first's squared norm.
pub(crate) struct Reduce<'a, T> {
    pub(crate) sum: &'a mut [T],
    /// Empty beyond the last shard.
    pub(crate) others: [&'a mut [T]; SHARDS_A_PASS],
    /// One a range.
    pub(crate) squares: &'a mut [f64],
}

impl<T: Real> Slices for Reduce<'_, T> {
    fn len(&self) -> usize {
        self.sum.len()
    }

    fn split(self, at: usize) -> (Self, Self) {
        let (sum, sum_right) = cut(self.sum, at);
        let (squares, squares_right) = cut(self.squares, at.div_ceil(RANGE));
        let mut others = self.others;
        let right = others.each_mut().map(|other| {
            let (left, right) = cut(std::mem::take(other), at);
            *other = left;
            right
        });
        (
            Self { sum, others, squares },
            Self {
                sum: sum_right,
                others: right,
                squares: squares_right,
            },
        )
    }
}

impl<T: Real> Reduce<'_, T> {
    /// The work on one range.
    pub(crate) fn run(self) {
        dispatch(self);
    }
}

impl<T: Real> Kernel for Reduce<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for other in self.others {
            for (sum, other) in self.sum.iter_mut().zip(other) {
                *sum += *other;
                *other = T::zero();
            }
        }
        if let Some(square) = self.squares.first_mut() {
            *square = add_squares(self.sum);
        }
    }
}

/// Adam's step, and the average of the weights behind it; leaves zeros in the gradient's place.
pub(crate) struct Update<'a, T> {
    /// Where in all parameters these begin.
    pub(crate) start: usize,
    pub(crate) params: &'a mut [T],
    pub(crate) grads: &'a mut [T],
    pub(crate) m: &'a mut [T],
    pub(crate) v: &'a mut [T],
    /// Empty if there is none.
    pub(crate) average: &'a mut [T],
}

impl<T: Real> Slices for Update<'_, T> {
    fn len(&self) -> usize {
        self.params.len()
    }

    fn split(self, at: usize) -> (Self, Self) {
        let (params, params_right) = cut(self.params, at);
        let (grads, grads_right) = cut(self.grads, at);
        let (m, m_right) = cut(self.m, at);
        let (v, v_right) = cut(self.v, at);
        let (average, average_right) = cut(self.average, at);
        (
            Self {
                start: self.start,
                params,
                grads,
                m,
                v,
                average,
            },
            Self {
                start: self.start + at,
                params: params_right,
                grads: grads_right,
                m: m_right,
                v: v_right,
                average: average_right,
            },
        )
    }
}

impl<T: Real> Update<'_, T> {
    /// The work on one range, with gradient `scale * grads`, weight decay where `decayed` says, and the average's `decay`.
    pub(crate) fn run(self, step: AdamStep<T>, decayed: &[Range<usize>], scale: T, decay: f64) {
        let start = self.start;
        for (span, decays) in spans(decayed, start..start + self.params.len()) {
            let span = span.start - start..span.end - start;
            let step = if decays { step } else { step.without_decay() };
            step.update(
                &mut self.params[span.clone()],
                &self.grads[span.clone()],
                scale,
                &mut self.m[span.clone()],
                &mut self.v[span],
            );
        }
        self.grads.fill(T::zero());
        if !self.average.is_empty() {
            crate::ema_update(self.average, self.params, decay);
        }
    }
}
