//! What each layer does to a spiral, and when it learns to.
//!
//! A neural spline flow of six coupling layers on the demo spiral. Rows drawn from the base run through the layers'
//! inverses one by one; the grid of pictures has one row for each moment of training and one column for each layer.
//! The loop is written out, with the parts that `ef_train::fit` is made of, because it stops to draw.
//!
//! Expected: at the start every layer is the identity and nothing moves. After 60 steps the cloud is bent, after 250
//! the spiral is there, and the rest of the training sharpens it. Each coupling layer moves the rows along one axis
//! only, the next along the other. A row keeps its colour, the first number it was drawn with: a flow never tears the
//! plane, neighbours stay neighbours, and the gaps between the arms are thin places and not holes, so now and then a
//! row is drawn there.
//!
//! `cargo run --release --example spiral_layers [DIR]`

mod common;

use common::model::{Model, to_array, to_points};
use common::{Outcome, mean, write_picture};
use echoflow::bijectors::ndarray::Array2;
use echoflow::bijectors::{
    Chain, FlowConfig, MlpConfig, RationalQuadratic, Workspace, neural_spline_coupling,
};
use echoflow::demo::{Demo, DemoColumn, DemoTable};
use echoflow::density::{Density, Flow, FlowRows, FlowScratch, Key, StepKey, normal, uniform};
use echoflow::plot::{Animation, ColourScale, Figure, Panel, Points};
use echoflow::train::{
    Adam, AdamConfig, Batches, Schedule, clip_factor, ema_decay, ema_update, squared_norm,
};

const ROWS: usize = 10_000;
const BATCH: usize = 256;
const STEPS: u64 = 4_000;
const LAYERS: usize = 6;
/// Moments shown as rows of the grid: optimizer steps.
const MOMENTS: [u64; 5] = [0, 60, 250, 1_000, STEPS];
/// The spiral has radius 1; the base reaches to 3.
const SCALE: f64 = 2.6;
/// Rows drawn, and those of them in the animation, which has as many frames after the first.
const SHOWN: usize = 420;
const ANIMATED: usize = 230;
const FRAMES: usize = 24;

/// The flow's layers; a `Flow` keeps its bijector to itself, so the same chain is built twice.
fn layers() -> Outcome<Chain<f32>> {
    let config = FlowConfig {
        layers: LAYERS,
        conditioner: MlpConfig {
            hidden: 64,
            blocks: 1,
            ..MlpConfig::default()
        },
        ..FlowConfig::default()
    };
    Ok(neural_spline_coupling(
        2,
        0,
        &config,
        RationalQuadratic::new(10, 3.5)?,
    )?)
}

/// Rows of the base.
fn base() -> Array2<f32> {
    let mut rng = Key::new(5).purpose("base").row(0);
    Array2::from_shape_fn((SHOWN, 2), |_| normal::ndtri(uniform(&mut rng)) as f32)
}

/// The rows after each layer, from the base (first) to the data (last).
fn journey(chain: &Chain<f32>, params: &[f32]) -> Vec<Vec<[f64; 2]>> {
    let (mut z, nothing, mut ws) = (base(), Array2::zeros((SHOWN, 0)), Workspace::default());
    let mut log_det = vec![0.0; SHOWN];
    let mut stations = vec![to_points(&z)];
    // parameters lie one part after the other, the part that meets the data first
    let mut rest = params;
    for part in chain.parts().iter().rev() {
        let (before, own) = rest.split_at(rest.len() - part.num_params());
        part.inverse(own, z.view_mut(), nothing.view(), &mut log_det, &mut ws);
        stations.push(to_points(&z));
        rest = before;
    }
    stations
}

/// Averaged weights at a moment of training.
struct Snapshot {
    step: u64,
    params: Vec<f32>,
}

/// Maximum likelihood by Adam with warm-up and cosine, clipping and averaged weights; snapshots at some steps.
fn train(model: &mut Model, points: &[[f64; 2]], moments: &[u64]) -> Vec<Snapshot> {
    let Model { flow, params } = model;
    let (rows, key) = (FlowRows::new(to_array(points)), Key::new(1));
    let mut batches = Batches::new((0..points.len()).collect(), BATCH, key);
    let schedule = Schedule::new(4e-3, 1e-5, 100, STEPS);
    let mut adam = Adam::new(AdamConfig::default(), params.len());
    let (mut average, mut grads) = (params.clone(), vec![0.0; params.len()]);
    let mut scratch = FlowScratch::default();
    let mut taken = Vec::new();
    for step in 0..=STEPS {
        if moments.contains(&step) {
            let params = average.clone();
            taken.push(Snapshot { step, params });
        }
        let (epoch, at) = (step / batches.steps() as u64, step % batches.steps() as u64);
        if at == 0 {
            batches.start_epoch(epoch + 1);
        }
        let batch = batches.batch(at as usize);
        grads.fill(0.0);
        let step_key = StepKey { key, step, row: 0 };
        flow_gradient(flow, params, &rows, batch, step_key, &mut scratch, &mut grads);
        adam.update(params, &grads, schedule.lr(step));
        ema_update(&mut average, params, ema_decay(0.998, step + 1));
    }
    taken
}

/// The gradient of the mini-batch's mean loss, no longer than 1.
fn flow_gradient(
    flow: &Flow<f32>,
    params: &[f32],
    rows: &FlowRows<f32>,
    batch: &[usize],
    key: StepKey,
    scratch: &mut FlowScratch<f32>,
    grads: &mut [f32],
) {
    Density::nll_backward(flow, params, rows, batch, key, scratch, grads);
    let mean = 1.0 / batch.len() as f64;
    let norm = mean * squared_norm(grads).sqrt();
    let scale = (mean * clip_factor(norm, 1.0)) as f32;
    grads.iter_mut().for_each(|g| *g *= scale);
}

fn scaled(rows: &DemoTable) -> Vec<[f64; 2]> {
    let column = |name: &str| match rows.column(name) {
        Some(DemoColumn::Decimal { values, .. }) => values.clone(),
        _ => Vec::new(),
    };
    let pairs = column("x").into_iter().zip(column("y"));
    pairs
        .filter_map(|(x, y)| Some([SCALE * x?, SCALE * y?]))
        .collect()
}

fn main() -> Outcome {
    let points = scaled(&Demo::Spiral.generate(ROWS, 1));
    let rest = Demo::Spiral.generate_range(ROWS as u64..2 * ROWS as u64, 1);
    let new = scaled(&rest);
    // scaling both columns divides the density by the square of the scale
    let truth = mean(&Demo::Spiral.log_density(&rest)) - 2.0 * SCALE.ln();

    // frames of the animation, early moments more often than late ones
    let frames: Vec<u64> = (0..=FRAMES)
        .map(|k| (STEPS as f64 * (k as f64 / FRAMES as f64).powi(3)).round() as u64)
        .collect();
    let moments: Vec<u64> = MOMENTS.into_iter().chain(frames.iter().copied()).collect();
    let mut model = Model::start(Flow::new(layers()?), 1);
    let snapshots = train(&mut model, &points, &moments);
    let at = |step: u64| -> Outcome<&Snapshot> {
        Ok(snapshots
            .iter()
            .find(|s| s.step == step)
            .ok_or("a step without a snapshot")?)
    };

    let chain = layers()?;
    let start = to_points::<2>(&base());
    let colours: Vec<f64> = start.iter().map(|z| z[0]).collect();
    let panel = |title: &str, rows: &[[f64; 2]]| {
        Panel::new(title)
            .with(
                Points::scored(rows, &colours, ColourScale::new(-2.0, 2.0).for_marks())
                    .opacity(0.9)
                    .radius(1.4),
            )
            .x_limits(-3.0, 3.0)
            .y_limits(-3.0, 3.0)
            .bare()
    };
    println!("| step | log-density of {ROWS} new rows, nats | behind the truth ({truth:.3}) |");
    println!("| --: | --: | --: |");
    let mut grid = Figure::new(LAYERS + 1).panel_size(132.0, 132.0);
    for step in MOMENTS {
        model.params.clone_from(&at(step)?.params);
        let score = mean(&model.log_prob(&new));
        println!("| {step} | {score:.3} | {:.3} |", truth - score);
        for (layer, rows) in journey(&chain, &model.params).iter().enumerate() {
            let title = match layer {
                _ if step > 0 => String::new(),
                0 => "base".to_owned(),
                LAYERS => "data".to_owned(),
                _ => format!("after {layer} of {LAYERS}"),
            };
            let panel = panel(&title, rows);
            grid = grid.panel(if layer == 0 {
                panel.y_label(&format!("step {step}"))
            } else {
                panel
            });
        }
    }
    write_picture("spiral_layers.svg", &grid.to_svg())?;

    // left: through the layers of the trained flow; right: what the flow draws as it trains
    let stations = journey(&chain, &at(STEPS)?.params);
    let mut pictures = Vec::new();
    for (k, &step) in frames.iter().enumerate() {
        let place = k as f64 / FRAMES as f64 * LAYERS as f64;
        let (from, share) = (
            (place as usize).min(LAYERS - 1),
            place - (place as usize).min(LAYERS - 1) as f64,
        );
        let between: Vec<[f64; 2]> = stations[from]
            .iter()
            .zip(&stations[from + 1])
            .map(|(a, b)| [0, 1].map(|j| a[j] + share * (b[j] - a[j])))
            .collect();
        let drawn = journey(&chain, &at(step)?.params).pop().unwrap_or_default();
        let few = |rows: Vec<[f64; 2]>| rows.into_iter().take(ANIMATED).collect::<Vec<_>>();
        pictures.push(
            Figure::new(2)
                .panel_size(260.0, 260.0)
                .panel(
                    panel("through the layers", &few(between))
                        .caption(&format!("layer {place:.1} of {LAYERS}")),
                )
                .panel(panel("as it trains", &few(drawn)).caption(&format!("step {step}"))),
        );
    }
    write_picture(
        "spiral_layers_animated.svg",
        &Animation::new(pictures, 0.25).to_svg(),
    )
}
