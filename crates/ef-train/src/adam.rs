//! Adam with decoupled weight decay (`AdamW`).
//!
//! With gradient `g`, step `t = 1, 2, ..` and learning rate `a` (Kingma & Ba 2015, [arXiv:1412.6980], algorithm 1;
//! Loshchilov & Hutter 2019, [arXiv:1711.05101], algorithm 2):
//!
//! ```text
//! m <- b1 m + (1 - b1) g               v <- b2 v + (1 - b2) g^2
//! m^ = m / (1 - b1^t)                  v^ = v / (1 - b2^t)
//! x <- x - a (m^ / (sqrt(v^) + eps) + lambda x)
//! ```
//!
//! `lambda` is 0 for offsets (biases, locations, log-scales, logits; see
//! [`ParamVisitor::offset`](ef_tensor::ParamVisitor::offset)): a decayed bias of a softmax pulls every probability towards
//! uniform, and a likelihood hardly shows it.
//!
//! [arXiv:1412.6980]: https://arxiv.org/abs/1412.6980
//! [arXiv:1711.05101]: https://arxiv.org/abs/1711.05101

use std::ops::Range;

use ef_tensor::Real;
use ef_tensor::params::ParamLayout;
use ef_tensor::simd::{Kernel, dispatch};
use serde::{Deserialize, Serialize};

/// The constants of Adam; the learning rate comes from the [`Schedule`](crate::Schedule), step by step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Decay `b1` of the mean of gradients.
    pub beta1: f64,
    /// Decay `b2` of the mean of squared gradients.
    pub beta2: f64,
    /// What keeps the quotient finite.
    pub eps: f64,
    /// Decoupled weight decay `lambda`: each step also shrinks a weight by `lr * lambda` of itself.
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    /// `b1 = 0.9`, `b2 = 0.999`, `eps = 1e-8` as in the paper, and no weight decay.
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
        }
    }
}

impl AdamConfig {
    /// The coefficients of step `t` (the first is 1) at learning rate `lr`.
    pub fn step<T: Real>(&self, t: u64, lr: f64) -> AdamStep<T> {
        let t = i32::try_from(t.max(1)).unwrap_or(i32::MAX);
        AdamStep {
            beta1: T::of(self.beta1),
            rest1: T::of(1.0 - self.beta1),
            beta2: T::of(self.beta2),
            rest2: T::of(1.0 - self.beta2),
            rate: T::of(lr / (1.0 - self.beta1.powi(t))),
            root: T::of((1.0 - self.beta2.powi(t)).sqrt().recip()),
            eps: T::of(self.eps),
            decay: T::of(lr * self.weight_decay),
        }
    }
}

/// One step of Adam as numbers, ready to be applied to any part of the parameters.
///
/// The update is elementwise, so the parts may be taken in any order, on any thread, with the same result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep<T> {
    beta1: T,
    rest1: T,
    beta2: T,
    rest2: T,
    /// `lr / (1 - b1^t)`.
    rate: T,
    /// `1 / sqrt(1 - b2^t)`.
    root: T,
    eps: T,
    /// `lr * lambda`.
    decay: T,
}

impl<T: Real> AdamStep<T> {
    /// The same step without weight decay.
    #[must_use]
    pub fn without_decay(self) -> Self {
        Self {
            decay: T::zero(),
            ..self
        }
    }

    /// Updates a run of parameters with gradient `scale * grads` and their part of the moments `m` and `v`.
    ///
    /// `scale` is where a mean over rows and clipping come in without a pass over memory of their own. All slices
    /// have one length; what is beyond the shortest is left alone.
    pub fn update(&self, params: &mut [T], grads: &[T], scale: T, m: &mut [T], v: &mut [T]) {
        debug_assert!(params.len() == grads.len() && grads.len() == m.len() && m.len() == v.len());
        dispatch(UpdateKernel {
            step: *self,
            params,
            grads,
            scale,
            m,
            v,
        });
    }
}

struct UpdateKernel<'a, T> {
    step: AdamStep<T>,
    params: &'a mut [T],
    grads: &'a [T],
    scale: T,
    m: &'a mut [T],
    v: &'a mut [T],
}

impl<T: Real> Kernel for UpdateKernel<'_, T> {
    type Output = ();

    /// Nothing is fused, so that every processor rounds alike.
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let s = self.step;
        let moments = self.m.iter_mut().zip(self.v);
        for ((x, g), (m, v)) in self.params.iter_mut().zip(self.grads).zip(moments) {
            let g = *g * self.scale;
            *m = s.beta1 * *m + s.rest1 * g;
            *v = s.beta2 * *v + s.rest2 * (g * g);
            // The decay joins the step before the subtraction: alone, it would be rounded away in f32.
            *x -= s.rate * *m / (v.sqrt() * s.root + s.eps) + s.decay * *x;
        }
    }
}

/// Adam with its state: for a loop of one's own. [`fit`](crate::fit()) uses the same update in parallel.
///
/// ```
/// use ef_train::{Adam, AdamConfig};
/// let mut adam = Adam::new(AdamConfig::default(), 1);
/// let mut x = [3.0_f64];
/// for _ in 0..500 {
///     let grad = [2.0 * (x[0] - 1.0)]; // of (x - 1)^2
///     adam.update(&mut x, &grad, 0.05);
/// }
/// approx::assert_abs_diff_eq!(x[0], 1.0, epsilon = 1e-3);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Adam<T> {
    config: AdamConfig,
    steps: u64,
    /// On which parameters weight decay acts.
    decayed: Vec<Range<usize>>,
    m: Vec<T>,
    v: Vec<T>,
}

impl<T: Real> Adam<T> {
    /// Adam for `len` parameters, before the first step. Weight decay acts on all of them.
    pub fn new(config: AdamConfig, len: usize) -> Self {
        Self {
            config,
            steps: 0,
            decayed: std::iter::once(0..len).collect(),
            m: vec![T::zero(); len],
            v: vec![T::zero(); len],
        }
    }

    /// Adam for the parameters of a layout, before the first step. Weight decay acts on its weights and not on its
    /// offsets.
    pub fn of_layout(config: AdamConfig, layout: &ParamLayout) -> Self {
        Self {
            decayed: layout.decayed(),
            ..Self::new(config, layout.len())
        }
    }

    /// On which parameters weight decay acts (ascending ranges), and both moments.
    pub(crate) fn state(&mut self) -> (&[Range<usize>], &mut [T], &mut [T]) {
        (&self.decayed, &mut self.m, &mut self.v)
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts a step at learning rate `lr` and gives its coefficients.
    pub(crate) fn advance(&mut self, lr: f64) -> AdamStep<T> {
        self.steps += 1;
        self.config.step(self.steps, lr)
    }

    /// One step on all parameters.
    pub fn update(&mut self, params: &mut [T], grads: &[T], lr: f64) {
        let step = self.advance(lr);
        for (span, decays) in spans(&self.decayed, 0..params.len()) {
            let step = if decays { step } else { step.without_decay() };
            let (m, v) = (&mut self.m[span.clone()], &mut self.v[span.clone()]);
            step.update(&mut params[span.clone()], &grads[span], T::one(), m, v);
        }
    }
}

/// `all` cut where weight decay begins or ends, and whether it acts on each piece.
pub(crate) fn spans(
    decayed: &[Range<usize>],
    all: Range<usize>,
) -> impl Iterator<Item = (Range<usize>, bool)> + '_ {
    let mut next = decayed.partition_point(|range| range.end <= all.start);
    let mut at = all.start;
    std::iter::from_fn(move || {
        if at >= all.end {
            return None;
        }
        let (end, decays) = match decayed.get(next) {
            Some(range) if range.start <= at => {
                next += 1;
                (range.end, true)
            }
            Some(range) => (range.start, false),
            None => (all.end, false),
        };
        let span = at..end.min(all.end);
        at = span.end;
        Some((span, decays))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_a_range_and_know_where_decay_acts() {
        let decayed = [2..5, 8..9];
        let of = |all| spans(&decayed, all).collect::<Vec<_>>();
        assert_eq!(
            of(0..10),
            [
                (0..2, false),
                (2..5, true),
                (5..8, false),
                (8..9, true),
                (9..10, false)
            ]
        );
        assert_eq!(of(3..8), [(3..5, true), (5..8, false)]);
        assert_eq!(of(5..6), [(5..6, false)]);
        assert_eq!(of(9..10), [(9..10, false)]);
        assert_eq!(of(4..4), []);
    }
}
