//! Probabilities of boxes under a multivariate normal, by the simulator of Geweke, Hajivassiliou and Keane
//! (Geweke 1991; Hajivassiliou & McFadden 1998, doi:10.2307/2999576, section 4).
//!
//! With `Z = L e`, `L` lower triangular and `e` standard normal, column after column:
//!
//! ```text
//! point z       e_j = (z - sum_{k<j} L_jk e_k) / L_jj               weight phi(e_j) / (L_jj phi(z))
//! (low, high)   e_j drawn between the same of low and of high       weight P(e_j between them) / P(Z_j in (low, high))
//! free          e_j drawn                                           weight 1
//! ```
//!
//! The product of the weights is an unbiased estimate of the event's probability, each column's own divided out. It is
//! exact as long as nothing was drawn before the last column that has a weight.

use anyhow::{Result, ensure};
use ef_bijectors::ndarray::Array2;
use ef_random::uniform;
use ef_tensor::normal::{log_phi, ndtr, ndtri};
use rand::RngCore;

/// Intervals of ranks narrower than this are points: the difference of two ranks has no digits left below.
const NARROW: f64 = 1e-9;

/// What is known of a column's latent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event {
    /// Its value.
    Point(f64),
    /// Between two values; the last is the logarithm of the interval's own probability.
    Interval(f64, f64, f64),
    /// Nothing.
    Free,
}

impl Event {
    /// Between two ranks.
    pub(super) fn of_ranks(low: f64, high: f64) -> Self {
        let (low, high) = (low.max(0.0), high.min(1.0));
        if high - low < NARROW {
            Self::Point(ndtri((0.5 * (low + high)).clamp(NARROW, 1.0 - NARROW)))
        } else {
            Self::Interval(ndtri(low), ndtri(high), (high - low).ln())
        }
    }
}

/// The factor of a correlation, its columns in the order of simulation.
#[derive(Debug)]
pub(super) struct Ghk {
    factor: Array2<f64>,
    order: Vec<usize>,
}

impl Ghk {
    /// Factors a correlation matrix.
    ///
    /// # Errors
    /// A matrix that is not positive definite.
    pub(super) fn new(correlation: &Array2<f64>, order: Vec<usize>) -> Result<Self> {
        let dim = order.len();
        let mut factor = Array2::<f64>::zeros((dim, dim));
        for i in 0..dim {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| factor[[i, k]] * factor[[j, k]]).sum();
                let rest = correlation[[order[i], order[j]]] - known;
                if i == j {
                    ensure!(
                        rest > 0.0,
                        "the correlation of the columns is not positive definite"
                    );
                    factor[[i, i]] = rest.sqrt();
                } else {
                    factor[[i, j]] = rest / factor[[j, j]];
                }
            }
        }
        Ok(Self { factor, order })
    }

    /// The log-probability of one event a column, each column's own divided out, and the standard error from `draws`
    /// draws; 0 where none is needed.
    pub(super) fn log_prob(&self, events: &[Event], draws: usize, rng: &mut dyn RngCore) -> (f64, f64) {
        let events: Vec<Event> = self.order.iter().map(|column| events[*column]).collect();
        let used = events
            .iter()
            .rposition(|event| *event != Event::Free)
            .map_or(0, |last| last + 1);
        let events = &events[..used];
        let before = &events[..used.saturating_sub(1)];
        let exact = before.iter().all(|event| matches!(event, Event::Point(_)));
        let draws = if exact { 1 } else { draws.max(2) };
        let mut e = vec![0.0; used];
        let logs: Vec<f64> = (0..draws).map(|_| self.log_weight(events, &mut e, rng)).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if exact || most == f64::NEG_INFINITY {
            return (most, 0.0);
        }
        let n = draws as f64;
        let weights = logs.iter().map(|log| (log - most).exp());
        let mean = weights.clone().sum::<f64>() / n;
        let variance = weights.map(|weight| (weight - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (most + mean.ln(), (variance / n).sqrt() / mean)
    }

    /// One draw's logarithm of the product of weights.
    fn log_weight(&self, events: &[Event], e: &mut [f64], rng: &mut dyn RngCore) -> f64 {
        let mut log = 0.0;
        for (j, event) in events.iter().enumerate() {
            let row = self.factor.row(j);
            let mean: f64 = (0..j).map(|k| row[k] * e[k]).sum();
            let scale = row[j];
            match *event {
                Event::Point(z) => {
                    e[j] = (z - mean) / scale;
                    log += log_phi(e[j]) - scale.ln() - log_phi(z);
                }
                Event::Interval(low, high, own) => {
                    let (drawn, mass) = between((low - mean) / scale, (high - mean) / scale, uniform(rng));
                    e[j] = drawn;
                    log += mass - own;
                }
                Event::Free => e[j] = ndtri(uniform(rng)),
            }
        }
        log
    }
}

/// Beyond this the normal distribution function underflows.
const FAR: f64 = 37.0;

/// The value at rank `u` of a standard normal between two values, and the logarithm of the probability between them.
pub(super) fn between(low: f64, high: f64, u: f64) -> (f64, f64) {
    if low > 0.0 {
        // the lower tail has all digits
        let (drawn, mass) = between(-high, -low, 1.0 - u);
        return (-drawn, mass);
    }
    let (a, b) = (ndtr(low), ndtr(high));
    if high < -FAR || b <= a {
        // The tail below `high` is about exponential with rate |high|: P = phi(high) / |high| (1 - e^(-|high| width)).
        let (rate, width) = (high.abs().max(1.0), high - low);
        let kept = -(-rate * width).exp_m1();
        let drawn = high + (-(1.0 - u) * kept).ln_1p() / rate;
        return (
            drawn,
            log_phi(high) - rate.ln() + kept.max(f64::MIN_POSITIVE).ln(),
        );
    }
    (ndtri(a + u * (b - a)).clamp(low, high), (b - a).ln())
}
