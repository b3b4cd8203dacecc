//! How cost grows: with columns, width, layers, rows a call, and threads. One figure each, and the figures' points as JSON
//! lines.
//!
//! Every point is a flow of its own, measured as `flow_speed` measures: training, log_prob and sampling in their steady
//! state, CPU nanoseconds a row; over threads, rows a second by the clock on the wall against those of one thread. All
//! that is not varied stands at 32 columns, 5 layers, networks of 2 x 128 units, batches of 512 rows.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use echoflow::plot::{Colour, Figure, Line, Panel, Points};
use ef_bench::data::mixture;
use ef_bench::model::{FlowArgs, Model};
use ef_bench::process::machine;
use ef_bench::speed::{CHUNK, Rate, Span, log_prob, plain_adam, sample, train};
use ef_bijectors::ndarray::s;
use ef_density::FlowRows;

/// Measures and draws how cost grows.
#[derive(Parser, Debug)]
struct Args {
    /// Where the pictures go
    #[arg(long, default_value = "docs/img")]
    out: PathBuf,
    /// What to vary; everything if left out
    #[arg(long, value_delimiter = ',')]
    vary: Vec<Vary>,
    /// CPU seconds of training a point; scoring and sampling take half each
    #[arg(long, default_value_t = 0.6)]
    seconds: f64,
}

/// What is varied.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Vary {
    Columns,
    Width,
    Layers,
    Rows,
    Threads,
}

impl Vary {
    const ALL: [Self; 5] = [
        Self::Columns,
        Self::Width,
        Self::Layers,
        Self::Rows,
        Self::Threads,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Width => "width",
            Self::Layers => "layers",
            Self::Rows => "rows",
            Self::Threads => "threads",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Width => "units of a hidden layer",
            Self::Layers => "layers",
            Self::Rows => "rows of a mini-batch, or of a call",
            Self::Threads => "threads",
        }
    }

    fn values(self) -> Vec<usize> {
        match self {
            Self::Columns => vec![4, 8, 16, 32, 64, 128],
            Self::Width => vec![16, 32, 64, 128, 256, 512],
            Self::Layers => vec![1, 2, 4, 8, 16],
            Self::Rows => vec![16, 32, 64, 128, 256, 512, 1024, 2048],
            Self::Threads => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                (1..=cores)
                    .filter(|t| t.is_power_of_two() || *t == cores)
                    .collect()
            }
        }
    }
}

const MODELS: [(Model, Colour); 4] = [
    (Model::Maf, Colour::BLUE),
    (Model::Realnvp, Colour::GREEN),
    (Model::NsfAr, Colour::VERMILION),
    (Model::NsfCoupling, Colour::ORANGE),
];
const WORKS: [&str; 3] = ["training", "log_prob", "sampling"];

/// Rates of training, log_prob and sampling at one point.
fn measure(vary: Vary, model: Model, value: usize, seconds: f64) -> Result<[Rate; 3]> {
    let mut size = FlowArgs {
        model,
        dim: 32,
        layers: 5,
        hidden: 128,
        blocks: 2,
        bins: 8,
    };
    let (mut batch, mut threads) = (CHUNK, 1);
    match vary {
        Vary::Columns => size.dim = value,
        Vary::Width => size.hidden = value,
        Vary::Layers => size.layers = value,
        Vary::Rows => batch = value,
        Vary::Threads => threads = value,
    }
    // enough that an epoch has many steps, whatever the batch
    let rows = FlowRows::new(mixture(41_000, size.dim, 0));
    let (flow, mut params) = size.start()?;
    let span = Span {
        warm: 0.2 * seconds,
        seconds,
        steps: None,
    };
    let trained = train(&flow, &mut params, &rows, &plain_adam(batch, 1e-3, threads), span)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let (scored, drawn) = pool.install(|| -> Result<_> {
        let count = (2 * threads * batch).max(2 * CHUNK);
        let x = rows.x.slice(s![..count, ..]);
        Ok((
            log_prob(&flow, &params, x, batch, 0.5 * seconds)?,
            sample(&flow, &params, count, batch, 0.5 * seconds)?,
        ))
    })?;
    let trained = Rate {
        wall: trained.rows_s,
        cpu: trained.rows_cpu_s,
    };
    Ok([trained, scored, drawn])
}

/// The curves of one figure: per work and model, points `[value, y]`.
fn curves(vary: Vary, seconds: f64) -> Result<[Vec<Vec<[f64; 2]>>; 3]> {
    let mut curves = [const { Vec::new() }; 3];
    for (model, _) in MODELS {
        let mut points = [const { Vec::new() }; 3];
        let mut first: Option<[Rate; 3]> = None;
        for value in vary.values() {
            let rates = measure(vary, model, value, seconds)?;
            let first = *first.get_or_insert(rates);
            for (work, rate) in rates.iter().enumerate() {
                let y = match vary {
                    Vary::Threads => rate.wall / first[work].wall,
                    _ => 1e9 / rate.cpu,
                };
                points[work].push([value as f64, y]);
                let line = serde_json::json!({
                    "vary": vary.name(), "value": value, "model": model.name(), "work": WORKS[work],
                    "rows_s": rate.wall.round(), "rows_cpu_s": rate.cpu.round(),
                    // below the number of threads, where the machine had other work or threads waited
                    "cores_used": (100.0 * rate.cores()).round() / 100.0,
                });
                println!("{line}");
                if vary == Vary::Threads && value == 1 && rate.cores() < 0.9 {
                    eprintln!(
                        "the machine is busy: one thread got {:.2} cores, and its picture means nothing",
                        rate.cores()
                    );
                }
            }
        }
        curves.iter_mut().zip(points).for_each(|(all, own)| all.push(own));
    }
    Ok(curves)
}

fn figure(vary: Vary, curves: &[Vec<Vec<[f64; 2]>>; 3]) -> Figure {
    let by_threads = vary == Vary::Threads;
    let mut figure = Figure::new(3).panel_size(260.0, 260.0);
    for (work, curves) in WORKS.iter().zip(curves) {
        let mut panel = Panel::new(work).x_label(vary.label());
        if !by_threads {
            panel = panel.log_x().log_y();
        }
        if work == &WORKS[0] {
            panel = panel.y_label(if by_threads {
                "times as fast as one thread"
            } else {
                "CPU nanoseconds a row"
            });
        }
        if by_threads {
            let most = vary.values().last().map_or(1.0, |most| *most as f64);
            let ideal = Line::new(&[[1.0, 1.0], [most, most]]).dashed();
            panel = panel.with(ideal.colour(Colour::GREY).label("ideal"));
        }
        for ((model, colour), points) in MODELS.iter().zip(curves) {
            let line = Line::new(points).colour(*colour).label(&model.name());
            let dots = Points::new(points).colour(*colour).radius(2.5).opacity(1.0);
            panel = panel.with(line).with(dots);
        }
        figure = figure.panel(panel);
    }
    figure
}

/// The exponent of growth over the last doubling of what is varied: 1 where cost doubles with it.
fn exponent(points: &[[f64; 2]]) -> Option<f64> {
    let [.., [x0, y0], [x1, y1]] = points else {
        return None;
    };
    Some((y1 / y0).ln() / (x1 / x0).ln())
}

fn main() -> Result<()> {
    let args = Args::parse();
    // Training starts pools of its own; the others are asked for by name.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let vary = if args.vary.is_empty() {
        Vary::ALL.to_vec()
    } else {
        args.vary.clone()
    };
    let mut table = String::new();
    for vary in vary {
        let curves = curves(vary, args.seconds)?;
        let path = args.out.join(format!("performance-{}.svg", vary.name()));
        fs::write(&path, figure(vary, &curves).to_svg())?;
        for (work, curves) in WORKS.iter().zip(&curves) {
            table += &format!("| {} | {work} |", vary.name());
            for points in curves {
                let value = match vary {
                    Vary::Threads => points.last().map(|[_, y]| *y),
                    _ => exponent(points),
                };
                table += &value.map_or(" - |".to_owned(), |value| format!(" {value:.2} |"));
            }
            table.push('\n');
        }
    }
    eprintln!("\nMachine: {}.\n", machine());
    eprintln!(
        "| over | work | maf | realnvp | nsf-ar | nsf-coupling |\n| --- | --- | --: | --: | --: | --: |"
    );
    eprint!("{table}");
    Ok(())
}
