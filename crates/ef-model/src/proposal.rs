//! The order-agnostic network beside a model: what proposes hidden columns given known ones.
//!
//! It learns from rows drawn from the model itself, not from the table: its draws are weighted by the model's exact
//! log-density, so what counts is how near it is to the model, and of the model there are as many rows as wanted. The
//! same rows say how near: the gap is an estimate of `KL(model || network)` in a random order of the columns.

use ef_bijectors::BijectorError;
use ef_density::Scores;
use ef_density::autoregressive::{OrderAgnostic, TableMadeConfig};
use ef_density::rows::{Layout, RowScratch, Rows};
use ef_density::{Density, Key, ScoreKey};
use ef_tensor::params::ParamLayout;
use ef_train::{History, TrainConfig};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::error::ModelError;
use crate::parallel::over_chunks;
use crate::progress::StageObserver;
use crate::table_density::TableDensity;

/// Rows drawn to learn from, for each that the model learned from, and their least and greatest number.
const ROWS_A_ROW: usize = 12;
const FEWEST_ROWS: usize = 12_000;
const MOST_ROWS: usize = 120_000;
/// Residual blocks: a second one halves the speed of draws and brings them hardly nearer to the model.
const BLOCKS: usize = 1;
/// Rows drawn to measure the gap.
const HELD_OUT: usize = 4096;
/// Subsets a held-out row is scored by.
const DRAWS: usize = 4;

/// An order-agnostic network and how near it came to its model.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) net: OrderAgnostic,
    pub(crate) params: Vec<f32>,
    pub(crate) story: ProposalSaved,
}

/// What a model file says of a proposal beside its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposalSaved {
    pub(crate) hidden: usize,
    pub(crate) blocks: usize,
    pub(crate) components: usize,
    /// Estimate of what a row's log-density loses on average under the network in a random order, nats.
    #[serde(with = "crate::or_infinity")]
    pub(crate) kl_to_model: f64,
    pub(crate) history: History,
}

fn network(
    layout: &Layout,
    hidden: usize,
    blocks: usize,
    components: usize,
) -> Result<OrderAgnostic, BijectorError> {
    let mut config = TableMadeConfig {
        dropout: 0.0,
        components,
        ..TableMadeConfig::default()
    };
    (config.net.hidden, config.net.blocks) = (hidden, blocks);
    Ok(OrderAgnostic::new(layout, &config)?)
}

/// Width, blocks and components of the network beside a model.
fn sizes(architecture: &Architecture) -> (usize, usize, usize) {
    let (hidden, blocks, components) = architecture.network();
    (hidden, blocks.min(BLOCKS), components)
}

impl Proposal {
    /// Whether there is anything to learn for the network beside a model. Of a single column the model says all.
    pub(crate) fn is_of_use(architecture: &Architecture, layout: &Layout) -> Result<bool, ModelError> {
        let (hidden, blocks, components) = sizes(architecture);
        let net = network(layout, hidden, blocks, components)?;
        Ok(layout.ranked().count() > 1 && Density::<f32>::num_params(&net) > 0)
    }

    /// Learns to propose for the model; `None` if its training was stopped before its first epoch.
    pub(crate) fn fit(
        architecture: &Architecture,
        density: &dyn TableDensity,
        params: &[f32],
        layout: &Layout,
        contexts: ArrayView2<'_, f32>,
        (seed, config): (u64, TrainConfig),
        mut observer: StageObserver<'_>,
    ) -> Result<Option<Self>, ModelError> {
        let key = Key::new(seed).purpose("proposal");
        let draw = |rows, key: Key| {
            Rows::concatenate(over_chunks(rows, |range, scratch: &mut RowScratch<f32>| {
                let pick: Vec<usize> = range.clone().map(|row| row % contexts.nrows().max(1)).collect();
                let context = match contexts.ncols() {
                    0 => Array2::zeros((range.len(), 0)),
                    _ => contexts.select(Axis(0), &pick),
                };
                let given = Rows::of_context(context);
                let streams: Vec<u64> = range.map(|row| row as u64).collect();
                density.sample(params, &given, &streams, key, scratch)
            }))
        };
        let count = (ROWS_A_ROW * contexts.nrows()).clamp(FEWEST_ROWS, MOST_ROWS);
        let rows = draw(count, key.purpose("rows"));
        let (hidden, blocks, components) = sizes(architecture);
        let net = network(layout, hidden, blocks, components)?;
        let mut own = vec![0.0; Density::<f32>::num_params(&net)];
        net.init(&mut key.purpose("init").row(0), &mut own);
        let history = ef_train::fit(&net, &mut own, &rows, &config, &mut observer)?;
        drop(rows);
        if history.best_epoch.is_none_or(|epoch| epoch == 0) {
            return Ok(None);
        }
        let held_out = draw(HELD_OUT, key.purpose("held out"));
        let gaps = over_chunks(HELD_OUT, |range, scratch: &mut RowScratch<f32>| {
            let index: Vec<usize> = range.collect();
            let score = ScoreKey {
                key,
                draws: DRAWS,
                first_row: 0,
            };
            let mut scores = Scores::default();
            density.score(params, &held_out, &index, score, scratch, &mut scores);
            let mut proposed = vec![0.0; index.len()];
            net.log_prob(&own, &held_out, &index, score, scratch, &mut proposed);
            scores.log_prob.iter().sum::<f64>() - proposed.iter().sum::<f64>()
        });
        let gap = gaps.into_iter().sum::<f64>() / HELD_OUT as f64;
        let story = ProposalSaved {
            hidden,
            blocks,
            components,
            kl_to_model: if gap.is_finite() { gap } else { f64::INFINITY },
            history,
        };
        Ok(Some(Self {
            net,
            params: own,
            story,
        }))
    }

    /// Rebuilds one from what a file holds: `count` parameters, which `fill` writes by layout. `None` if the sizes ask for
    /// another number, before memory is taken for them.
    pub(crate) fn rebuild(
        layout: &Layout,
        story: ProposalSaved,
        count: usize,
        fill: impl FnOnce(&OrderAgnostic, &ParamLayout, &mut [f32]),
    ) -> Result<Option<Self>, ModelError> {
        // more than any file of these sizes holds: before the layers of such a network are laid out
        let weights = (story.hidden as f64).powi(2) * story.blocks.max(1) as f64;
        if weights > count as f64 + 1e6 || story.hidden > count || story.hidden == 0 || story.blocks > count {
            return Ok(None);
        }
        let net = network(layout, story.hidden, story.blocks, story.components)?;
        if Density::<f32>::num_params(&net) != count {
            return Ok(None);
        }
        let mut params = vec![0.0; count];
        fill(&net, &Self::layout_of(&net), &mut params);
        Ok(Some(Self { net, params, story }))
    }

    fn layout_of(net: &OrderAgnostic) -> ParamLayout {
        ParamLayout::of(|v| Density::<f32>::visit_params(net, v))
    }

    /// Names and shapes of the parameters.
    pub(crate) fn parameters(&self) -> ParamLayout {
        Self::layout_of(&self.net)
    }
}
