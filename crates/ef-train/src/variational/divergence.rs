//! How far an approximation is from its target.

use ef_random::Key;
use ef_tensor::Real;
use ef_tensor::shards::chunks;

use crate::TrainError;
use crate::variational::fit::check_fit;
use crate::variational::{Target, Variational, VariationalScratch};

/// An estimate of `KL(q || p)` from draws of `q`, nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlEstimate {
    /// The mean of `log q(x) - ln p~(x) + ln Z` over the draws.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Number of draws.
    pub draws: usize,
}

/// Draws pushed through the flow at a time.
const CHUNK: usize = 256;

/// Estimates `KL(q || p) = E_q[log q(x) - ln p~(x)] + ln Z` from `draws` points, drawn from the streams of `key`. The
/// caller knows `ln Z`, the logarithm of the integral of `p~`, from elsewhere: in two dimensions, by quadrature.
///
/// The true value is never negative; the estimate can be, by chance. Runs on the calling thread.
///
/// # Errors
/// If parameters or target do not fit `q`, there are fewer than two draws, or some draw's density is not finite.
pub fn kl_divergence<T: Real>(
    q: &Variational<T>,
    params: &[T],
    target: &(impl Target + ?Sized),
    log_z: f64,
    draws: usize,
    key: Key,
) -> Result<KlEstimate, TrainError> {
    check_fit(q, params, target)?;
    if draws < 2 {
        return Err(TrainError::setting("draws", draws, "at least 2"));
    }
    let key = key.purpose("divergence");
    let mut scratch = VariationalScratch::default();
    let (mut point, mut gradient) = (vec![0.0; q.dim()], vec![0.0; q.dim()]);
    let mut terms = Vec::with_capacity(draws);
    for rows in chunks(draws, CHUNK) {
        let rows = rows.start as u64..rows.end as u64;
        let (x, log_q) = q.sample_with_log_prob(params, rows, key, &mut scratch);
        for (x, log_q) in x.rows().into_iter().zip(log_q) {
            point.iter_mut().zip(x).for_each(|(p, x)| *p = x.wide());
            terms.push(log_q - target.log_density(&point, &mut gradient) + log_z);
        }
    }
    let bad = terms.iter().filter(|t| !t.is_finite()).count();
    if bad > 0 {
        return Err(TrainError::DivergenceNotFinite { bad, draws });
    }
    let n = draws as f64;
    let mean = terms.iter().sum::<f64>() / n;
    let squares: f64 = terms.iter().map(|t| (t - mean) * (t - mean)).sum();
    Ok(KlEstimate {
        mean,
        standard_error: (squares / (n - 1.0) / n).sqrt(),
        draws,
    })
}
