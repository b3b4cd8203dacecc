//! The Gaussian copula over a table's marginals, in the marginals' own measure: what a model must beat.
//!
//! Each column has a latent standard normal `Z`, and all of them together are normal with correlation `R`. A value
//! stands for an interval of its column's latent ([`ColumnRanks`]), or for a point where the column has a density, so
//!
//! ```text
//! log p(row) = sum_j m_j + log P(Z in intervals, at points | R)
//! ```
//!
//! with `m_j` what the marginal says whatever the context. The masses of all rows sum to 1 as those of the marginals
//! do. `R` is the correlation of normal scores, the latents at the middle of each training value's interval, drawn
//! towards 0 by Schäfer & Strimmer's rule (2005, doi:10.2202/1544-6115.1175). Of a column that is cut coarsely this is
//! a little less than the correlation of the latents themselves.
//!
//! Without intervals the density is exact. The probability of an interval given others is simulated (module `ghk`): the
//! figure is then an estimate.

mod ghk;
mod ranks;

use anyhow::{Result, ensure};
use ef_bijectors::ndarray::{Array2, Axis};
use ef_random::Key;
use ef_tabular::{ColumnMarginal, Table, Value};
use ef_tensor::normal::ndtri;
use rand::RngCore;
use rayon::prelude::*;

use ghk::{Event, Ghk};
pub use ranks::ColumnRanks;

/// A row's log-density, nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value: exact, or the logarithm of a mean over draws.
    pub log_prob: f64,
    /// Its standard error from the draws; 0 if it is exact. The logarithm of a mean is too low by about half its square.
    pub standard_error: f64,
}

/// One marginal a column, and how their latents correlate.
#[derive(Debug)]
pub struct Copula<'a> {
    columns: Vec<ColumnRanks<'a>>,
    ghk: Ghk,
}

impl<'a> Copula<'a> {
    /// Correlates the columns of a table, whose marginals these are.
    ///
    /// # Errors
    /// Not one marginal a column, or fewer than two rows.
    pub fn fit(marginals: &'a [ColumnMarginal], table: &Table) -> Result<Self> {
        let (rows, dim) = (table.num_rows(), table.num_columns());
        ensure!(
            dim == marginals.len(),
            "{} marginals for {dim} columns",
            marginals.len()
        );
        ensure!(rows >= 2, "a correlation needs two rows; there are {rows}");
        let columns: Vec<ColumnRanks<'a>> = marginals.iter().map(ColumnRanks::new).collect();
        let mut scores = Array2::zeros((rows, dim));
        let mut widths = vec![0.0; dim];
        for (j, column) in columns.iter().enumerate() {
            for r in 0..rows {
                let ranks = column.find(table.value(r, j)).ranks.unwrap_or((0.5, 0.5));
                scores[[r, j]] = ndtri((0.5 * (ranks.0 + ranks.1)).clamp(EDGE, 1.0 - EDGE));
                widths[j] += ranks.1 - ranks.0;
            }
        }
        // Points and narrow intervals first: they leave the least to chance in the simulation.
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|a, b| widths[*a].total_cmp(&widths[*b]));
        Ok(Self {
            columns,
            ghk: Ghk::new(&correlation(scores), order)?,
        })
    }

    /// The same columns without correlation: each by its own marginal.
    pub fn log_marginals(&self, table: &Table, row: usize) -> f64 {
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(j, column)| column.log_marginal(table.value(row, j)))
            .sum()
    }

    /// The log-density of every row by so many draws where it is no exact one; row `k` takes stream `k` of `key`.
    pub fn log_prob(&self, table: &Table, key: Key, draws: usize) -> Vec<Estimate> {
        let score = |row: usize| {
            let values = (0..self.columns.len()).map(|j| table.value(row, j));
            self.log_prob_of(values, draws, &mut key.row(row as u64))
        };
        (0..table.num_rows()).into_par_iter().map(score).collect()
    }

    fn log_prob_of<'v>(
        &self,
        values: impl Iterator<Item = Value<'v>>,
        draws: usize,
        rng: &mut dyn RngCore,
    ) -> Estimate {
        let mut measure = 0.0;
        let found = self.columns.iter().zip(values).map(|(column, value)| {
            let found = column.find(value);
            measure += found.log_measure;
            found
                .ranks
                .map_or(Event::Free, |(low, high)| Event::of_ranks(low, high))
        });
        let events: Vec<Event> = found.collect();
        let (log, standard_error) = self.ghk.log_prob(&events, draws, rng);
        Estimate {
            log_prob: measure + log,
            standard_error,
        }
    }
}

/// Scores stay this far from the ends of (0, 1).
const EDGE: f64 = 1e-9;
/// Least shrinkage: a column that is a copy of another keeps a spread of its own.
const LEAST_SHRINKAGE: f64 = 1e-6;

/// `(1 - l) R + l I` for the sample correlation `R` of the columns of `scores`, with
/// `l = sum_{i<j} Var(r_ij) / sum_{i<j} r_ij^2` and `Var(r) = (1 - r^2)^2 / (n - 1)`.
fn correlation(mut scores: Array2<f64>) -> Array2<f64> {
    let rows = scores.nrows() as f64;
    for mut column in scores.axis_iter_mut(Axis(1)) {
        let (mean, sd) = (column.sum() / rows, column.std(0.0));
        column.mapv_inplace(|z| if sd > 1e-12 { (z - mean) / sd } else { 0.0 });
    }
    let mut r = scores.t().dot(&scores) / rows;
    let (mut variance, mut squares) = (0.0, 0.0);
    for ((i, j), r) in r.indexed_iter() {
        if i < j {
            variance += (1.0 - r * r).powi(2) / (rows - 1.0);
            squares += r * r;
        }
    }
    let shrinkage = (variance / f64::max(squares, 1e-300)).clamp(LEAST_SHRINKAGE, 1.0);
    r *= 1.0 - shrinkage;
    r.diag_mut().fill(1.0);
    r
}

#[cfg(test)]
mod tests;
