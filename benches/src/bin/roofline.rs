//! The roofline: useful GFLOP/s of every case against its arithmetic intensity, below what the machine can do.
//!
//! Drawn from the JSON lines of `cargo xtask bench-peers`. A roofline (Williams, Waterman & Patterson 2009) bounds what a
//! program reaches by the lower of two lines: the peak of arithmetic, and memory's bytes a second times the FLOP done for
//! each byte. Useful FLOP and least bytes are counted as `ef_bench::work` says.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use echoflow::plot::{Colour, Figure, Line, Panel, Points};
use serde_json::Value;

/// Draws the roofline.
#[derive(Parser, Debug)]
struct Args {
    /// JSON lines of `cargo xtask bench-peers`
    lines: PathBuf,
    /// The picture
    #[arg(long, default_value = "docs/img/performance-roofline.svg")]
    out: PathBuf,
}

/// Kinds of work: its name, where its rate stands, and its FLOP and intensity.
const WORKS: [(&str, &str, &str, &str); 3] = [
    ("training", "train_rows_cpu_s", "step_flop", "step_intensity"),
    ("log_prob", "logprob_rows_cpu_s", "pass_flop", "pass_intensity"),
    ("sampling", "sample_rows_cpu_s", "pass_flop", "pass_intensity"),
];
const FAMILIES: [(&str, Colour); 5] = [
    ("maf", Colour::BLUE),
    ("realnvp", Colour::GREEN),
    ("nsf-ar", Colour::VERMILION),
    ("nsf-coupling", Colour::ORANGE),
    ("planar", Colour::PURPLE),
];

/// The highest number under a key.
fn highest(lines: &[Value], key: &str) -> Option<f64> {
    lines
        .iter()
        .filter_map(|line| line[key].as_f64())
        .reduce(f64::max)
}

/// `[intensity, GFLOP/s]` of a line of ours.
fn place(line: &Value, (_, rate, flop, intensity): (&str, &str, &str, &str)) -> Option<[f64; 2]> {
    let gflops = line[rate].as_f64()? * line[flop].as_f64()? / 1e9;
    Some([line[intensity].as_f64()?, gflops])
}

fn main() -> Result<()> {
    let args = Args::parse();
    let text = fs::read_to_string(&args.lines)
        .with_context(|| format!("{} cannot be read", args.lines.display()))?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let missing = "the lines have no peak: they are not from `cargo xtask bench-peers`";
    let peak = highest(&lines, "gflops_cpu_core").context(missing)?;
    let memory = highest(&lines, "gbytes_cpu_s").context(missing)?;

    let mut figure = Figure::new(3).panel_size(280.0, 280.0);
    for work in WORKS {
        let mut panel = Panel::new(work.0)
            .log_x()
            .log_y()
            .x_label("useful FLOP a byte moved at the least")
            .x_limits(0.5, 100.0)
            .y_limits(0.1, 1.5 * peak);
        if work.0 == WORKS[0].0 {
            panel = panel.y_label("useful GFLOP/s of one core");
        }
        // memory's line up to where it meets the peak's
        let roof = [[0.5, 0.5 * memory], [peak / memory, peak], [100.0, peak]];
        let roof = Line::new(&roof).colour(Colour::GREY).width(2.5);
        panel = panel.with(roof.label(&format!("{peak:.0} GFLOP/s, {memory:.0} GB/s from memory")));
        for (family, colour) in FAMILIES {
            let ours = lines
                .iter()
                .filter(|line| line["lib"] == "echoflow" && line["model"] == family);
            let points: Vec<[f64; 2]> = ours.filter_map(|line| place(line, work)).collect();
            let points = Points::new(&points).colour(colour).radius(4.0).opacity(1.0);
            panel = panel.with(points.label(family));
        }
        figure = figure.panel(panel);
    }
    fs::write(&args.out, figure.to_svg()).with_context(|| format!("{} cannot be written", args.out.display()))
}
