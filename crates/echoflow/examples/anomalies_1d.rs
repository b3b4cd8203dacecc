//! Two kinds of anomaly, and why the lowest log-density finds one of them only.
//!
//! 10,000 numbers from `.99 N(0, 1) + .01 N(10, .1^2)`. The clump at 10 holds 100 rows in a narrow place, so its
//! density there is `.01 / (.1 sqrt(2 pi)) = .040`: as high as that of an ordinary row at `|x| = 2.14`.
//!
//! * An *under-density* is a row where few others are: a tail. Its log-density is low.
//! * An *over-density* is a crowd where none is expected: a repeated default, a stuck sensor, one machine writing the
//!   same row. Its log-density is ordinary, and no threshold on it can tell the crowd from the bulk. What is odd is the
//!   density beside what a smooth world would have there: the log ratio to a reference, here one normal law fitted to
//!   the same rows.
//!
//! Expected: among the 1 % of rows with the lowest log-density are all sparse rows, and of the clump only a few at its
//! edge; the rest of it comes after hundreds of ordinary rows. Among the 1 % with the highest log ratio is the whole
//! clump. An alarm wants both scores.
//!
//! `cargo run --release --example anomalies_1d [DIR]`

mod common;

use common::{Draws, Outcome, ln_normal, mean, sd, write_picture};
use echoflow::plot::{Bars, Colour, Figure, Line, Panel, Points, Rule};
use echoflow::tabular::ColumnData;
use echoflow::{EchoFlow, Table};

const ROWS: usize = 10_000;
const CLUMP: usize = 100;

fn table(x: &[f64]) -> Outcome<Table> {
    let cells = x.iter().copied().map(Some).collect();
    Ok(Table::from_columns(vec![(
        "x".into(),
        ColumnData::Decimal(cells),
    )])?)
}

/// Numbers with the density of the law they are drawn from.
fn truth(x: f64) -> f64 {
    common::log_sum_exp(&[
        0.99_f64.ln() + ln_normal(x, 0.0, 1.0),
        0.01_f64.ln() + ln_normal(x, 10.0, 0.1),
    ])
}

/// The rows with the highest score.
fn top(scores: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order.truncate(count);
    order
}

fn main() -> Outcome {
    let mut draws = Draws::new(1);
    let ordinary = (0..ROWS - CLUMP).map(|_| draws.normal()).collect::<Vec<_>>();
    let clump = (0..CLUMP).map(|_| 10.0 + 0.1 * draws.normal());
    let x: Vec<f64> = ordinary.into_iter().chain(clump).collect();
    let in_clump = |i: &usize| *i >= ROWS - CLUMP;

    // one column: the model is the column's own law
    let model = EchoFlow::builder()
        .order_agnostic(false)
        .seed(1)
        .fit(&table(&x)?)?;
    let score = |x: &[f64]| -> Outcome<Vec<f64>> { Ok(model.score(&table(x)?)?.log_prob) };
    let (centre, width) = (mean(&x), sd(&x));
    let reference = |x: f64| ln_normal(x, centre, width);
    let log_prob = score(&x)?;
    let surprise: Vec<f64> = log_prob.iter().map(|l| -l).collect();
    let ratio: Vec<f64> = log_prob.iter().zip(&x).map(|(l, x)| l - reference(*x)).collect();

    println!("| where | log p, fitted | log p, truth | log ratio to N({centre:.2}, {width:.2}^2) |");
    println!("| --- | --: | --: | --: |");
    for (name, at) in [
        ("middle", 0.0),
        ("as dense as the clump", 2.14),
        ("clump", 10.0),
        ("tail", 4.5),
        ("nowhere", 6.0),
    ] {
        let log_prob = score(&[at])?[0];
        println!(
            "| {name}, {at} | {log_prob:.2} | {:.2} | {:.2} |",
            truth(at),
            log_prob - reference(at)
        );
    }
    println!();
    println!(
        "| rows flagged | of the clump, lowest log p | of the clump, highest log ratio | with x beyond 3, lowest log p |"
    );
    println!("| --: | --: | --: | --: |");
    let sparse = (0..ROWS - CLUMP).filter(|&i| x[i].abs() > 3.0).count();
    for count in [50, 100, 200, 500] {
        let (low, high) = (top(&surprise, count), top(&ratio, count));
        let found = |rows: &[usize]| rows.iter().filter(|i| in_clump(i)).count();
        let tails = low.iter().filter(|i| !in_clump(i) && x[**i].abs() > 3.0).count();
        println!(
            "| {count} | {} of {CLUMP} | {} of {CLUMP} | {tails} of {sparse} |",
            found(&low),
            found(&high)
        );
    }

    let line: Vec<f64> = (0..=850).map(|k| -5.0 + f64::from(k) * 0.02).collect();
    let fitted: Vec<[f64; 2]> = line
        .iter()
        .copied()
        .zip(score(&line)?)
        .map(|(x, l)| [x, l])
        .collect();
    let threshold = -surprise[top(&surprise, 100)[99]];
    let ratio_threshold = ratio[top(&ratio, 100)[99]];
    let flagged = |rows: &[usize], scores: &dyn Fn(usize) -> f64| -> Vec<[f64; 2]> {
        rows.iter().map(|&i| [x[i], scores(i)]).collect()
    };
    let ratios: Vec<[f64; 2]> = fitted.iter().map(|[x, l]| [*x, l - reference(*x)]).collect();
    let figure = Figure::new(3)
        .own_axes()
        .panel_size(290.0, 260.0)
        .panel(
            Panel::new("the rows")
                .with(
                    Bars::histogram(&x, [-5.0, 12.0], 170)
                        .colour(Colour::GREY)
                        .label("rows"),
                )
                .with(
                    Line::of([-5.0, 12.0], |x| reference(x).exp())
                        .colour(Colour::GREEN)
                        .label("reference: one normal law"),
                )
                .x_label("x")
                .y_label("density")
                .caption("the clump at 10 is as dense as |x| = 2.14"),
        )
        .panel(
            Panel::new("log p: low where rows are few")
                .with(Line::new(&fitted).colour(Colour::BLUE).label("fitted"))
                .with(Line::of([-5.0, 12.0], reference).colour(Colour::GREEN))
                .with(Rule::horizontal(threshold).label("threshold: 1 % of the rows"))
                .with(
                    Points::new(&flagged(&top(&surprise, 100), &|i| log_prob[i]))
                        .colour(Colour::VERMILION)
                        .radius(2.5)
                        .label("flagged"),
                )
                .y_limits(-14.0, 0.0)
                .x_label("x")
                .y_label("nats")
                .caption("flagged: the tails, and the clump's edge"),
        )
        .panel(
            Panel::new("log ratio: high where rows crowd")
                .with(Line::new(&ratios).colour(Colour::BLUE))
                .with(Rule::horizontal(ratio_threshold))
                .with(
                    Points::new(&flagged(&top(&ratio, 100), &|i| ratio[i]))
                        .colour(Colour::VERMILION)
                        .radius(2.5),
                )
                .y_limits(-10.0, 26.0)
                .x_label("x")
                .y_label("nats")
                .caption("flagged: the whole clump"),
        );
    write_picture("anomalies_1d.svg", &figure.to_svg())
}
