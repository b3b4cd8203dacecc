//! One training step on many threads, with the same bytes for any number of them.
//!
//! Work is cut by settings, never by threads: a mini-batch into a fixed number of row shards, each with a gradient
//! and scratch memory of its own (on one thread they share both, with the same sums); the parameters into fixed ranges. Threads only decide who computes a piece. Every
//! sum over pieces is taken in the order of the pieces. A step is three fork-joins:
//!
//! 1. **Shards**: each adds up the gradient of its rows (nearly all of the time).
//! 2. **Reduction**: for each parameter range, the sum over shards and its squared norm.
//! 3. **Update**: for each parameter range, Adam and the average of the weights.
//!
//! Two would do without clipping. Clipping by the *global* norm puts a barrier between 2 and 3: no parameter may move
//! before every partial norm is known. The third fork-join costs microseconds, and the alternative, the norm of the
//! step before, would let exactly the extreme step through that clipping is there for.
//!
//! The sum takes the place of the first shard's gradient, and every gradient is left at zero by the pass that reads it
//! last. Buffers are made once: a step allocates nothing here, and rayon's splitting of slices does not either.

use std::ops::Range;

use ef_tensor::Real;
use ef_tensor::shards::{chunks, piece};
use rayon::prelude::*;

use crate::adam::Adam;
use crate::passes::{RANGE, Reduce, SHARDS_A_PASS, Update, each_range};
use crate::score::Score;
use crate::{TrainError, clip_factor, ema_decay};

/// Rows scored at a time.
const CHUNK: usize = 256;

/// Runs `work` once on `threads` threads, and passes it whether they are several. 0 uses the pool around the call;
/// outside of any pool, rayon's global one. A pool is opened only if several threads are asked for and the pool around
/// the call has another number of them; one thread is the caller's own.
pub(crate) fn with_threads<R: Send>(
    threads: usize,
    work: impl FnOnce(bool) -> R + Send,
) -> Result<R, TrainError> {
    let around = rayon::current_thread_index().map(|_| rayon::current_num_threads());
    match (threads, around) {
        (1, _) | (0, Some(1)) => return Ok(work(false)),
        (0, _) => return Ok(in_the_pool_around(work)),
        (n, Some(around)) if n == around => return Ok(work(true)),
        _ => {}
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("ef-train-{i}"))
        .build()
        .map_err(|e| TrainError::Threads {
            threads,
            reason: e.to_string(),
        })?;
    Ok(pool.install(|| work(true)))
}

/// Runs `work` on a worker of the pool around the call, the global one outside of any.
fn in_the_pool_around<R: Send>(work: impl FnOnce(bool) -> R + Send) -> R {
    rayon::scope(|_| work(rayon::current_num_threads() > 1))
}

/// What a shard computes with.
#[derive(Debug)]
struct ShardScratch<S> {
    scratch: S,
    log_prob: Vec<f64>,
}

/// What a shard leaves behind.
#[derive(Debug, Clone, Copy, Default)]
struct ShardResult {
    loss: f64,
    score: Score,
}

/// The gradient of one mini-batch, which lies in the [`Shards`] until the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gradient {
    /// Mean loss, nats a row.
    pub(crate) loss: f64,
    /// Length of the gradient of the mean loss.
    pub(crate) norm: f64,
    rows: usize,
}

impl Gradient {
    /// What the summed gradient is multiplied by: the mean over rows, then clipping. `None` if the step must not be
    /// taken: the loss or the gradient is not finite, or so long that its square overflows `T`.
    pub(crate) fn scale<T: Real>(&self, clip_norm: Option<f64>) -> Option<T> {
        let factor = clip_norm.map_or(1.0, |max| clip_factor(self.norm, max));
        let length = self.norm * factor;
        let usable =
            self.loss.is_finite() && self.norm.is_finite() && length * length < T::max_value().wide();
        usable.then(|| T::of(factor / self.rows as f64))
    }
}

/// The shards with their memory, and the gradient they add up to.
#[derive(Debug)]
pub(crate) struct Shards<T, S> {
    parallel: bool,
    /// One a shard; on one thread the shards share the first, which stays in the cache.
    memory: Vec<ShardScratch<S>>,
    /// One a shard.
    outcomes: Vec<ShardResult>,
    /// One gradient a shard, on one thread two; zero between steps but for the first, which holds the sum until it is
    /// used. Not in [`ShardScratch`], because the reduction reads them from every thread, and scratch memory need not be
    /// `Sync`.
    grads: Vec<Vec<T>>,
    /// Whether a sum was made and not used.
    unused: bool,
    squares: Vec<f64>,
}

impl<T: Real, S: Default + Send> Shards<T, S> {
    pub(crate) fn new(shards: usize, params: usize, parallel: bool) -> Self {
        let memory = |_| ShardScratch {
            scratch: S::default(),
            log_prob: vec![0.0; CHUNK],
        };
        Self {
            parallel,
            memory: (0..if parallel { shards } else { 1 }).map(memory).collect(),
            outcomes: vec![ShardResult::default(); shards],
            grads: vec![vec![T::zero(); params]; if parallel { shards } else { shards.min(2) }],
            unused: false,
            squares: vec![0.0; params.div_ceil(RANGE)],
        }
    }

    /// Runs `work` once for each shard: the first fork-join.
    fn each_shard(&mut self, work: impl Fn(usize, &mut ShardScratch<S>, &mut ShardResult, &mut [T]) + Sync) {
        if self.parallel {
            let memory = self.memory.par_iter_mut().with_max_len(1);
            memory
                .zip(&mut self.outcomes)
                .zip(&mut self.grads)
                .enumerate()
                .for_each(|(i, ((memory, outcome), grads))| work(i, memory, outcome, grads));
        } else {
            for (i, outcome) in self.outcomes.iter_mut().enumerate() {
                work(i, &mut self.memory[0], outcome, &mut self.grads[i.min(1)]);
            }
        }
    }

    /// The gradient of a mini-batch of `rows` rows. `backward` is given the positions of a shard's rows in the
    /// mini-batch; it adds the gradient of their summed loss and returns that sum.
    pub(crate) fn gradient(
        &mut self,
        rows: usize,
        backward: impl Fn(Range<usize>, &mut S, &mut [T]) -> f64 + Sync,
    ) -> Gradient {
        let count = self.outcomes.len();
        if self.unused {
            self.grads[0].fill(T::zero());
        }
        self.unused = true;
        let work = |i: usize, memory: &mut ShardScratch<S>, outcome: &mut ShardResult, grads: &mut [T]| {
            let positions = piece(rows, count, i);
            outcome.loss = if positions.is_empty() {
                0.0
            } else {
                backward(positions, &mut memory.scratch, grads)
            };
        };
        let squares = if self.parallel {
            self.each_shard(work);
            self.reduce()
        } else {
            // The same sums in the same order, but the second gradient is free again for each shard.
            work(0, &mut self.memory[0], &mut self.outcomes[0], &mut self.grads[0]);
            let mut squares = None;
            for i in 1..count {
                work(i, &mut self.memory[0], &mut self.outcomes[i], &mut self.grads[1]);
                squares = Some(self.reduce());
            }
            squares.unwrap_or_else(|| self.reduce())
        };
        let loss: f64 = self.outcomes.iter().map(|outcome| outcome.loss).sum();
        Gradient {
            loss: loss / rows as f64,
            norm: squares.sqrt() / rows as f64,
            rows,
        }
    }

    /// The sum over shards and its squared norm: the second fork-join.
    fn reduce(&mut self) -> f64 {
        let (sum, others) = self.grads.split_at_mut(1);
        let mut others = others.iter_mut();
        loop {
            let mut slices = [(); SHARDS_A_PASS].map(|()| &mut [][..]);
            for (slice, grads) in slices.iter_mut().zip(others.by_ref()) {
                *slice = grads;
            }
            let pass = Reduce {
                sum: &mut sum[0],
                others: slices,
                squares: &mut self.squares,
            };
            each_range(pass, self.parallel, &Reduce::run);
            if others.len() == 0 {
                return self.squares.iter().sum();
            }
        }
    }

    /// Moves the parameters by the last gradient times `scale`, and the average after them: the third fork-join. An
    /// empty `average` is none.
    pub(crate) fn update(
        &mut self,
        params: &mut [T],
        average: &mut [T],
        adam: &mut Adam<T>,
        lr: f64,
        scale: T,
        ema: f64,
    ) {
        let step = adam.advance(lr);
        let decay = ema_decay(ema, adam.steps());
        let (decayed, m, v) = adam.state();
        let pass = Update {
            start: 0,
            params,
            grads: &mut self.grads[0],
            m,
            v,
            average,
        };
        each_range(pass, self.parallel, &|range: Update<'_, T>| {
            range.run(step, decayed, scale, decay);
        });
        self.unused = false;
    }

    /// The loss of `rows` rows in chunks of fixed size. `log_prob` is given the positions of a chunk's rows and
    /// writes one log-density each.
    pub(crate) fn score(
        &mut self,
        rows: usize,
        log_prob: impl Fn(Range<usize>, &mut S, &mut [f64]) + Sync,
    ) -> Score {
        let all = chunks(rows, CHUNK);
        let count = self.outcomes.len();
        self.each_shard(|i, memory, outcome, _| {
            let mine = piece(all.len(), count, i);
            outcome.score = Score::default();
            for positions in all.clone().skip(mine.start).take(mine.len()) {
                let out = &mut memory.log_prob[..positions.len()];
                log_prob(positions, &mut memory.scratch, out);
                outcome.score.add(out);
            }
        });
        let mut total = Score::default();
        self.outcomes
            .iter()
            .for_each(|outcome| total.merge(&outcome.score));
        total
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    /// The number of threads that work has, and whether it stays in the pool around it.
    fn of(threads: usize) -> (usize, bool, bool) {
        let here = std::thread::current().id();
        with_threads(threads, |parallel| {
            (
                rayon::current_num_threads(),
                parallel,
                std::thread::current().id() == here,
            )
        })
        .unwrap()
    }

    #[test]
    fn no_number_of_threads_means_the_pool_around() {
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        assert_eq!(pool(3).install(|| of(0)), (3, true, true));
        assert_eq!(pool(1).install(|| of(0)), (1, false, true));
        // a pool of the right size is used, another one is not
        assert_eq!(pool(3).install(|| of(3)), (3, true, true));
        assert_eq!(pool(3).install(|| of(2)), (2, true, false));
        // one thread is the caller's own, in a pool or not
        let (_, parallel, stays) = pool(3).install(|| of(1));
        assert!(!parallel && stays);
        let (_, parallel, stays) = of(1);
        assert!(!parallel && stays);
        // outside of any pool: the global one, in which the work is entered
        assert_eq!(of(2), (2, true, false));
        let all = rayon::current_num_threads();
        assert_eq!(of(0), (all, all > 1, false));
    }

    #[test]
    fn a_gradient_is_averaged_over_rows_then_clipped() {
        let gradient = |loss, norm| Gradient { loss, norm, rows: 4 };
        let scale = |norm, clip| gradient(1.0, norm).scale::<f64>(clip).unwrap();
        assert_relative_eq!(scale(0.5, Some(1.0)), 0.25);
        assert_relative_eq!(scale(2.0, Some(1.0)), 0.125);
        assert_relative_eq!(scale(2.0, None), 0.25);
        assert_eq!(gradient(f64::NAN, 2.0).scale::<f64>(Some(1.0)), None);
        assert_eq!(gradient(1.0, f64::INFINITY).scale::<f64>(Some(1.0)), None);
        // Finite, but Adam's square of it would not be, and would stay in its memory for good.
        assert_eq!(gradient(1.0, 1e25).scale::<f32>(None), None);
        assert!(gradient(1.0, 1e25).scale::<f32>(Some(1.0)).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// However it is cut, a gradient is the sum over rows, and a score covers each row once.
        #[test]
        fn shards_and_ranges_cover_everything(rows in 1usize..700, shards in 1usize..20, params in 0usize..5000) {
            let mut team = Shards::<f64, ()>::new(shards, params, false);
            let row = |r: usize, p: usize| ((r * 31 + p * 7) % 11) as f64 - 5.0;
            for _ in 0..2 {
                // Twice: the second must not see the first.
                let gradient = team.gradient(rows, |positions, (), grads| {
                    for (p, g) in grads.iter_mut().enumerate() {
                        *g += positions.clone().map(|r| row(r, p)).sum::<f64>();
                    }
                    positions.map(|r| r as f64).sum()
                });
                let expected: Vec<f64> = (0..params).map(|p| (0..rows).map(|r| row(r, p)).sum()).collect();
                // Whole numbers: sums in any order are exact.
                prop_assert_eq!(&team.grads[0], &expected);
                assert_relative_eq!(gradient.loss, (rows - 1) as f64 / 2.0, max_relative = 1e-12);
                let norm = expected.iter().map(|g| g * g).sum::<f64>().sqrt() / rows as f64;
                assert_relative_eq!(gradient.norm, norm, max_relative = 1e-12);
            }
            let score = team.score(rows, |positions, (), out| {
                assert_eq!(positions.len(), out.len());
                out.iter_mut().zip(positions).for_each(|(out, r)| *out = -(r as f64));
            });
            prop_assert_eq!(score.rows(), rows);
            assert_relative_eq!(score.nll(), (rows - 1) as f64 / 2.0, max_relative = 1e-12);
        }
    }
}
