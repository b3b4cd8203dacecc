//! Fifty anomalies among fifty thousand rows, found by the density that all of them together give.
//!
//! 49,950 rows of `N([1.5, -1.5], [[1, .1], [.1, .5]])` and 50 of `N([-1, 1], [[.7, -.2], [-.2, 1.2]])`. A flow is
//! fitted to all of them without labels, by mini-batches of 512, and `-log p` is the anomaly score: rows in thin places
//! come first.
//!
//! Expected: nearly as good as the score under the true density, because fifty rows are too few to make their place
//! dense. Flagging 0.1 % of the rows finds about half of the fifty, 1 % most; the rest lie inside the bulk, where no
//! density can tell them apart. And a question that no score answers: is the flow's own bulk right? A two-sample test
//! compares rows drawn from it with new rows of the bulk, by the energy distance with permutations; a large p-value says
//! that no difference is seen. That the test can see one is shown beside it: the true law, moved by a tenth of a
//! standard deviation, is rejected.
//!
//! `cargo run --release --example anomalies_2d [DIR]`

mod common;

use common::compare::{area, corners, energy_test, roc};
use common::gallery::standardised;
use common::model::Model;
use common::{Draws, Outcome, mean, write_picture};
use echoflow::TrainConfig;
use echoflow::bijectors::{FlowConfig, MlpConfig, maf};
use echoflow::plot::{Colour, ColourScale, Figure, Line, Panel, Points, Rule};

const BULK: usize = 49_950;
const ODD: usize = 50;
/// Rows of each sample of a two-sample test, and random relabellings.
const TESTED: usize = 3_000;
const PERMUTATIONS: usize = 499;

/// A normal law of two columns.
struct Normal {
    mean: [f64; 2],
    variance: [f64; 2],
    covariance: f64,
}

const USUAL: Normal = Normal {
    mean: [1.5, -1.5],
    variance: [1.0, 0.5],
    covariance: 0.1,
};
const UNUSUAL: Normal = Normal {
    mean: [-1.0, 1.0],
    variance: [0.7, 1.2],
    covariance: -0.2,
};

impl Normal {
    fn sample(&self, count: usize, draws: &mut Draws) -> Vec<[f64; 2]> {
        // the Cholesky factor of the covariance matrix
        let a = self.variance[0].sqrt();
        let b = self.covariance / a;
        let c = (self.variance[1] - b * b).sqrt();
        let mut one = || {
            let (z, w) = (draws.normal(), draws.normal());
            [self.mean[0] + a * z, self.mean[1] + b * z + c * w]
        };
        (0..count).map(|_| one()).collect()
    }

    fn log_density(&self, [x, y]: [f64; 2]) -> f64 {
        let ([v, w], r) = (self.variance, self.covariance);
        let (dx, dy, det) = (x - self.mean[0], y - self.mean[1], v * w - r * r);
        let square = (w * dx * dx - 2.0 * r * dx * dy + v * dy * dy) / det;
        -0.5 * (square + det.ln()) - std::f64::consts::TAU.ln()
    }
}

/// `ln p` of the rows' true law, anomalies included.
fn truth(row: [f64; 2]) -> f64 {
    let share = ODD as f64 / (BULK + ODD) as f64;
    let terms = [
        (1.0 - share).ln() + USUAL.log_density(row),
        share.ln() + UNUSUAL.log_density(row),
    ];
    common::log_sum_exp(&terms)
}

fn main() -> Outcome {
    let mut draws = Draws::new(1);
    let mut rows = USUAL.sample(BULK, &mut draws);
    rows.extend(UNUSUAL.sample(ODD, &mut draws));
    let odd: Vec<bool> = (0..rows.len()).map(|i| i >= BULK).collect();
    let new = USUAL.sample(TESTED, &mut draws);

    let config = FlowConfig {
        layers: 4,
        conditioner: MlpConfig {
            hidden: 32,
            blocks: 1,
            ..MlpConfig::default()
        },
        ..FlowConfig::default()
    };
    let training = TrainConfig::default().epochs(15).batch(512).seed(1);
    let fitted = Model::fit(standardised(maf(2, 0, &config)?)?, &rows, &training)?;
    println!(
        "MAF, {} parameters, {} epochs of {} mini-batches, {:.0} s",
        fitted.model.params.len(),
        fitted.history.epochs.len(),
        fitted.history.steps_per_epoch,
        fitted.seconds
    );
    let log_prob = fitted.model.log_prob(&rows);
    let score: Vec<f64> = log_prob.iter().map(|l| -l).collect();
    let exact: Vec<f64> = rows.iter().map(|row| -truth(*row)).collect();
    let ideal: Vec<f64> = rows
        .iter()
        .map(|row| UNUSUAL.log_density(*row) - USUAL.log_density(*row))
        .collect();
    println!(
        "mean log-density of the rows: {:.4} (truth {:.4})\n",
        mean(&log_prob),
        -mean(&exact)
    );

    println!("| rows flagged | found, flow | found, true density | threshold on -log p, flow |");
    println!("| --: | --: | --: | --: |");
    let ordered = |scores: &[f64]| -> Vec<usize> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        order
    };
    let (by_score, by_truth) = (ordered(&score), ordered(&exact));
    let found = |order: &[usize], count: usize| order[..count].iter().filter(|i| odd[**i]).count();
    let counts = [25, 50, 100, 250, 500, 1000, 2500];
    for count in counts {
        println!(
            "| {count} ({} %) | {} of {ODD} | {} of {ODD} | {:.2} |",
            count as f64 * 100.0 / rows.len() as f64,
            found(&by_score, count),
            found(&by_truth, count),
            score[by_score[count - 1]]
        );
    }
    let curves = [&score, &exact, &ideal].map(|s| roc(s, &odd));
    let areas = [0, 1, 2].map(|k| area(&curves[k]));
    println!("\n| score | AUC |\n| --- | --: |");
    println!("| -log p, flow | {:.4} |", areas[0]);
    println!("| -log p, true density of all rows | {:.4} |", areas[1]);
    println!(
        "| log ratio of the two true laws (knows what anomalies look like) | {:.4} |",
        areas[2]
    );

    let drawn = fitted.model.sample(TESTED, 3);
    let moved = Normal {
        mean: [1.6, -1.5],
        ..USUAL
    }
    .sample(TESTED, &mut draws);
    println!("\n| {TESTED} new rows of the bulk beside | energy distance | p-value |\n| --- | --: | --: |");
    for (name, sample) in [
        ("the flow's rows", &drawn),
        ("the true law, moved by a tenth", &moved),
    ] {
        let test = energy_test(&new, sample, PERMUTATIONS, &mut draws);
        println!("| {name} | {:.5} | {:.3} |", test.distance, test.p_value);
    }

    // the bulk thinned, all that is rare kept
    let shown: Vec<usize> = (0..rows.len())
        .filter(|&i| i % 20 == 0 || score[i] > 6.0)
        .collect();
    let pick = |keep: &dyn Fn(usize) -> bool| -> (Vec<[f64; 2]>, Vec<f64>) {
        shown
            .iter()
            .filter(|i| keep(**i))
            .map(|&i| (rows[i], score[i]))
            .unzip()
    };
    let scale = ColourScale::new(1.0, 10.0).for_marks();
    let (cloud, colours) = pick(&|_| true);
    let threshold = score[by_score[499]];
    let (flagged, _) = pick(&|i| score[i] >= threshold && !odd[i]);
    let (quiet, _) = pick(&|i| score[i] < threshold && !odd[i]);
    let anomalies: Vec<[f64; 2]> = rows[BULK..].to_vec();
    let found_at: Vec<[f64; 2]> = counts
        .iter()
        .map(|&k| {
            [
                k as f64 / rows.len() as f64,
                found(&by_score, k) as f64 / ODD as f64,
            ]
        })
        .collect();
    let figure = Figure::new(3)
        .own_axes()
        .panel_size(290.0, 290.0)
        .panel(
            Panel::new("coloured by the score")
                .with(Points::scored(&cloud, &colours, scale).opacity(0.9).radius(1.8))
                .x_label("first column")
                .y_label("second column")
                .caption("pale: 1 nat and less, dark: 10 nats and more"),
        )
        .panel(
            Panel::new("1 % flagged")
                .with(
                    Points::new(&quiet)
                        .colour(Colour::GREY)
                        .opacity(0.25)
                        .label("left alone"),
                )
                .with(
                    Points::new(&flagged)
                        .colour(Colour::BLUE)
                        .opacity(0.8)
                        .label("flagged, of the bulk"),
                )
                .with(
                    Points::new(&anomalies)
                        .colour(Colour::VERMILION)
                        .radius(2.6)
                        .opacity(1.0)
                        .label("the 50 anomalies"),
                )
                .x_label("first column")
                .y_label("second column")
                .caption(&format!("{} of {ODD} are found", found(&by_score, 500))),
        )
        .panel(
            Panel::new("ROC")
                .with(
                    Line::new(&corners(&curves[2]))
                        .colour(Colour::GREEN)
                        .label("true ratio"),
                )
                .with(
                    Line::new(&corners(&curves[1]))
                        .colour(Colour::BLACK)
                        .width(3.0)
                        .label("true density"),
                )
                .with(Line::new(&corners(&curves[0])).label("flow"))
                .with(
                    Points::new(&found_at)
                        .colour(Colour::VERMILION)
                        .radius(2.5)
                        .opacity(1.0),
                )
                .with(Rule::vertical(0.01).label("1 % flagged"))
                .x_limits(0.0, 0.1)
                .y_limits(0.0, 1.0)
                .x_label("share of the bulk flagged")
                .y_label("share of the anomalies found")
                .caption(&format!(
                    "AUC: flow {:.3}, true density {:.3}",
                    areas[0], areas[1]
                )),
        );
    write_picture("anomalies_2d.svg", &figure.to_svg())
}
