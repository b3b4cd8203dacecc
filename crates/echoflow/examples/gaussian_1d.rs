//! The smallest flow: `x = mu + sigma z`, its loss surface, and a deep flow on the same numbers.
//!
//! 10,000 numbers from `N(3, 2^2)`. The loss is the mean negative log-density, in nats a row:
//!
//! ```text
//! L(mu, sigma) = mean_i [ (x_i - mu)^2 / (2 sigma^2) ] + ln sigma + ln(2 pi) / 2
//! ```
//!
//! Expected: the minimum of the surface is the sample's own mean and standard deviation, and it lies *below* the loss
//! at the true values. A fit adapts to its sample; with two parameters the whole sample's loss at the minimum is
//! `chi^2(2) / 2` below that at the truth, 1 nat on average, which is 1/n a row (Wilks 1938). It is no better on new
//! rows: there the truth wins by as much. A five-layer MAF reaches the same loss: in one dimension a masked network
//! sees no column, each layer is a scale and a shift, and five of them are one.
//!
//! `cargo run --release --example gaussian_1d [DIR]`

mod common;

use common::model::Model;
use common::{Draws, Outcome, least, ln_normal, mean, write_picture};
use echoflow::TrainConfig;
use echoflow::bijectors::{FlowConfig, MlpConfig, maf};
use echoflow::density::Flow;
use echoflow::plot::{Bars, Colour, ColourScale, Figure, Grid, HeatMap, Line, Panel, Points};

const ROWS: usize = 10_000;
const TRUTH: [f64; 2] = [3.0, 2.0];
/// Samples drawn to see how far below the truth a minimum lies.
const REPEATS: u64 = 400;

/// Count, mean and mean square: all that the loss needs of a sample.
struct Moments {
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(x: &[f64]) -> Self {
        let centre = mean(x);
        let squares: Vec<f64> = x.iter().map(|x| (x - centre).powi(2)).collect();
        Self {
            mean: centre,
            variance: mean(&squares),
        }
    }

    /// `L(mu, sigma)`.
    fn loss(&self, [mu, sigma]: [f64; 2]) -> f64 {
        let square = self.variance + (self.mean - mu).powi(2);
        0.5 * square / (sigma * sigma) + sigma.ln() + 0.5 * std::f64::consts::TAU.ln()
    }

    /// Where it is least: the maximum-likelihood estimate.
    fn minimum(&self) -> [f64; 2] {
        [self.mean, self.variance.sqrt()]
    }
}

fn sample(seed: u64) -> Vec<f64> {
    let mut draws = Draws::new(seed);
    (0..ROWS).map(|_| TRUTH[0] + TRUTH[1] * draws.normal()).collect()
}

fn main() -> Outcome {
    let (x, held_out) = (sample(1), sample(2));
    let (moments, new) = (Moments::of(&x), Moments::of(&held_out));
    let best = moments.minimum();

    let grid = Grid::new(
        [TRUTH[0] - 0.08, TRUTH[0] + 0.08],
        [TRUTH[1] - 0.08, TRUTH[1] + 0.08],
        80,
        80,
    );
    let losses: Vec<f64> = grid.centres().into_iter().map(|p| moments.loss(p)).collect();
    let (at, lowest) = least(&losses);
    let cell = grid.centres()[at];
    println!("| where | mu | sigma | loss, these rows | loss, new rows |");
    println!("| --- | --: | --: | --: | --: |");
    for (name, point) in [("truth", TRUTH), ("least on the grid", cell), ("least", best)] {
        let (here, there) = (moments.loss(point), new.loss(point));
        println!(
            "| {name} | {:.4} | {:.4} | {here:.5} | {there:.5} |",
            point[0], point[1]
        );
    }
    let gain = |m: &Moments| ROWS as f64 * (m.loss(TRUTH) - m.loss(m.minimum()));
    println!(
        "the minimum lies below the truth by {:.2} nats in all",
        gain(&moments)
    );
    let gains: Vec<f64> = (0..REPEATS)
        .map(|k| gain(&Moments::of(&sample(100 + k))))
        .collect();
    let lost: Vec<f64> = (0..REPEATS)
        .map(|k| Moments::of(&sample(100 + k)).minimum())
        .map(|point| ROWS as f64 * (new.loss(point) - new.loss(TRUTH)))
        .collect();
    println!(
        "over {REPEATS} samples: {:.2} on average (theory: 1)",
        mean(&gains)
    );
    println!(
        "on new rows it lies above the truth by {:.2} on average",
        mean(&lost)
    );

    let config = FlowConfig {
        layers: 5,
        conditioner: MlpConfig {
            hidden: 8,
            blocks: 1,
            ..MlpConfig::default()
        },
        ..FlowConfig::default()
    };
    let points: Vec<[f64; 1]> = x.iter().map(|x| [*x]).collect();
    let training = TrainConfig::default().lr(5e-3).weight_decay(0.0).seed(1);
    let start = Model::start(Flow::new(maf(1, 0, &config)?), training.seed);
    let fitted = Model::fit(Flow::new(maf(1, 0, &config)?), &points, &training)?;
    let loss = |model: &Model, x: &[f64]| {
        let points: Vec<[f64; 1]> = x.iter().map(|x| [*x]).collect();
        -mean(&model.log_prob(&points))
    };
    println!(
        "5-layer MAF, {} parameters, {} epochs: loss {:.5} before, {:.5} after, {:.5} on new rows",
        fitted.model.params.len(),
        fitted.history.epochs.len(),
        loss(&start, &x),
        loss(&fitted.model, &x),
        loss(&fitted.model, &held_out),
    );

    let marks = |panel: Panel| {
        panel
            .with(
                Points::new(&[TRUTH])
                    .radius(5.0)
                    .opacity(1.0)
                    .colour(Colour::VERMILION)
                    .label("truth"),
            )
            .with(
                Points::new(&[best])
                    .radius(5.0)
                    .opacity(1.0)
                    .colour(Colour::BLACK)
                    .label("minimum"),
            )
            .x_label("μ")
            .y_label("σ")
    };
    let wide = Grid::new([0.0, 6.0], [1.0, 4.0], 80, 80);
    let surface = |grid: Grid, highest: f64| {
        let above = grid
            .centres()
            .into_iter()
            .map(|p| moments.loss(p) - moments.loss(best))
            .collect();
        HeatMap::new(grid, above, ColourScale::new(0.0, highest))
    };
    let density = |model: &Model| {
        let line: Vec<[f64; 2]> = (0..=240)
            .map(|k| -5.0 + 16.0 * f64::from(k) / 240.0)
            .map(|x| [x, 0.0])
            .collect();
        let at: Vec<[f64; 1]> = line.iter().map(|p| [p[0]]).collect();
        let values = model.log_prob(&at);
        Line::new(
            &line
                .iter()
                .zip(values)
                .map(|(p, v)| [p[0], v.exp()])
                .collect::<Vec<_>>(),
        )
    };
    let figure = Figure::new(3)
        .own_axes()
        .panel_size(270.0, 270.0)
        .panel(
            marks(Panel::new("loss above its minimum").with(surface(wide, 2.0)))
                .caption("white: 0, darkest: 2 nats a row and more"),
        )
        .panel(
            marks(Panel::new("the same, near the minimum").with(surface(grid, 0.003)))
                .caption("white: 0, darkest: 0.003 nats a row"),
        )
        .panel(
            Panel::new("a 5-layer MAF on the same rows")
                .with(
                    Bars::histogram(&x, [-5.0, 11.0], 64)
                        .colour(Colour::GREY)
                        .label("rows"),
                )
                .with(
                    Line::of([-5.0, 11.0], |x| ln_normal(x, TRUTH[0], TRUTH[1]).exp())
                        .colour(Colour::BLACK)
                        .width(3.5)
                        .label("true density"),
                )
                .with(
                    density(&start)
                        .colour(Colour::BLUE)
                        .dashed()
                        .label("MAF before training"),
                )
                .with(density(&fitted.model).label("MAF after training"))
                .x_label("x")
                .y_label("density")
                .caption(&format!(
                    "{ROWS} rows; the lowest of the grid is {lowest:.4} nats"
                )),
        );
    write_picture("gaussian_1d.svg", &figure.to_svg())
}
