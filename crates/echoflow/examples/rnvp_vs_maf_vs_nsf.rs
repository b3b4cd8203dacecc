//! RealNVP, MAF and neural spline flows on six plane sets.
//!
//! The same 10,000 rows, the same optimizer, networks of the same size; what differs is what a layer can do to a
//! number. RealNVP (1605.08803) scales and shifts one column by the other. MAF (1705.07057) scales and shifts both,
//! each by those before it. A neural spline flow (1906.04032) bends a column by a monotone curve of rational quadratics.
//!
//! Expected: the splines lead on every set, most where the density has gaps or edges (checkerboard, circles,
//! spirals): a chain of scalings stays one connected piece and leaves bridges between modes. What is printed is the
//! mean log-density of new rows; the true density's own mean is the most that any model can reach, up to chance.
//!
//! `cargo run --release --example rnvp_vs_maf_vs_nsf [DIR]`

mod common;

use common::gallery::compare;
use common::{Outcome, write_picture};
use echoflow::TrainConfig;
use echoflow::bijectors::{
    FlowConfig, MlpConfig, RationalQuadratic, maf, neural_spline_autoregressive, neural_spline_coupling,
    real_nvp,
};

fn main() -> Outcome {
    let conditioner = MlpConfig {
        hidden: 64,
        blocks: 1,
        ..MlpConfig::default()
    };
    let flow = |layers| FlowConfig {
        layers,
        conditioner,
        ..FlowConfig::default()
    };
    let spline = RationalQuadratic::new(12, 3.5)?;
    let training = TrainConfig::default()
        .epochs(40)
        .batch(256)
        .lr(4e-3)
        .weight_decay(0.0)
        .seed(1);
    let figure = compare(
        &[
            ("RealNVP", &|| Ok(real_nvp(2, 0, &flow(8))?)),
            ("MAF", &|| Ok(maf(2, 0, &flow(8))?)),
            ("NSF, coupling", &|| {
                Ok(neural_spline_coupling(2, 0, &flow(4), spline)?)
            }),
            ("NSF, autoregressive", &|| {
                Ok(neural_spline_autoregressive(2, 0, &flow(3), spline)?)
            }),
        ],
        &training,
    )?;
    write_picture("rnvp_vs_maf_vs_nsf.svg", &figure.to_svg())
}
