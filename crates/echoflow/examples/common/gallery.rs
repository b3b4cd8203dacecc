//! Several flows on every plane set: a table of scores and a gallery of densities.

use echoflow::TrainConfig;
use echoflow::bijectors::{ActNorm, Bijector, Chain};
use echoflow::density::Flow;
use echoflow::plot::{ColourScale, Figure, Grid, HeatMap, Panel};

use super::model::{Fitted, Model};
use super::toys::Toy;
use super::{Outcome, mean, nats};

const ROWS: usize = 10_000;
const HELD_OUT: usize = 10_000;
/// Cells of a heat map along each axis.
const CELLS: usize = 60;

/// A kind of flow by its name.
pub(crate) type Candidate<'a> = (&'a str, &'a dyn Fn() -> Outcome<Chain<f32>>);

/// A flow whose first layer scales the columns to mean 0 and variance 1.
pub(crate) fn standardised(flow: Chain<f32>) -> Outcome<Flow<f32>> {
    let parts: Vec<Box<dyn Bijector<f32>>> = vec![Box::new(ActNorm::new(flow.dim())?), Box::new(flow)];
    Ok(Flow::new(Chain::new(parts)?))
}

/// Fits every candidate to every set, prints a table and returns the gallery: the true density first, then one column
/// a candidate, all of a row on one scale.
pub(crate) fn compare(candidates: &[Candidate<'_>], config: &TrainConfig) -> Outcome<Figure> {
    println!(
        "| set | flow | parameters | seconds | log-density of {HELD_OUT} new rows, nats | behind the truth |"
    );
    println!("| --- | --- | --: | --: | --: | --: |");
    let mut figure = Figure::new(candidates.len() + 1)
        .own_axes()
        .panel_size(170.0, 170.0);
    for (row, toy) in Toy::ALL.into_iter().enumerate() {
        let (rows, new) = (toy.sample(ROWS, 1), toy.sample(HELD_OUT, 2));
        let [x, y] = toy.window();
        let grid = Grid::new(x, y, CELLS, CELLS);
        let truth: Vec<f64> = toy.log_density(&grid.centres()).iter().map(|l| l.exp()).collect();
        let scale = ColourScale::around(&truth).in_steps(12);
        let best = mean(&toy.log_density(&new));
        println!("| {} | truth | | | {best:.3} | |", toy.name());
        let panel = |title: &str, density: Vec<f64>, score: f64| {
            Panel::new(if row == 0 { title } else { "" })
                .with(HeatMap::new(grid, density, scale))
                .caption(&nats(score))
                .bare()
        };
        figure = figure.panel(panel("truth", truth, best).y_label(toy.name()));
        for (name, flow) in candidates {
            let Fitted { model, seconds, .. } = Model::fit(standardised(flow()?)?, &rows, config)?;
            let score = mean(&model.log_prob(&new));
            println!(
                "| {} | {name} | {} | {seconds:.1} | {score:.3} | {:.3} |",
                toy.name(),
                model.params.len(),
                best - score
            );
            let density = model.log_prob(&grid.centres()).iter().map(|l| l.exp()).collect();
            figure = figure.panel(panel(name, density, score));
        }
    }
    Ok(figure)
}
