//! The loop: stochastic gradients of the reverse divergence.

use ef_random::{Key, StepKey};
use ef_tensor::Real;
use ef_tensor::params::ParamLayout;
use serde::{Deserialize, Serialize};

use crate::adam::{Adam, AdamConfig};
use crate::history::or_infinity;
use crate::parallel::{Shards, with_threads};
use crate::variational::{Target, Variational, VariationalConfig, VariationalScratch};
use crate::{Observer, Schedule, StepReport, StopReason, TrainError};

/// Steps whose losses are averaged for the history.
const BLOCK: u64 = 100;

/// Losses of a run of steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VariationalBlock {
    /// Steps done when it ended.
    pub step: u64,
    /// Mean over its steps of `log q(x) - beta ln p~(x)`, nats. Once `beta` is 1, this is an estimate of
    /// `KL(q || p) - ln Z` at the weights of the moment. Steps that were skipped do not count; infinite if all were.
    #[serde(with = "or_infinity")]
    pub loss: f64,
    /// Weight of the target's log-density in its last step.
    pub beta: f64,
    /// Learning rate of its last step.
    pub lr: f64,
}

/// The record of a variational fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariationalHistory {
    /// Losses, 100 steps each; the last may be shorter.
    pub blocks: Vec<VariationalBlock>,
    /// Steps done, skipped ones included.
    pub steps: u64,
    /// Steps skipped because their loss or gradient was not finite.
    pub skipped_steps: u64,
    /// Why the fit ended: [`StopReason::Completed`] or [`StopReason::Cancelled`].
    pub stopped_by: StopReason,
}

/// Fits `q` to `target`: minimises `E[log q(x) - ln p~(x)]` over the parameters, `x` drawn from `q`. The minimum is
/// `-ln Z` where `q` can be `p`, and larger by `KL(q || p)` where it cannot.
///
/// `params` holds starting values ([`Variational::init`]) when it is passed and the averaged weights of the last step
/// when the call returns, also when it returns [`TrainError::TargetNotFinite`] or the observer cancelled. Each step
/// draws `batch` points keyed by seed, step and row, takes the gradient of their mean loss through the points
/// themselves (reparameterised: `x = f(z)` with `z` from the base), clips it by its global norm, and hands it to
/// [`Adam`](crate::Adam) at the learning rate of the [`Schedule`]. The target may be annealed
/// ([`VariationalConfig::beta`]).
///
/// A step whose loss or gradient is not finite is skipped and counted; the fit is given up when that happens to more
/// than a fifth of the planned steps. The result depends on settings and seed only, not on the number of threads,
/// unless the observer cut it short. The observer gets each step, as a step of one epoch.
///
/// # Errors
/// Settings out of range, dimensions or parameters that do not fit, parameters that are not finite, threads that
/// cannot be started, and too many steps that are not finite.
///
/// ```
/// use ef_bijectors::ElementwiseAffine;
/// use ef_random::Key;
/// use ef_train::{Target, Variational, VariationalConfig, fit_variational, kl_divergence};
///
/// /// A normal distribution around 3 with standard deviation 1/2.
/// #[derive(Debug)]
/// struct Known;
///
/// impl Target for Known {
///     fn dim(&self) -> usize { 1 }
///     fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
///         gradient[0] = -4.0 * (x[0] - 3.0);
///         -2.0 * (x[0] - 3.0).powi(2)
///     }
/// }
///
/// let q = Variational::<f64>::new(ElementwiseAffine::new(1)?)?;
/// let mut params = vec![0.0; 2];
/// let config = VariationalConfig::default().steps(1000).lr(0.05).threads(1);
/// fit_variational(&q, &mut params, &Known, &config, &mut ())?;
/// let log_z = 0.5 * (std::f64::consts::TAU / 4.0).ln();
/// let kl = kl_divergence(&q, &params, &Known, log_z, 10_000, Key::new(1))?;
/// assert!(kl.mean.abs() < 0.01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit_variational<T: Real>(
    q: &Variational<T>,
    params: &mut [T],
    target: &(impl Target + ?Sized),
    config: &VariationalConfig,
    observer: &mut dyn Observer,
) -> Result<VariationalHistory, TrainError> {
    config.validate()?;
    check_fit(q, params, target)?;
    if let Some(i) = params.iter().position(|x| !x.is_finite()) {
        let layout = ParamLayout::of(|visitor| q.visit_params(visitor));
        return Err(TrainError::ParamNotFinite {
            name: layout.describe(i),
        });
    }
    with_threads(config.threads, |parallel| {
        run(q, params, target, config, observer, parallel)
    })?
}

/// An error unless parameters and target have the sizes of `q`.
pub(super) fn check_fit<T: Real>(
    q: &Variational<T>,
    params: &[T],
    target: &(impl Target + ?Sized),
) -> Result<(), TrainError> {
    if params.len() != q.num_params() {
        return Err(TrainError::ParamCount {
            expected: q.num_params(),
            given: params.len(),
        });
    }
    if target.dim() != q.dim() {
        return Err(TrainError::TargetDimension {
            target: target.dim(),
            approximation: q.dim(),
        });
    }
    Ok(())
}

fn run<T: Real>(
    q: &Variational<T>,
    params: &mut [T],
    target: &(impl Target + ?Sized),
    config: &VariationalConfig,
    observer: &mut dyn Observer,
    parallel: bool,
) -> Result<VariationalHistory, TrainError> {
    let mut team = Shards::<T, VariationalScratch<T>>::new(config.shards, params.len(), parallel);
    let mut adam = Adam::new(AdamConfig::default(), params.len());
    let schedule = Schedule::new(config.lr, config.lr_min, config.warmup, config.steps);
    let mut average = params.to_vec();
    let key = Key::new(config.seed).purpose("variational");
    let mut history = VariationalHistory {
        blocks: Vec::new(),
        steps: 0,
        skipped_steps: 0,
        stopped_by: StopReason::Completed,
    };
    let (mut loss, mut taken) = (0.0, 0_u64);
    for step in 0..config.steps {
        if observer.should_stop() {
            history.stopped_by = StopReason::Cancelled;
            break;
        }
        let (beta, lr) = (config.beta(step), schedule.lr(step));
        let weights = &*params;
        let gradient = team.gradient(config.batch, |positions, scratch, grads| {
            let row = positions.start as u64;
            let key = StepKey { key, step, row };
            q.loss_backward(weights, target, beta, positions.len(), key, scratch, grads)
        });
        let scale = gradient.scale(config.clip_norm);
        if let Some(scale) = scale {
            team.update(params, &mut average, &mut adam, lr, scale, config.ema);
            loss += gradient.loss;
            taken += 1;
        } else {
            history.skipped_steps += 1;
        }
        history.steps += 1;
        observer.on_step(&StepReport {
            epoch: 1,
            step: history.steps,
            nll: gradient.loss,
            grad_norm: gradient.norm,
            lr,
            skipped: scale.is_none(),
        });
        if history.skipped_steps * 5 > config.steps {
            params.copy_from_slice(&average);
            return Err(TrainError::TargetNotFinite {
                skipped: history.skipped_steps,
                steps: config.steps,
                lr: config.lr,
            });
        }
        if history.steps.is_multiple_of(BLOCK) || history.steps == config.steps {
            history.blocks.push(VariationalBlock {
                step: history.steps,
                loss: if taken == 0 {
                    f64::INFINITY
                } else {
                    loss / taken as f64
                },
                beta,
                lr,
            });
            (loss, taken) = (0.0, 0);
        }
    }
    params.copy_from_slice(&average);
    Ok(history)
}
