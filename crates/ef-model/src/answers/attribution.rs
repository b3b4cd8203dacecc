//! What each column adds to the oddness of a row.

use ef_density::autoregressive::{AncestralPass, Step};
use ef_density::rows::RowScratch;
use ef_density::{Ancestral, Key};
use ef_tabular::Table;
use ndarray::{Array1, Array2, Axis, concatenate};
use rand::seq::SliceRandom;

use super::sample::Sample;
use crate::columns::drawn_by_marginals;
use crate::error::ModelError;
use crate::model::EchoFlow;
use crate::parallel::over_chunks;
use crate::proposal::Proposal;
use crate::row_key::RowKey;

/// Orders that an attribution is averaged over; half of them are the others reversed. By hand: each costs a pass.
const ORDERS: usize = 8;
/// Rows of the model itself that say what is usual: the mean of a column's terms is then known within a fortieth of their
/// deviation.
const USUAL_ROWS: usize = 2048;

/// How odd each modelled column's value is in each row, given the others.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Attribution {
    /// The modelled columns, in order.
    pub columns: Vec<String>,
    /// `(rows, columns)`: how much lower than usual the log-probability of the value is, nats. What is usual is the mean of
    /// the same over rows that the model draws. Positive is odd.
    pub nats: Array2<f64>,
    /// Orders averaged over: 1 is the model's own alone.
    pub orders: usize,
}

impl Attribution {
    /// The column that adds most to the oddness of a row.
    pub fn top(&self, row: usize) -> Option<&str> {
        let nats = self.nats.row(row);
        let top = (0..nats.len()).max_by(|a, b| nats[*a].total_cmp(&nats[*b]))?;
        self.columns.get(top).map(String::as_str)
    }
}

/// The split of each row's log-density by column: a request. `log p(x_j | columns before)`, averaged over orders of the
/// columns, against what is usual for the column, shows which cell makes a row odd.
///
/// With an order-agnostic network the average is over eight random orders under that network; without it, the autoregressive model's own
/// order stands alone, and an oddness shared by two columns shows at the later one.
///
/// A row's attribution depends on the row, the model and the key alone: nothing is drawn for it, so rows have no numbers
/// here. What is usual is the mean over 2048 rows that the model draws. A model with context columns draws them in contexts
/// of which each column is drawn from its own distribution at fit: those of the table play no part, nor do the context
/// columns' relations to each other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anomalies(());

impl Anomalies {
    /// The attribution of a table's rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Splits the log-densities; [`EchoFlow::key`] is the key of [`EchoFlow::attribute`].
    ///
    /// # Errors
    /// Columns that are missing or of the wrong kind; a flow without an order-agnostic network.
    pub fn run(&self, model: &EchoFlow, table: &Table, key: Key) -> Result<Attribution, ModelError> {
        let orders = orders(model, key);
        let mut nats = by_column(model, table, &orders)?;
        let usual = by_column(model, &usual_rows(model, key.purpose("usual"))?, &orders)?;
        let mean = usual
            .mean_axis(Axis(0))
            .unwrap_or_else(|| Array1::zeros(nats.ncols()));
        for mut row in nats.rows_mut() {
            row.zip_mut_with(&mean, |x, mean| *x = mean - *x);
        }
        let names = model.schema().columns.iter().map(|column| column.name.clone());
        Ok(Attribution {
            columns: names.collect(),
            nats,
            orders: if model.proposal.is_some() { ORDERS } else { 1 },
        })
    }
}

impl EchoFlow {
    /// What each column adds to the oddness of each row: [`Anomalies`], by the seed of the fit.
    ///
    /// # Errors
    /// As of [`Anomalies::run`].
    pub fn attribute(&self, table: &Table) -> Result<Attribution, ModelError> {
        Anomalies::new().run(self, table, self.key())
    }
}

/// Rows that the model draws.
fn usual_rows(model: &EchoFlow, key: Key) -> Result<Table, ModelError> {
    let Some(context) = &model.columns.context else {
        return Sample::rows(USUAL_ROWS).run(model, key);
    };
    let contexts = RowKey::new(key.purpose("contexts"), 0);
    let contexts = drawn_by_marginals(context, USUAL_ROWS, contexts)?;
    Sample::rows(1).given(&contexts).run(model, key)
}

/// Orders of the columns to average over.
fn orders(model: &EchoFlow, key: Key) -> Vec<Vec<usize>> {
    let mut rng = key.purpose("orders").row(0);
    let columns = model.layout.ranked().count();
    let mut orders: Vec<Vec<usize>> = Vec::new();
    for _ in 0..ORDERS / 2 {
        let mut order: Vec<usize> = (0..columns).collect();
        order.shuffle(&mut rng);
        orders.push(order.iter().rev().copied().collect());
        orders.push(order);
    }
    orders
}

/// What splits log-densities by column.
#[derive(Clone, Copy)]
enum Split<'a> {
    /// The order-agnostic network, in these orders.
    Orders(&'a Proposal, &'a [Vec<usize>]),
    /// The model, in its own order.
    Own(&'a dyn Ancestral<f32>),
}

/// `(rows, columns)`: each column's log-probability given those before it, averaged over orders.
fn by_column(model: &EchoFlow, table: &Table, orders: &[Vec<usize>]) -> Result<Array2<f64>, ModelError> {
    let split = match (&model.proposal, model.density.conditional()) {
        (Some(proposal), _) => Split::Orders(proposal, orders),
        (None, Some(ancestral)) => Split::Own(ancestral),
        (None, None) => {
            return Err(ModelError::CannotAnswer {
                model: model.architecture.model().to_string(),
                what: "say what each column adds to a row's log-density",
            });
        }
    };
    let rows = &model.columns.rows(table, &model.layout)?;
    let columns = model.layout.ranked().count();
    let parts = over_chunks(rows.log_measure.len(), |range, scratch: &mut RowScratch<f32>| {
        let mut own = rows.select(&range.collect::<Vec<usize>>());
        let count = own.log_measure.len();
        match split {
            Split::Orders(proposal, orders) => {
                let pass = AncestralPass {
                    steps: &|_, _| Step::Score(None),
                    streams: &vec![0; count],
                    // every value is there: nothing is drawn
                    key: Key::new(0),
                    scored: true,
                    by_column: true,
                };
                let mut sum = Array2::zeros((columns, count));
                for order in orders {
                    sum += &proposal
                        .net
                        .pass(&proposal.params, &mut own, order, pass, scratch)
                        .by_column;
                }
                sum / orders.len() as f64
            }
            Split::Own(ancestral) => ancestral.log_prob_by_column(&model.params, &own, scratch),
        }
    });
    let views: Vec<_> = parts.iter().map(|part| part.t()).collect();
    let mut all = concatenate(Axis(0), &views).unwrap_or_else(|_| Array2::zeros((0, columns)));
    let encoded = model.columns.modelled.encode(table)?;
    for (mut column, encoded) in all.columns_mut().into_iter().zip(&encoded.columns) {
        column
            .iter_mut()
            .zip(&encoded.log_measure)
            .for_each(|(x, measure)| *x += measure);
    }
    Ok(all)
}
