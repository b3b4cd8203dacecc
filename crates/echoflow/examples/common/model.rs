//! Fitting a flow to points and using it.

use std::time::Instant;

use echoflow::bijectors::{Workspace, ndarray::Array2};
use echoflow::density::{Density, Flow, FlowRows, Key};
use echoflow::train::{History, TrainConfig, fit};

use super::Outcome;

/// Rows scored or drawn at a time, so that scratch memory stays in the cache.
const CHUNK: usize = 1024;

/// A flow over points of `D` numbers with its parameters, in `f32` as tables are fitted too.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) flow: Flow<f32>,
    pub(crate) params: Vec<f32>,
}

/// A fitted model and how it was reached.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) model: Model,
    pub(crate) history: History,
    pub(crate) seconds: f64,
}

impl Model {
    /// The flow at its starting values.
    pub(crate) fn start(flow: Flow<f32>, seed: u64) -> Self {
        let mut params = vec![0.0; flow.num_params()];
        flow.init(&mut Key::new(seed).purpose("init").row(0), &mut params);
        Self { flow, params }
    }

    /// Fits the flow by `ef_train::fit` from the starting values of the configuration's seed.
    pub(crate) fn fit<const D: usize>(
        flow: Flow<f32>,
        points: &[[f64; D]],
        config: &TrainConfig,
    ) -> Outcome<Fitted> {
        let started = Instant::now();
        let mut model = Self::start(flow, config.seed);
        let rows = FlowRows::new(to_array(points));
        let history = fit(&model.flow, &mut model.params, &rows, config, &mut ())?;
        Ok(Fitted {
            model,
            history,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// `ln p` of each point, nats.
    pub(crate) fn log_prob<const D: usize>(&self, points: &[[f64; D]]) -> Vec<f64> {
        let mut out = vec![0.0; points.len()];
        let mut ws = Workspace::default();
        for (points, out) in points.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
            let (x, nothing) = (to_array(points), Array2::zeros((points.len(), 0)));
            self.flow
                .log_prob(&self.params, x.view(), nothing.view(), out, &mut ws);
        }
        out
    }

    /// Draws points.
    pub(crate) fn sample<const D: usize>(&self, count: usize, seed: u64) -> Vec<[f64; D]> {
        let (nothing, mut ws) = (Array2::zeros((count, 0)), Workspace::default());
        let key = Key::new(seed).purpose("sample");
        let x = self
            .flow
            .sample(&self.params, nothing.view(), 0..count as u64, key, &mut ws);
        to_points(&x)
    }
}

/// Points as rows of an array.
pub(crate) fn to_array<const D: usize>(points: &[[f64; D]]) -> Array2<f32> {
    Array2::from_shape_fn((points.len(), D), |(i, j)| points[i][j] as f32)
}

/// Rows of an array as points.
pub(crate) fn to_points<const D: usize>(rows: &Array2<f32>) -> Vec<[f64; D]> {
    rows.rows()
        .into_iter()
        .map(|row| std::array::from_fn(|j| f64::from(row[j])))
        .collect()
}
