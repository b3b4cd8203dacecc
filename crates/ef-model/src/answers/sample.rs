//! New rows.

use std::ops::Range;

use ef_density::Key;
use ef_density::rows::{RowScratch, Rows};
use ef_tabular::Table;
use ef_tabular::condition::Condition;
use ndarray::{Array2, s};

use super::sample_where::SampleWhere;
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::parallel::over_chunks;
use crate::row_key::RowKey;

/// New rows of a model: a request.
///
/// ```
/// use ef_demo::Demo;
/// use ef_model::{EchoFlow, Key, Sample};
///
/// let table = Demo::HighLow.generate(300, 1).to_table()?;
/// let model = EchoFlow::builder().epochs(2).fit(&table)?;
/// let whole = Sample::rows(50).run(&model, Key::new(1))?;
/// let end = Sample::rows(20).from_row(30).run(&model, Key::new(1))?;
/// assert_eq!(end.value(0, 0), whole.value(30, 0));
/// # Ok::<(), ef_model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    rows: usize,
    given: Option<&'a Table>,
    tails: bool,
    first_row: u64,
}

impl<'a> Sample<'a> {
    /// So many rows; with [`given`](Self::given), so many for each of its rows.
    pub fn rows(rows: usize) -> Self {
        Self {
            rows,
            given: None,
            tails: false,
            first_row: 0,
        }
    }

    /// Rows of the context columns, which come back as they are: a model with context columns draws for each of them, the
    /// rows of one after those of the other.
    #[must_use]
    pub fn given(self, table: &'a Table) -> Self {
        Self {
            given: Some(table),
            ..self
        }
    }

    /// Whether numbers beyond the range seen at fit are drawn as often as they are scored: up to about one value in a
    /// thousand of a column. By default they are not: what would lie beyond is reflected at the end of the range, since
    /// one absurd value spoils a synthetic column for whoever looks at its range.
    #[must_use]
    pub fn tails(self, tails: bool) -> Self {
        Self { tails, ..self }
    }

    /// The number of the first row, 0 if it is not said: rows 30 to 50 of a sample are `rows(20).from_row(30)`. With
    /// [`given`](Self::given) it is the number of the first row given.
    #[must_use]
    pub fn from_row(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// Rows that meet a condition instead. They are chosen from one pool of draws, so they have no numbers:
    /// [`from_row`](Self::from_row) and [`given`](Self::given) are refused there.
    #[must_use]
    pub fn where_(self, condition: &'a Condition) -> SampleWhere<'a> {
        SampleWhere::new(condition, self.rows)
            .tails(self.tails)
            .refused(match (self.first_row, self.given) {
                (0, None) => None,
                (0, Some(_)) => Some("rows that are given"),
                _ => Some("the number of a first row"),
            })
    }

    /// Draws the rows.
    ///
    /// # Errors
    /// A model with context columns if none are given, one without if some are; context columns that are missing.
    pub fn run(&self, model: &EchoFlow, key: Key) -> Result<Table, ModelError> {
        let columns = &model.columns;
        let (context, given) = match (self.given, &columns.context) {
            (None, None) => (Array2::zeros((self.rows, 0)), None),
            (Some(given), Some(_)) => {
                let repeated: Vec<usize> = (0..given.num_rows() * self.rows)
                    .map(|row| row / self.rows)
                    .collect();
                let given = if self.rows == 1 {
                    given.clone()
                } else {
                    given.take(&repeated)?
                };
                (columns.context_features(&given)?, Some(given))
            }
            (None, Some(_)) => return Err(model.context_needed()),
            (Some(_), None) => return Err(ModelError::NoContext),
        };
        let each = if given.is_some() { self.rows as u64 } else { 1 };
        let key = RowKey::new(key.purpose("sample"), self.first_row * each);
        let drawn = over_chunks(
            context.nrows(),
            |range: Range<usize>, scratch: &mut RowScratch<f32>| {
                let given = Rows::of_context(context.slice(s![range.clone(), ..]).to_owned());
                let numbers: Vec<u64> = key.numbers(&range).collect();
                model
                    .density
                    .sample(&model.params, &given, &numbers, key.key, scratch)
            },
        );
        columns.table(&drawn, &model.layout, self.tails, given.as_ref(), key)
    }
}

impl EchoFlow {
    /// Draws `rows` rows: [`Sample::rows`], by a seed.
    ///
    /// # Errors
    /// If the model has context columns: then rows of them are needed, see [`sample_given`](Self::sample_given).
    pub fn sample(&self, rows: usize, seed: u64) -> Result<Table, ModelError> {
        Sample::rows(rows).run(self, Key::new(seed))
    }

    /// Draws one row for each row of `given`, a table with (at least) the context columns, which come back as they are:
    /// [`Sample::given`], by a seed.
    ///
    /// # Errors
    /// If the model has no context columns, or `given` lacks some.
    pub fn sample_given(&self, given: &Table, seed: u64) -> Result<Table, ModelError> {
        Sample::rows(1).given(given).run(self, Key::new(seed))
    }

    /// That rows of the context columns have to be given.
    pub(crate) fn context_needed(&self) -> ModelError {
        ModelError::ContextNeeded {
            columns: self.columns.context_names().join(", "),
        }
    }
}
