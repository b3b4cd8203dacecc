//! One model over several orders of the columns.

use std::ops::Range;

use ef_bijectors::{Bijector, BijectorError};
use ef_tensor::params::ParamLayout;
use ef_tensor::{ParamVisitor, Real};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rand_core::RngCore;

use crate::density::Density;
use crate::flow::{Flow, FlowRows, FlowScratch, gather};
use crate::key::{Key, ScoreKey, StepKey, uniform};
use crate::log_sum::log_mean_exp;

/// Flows over different orders (or masks) of the columns that share **one** parameter slice, as
/// [`any_order_autoregressive`](ef_bijectors::any_order_autoregressive) and
/// [`any_order_coupling`](ef_bijectors::any_order_coupling) make them: order-agnostic training (Germain et al. 2015,
/// 1502.03509; Uria et al. 2014, 1310.1757).
///
/// Training takes one order, drawn anew for every mini-batch. The density is the mean over all `k` orders,
///
/// ```text
/// p(x) = 1/k sum_o p(x; order o)
/// ```
///
/// an exact density itself: sampling draws an order for each row. [`log_prob_with_spread`](Self::log_prob_with_spread)
/// gives how far the orders disagree about a row.
///
/// ```
/// use ef_bijectors::{FlowConfig, Standardize, any_order_autoregressive};
/// use ef_density::{Density, OrderEnsemble};
/// use rand::SeedableRng;
///
/// let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let flows = any_order_autoregressive::<f32, _>(4, 0, &FlowConfig::default(), Standardize::default(), 6, rng)?;
/// let model = OrderEnsemble::new(flows)?;
/// assert_eq!(model.orders(), 6);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
#[derive(Debug)]
pub struct OrderEnsemble<T: Real> {
    flows: Vec<Flow<T>>,
}

impl<T: Real> OrderEnsemble<T> {
    /// The mean over `bijectors`, each a flow over the standard normal; all read the same parameters.
    ///
    /// # Errors
    /// If there are none, or they differ in columns, context or the layout of their parameters.
    pub fn new(bijectors: Vec<impl Bijector<T> + 'static>) -> Result<Self, BijectorError> {
        Self::of_flows(bijectors.into_iter().map(Flow::new).collect())
    }

    /// The mean over flows with any base; all read the same parameters, those of the base included.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_flows(flows: Vec<Flow<T>>) -> Result<Self, BijectorError> {
        let first = flows.first().ok_or_else(|| BijectorError::Setting {
            what: "the number of orders",
            value: "0".to_owned(),
            expected: "at least 1",
        })?;
        let layout = |f: &Flow<T>| ParamLayout::of(|v| Density::visit_params(f, v));
        let same = |f: &Flow<T>| {
            let (a, b) = (f.bijector(), first.bijector());
            a.dim() == b.dim() && a.context_dim() == b.context_dim() && layout(f) == layout(first)
        };
        if let Some(i) = flows.iter().position(|f| !same(f)) {
            let flow = &flows[i];
            let (dim, context) = (flow.bijector().dim(), flow.bijector().context_dim());
            return Err(BijectorError::Setting {
                what: "one of the orders",
                value: format!(
                    "number {i}, of {dim} columns, {context} of context and {} parameters",
                    flow.num_params()
                ),
                expected: "like number 0 in columns, context and the names and shapes of its parameters",
            });
        }
        Ok(Self { flows })
    }

    /// How many orders there are.
    pub fn orders(&self) -> usize {
        self.flows.len()
    }

    /// `log p(x; order)` of every row under every order, `(orders, rows)`, nats.
    pub fn log_prob_by_order(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        scratch: &mut FlowScratch<T>,
    ) -> Array2<f64> {
        let mut all = Array2::zeros((self.orders(), x.nrows()));
        for (flow, mut out) in self.flows.iter().zip(all.rows_mut()) {
            let out = out.as_slice_mut().expect("standard layout");
            flow.log_prob(params, x, context, out, &mut scratch.ws);
        }
        all
    }

    /// For every row the log-density of the mean over orders, and the standard deviation of `log p` among them, nats:
    /// 0 where all orders call the row impossible, infinite where only some do.
    pub fn log_prob_with_spread(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        scratch: &mut FlowScratch<T>,
    ) -> Vec<(f64, f64)> {
        let all = self.log_prob_by_order(params, x, context, scratch);
        let spread = |l: ArrayView1<'_, f64>| match l.iter().filter(|v| v.is_finite()).count() {
            0 => 0.0,
            n if n == l.len() => l.std(0.0),
            _ => f64::INFINITY,
        };
        all.axis_iter(Axis(1))
            .map(|l| (log_mean_exp(l.iter().copied()), spread(l)))
            .collect()
    }
}

impl<T: Real> Density<T> for OrderEnsemble<T> {
    type Rows = FlowRows<T>;
    type Scratch = FlowScratch<T>;

    fn num_params(&self) -> usize {
        self.flows[0].num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.flows[0].visit_params(visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        self.flows[0].init(rng, params);
    }

    fn project(&self, params: &mut [T]) {
        self.flows[0].project(params);
    }

    fn init_from_data(&self, params: &mut [T], rows: &FlowRows<T>, index: &[usize]) {
        self.flows[0].init_from_data(params, rows, index);
    }

    fn log_prob(
        &self,
        params: &[T],
        rows: &FlowRows<T>,
        index: &[usize],
        _: ScoreKey,
        scratch: &mut FlowScratch<T>,
        out: &mut [f64],
    ) {
        let (x, context) = (
            gather(&rows.x, index, &mut scratch.ws),
            gather(&rows.context, index, &mut scratch.ws),
        );
        let all = self.log_prob_by_order(params, x.view(), context.view(), scratch);
        for (out, l) in out.iter_mut().zip(all.axis_iter(Axis(1))) {
            *out = log_mean_exp(l.iter().copied());
        }
        scratch.ws.give(x);
        scratch.ws.give(context);
    }

    /// Under one order, the step's.
    fn nll_backward(
        &self,
        params: &[T],
        rows: &FlowRows<T>,
        index: &[usize],
        key: StepKey,
        scratch: &mut FlowScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let order = pick(&mut key.purpose("order").row(0), self.orders());
        Density::nll_backward(&self.flows[order], params, rows, index, key, scratch, grads)
    }

    fn sample(
        &self,
        params: &[T],
        given: &FlowRows<T>,
        rows: Range<u64>,
        key: Key,
        scratch: &mut FlowScratch<T>,
    ) -> FlowRows<T> {
        let choice = key.purpose("order");
        let orders: Vec<usize> = rows
            .clone()
            .map(|row| pick(&mut choice.row(row), self.orders()))
            .collect();
        let mut x = Array2::zeros((orders.len(), self.flows[0].dim()));
        for (o, flow) in self.flows.iter().enumerate() {
            let mine: Vec<usize> = (0..orders.len()).filter(|&i| orders[i] == o).collect();
            let context = given.context.select(Axis(0), &mine);
            let numbers = mine.iter().map(|&i| rows.start + i as u64);
            let drawn = flow.sample_rows(params, context.view(), numbers, key, &mut scratch.ws);
            for (&i, row) in mine.iter().zip(drawn.rows()) {
                x.row_mut(i).assign(&row);
            }
            scratch.ws.give(drawn);
        }
        FlowRows {
            x,
            context: given.context.clone(),
        }
    }
}

/// One of `0..count`, each as likely.
fn pick(rng: &mut dyn RngCore, count: usize) -> usize {
    ((uniform(rng) * count as f64) as usize).min(count - 1)
}
