//! Densities whose optimum, or whose path, is known.
#![allow(dead_code, unreachable_pub)]

use std::ops::Range;

use ef_density::{Density, RowSet, ScoreKey};
use ef_random::{Key, StepKey};
use ef_tensor::{ParamVisitor, Real};
use ef_train::{EpochReport, FitStart, Observer, StepReport, TrainConfig};
use ndarray::Array2;
use rand::{Rng, RngCore};

/// `ln(2 pi) / 2`.
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;

/// A table of numbers.
#[derive(Debug, Clone)]
pub struct Rows(pub Array2<f64>);

impl RowSet for Rows {
    fn num_rows(&self) -> usize {
        self.0.nrows()
    }
}

impl Rows {
    /// Column `j` has mean `j` and standard deviation `1 + j / 10`: a sum of twelve uniform numbers, scaled.
    pub fn random(rows: usize, dim: usize, seed: u64) -> Self {
        let key = Key::new(seed).purpose("rows");
        let mut table = Array2::zeros((rows, dim));
        for (i, mut row) in table.rows_mut().into_iter().enumerate() {
            let mut rng = key.row(i as u64);
            for (j, x) in row.iter_mut().enumerate() {
                let sum: f64 = (0..12).map(|_| rng.random::<f64>() - 0.5).sum();
                *x = j as f64 + (1.0 + j as f64 / 10.0) * sum;
            }
        }
        Self(table)
    }
}

/// Independent normal columns. Parameters: all means, then all logarithms of standard deviations.
#[derive(Debug, Clone)]
pub struct Normal {
    pub dim: usize,
    /// Standard deviation of noise added to what training sees, keyed by step and row.
    pub noise: f64,
}

impl Normal {
    pub fn new(dim: usize) -> Self {
        Self { dim, noise: 0.0 }
    }
}

impl<T: Real> Density<T> for Normal {
    type Rows = Rows;
    type Scratch = ();

    fn num_params(&self) -> usize {
        2 * self.dim
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.offset("mean", &[self.dim]);
        visitor.offset("log_scale", &[self.dim]);
    }

    fn init(&self, _rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
    }

    fn log_prob(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        _key: ScoreKey,
        _scratch: &mut (),
        out: &mut [f64],
    ) {
        let (mean, log_scale) = params.split_at(self.dim);
        for (&i, out) in index.iter().zip(out) {
            *out = 0.0;
            for ((x, m), s) in rows.0.row(i).iter().zip(mean).zip(log_scale) {
                let z = ((T::of(*x) - *m) * (-*s).exp()).wide();
                *out -= 0.5 * z * z + s.wide() + HALF_LN_TAU;
            }
        }
    }

    fn nll_backward(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: StepKey,
        _scratch: &mut (),
        grads: &mut [T],
    ) -> f64 {
        let (mean, log_scale) = params.split_at(self.dim);
        let (g_mean, g_scale) = grads.split_at_mut(self.dim);
        let streams = key.purpose("noise");
        let mut loss = 0.0;
        for (k, &i) in index.iter().enumerate() {
            let mut rng = (self.noise > 0.0).then(|| streams.row(key.row + k as u64));
            for (j, x) in rows.0.row(i).iter().enumerate() {
                let noise = rng
                    .as_mut()
                    .map_or(0.0, |rng| self.noise * (rng.random::<f64>() - 0.5));
                let rate = (-log_scale[j]).exp();
                let z = (T::of(x + noise) - mean[j]) * rate;
                loss += 0.5 * (z * z).wide() + log_scale[j].wide() + HALF_LN_TAU;
                g_mean[j] -= z * rate;
                g_scale[j] += T::one() - z * z;
            }
        }
        loss
    }

    fn sample(&self, _params: &[T], _given: &Rows, rows: Range<u64>, _key: Key, _scratch: &mut ()) -> Rows {
        Rows(Array2::zeros(((rows.end - rows.start) as usize, self.dim)))
    }
}

/// One parameter `p` that training pushes up at constant speed, whatever the data: gradient -1 a row. The
/// log-density is `-|p - peak|`, so validation improves until the peak and then gets worse.
#[derive(Debug)]
pub struct Ramp {
    pub peak: f64,
}

impl Density<f64> for Ramp {
    type Rows = Rows;
    type Scratch = ();

    fn num_params(&self) -> usize {
        1
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("p", &[1]);
    }

    fn init(&self, _rng: &mut dyn RngCore, params: &mut [f64]) {
        params.fill(0.0);
    }

    fn log_prob(&self, p: &[f64], _: &Rows, _: &[usize], _: ScoreKey, _: &mut (), out: &mut [f64]) {
        out.fill(-(p[0] - self.peak).abs());
    }

    fn nll_backward(
        &self,
        _: &[f64],
        _: &Rows,
        index: &[usize],
        _: StepKey,
        _: &mut (),
        grads: &mut [f64],
    ) -> f64 {
        grads[0] -= index.len() as f64;
        index.len() as f64
    }

    fn sample(&self, _: &[f64], _: &Rows, rows: Range<u64>, _: Key, _: &mut ()) -> Rows {
        Rows(Array2::zeros(((rows.end - rows.start) as usize, 1)))
    }
}

/// Settings without averaging, decay, clipping, warm-up and change of the learning rate: plain Adam.
pub fn plain(lr: f64) -> TrainConfig {
    TrainConfig::default()
        .lr(lr)
        .lr_min(lr)
        .warmup(0)
        .weight_decay(0.0)
        .clip_norm(None)
        .ema(0.0)
        .threads(1)
}

/// Writes everything down, and cancels after a number of steps.
#[derive(Debug, Default)]
pub struct Recorder {
    pub starts: Vec<FitStart>,
    pub steps: Vec<StepReport>,
    pub epochs: Vec<EpochReport>,
    pub cancel_after: Option<usize>,
}

impl Observer for Recorder {
    fn on_start(&mut self, start: &FitStart) {
        self.starts.push(*start);
    }
    fn on_step(&mut self, report: &StepReport) {
        self.steps.push(*report);
    }
    fn on_epoch(&mut self, report: &EpochReport) {
        self.epochs.push(*report);
    }
    fn should_stop(&mut self) -> bool {
        self.cancel_after.is_some_and(|n| self.steps.len() >= n)
    }
}
