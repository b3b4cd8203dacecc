//! What every density over rows of a table can do, and what some can do beside it.

use std::fmt::Debug;

use ef_tensor::{ParamVisitor, Real};
use ndarray::Array2;

use crate::autoregressive::{AncestralPass, PassSums};
use crate::density::Scores;
use crate::key::{Key, ScoreKey};
use crate::rows::{RowScratch, Rows};

/// A density over whole rows of a table, with the parameters of all its parts in one slice.
///
/// Log-densities are in nats and in the table's own units. Every method is deterministic: noise comes from keys.
pub trait RowDensity<T: Real>: Debug + Send + Sync {
    /// Number of parameters.
    fn num_params(&self) -> usize;

    /// Ordered names and shapes of the parameters.
    fn visit_params(&self, visitor: &mut dyn ParamVisitor);

    /// Writes starting values.
    fn init(&self, key: Key, params: &mut [T]);

    /// Sets parameters that must be zero (weights outside a mask) to zero: for numbers from a file.
    fn project(&self, params: &mut [T]);

    /// Scores the rows `index` and appends to `scores`. Row `k` takes stream `key.first_row + k`.
    fn score(
        &self,
        params: &[T],
        rows: &Rows,
        index: &[usize],
        key: ScoreKey,
        scratch: &mut RowScratch<T>,
        scores: &mut Scores,
    );

    /// Draws one row for each of `streams`: row `i` draws from stream `streams[i]` of `key`, given the context of row
    /// `i` of `given`.
    fn sample(
        &self,
        params: &[T],
        given: &Rows,
        streams: &[u64],
        key: Key,
        scratch: &mut RowScratch<T>,
    ) -> Rows;

    /// The distribution of each column given those before it, where the density has it in closed form. Without it only
    /// whole rows can be drawn.
    fn conditional(&self) -> Option<&dyn Ancestral<T>> {
        None
    }
}

/// A density that gives each column its distribution given the columns before it: columns can be observed, drawn, drawn
/// within sets, or scored, one after the other.
pub trait Ancestral<T: Real>: Debug + Send + Sync {
    /// How many networks are averaged. In a [`pass`](Self::pass) each row goes through one of them.
    fn members(&self) -> usize;

    /// Runs a pass over the first `columns` columns of all rows, or over all columns if there are fewer: row `i` goes
    /// through network `member(i)`.
    fn pass<'a>(
        &'a self,
        params: &[T],
        rows: &mut Rows,
        columns: usize,
        pass: AncestralPass<'a>,
        member: &dyn Fn(usize) -> usize,
        scratch: &mut RowScratch<T>,
    ) -> PassSums;

    /// The split of each row's log-density by column, `(columns, rows)`, nats, without the `log_measure` of a value's
    /// [`Place`](ef_column::Place).
    fn log_prob_by_column(&self, params: &[T], rows: &Rows, scratch: &mut RowScratch<T>) -> Array2<f64>;
}
