//! Each column's share in the log-density of a row.

use ef_density::Key;
use ef_density::autoregressive::{AncestralPass, Step};
use ef_density::rows::RowScratch;
use ef_tabular::Table;
use ndarray::{Array1, Array2, Axis, concatenate};
use rand::seq::SliceRandom;

use super::particles::select;
use crate::error::Error;
use crate::model::EchoFlow;
use crate::parallel::over_chunks;
use crate::table_density::TableDensity;

/// Orders that shares are averaged over; half of them are the others reversed.
const ORDERS: usize = 8;
/// Rows of the model itself that say what is usual.
const USUAL_ROWS: usize = 2048;

/// How odd each modelled column's value is in each row, given the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    /// The modelled columns, in order.
    pub columns: Vec<String>,
    /// `(rows, columns)`: how much lower than usual the log-probability of the value is, nats. What is usual is the mean of
    /// the same over rows that the model draws. Positive is odd.
    pub surprise: Array2<f64>,
    /// Orders averaged over: 1 is the model's own alone.
    pub orders: usize,
}

impl Shares {
    /// The column with the greatest share in a row.
    pub fn oddest(&self, row: usize) -> Option<&str> {
        let shares = self.surprise.row(row);
        let greatest = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b]))?;
        self.columns.get(greatest).map(String::as_str)
    }
}

impl EchoFlow {
    /// The split of each row's log-density by column: `log p(x_j | columns before)` averaged over orders of the columns,
    /// against what is usual for the column. It tells which cell makes a row odd.
    ///
    /// With an any-order network the average is over eight random orders under that network; without it, the chain's
    /// own order stands alone, and an oddness shared by two columns shows at the later one.
    ///
    /// # Errors
    /// Columns that are missing or of the wrong kind; a flow without an any-order network.
    pub fn surprise(&self, table: &Table) -> Result<Shares, Error> {
        let mut surprise = self.by_column(table)?;
        let mut rng = Key::new(self.training.seed).purpose("usual").row(0);
        let usual = match self.columns.context.is_some() {
            // rows of a context have the contexts of the table
            true => self.sample_given(&table.slice(0, table.num_rows().min(USUAL_ROWS)), &mut rng)?,
            false => self.sample(USUAL_ROWS, &mut rng)?,
        };
        let usual = self.by_column(&usual)?;
        let mean = usual
            .mean_axis(Axis(0))
            .unwrap_or_else(|| Array1::zeros(surprise.ncols()));
        for mut row in surprise.rows_mut() {
            row.zip_mut_with(&mean, |x, mean| *x = mean - *x);
        }
        let names = self.schema().columns.iter().map(|column| column.name.clone());
        Ok(Shares {
            columns: names.collect(),
            surprise,
            orders: if self.proposal.is_some() { ORDERS } else { 1 },
        })
    }

    /// `(rows, columns)`: each column's log-probability given those before it, averaged over orders.
    fn by_column(&self, table: &Table) -> Result<Array2<f64>, Error> {
        let columns = self.layout.ranked().count();
        let mut measures = Array2::zeros((table.num_rows(), columns));
        let rows = &self
            .columns
            .rows_with(table, &self.layout, |column, row, place| {
                measures[[row, column]] = place.log_measure;
            })?;
        let mut rng = Key::new(self.training.seed).purpose("orders").row(0);
        let mut orders: Vec<Vec<usize>> = Vec::new();
        for _ in 0..ORDERS / 2 {
            let mut order: Vec<usize> = (0..columns).collect();
            order.shuffle(&mut rng);
            orders.push(order.iter().rev().copied().collect());
            orders.push(order);
        }
        if self.proposal.is_none() && !matches!(self.density, TableDensity::Autoregressive(_)) {
            return Err(Error::CannotAnswer {
                model: self.architecture.model().to_string(),
                what: "say what each column adds to a row's log-density",
            });
        }
        let parts = over_chunks(rows.log_measure.len(), |range, scratch: &mut RowScratch<f32>| {
            let index: Vec<usize> = range.clone().collect();
            let mut own = select(rows, &index);
            let streams: Vec<u64> = range.map(|row| row as u64).collect();
            let pass = AncestralPass {
                steps: &|_, _| Step::Score(None),
                streams: &streams,
                key: Key::new(0),
                scored: true,
                by_column: true,
            };
            match (&self.proposal, &self.density) {
                (Some(proposal), _) => {
                    let mut sum = Array2::zeros((columns, index.len()));
                    for order in &orders {
                        sum += &proposal
                            .net
                            .pass(&proposal.params, &mut own, order, pass, scratch)
                            .by_column;
                    }
                    sum / ORDERS as f64
                }
                (None, TableDensity::Autoregressive(chains)) => {
                    let member = |row: usize| row % chains.count();
                    let sums = chains.pass(&self.params, &mut own, columns, pass, &member, scratch);
                    sums.by_column
                }
                (None, TableDensity::Flow(_)) => Array2::zeros((columns, index.len())),
            }
        });
        let views: Vec<_> = parts.iter().map(|part| part.t()).collect();
        let mut all = concatenate(Axis(0), &views).unwrap_or_else(|_| Array2::zeros((0, columns)));
        all += &measures;
        Ok(all)
    }
}
