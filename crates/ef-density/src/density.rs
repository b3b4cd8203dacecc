//! The trait that training and checking use: a family of distributions with parameters.

use std::fmt::Debug;
use std::ops::Range;

use ef_tensor::{ParamVisitor, Real};
use rand_core::RngCore;

use crate::key::{Key, ScoreKey, StepKey};

/// A set of rows that can be counted.
pub trait RowSet: Debug + Send + Sync {
    /// How many rows there are.
    fn num_rows(&self) -> usize;
}

/// A distribution over rows, with parameters: it can be scored, sampled and trained.
///
/// Like a layer, a density is a pure function of one flat parameter slice, which its owner holds. Rows are whole
/// tables; a call names the rows it is about, so nothing is copied to make a mini-batch. Log-densities are in nats
/// and `f64`. All methods are deterministic: noise comes from keys.
pub trait Density<T: Real>: Debug + Send + Sync {
    /// Encoded rows.
    type Rows: RowSet;
    /// Scratch memory of one worker: tape, workspaces. Recycled, so that a step allocates nothing after the first.
    type Scratch: Debug + Default + Send;

    /// Number of parameters.
    fn num_params(&self) -> usize;

    /// Ordered names and shapes of the parameters.
    fn visit_params(&self, visitor: &mut dyn ParamVisitor);

    /// Writes starting values.
    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]);

    /// Sets parameters that must be zero (weights outside a mask) to zero: for numbers from elsewhere, such as a
    /// file. Default: nothing.
    fn project(&self, params: &mut [T]) {
        let _ = params;
    }

    /// Lets what starts from data (layers such as `ActNorm`, linear regressions) do so, on the rows `index`: all training
    /// rows, in random order. Default: nothing.
    fn init_from_data(&self, params: &mut [T], rows: &Self::Rows, index: &[usize]) {
        let _ = (params, rows, index);
    }

    /// Writes the log-density of the rows `index` to `out` (one value each, nats).
    ///
    /// Where the density has auxiliary variables (the place of a value inside its rounding step, the latent of a
    /// missing cell), this is the log-mean over `key.draws` keyed draws, an estimate; else it is exact. Row `k`
    /// uses stream `key.first_row + k`, whatever other rows are asked for.
    fn log_prob(
        &self,
        params: &[T],
        rows: &Self::Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut Self::Scratch,
        out: &mut [f64],
    );

    /// Adds the gradient of the summed negative log-likelihood of rows `index` to `grads` and returns that sum
    /// (nats). With auxiliary variables, one keyed draw: a bound on average.
    fn nll_backward(
        &self,
        params: &[T],
        rows: &Self::Rows,
        index: &[usize],
        key: StepKey,
        scratch: &mut Self::Scratch,
        grads: &mut [T],
    ) -> f64;

    /// Draws rows number `rows` of the endless sample that `key` names. What the density is conditioned on (a
    /// context; for a part of a larger model, the columns before it) is read from `given`, which holds one row for
    /// each row drawn; the rest of `given` is ignored.
    fn sample(
        &self,
        params: &[T],
        given: &Self::Rows,
        rows: Range<u64>,
        key: Key,
        scratch: &mut Self::Scratch,
    ) -> Self::Rows;
}

/// Layers that start from data do so on this many rows.
pub(crate) const INIT_ROWS: usize = 1024;

/// The constants that a network's outputs are added to before its heads read them, output by output, and how many outputs
/// the column that is its marginal would have before them: for readers of parameters that were saved when the constants
/// were trained biases, every column had outputs, and none had a map of its ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadOffsets {
    /// One an output.
    pub offsets: Vec<f64>,
    /// Outputs that the column which depends on nothing would have; 0 where there is a context, or no such column.
    pub of_marginal: usize,
    /// Outputs that came later, ascending: with 0 in their place, the network is what it was without them.
    pub later: Vec<usize>,
    /// Names and shapes of parameters that came later, of which the same holds.
    pub later_params: Vec<(String, Vec<usize>)>,
}

/// Log-densities of rows with what is uncertain about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// Nats, one a row, in the table's own units.
    pub log_prob: Vec<f64>,
    /// Standard error of each estimate; 0 where the value is exact.
    pub standard_error: Vec<f64>,
}

impl Scores {
    /// The mean log-density and its standard error from auxiliary draws alone (not from the choice of rows).
    pub fn mean(&self) -> (f64, f64) {
        let n = self.log_prob.len().max(1) as f64;
        let variance: f64 = self.standard_error.iter().map(|e| e * e).sum();
        (self.log_prob.iter().sum::<f64>() / n, variance.sqrt() / n)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn errors_of_independent_draws_add_as_squares() {
        let scores = Scores {
            log_prob: vec![-1.0, -2.0],
            standard_error: vec![0.3, 0.4],
        };
        let (mean, error) = scores.mean();
        assert_relative_eq!(mean, -1.5);
        assert_relative_eq!(error, 0.25);
    }
}
