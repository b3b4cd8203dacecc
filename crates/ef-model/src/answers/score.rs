//! Log-densities of rows.

use ef_density::{Key, ScoreKey, Scores};
use ef_tabular::Table;

use super::known_rows::KnownRows;
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::parallel::over_chunks;
use crate::row_key::RowKey;

/// Weighted draws of a row whose known cells are scored, at first.
const OBSERVED_DRAWS: usize = 256;

/// The log-density of every row of a table, nats, in the table's own units: a request. A probability for categories,
/// atoms, missing cells and values on a rounding grid, a density for other numbers. Columns are found by name, in any
/// order.
///
/// Exact under the autoregressive model. Under a flow, exact for rows whose numbers have densities; where a number lies on a rounding
/// grid or its cell is missing or heavy, an estimate over [`ScoreKey::DRAWS`] draws keyed by the row's number, with its
/// standard error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    observed: bool,
    first_row: u64,
}

impl Score {
    /// Of whole rows: a missing cell is a value like others, with a probability.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of the known cells of each row alone, the missing ones integrated out. Exact where no missing column comes before a
    /// known one in the model's order; else an estimate with its standard error.
    #[must_use]
    pub fn observed(self, observed: bool) -> Self {
        Self { observed, ..self }
    }

    /// The number of the table's first row, 0 if it is not said: for a part of a larger table.
    #[must_use]
    pub fn from_row(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// Scores a table; [`EchoFlow::key`] is the key of [`EchoFlow::score`].
    ///
    /// # Errors
    /// A missing column; text in a column of numbers. Of known cells: as of [`Complete`](crate::Complete).
    pub fn run(&self, model: &EchoFlow, table: &Table, key: Key) -> Result<Scores, ModelError> {
        if self.observed {
            self.of_known_cells(model, table, key)
        } else {
            self.of_rows(model, table, key)
        }
    }

    fn of_rows(&self, model: &EchoFlow, table: &Table, key: Key) -> Result<Scores, ModelError> {
        let rows = model.columns.rows(table, &model.layout)?;
        let key = ScoreKey {
            key: key.purpose("score"),
            draws: ScoreKey::DRAWS,
            first_row: self.first_row,
        };
        let parts = over_chunks(table.num_rows(), |range, scratch| {
            let mut scores = Scores::default();
            let index: Vec<usize> = range.collect();
            model
                .density
                .score(&model.params, &rows, &index, key, scratch, &mut scores);
            scores
        });
        let mut all = Scores::default();
        for part in parts {
            all.log_prob.extend(part.log_prob);
            all.standard_error.extend(part.standard_error);
        }
        Ok(all)
    }

    fn of_known_cells(&self, model: &EchoFlow, table: &Table, key: Key) -> Result<Scores, ModelError> {
        let key = RowKey::new(key.purpose("observed"), self.first_row);
        let known = KnownRows::new(model, table, true, false)?;
        let mut scores = Scores {
            log_prob: vec![0.0; table.num_rows()],
            standard_error: vec![0.0; table.num_rows()],
        };
        known.weigh(model, OBSERVED_DRAWS, key, &mut |index, _, summaries, _| {
            for (&row, summary) in index.iter().zip(summaries) {
                // a row that is asked again with more draws replaces what the first said
                scores.log_prob[row] = summary.log_mean + known.derived_log_prob[row];
                scores.standard_error[row] = summary.relative_error;
            }
            Ok(())
        })?;
        Ok(scores)
    }
}

impl EchoFlow {
    /// The log-density of every row: [`Score::new`], by the seed of the fit.
    ///
    /// # Errors
    /// A missing column; text in a column of numbers.
    pub fn score(&self, table: &Table) -> Result<Scores, ModelError> {
        Score::new().run(self, table, self.key())
    }

    /// The log-density of each row's known cells: [`Score::observed`], by the seed of the fit.
    ///
    /// # Errors
    /// As of [`Complete`](crate::Complete).
    pub fn score_observed(&self, table: &Table) -> Result<Scores, ModelError> {
        Score::new().observed(true).run(self, table, self.key())
    }
}
