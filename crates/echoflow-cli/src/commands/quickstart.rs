//! `echoflow quickstart`: the whole tour on the spiral.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use echoflow::demo::Demo;
use echoflow::files::write_atomically;
use echoflow::plot::{Cloud, scatter_svg};
use echoflow::{ModelKind, Table, with_threads};

use super::Job;
use super::fit::{Fitted, Settings, fit};
use super::score::summary;
use crate::args;
use crate::files::Files;
use crate::output::{note, to_stdout};

/// Rows fitted on, and rows held out.
const ROWS: (usize, usize) = (8_000, 2_000);

/// The files of the tour.
const TABLE: &str = "spiral.csv";
const MODEL: &str = "spiral.echoflow";
const SYNTHETIC: &str = "synthetic.csv";
const PICTURE: &str = "spiral.svg";

#[derive(Debug, clap::Args)]
pub(crate) struct Quickstart {
    /// Folder for the files, made if it is not there
    #[arg(long, value_name = "FOLDER", default_value = "echoflow-quickstart")]
    dir: PathBuf,
    /// The same seed gives the same files
    #[arg(long, default_value = "0", value_parser = args::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Most epochs, for a shorter tour and a poorer picture
    #[arg(long, value_parser = args::epochs, allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Threads (0: all); any number gives the same files
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    threads: usize,
}

impl Job for Quickstart {
    fn files(&self) -> Result<Files<'_>> {
        let files = [TABLE, MODEL, SYNTHETIC, PICTURE].map(|name| self.dir.join(name));
        let files = files.into_iter().fold(Files::default(), |files, path| {
            files.writes_in_folder("--dir", path)
        });
        Ok(files.prints())
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Quickstart) -> Result<ExitCode> {
    let Quickstart {
        dir,
        seed,
        epochs,
        threads,
    } = args;
    let (seed, threads) = (*seed, *threads);
    std::fs::create_dir_all(dir).map_err(|error| {
        anyhow!(
            "cannot make the folder {}: {error}; name another with --dir",
            dir.display()
        )
    })?;
    let whole = Demo::Spiral.generate(ROWS.0 + ROWS.1, seed).to_table()?;
    let (table, held_out) = (whole.slice(0, ROWS.0), whole.slice(ROWS.0, ROWS.1));
    echoflow::write_csv(&table, dir.join(TABLE))?;
    note(&format!(
        "1. made the spiral table: {} rows, and {} held out",
        ROWS.0, ROWS.1
    ));

    let settings = Settings {
        model: ModelKind::Auto,
        ensemble: None,
        context: Vec::new(),
        no_dependencies: false,
        // the tour asks no question that needs it
        order_agnostic: false,
        seed,
        epochs: *epochs,
        max_minutes: None,
        threads,
        shards: None,
        quiet: false,
    };
    note("2. fitting: the autoregressive model and two spline flows, of which validation chooses one");
    let Fitted { model, stopped } = fit(&table, &settings)?;
    if stopped {
        note("stopped; no model was written");
        return Ok(ExitCode::from(130));
    }
    model.save(dir.join(MODEL))?;

    let synthetic = with_threads(threads, || model.sample(ROWS.0, seed))??;
    echoflow::write_csv(&synthetic, dir.join(SYNTHETIC))?;
    note(&format!("3. drew {} synthetic rows", ROWS.0));

    let scores = with_threads(threads, || model.score(&held_out))??;
    let truth =
        Demo::Spiral.log_density(&Demo::Spiral.generate_range(ROWS.0 as u64..(ROWS.0 + ROWS.1) as u64, seed));
    let truth = truth.iter().sum::<f64>() / ROWS.1 as f64;
    let (real, drawn) = (points(&table)?, points(&synthetic)?);
    let svg = scatter_svg(
        &Cloud {
            title: "real",
            points: &real,
        },
        &Cloud {
            title: "synthetic",
            points: &drawn,
        },
        "x",
        "y",
    );
    let picture = dir.join(PICTURE);
    write_atomically(&picture, |out| out.write_all(svg.as_bytes())).map_err(|error| {
        anyhow!(
            "cannot write {}: {error}; make room, or name another folder with --dir",
            picture.display()
        )
    })?;
    note("4. scored the held-out rows and drew real beside synthetic");
    to_stdout(|out| {
        writeln!(out, "held-out {}; the truth has {truth:.4}", summary(&scores))?;
        writeln!(
            out,
            "wrote {TABLE}, {MODEL}, {SYNTHETIC} and {PICTURE} to {}",
            dir.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn points(table: &Table) -> Result<Vec<[f64; 2]>> {
    let (x, y) = (table.numbers("x")?, table.numbers("y")?);
    let pairs = x.unwrap_or_default().into_iter().zip(y.unwrap_or_default());
    Ok(pairs.map(|(x, y)| [x, y]).collect())
}
