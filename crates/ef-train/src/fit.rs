//! The loop: maximum likelihood by mini-batches, validated and stopped in time.

use std::time::{Duration, Instant};

use ef_density::{Density, RowSet, ScoreKey};
use ef_random::{Key, StepKey};
use ef_tensor::Real;
use ef_tensor::params::ParamLayout;

use crate::adam::Adam;
use crate::parallel::{Shards, with_threads};
use crate::plan::{Decision, EpochStatus, Plan, PlanState};
use crate::score::Score;
use crate::{
    Batches, EpochRecord, EpochReport, FitStart, History, Observer, StepReport, StopReason, TrainConfig,
    TrainError, validation_split,
};

/// Fits `params` to `rows` by maximum likelihood: minimises the mean of `-log p(row)` over the training rows.
///
/// `params` holds starting values ([`Density::init`]) when it is passed and the best weights found when the call
/// returns, also when it returns [`TrainError::NonFinite`]. What happens:
///
/// 1. Rows are held out for validation ([`validation_split`]), and [`Density::init_from_data`] is called once on
///    the training rows, in the order of the first epoch.
/// 2. Each epoch goes through the training rows in an order of its own ([`Batches`]). A step takes the gradient of the
///    mini-batch's mean loss, clips it by its global norm, and hands it to [`Adam`] at the learning rate of the
///    [`Plan`](crate::Plan); an average of the weights follows ([`ema_decay`](crate::ema_decay)).
/// 3. After each epoch the average is scored on the validation rows, and kept if it is the best so far. The weights
///    before training are a candidate too, so a fit that ran through an epoch never returns anything worse than it
///    was given. The plan says after how many epochs without a better one training stops.
///
/// A step whose loss or gradient is not finite is skipped and counted; the fit is given up when that happens to more
/// than a fifth of an epoch's steps. The result depends on data, settings and seed only, not on the number of
/// threads, unless the clock or the observer cut it short.
///
/// # Errors
///
/// Settings out of range, no rows, parameters that do not fit the density or are not finite, threads that cannot be
/// started, and too many steps that are not finite.
///
/// See the [crate] page for an example.
pub fn fit<T, D>(
    density: &D,
    params: &mut [T],
    rows: &D::Rows,
    config: &TrainConfig,
    observer: &mut dyn Observer,
) -> Result<History, TrainError>
where
    T: Real,
    D: Density<T> + ?Sized,
{
    let started = Instant::now();
    config.validate()?;
    if rows.num_rows() == 0 {
        return Err(TrainError::NoRows);
    }
    if params.len() != density.num_params() {
        return Err(TrainError::ParamCount {
            expected: density.num_params(),
            given: params.len(),
        });
    }
    with_threads(config.threads, |parallel| {
        Fit::new(density, params, rows, config, started, parallel)?.run(observer)
    })?
}

/// The best weights so far.
struct Best<T> {
    score: Score,
    epoch: usize,
    weights: Vec<T>,
}

/// How the steps of an epoch ended, and what they saw.
struct Steps {
    /// `None`: all steps were done.
    cut: Option<StopReason>,
    done: usize,
    skipped: usize,
    lr: f64,
    /// Summed loss and number of the rows of steps that were taken.
    loss: f64,
    rows: usize,
}

struct Fit<'a, T: Real, D: Density<T> + ?Sized> {
    density: &'a D,
    params: &'a mut [T],
    rows: &'a D::Rows,
    config: &'a TrainConfig,
    started: Instant,
    batches: Batches,
    validation: Vec<usize>,
    course: PlanState,
    team: Shards<T, D::Scratch>,
    adam: Adam<T>,
    /// Follows the weights; empty if they are not averaged.
    average: Vec<T>,
    best: Best<T>,
    history: History,
    /// Steps done, skipped ones included.
    step: u64,
}

impl<'a, T: Real, D: Density<T> + ?Sized> Fit<'a, T, D> {
    fn new(
        density: &'a D,
        params: &'a mut [T],
        rows: &'a D::Rows,
        config: &'a TrainConfig,
        started: Instant,
        parallel: bool,
    ) -> Result<Self, TrainError> {
        let key = Key::new(config.seed);
        let held_out = Key::new(config.split_seed.unwrap_or(config.seed));
        let split = validation_split(rows.num_rows(), held_out, &config.validation);
        let batch = config.batch_for(split.train.len());
        let mut batches = Batches::new(split.train, batch, key);
        batches.start_epoch(1);
        density.init_from_data(params, rows, batches.first(batches.num_rows()));
        let layout = ParamLayout::of(|visitor| density.visit_params(visitor));
        if let Some(i) = params.iter().position(|x| !x.is_finite()) {
            return Err(TrainError::ParamNotFinite {
                name: layout.describe(i),
            });
        }
        let course = PlanState::new(config, batches.steps() as u64);
        let history = History {
            epochs: Vec::new(),
            planned_epochs: config.epochs,
            steps_per_epoch: batches.steps(),
            batch,
            train_rows: batches.num_rows(),
            validation_rows: split.validation.len(),
            validated_on_training: split.validated_on_training,
            start_nll: f64::INFINITY,
            best_epoch: Some(0),
            best_nll: f64::INFINITY,
            skipped_steps: 0,
            stopped_by: StopReason::Completed,
        };
        Ok(Self {
            density,
            rows,
            config,
            started,
            batches,
            validation: split.validation,
            course,
            team: Shards::new(config.shards, params.len(), parallel),
            adam: Adam::of_layout(config.adam(), &layout),
            average: if config.ema > 0.0 {
                params.to_vec()
            } else {
                Vec::new()
            },
            best: Best {
                score: Score::default(),
                epoch: 0,
                weights: params.to_vec(),
            },
            params,
            history,
            step: 0,
        })
    }

    fn run(mut self, observer: &mut dyn Observer) -> Result<History, TrainError> {
        self.best.score = self.validate();
        self.history.start_nll = self.best.score.nll();
        observer.on_start(&FitStart {
            epochs: self.config.epochs,
            open_ended: matches!(self.config.plan, Plan::Hold(_)),
            steps_per_epoch: self.history.steps_per_epoch,
            params: self.params.len(),
            train_rows: self.history.train_rows,
            validation_rows: self.history.validation_rows,
            validated_on_training: self.history.validated_on_training,
            start_nll: self.history.start_nll,
        });
        let ended = self.epochs(observer);
        self.history.best_epoch = Some(self.best.epoch);
        self.history.best_nll = self.best.score.nll();
        let unvalidated = matches!(ended, Ok(StopReason::Cancelled))
            && self.history.epochs.is_empty()
            && self.adam.steps() > 0
            && all_finite(self.averaged());
        if unvalidated {
            self.history.best_epoch = None;
            if !self.average.is_empty() {
                self.params.copy_from_slice(&self.average);
            }
        } else {
            self.params.copy_from_slice(&self.best.weights);
        }
        self.history.stopped_by = ended?;
        Ok(self.history)
    }

    fn epochs(&mut self, observer: &mut dyn Observer) -> Result<StopReason, TrainError> {
        for epoch in 1.. {
            let steps = self.steps(epoch, observer)?;
            let nothing_done = steps.done == 0;
            match steps.cut {
                Some(StopReason::Cancelled) => return Ok(StopReason::Cancelled),
                Some(reason) if nothing_done => return Ok(reason),
                _ => self.close_epoch(epoch, &steps, observer),
            }
            if let Some(reason) = steps.cut {
                return Ok(reason);
            }
            let standing = EpochStatus {
                epoch,
                best: self.best.epoch,
                best_nll: self.best.score.nll(),
                step: self.step,
                steps_per_epoch: self.batches.steps() as u64,
                time: self.config.max_time.map_or(0.0, |max| {
                    self.elapsed().as_secs_f64() / max.as_secs_f64().max(f64::MIN_POSITIVE)
                }),
            };
            match self.course.next(standing, self.config) {
                Decision::Epoch => {}
                Decision::End(reason) => return Ok(reason),
                Decision::Anneal => {
                    self.params.copy_from_slice(&self.best.weights);
                    if !self.average.is_empty() {
                        self.average.copy_from_slice(&self.best.weights);
                    }
                }
            }
        }
        Ok(StopReason::Completed)
    }

    /// The steps of one epoch, until the clock or the observer stops them.
    fn steps(&mut self, epoch: usize, observer: &mut dyn Observer) -> Result<Steps, TrainError> {
        self.batches.start_epoch(epoch as u64);
        let planned = self.batches.steps();
        let mut steps = Steps {
            cut: None,
            done: 0,
            skipped: 0,
            lr: 0.0,
            loss: 0.0,
            rows: 0,
        };
        while steps.done < planned {
            if observer.should_stop() {
                steps.cut = Some(StopReason::Cancelled);
                break;
            }
            if self.config.max_time.is_some_and(|max| self.elapsed() >= max) {
                steps.cut = Some(StopReason::Clock);
                break;
            }
            let report = self.take_step(epoch, &mut steps);
            observer.on_step(&report);
            if steps.skipped * 5 > planned {
                return Err(TrainError::NonFinite {
                    epoch,
                    skipped: steps.skipped,
                    steps: planned,
                    lr: self.config.lr,
                    best_epoch: self.best.epoch,
                });
            }
        }
        Ok(steps)
    }

    fn take_step(&mut self, epoch: usize, steps: &mut Steps) -> StepReport {
        let batch = self.batches.batch(steps.done);
        let (density, rows, params) = (self.density, self.rows, &*self.params);
        let (key, step) = (Key::new(self.config.seed).purpose("train"), self.step);
        let gradient = self.team.gradient(batch.len(), |positions, scratch, grads| {
            let row = positions.start as u64;
            density.nll_backward(
                params,
                rows,
                &batch[positions],
                StepKey { key, step, row },
                scratch,
                grads,
            )
        });
        steps.lr = self.course.lr(self.step);
        let scale = gradient.scale(self.config.clip_norm);
        if let Some(scale) = scale {
            let (config, lr) = (self.config, steps.lr);
            self.team.update(
                self.params,
                &mut self.average,
                &mut self.adam,
                lr,
                scale,
                config.ema,
            );
            steps.loss += gradient.loss * batch.len() as f64;
            steps.rows += batch.len();
        } else {
            steps.skipped += 1;
            self.history.skipped_steps += 1;
        }
        steps.done += 1;
        self.step += 1;
        StepReport {
            epoch,
            step: self.step,
            nll: gradient.loss,
            grad_norm: gradient.norm,
            lr: steps.lr,
            skipped: scale.is_none(),
        }
    }

    /// Validates the average, keeps it if it is the best so far, and writes the epoch down.
    fn close_epoch(&mut self, epoch: usize, steps: &Steps, observer: &mut dyn Observer) {
        let score = self.validate();
        if score.better_than(&self.best.score) && all_finite(self.averaged()) {
            self.best.score = score;
            self.best.epoch = epoch;
            self.best
                .weights
                .copy_from_slice(averaged(&self.average, self.params));
        }
        let record = EpochRecord {
            epoch,
            train_nll: if steps.rows == 0 {
                f64::INFINITY
            } else {
                steps.loss / steps.rows as f64
            },
            validation_nll: score.nll(),
            impossible_rows: score.impossible,
            lr: steps.lr,
            skipped_steps: steps.skipped,
        };
        observer.on_epoch(&EpochReport {
            epoch,
            planned: self.course.last(),
            train_nll: record.train_nll,
            validation_nll: record.validation_nll,
            impossible_rows: record.impossible_rows,
            best_nll: self.best.score.nll(),
            best_epoch: self.best.epoch,
            lr: record.lr,
            elapsed: self.elapsed(),
        });
        self.history.epochs.push(record);
    }

    /// The loss of the averaged weights on the validation rows, with the same noise every time.
    fn validate(&mut self) -> Score {
        let (density, rows, index) = (self.density, self.rows, &self.validation);
        let weights = averaged(&self.average, self.params);
        let key = ScoreKey {
            key: Key::new(self.config.seed).purpose("validation"),
            draws: self.config.validation_draws,
            first_row: 0,
        };
        self.team.score(index.len(), |positions, scratch, out| {
            density.log_prob(weights, rows, &index[positions], key, scratch, out);
        })
    }

    fn averaged(&self) -> &[T] {
        averaged(&self.average, self.params)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The average of the weights, or the weights if there is none.
fn averaged<'a, T>(average: &'a [T], params: &'a [T]) -> &'a [T] {
    if average.is_empty() { params } else { average }
}

fn all_finite<T: Real>(values: &[T]) -> bool {
    values.iter().all(|x| x.is_finite())
}
