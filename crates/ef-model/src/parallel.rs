//! Rows in parallel, in chunks aligned to absolute row numbers.

use std::ops::Range;

use ef_tensor::shards::chunks;
use rayon::prelude::*;

use crate::error::ModelError;

/// Rows a chunk: part of the result's bits (a product's tiles depend on it), so it is no setting.
pub(crate) const CHUNK: usize = 512;

/// Runs `f` with `threads` threads for whatever fitting, sampling and scoring it does. 0 are those of the rayon pool that
/// the call is made in, and outside of any of rayon's global one: all the machine has. The number of threads never changes
/// a result.
///
/// # Errors
/// If the threads cannot be started.
pub fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> Result<R, ModelError> {
    let around = rayon::current_thread_index().map(|_| rayon::current_num_threads());
    if threads == 0 || around == Some(threads) {
        return Ok(f());
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| ModelError::Threads {
            threads,
            reason: error.to_string(),
        })?;
    Ok(pool.install(f))
}

/// `f` of each chunk of `0..rows`, in order; scratch is per worker.
pub(crate) fn over_chunks<S: Default + Send, R: Send>(
    rows: usize,
    f: impl Fn(Range<usize>, &mut S) -> R + Send + Sync,
) -> Vec<R> {
    let all: Vec<Range<usize>> = chunks(rows, CHUNK).collect();
    all.into_par_iter()
        .map_init(S::default, |scratch, range| f(range, scratch))
        .collect()
}
