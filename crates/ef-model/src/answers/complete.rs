//! Missing cells of a table, drawn.

use ef_density::Key;
use ef_density::infer::{Evidence, STREAM_BITS};
use ef_density::rows::Rows;
use ef_tabular::Table;

use super::engine::{chosen, finish, sampler};
use super::known_rows::{ENOUGH, KnownRows};
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::row_key::RowKey;

/// A table with its missing cells drawn.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Completed {
    /// One table a draw: each has all rows, in order, with the cells that were known as they were given.
    pub tables: Vec<Table>,
    /// Cells drawn in each.
    pub cells: usize,
    /// Rows with drawn cells.
    pub rows: usize,
    /// Positions of rows whose draws were worth fewer than 16 independent ones even after 4096.
    pub low_ess: Vec<usize>,
}

/// What `Complete` and `Impute` ask for.
#[derive(Debug, Clone, Copy)]
struct Settings {
    draws: usize,
    /// Whether a cell may be drawn as missing.
    missing: bool,
    tails: bool,
    first_row: u64,
}

/// The missing cells of a table drawn from `p(missing | known)`: a request. A column that the table lacks is drawn whole; a
/// cell may come out missing where cells were missing at fit. Context columns have to be known.
///
/// Draws are weighted by the model's exact density and resampled (sampling importance resampling, Rubin 1987): an
/// approximation that is the better the more a row's draws are worth.
#[derive(Debug, Clone, Copy)]
pub struct Complete(Settings);

/// As [`Complete`], but no cell comes out missing: for tables whose missing cells hold values that are not known.
#[derive(Debug, Clone, Copy)]
pub struct Impute(Settings);

macro_rules! builders {
    ($request:ident, $missing:literal) => {
        impl $request {
            /// One draw of each missing cell.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Settings {
                    draws: 1,
                    missing: $missing,
                    tails: false,
                    first_row: 0,
                })
            }

            /// So many tables, each with draws of its own (multiple imputation, Rubin 1987).
            #[must_use]
            pub fn draws(self, draws: usize) -> Self {
                Self(Settings { draws, ..self.0 })
            }

            /// Whether numbers beyond the range seen at fit are drawn as often as they are scored; see
            /// [`Sample::tails`](crate::Sample::tails).
            #[must_use]
            pub fn tails(self, tails: bool) -> Self {
                Self(Settings { tails, ..self.0 })
            }

            /// The number of the table's first row, 0 if it is not said: for a part of a larger table.
            #[must_use]
            pub fn from_row(self, first_row: u64) -> Self {
                Self(Settings {
                    first_row,
                    ..self.0
                })
            }

            /// Draws the missing cells.
            ///
            /// # Errors
            /// Cells of the wrong kind; a context column that is missing; a model that cannot be asked for this; more draws
            /// than a row has streams.
            pub fn run(&self, model: &EchoFlow, table: &Table, key: Key) -> Result<Completed, ModelError> {
                self.0.run(model, table, key)
            }
        }
    };
}
builders!(Complete, true);
builders!(Impute, false);

impl Settings {
    fn run(&self, model: &EchoFlow, table: &Table, key: Key) -> Result<Completed, ModelError> {
        let draws = self.draws;
        if draws > MOST_TABLES {
            return Err(ModelError::TooManyDraws {
                draws,
                most: MOST_TABLES,
            });
        }
        let key = RowKey::new(key.purpose("complete"), self.first_row);
        let known = KnownRows::new(model, table, self.missing, self.tails)?;
        let members = sampler(model).members();
        let rows = table.num_rows();
        let mut drawn: Vec<Option<Chosen>> = (0..rows).map(|_| None).collect();
        known.weigh(model, draws, key, &mut |index, particles, summaries, key| {
            for (i, (&row, summary)) in index.iter().zip(summaries).enumerate() {
                let own = i * particles.each..(i + 1) * particles.each;
                let streams = key.key.index(key.number(row));
                let mut picks = chosen(&particles.log_weights[own.clone()], draws, streams);
                if picks.is_empty() {
                    // what is known is impossible under the model: any draw is as good
                    picks = (0..draws).map(|d| d % particles.each).collect();
                }
                let at: Vec<usize> = picks.iter().map(|pick| own.start + pick).collect();
                // a row that is asked again with more draws may do better
                drawn[row] = Some(Chosen {
                    rows: particles.rows.select(&at),
                    members: picks.iter().map(|pick| pick % members).collect(),
                    low_ess: summary.ess < ENOUGH.min(particles.each as f64)
                        && known.evidence[row].draws_in_head(),
                });
            }
            Ok(())
        })?;
        let chosen: Vec<Chosen> = drawn.into_iter().flatten().collect();
        let tables = (0..draws).map(|draw| self.table(model, table, &known, &chosen, draw, key));
        Ok(Completed {
            tables: tables.collect::<Result<_, _>>()?,
            cells: known.missing_cells,
            rows: known.open_rows,
            low_ess: (0..rows).filter(|&row| chosen[row].low_ess).collect(),
        })
    }

    /// The table of one draw.
    fn table(
        &self,
        model: &EchoFlow,
        table: &Table,
        known: &KnownRows,
        chosen: &[Chosen],
        draw: usize,
        key: RowKey,
    ) -> Result<Table, ModelError> {
        let key = key.purpose("draw").index(draw as u64);
        let heads = chosen.iter().map(|chosen| chosen.rows.select(&[draw])).collect();
        let members: Vec<usize> = chosen.iter().map(|chosen| chosen.members[draw]).collect();
        let evidence: Vec<&Evidence> = known.evidence.iter().collect();
        let mut drawn = finish(
            &sampler(model),
            Rows::concatenate(heads),
            &evidence,
            &members,
            key,
        );
        known.stand_in_for_unseen(&model.layout, &mut drawn);
        let position = |row: usize, column: usize, u: f64| evidence[row].columns[column].position(u);
        let columns = &model.columns;
        let modelled = columns.decoded(&[drawn], &model.layout, self.tails, key, &position)?;
        let context = columns.context.as_ref().map(|_| table);
        let whole = columns.completed(table.completed_by(&modelled)?, context, key)?;
        Ok(table.completed_by(&whole)?)
    }
}

/// Most tables of one request: a row has as many streams for each round.
const MOST_TABLES: usize = 1 << (STREAM_BITS - 4);

/// The draws of a row that were chosen, one a table.
struct Chosen {
    rows: Rows,
    members: Vec<usize>,
    low_ess: bool,
}

impl EchoFlow {
    /// Draws the missing cells of a table once: [`Complete`], by a seed.
    ///
    /// # Errors
    /// As of [`Complete::run`].
    pub fn complete(&self, table: &Table, seed: u64) -> Result<Completed, ModelError> {
        Complete::new().run(self, table, Key::new(seed))
    }

    /// Draws the missing cells of a table once, none of them as missing: [`Impute`], by a seed.
    ///
    /// # Errors
    /// As of [`Impute::run`].
    pub fn impute(&self, table: &Table, seed: u64) -> Result<Completed, ModelError> {
        Impute::new().run(self, table, Key::new(seed))
    }
}
