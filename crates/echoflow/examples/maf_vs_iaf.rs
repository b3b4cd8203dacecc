//! MAF and IAF: the same layers, run in opposite directions.
//!
//! Both are made of `z_i = (x_i - mu_i) exp(-alpha_i)` with `mu_i, alpha_i` from the columns before. In MAF (1705.07057)
//! those are columns of the *data*, in IAF (1606.04934) of the *base*: an IAF is a MAF inverted. As densities they are
//! equally able on the whole but not on every set: MAF lets a data column bend with the data, IAF with the noise.
//!
//! Their costs are mirror images. One direction is one pass of the network, the other goes column by column. Here the
//! slow direction evaluates a hidden unit once the columns it sees are known, so that all columns together cost about
//! one pass, not one each; what is left is the price of many small steps. Training an IAF by likelihood runs the slow
//! direction and its gradient, which is why MAF is for densities and IAF for variational inference.
//!
//! Expected: scores within a few tenths of a nat of each other, one ahead on some sets and the other on others; IAF takes
//! about four times as long to fit on the plane. With many columns scoring is the fast direction of MAF and sampling
//! that of IAF.
//!
//! `cargo run --release --example maf_vs_iaf [DIR]`

mod common;

use std::time::Instant;

use common::gallery::compare;
use common::model::Model;
use common::{Outcome, write_picture};
use echoflow::TrainConfig;
use echoflow::bijectors::{
    Autoregressive, Bijector, Chain, FlowConfig, Inverted, MlpConfig, Permute, Standardize, maf,
};
use echoflow::density::Flow;

/// Rows timed.
const TIMED: usize = 4_096;

/// The layers of [`maf`], each inverted.
fn iaf(dim: usize, config: &FlowConfig) -> Outcome<Chain<f32>> {
    let mut parts: Vec<Box<dyn Bijector<f32>>> = Vec::new();
    for layer in 0..config.layers {
        if layer > 0 {
            parts.push(Box::new(Permute::reverse(dim)?));
        }
        let transformer = Standardize::new(config.clamp);
        let masked = Autoregressive::new(dim, 0, config.conditioner, transformer)?;
        parts.push(Box::new(Inverted::new(Box::new(masked))));
    }
    Ok(Chain::new(parts)?)
}

/// Milliseconds for [`TIMED`] rows of `D` columns, to score and to draw; the best of three.
fn time<const D: usize>(flow: Chain<f32>) -> [f64; 2] {
    let model = Model::start(Flow::new(flow), 1);
    let mut best = [f64::INFINITY; 2];
    for _ in 0..3 {
        let started = Instant::now();
        let rows = model.sample::<D>(TIMED, 1);
        best[1] = best[1].min(started.elapsed().as_secs_f64());
        let started = Instant::now();
        model.log_prob(&rows);
        best[0] = best[0].min(started.elapsed().as_secs_f64());
    }
    best.map(|seconds| 1e3 * seconds)
}

fn time_both<const D: usize>(config: &FlowConfig) -> Outcome {
    for (name, [score, draw]) in [
        ("MAF", time::<D>(maf(D, 0, config)?)),
        ("IAF", time::<D>(iaf(D, config)?)),
    ] {
        println!("| {D} | {name} | {score:.0} | {draw:.0} |");
    }
    Ok(())
}

fn main() -> Outcome {
    let config = FlowConfig {
        layers: 10,
        conditioner: MlpConfig {
            hidden: 24,
            blocks: 1,
            ..MlpConfig::default()
        },
        ..FlowConfig::default()
    };
    let training = TrainConfig::default()
        .epochs(40)
        .batch(512)
        .lr(8e-3)
        .weight_decay(0.0)
        .seed(1);
    let figure = compare(
        &[("MAF", &|| Ok(maf(2, 0, &config)?)), ("IAF", &|| iaf(2, &config))],
        &training,
    )?;
    println!("\n| columns | flow | ms to score {TIMED} rows | ms to draw them |\n| --: | --- | --: | --: |");
    let wide = FlowConfig {
        layers: 5,
        conditioner: MlpConfig {
            hidden: 256,
            ..config.conditioner
        },
        ..config
    };
    time_both::<4>(&wide)?;
    time_both::<16>(&wide)?;
    time_both::<64>(&wide)?;
    write_picture("maf_vs_iaf.svg", &figure.to_svg())
}
