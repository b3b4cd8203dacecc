//! Real rows, a Gaussian copula and a flow, side by side.
//!
//! 8,000 rows of the demo spiral. The copula is the usual baseline for synthetic tables: every column by its own
//! smoothed distribution, and the dependence by the correlation of the columns' normal scores. The flows are
//! those that `EchoFlow` fits to a table, with their default settings: masked autoregressive and neural spline. All get
//! the same rows and are scored by their exact log-density on 2,000 rows held out; the demo states the true density.
//!
//! Expected: the columns' own histograms come out right for all, but a spiral's correlation is near zero, so the
//! copula draws a cloud and is more than a nat a row behind. The flows draw the spiral; the affine one, a continuous
//! image of one round blob, leaves thin bridges, the splines hardly any.
//!
//! `cargo run --release --example spiral_compare [DIR]`

mod common;

use common::{Draws, Outcome, mean, nats, sd, write_picture};
use echoflow::demo::Demo;
use echoflow::density::normal::{log_phi, ndtri};
use echoflow::plot::{Colour, Figure, Panel, Points};
use echoflow::{EchoFlow, ModelKind, Table};

const ROWS: usize = 8_000;
const HELD_OUT: usize = 2_000;

/// A column by a Gaussian kernel over its values; the width is Silverman's rule (1986, eq. 3.31).
struct Marginal {
    sorted: Vec<f64>,
    width: f64,
}

impl Marginal {
    fn fit(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quartile = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
        let spread = sd(values).min((quartile(0.75) - quartile(0.25)) / 1.34);
        let width = 0.9 * spread * (sorted.len() as f64).powf(-0.2);
        Self { sorted, width }
    }

    fn log_density(&self, x: f64) -> f64 {
        let kernel = |v: &f64| (log_phi((x - v) / self.width)).exp();
        (self.sorted.iter().map(kernel).sum::<f64>() / (self.sorted.len() as f64 * self.width)).ln()
    }

    /// The normal score of a number, `ndtri(F(x))`.
    fn score(&self, x: f64) -> f64 {
        let kernel = |v: &f64| 0.5 * libm::erfc((v - x) / (self.width * std::f64::consts::SQRT_2));
        ndtri(self.sorted.iter().map(kernel).sum::<f64>() / self.sorted.len() as f64)
    }

    /// A number whose score is `z`: the kernel's centre is the value of that rank.
    fn draw(&self, z: f64, draws: &mut Draws) -> f64 {
        let share = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
        let rank = ((share * self.sorted.len() as f64) as usize).min(self.sorted.len() - 1);
        self.sorted[rank] + self.width * draws.normal()
    }
}

/// `p(x, y) = c(F(x), G(y)) f(x) g(y)` with the copula `c` of a normal law of correlation `r`.
struct GaussianCopula {
    columns: [Marginal; 2],
    correlation: f64,
}

impl GaussianCopula {
    fn fit(rows: &[[f64; 2]]) -> Self {
        let columns = [0, 1].map(|j| Marginal::fit(&rows.iter().map(|row| row[j]).collect::<Vec<_>>()));
        let scores: Vec<[f64; 2]> = rows
            .iter()
            .map(|[x, y]| [columns[0].score(*x), columns[1].score(*y)])
            .collect();
        let moment = |i: usize, j: usize| mean(&scores.iter().map(|s| s[i] * s[j]).collect::<Vec<_>>());
        let correlation = moment(0, 1) / (moment(0, 0) * moment(1, 1)).sqrt();
        Self { columns, correlation }
    }

    fn log_density(&self, [x, y]: [f64; 2]) -> f64 {
        let r = self.correlation;
        let (a, b) = (self.columns[0].score(x), self.columns[1].score(y));
        let rest = 1.0 - r * r;
        let copula = -0.5 * rest.ln() - (r * r * (a * a + b * b) - 2.0 * r * a * b) / (2.0 * rest);
        copula + self.columns[0].log_density(x) + self.columns[1].log_density(y)
    }

    fn sample(&self, count: usize, draws: &mut Draws) -> Vec<[f64; 2]> {
        let r = self.correlation;
        let mut one = || {
            let a = draws.normal();
            let b = r * a + (1.0 - r * r).sqrt() * draws.normal();
            [self.columns[0].draw(a, draws), self.columns[1].draw(b, draws)]
        };
        (0..count).map(|_| one()).collect()
    }
}

fn points(table: &Table) -> Outcome<Vec<[f64; 2]>> {
    let (x, y) = (table.numbers("x")?, table.numbers("y")?);
    let pairs = x.unwrap_or_default().into_iter().zip(y.unwrap_or_default());
    Ok(pairs.map(|(x, y)| [x, y]).collect())
}

fn main() -> Outcome {
    let train = Demo::Spiral.generate(ROWS, 1).to_table()?;
    let rest = Demo::Spiral.generate_range(ROWS as u64..(ROWS + HELD_OUT) as u64, 1);
    let held_out = rest.to_table()?;
    let (rows, new) = (points(&train)?, points(&held_out)?);

    let truth = mean(&Demo::Spiral.log_density(&rest));
    let copula = GaussianCopula::fit(&rows);
    let baseline = mean(&new.iter().map(|row| copula.log_density(*row)).collect::<Vec<_>>());
    let fit = |kind| {
        EchoFlow::builder()
            .model(kind)
            .order_agnostic(false)
            .seed(7)
            .fit(&train)
    };
    let flows = [fit(ModelKind::Maf)?, fit(ModelKind::Nsf)?];
    let mut scores = Vec::new();
    for flow in &flows {
        scores.push(flow.score(&held_out)?.mean().0);
    }
    println!("| model | mean log-density of {HELD_OUT} new rows, nats | behind the truth |");
    println!("| --- | --: | --: |");
    for (name, score) in [
        ("truth", truth),
        ("Gaussian copula", baseline),
        ("masked autoregressive flow", scores[0]),
        ("neural spline flow", scores[1]),
    ] {
        println!("| {name} | {score:.3} | {:.3} |", truth - score);
    }
    println!("correlation of the copula: {:.3}", copula.correlation);

    let draw = |flow: &EchoFlow| points(&flow.sample(ROWS, 7)?);
    let panel = |title: &str, points: &[[f64; 2]], colour, score: f64| {
        Panel::new(title)
            .with(Points::new(points).most(2_500).colour(colour).radius(1.3))
            .caption(&format!("new rows: {}", nats(score)))
            .x_limits(-1.2, 1.2)
            .y_limits(-1.2, 1.2)
            .x_label("x")
    };
    let copied = copula.sample(ROWS, &mut Draws::new(7));
    let figure = Figure::new(4)
        .panel_size(240.0, 240.0)
        .panel(panel("real rows", &rows, Colour::BLUE, truth).y_label("y"))
        .panel(panel("Gaussian copula", &copied, Colour::GREEN, baseline))
        .panel(panel(
            "masked autoregressive flow",
            &draw(&flows[0])?,
            Colour::VERMILION,
            scores[0],
        ))
        .panel(panel(
            "neural spline flow",
            &draw(&flows[1])?,
            Colour::VERMILION,
            scores[1],
        ));
    write_picture("spiral_compare.svg", &figure.to_svg())
}
