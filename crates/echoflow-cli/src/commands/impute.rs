//! `echoflow impute`: missing cells of a table, filled.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use echoflow::tabular::{ColumnMarginal, ColumnSchema, Date, Value};
use echoflow::{EchoFlow, Key, Table, with_threads};

use super::Job;
use super::completing::{Filled, by_chunks, refuse_stranger, told};
use crate::args;
use crate::files::Files;
use crate::output::{is_dash, note, read_table_for, write_table};
use crate::progress::Working;

/// Rows guessed at a time: it bounds memory and is no part of the result.
const CHUNK: usize = 256;

/// Draws of a row that its best values are taken from.
const BEST_OF: usize = 64;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Impute {
    /// Model file
    model: PathBuf,
    /// CSV file with empty cells; - is standard input
    table: PathBuf,
    /// CSV file to write, which may be the table that is read; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Write so many tables, each with draws of its own: -o filled.csv gives filled-1.csv, filled-2.csv and so on
    #[arg(long, default_value = "1", value_parser = args::draws, allow_negative_numbers = true)]
    draws: usize,
    /// Write the most probable category and the mean of numbers, over 64 draws, instead of one draw
    #[arg(long, conflicts_with = "draws")]
    best: bool,
    /// The same seed gives the same cells
    #[arg(long, default_value = "0", value_parser = args::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Number of the table's first row, counted from 0: a part of a larger table gets what it gets in the whole
    #[arg(long, value_name = "ROW", default_value = "0", value_parser = args::first_row, allow_negative_numbers = true)]
    first_row: u64,
    /// Threads (0: all); any number gives the same cells
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    threads: usize,
}

const EXAMPLES: &str = "\
Examples:
  echoflow impute loans.echoflow loans.csv -o filled.csv
  echoflow impute loans.echoflow loans.csv --draws 5 -o filled.csv    filled-1.csv to filled-5.csv, for multiple imputation
  echoflow impute loans.echoflow loans.csv --best -o filled.csv       for a single best guess: less spread than real cells

Cells that are there stay as they are written, and so do columns that the model does not know. A column of the model that
the table lacks is added at the right.";

impl Job for Impute {
    fn files(&self) -> Result<Files<'_>> {
        let files = Files::default()
            .reads("model", &self.model)
            .reads_table("table", &self.table);
        if self.draws == 1 {
            return Ok(files.writes_more_of("table", "-o", &*self.output));
        }
        // of several tables none takes the place of the one that is read
        let outputs = outputs(&self.output, self.draws)?;
        Ok(outputs
            .into_iter()
            .fold(files, |files, path| files.writes("-o", path)))
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Impute) -> Result<ExitCode> {
    let outputs = outputs(&args.output, args.draws)?;
    let model = EchoFlow::load(&args.model)?;
    let table = read_table_for(&model, &args.table)?;
    refuse_stranger(&model, &table, &args.table)?;
    let (key, first_row) = (Key::new(args.seed), args.first_row);
    let completed = with_threads(args.threads, || {
        if args.best {
            best(&model, &table, first_row, key)
        } else {
            by_chunks(&table, first_row, args.draws, |chunk, first_row| {
                let request = echoflow::Impute::new().draws(args.draws).from_row(first_row);
                request.run(&model, chunk, key)
            })
        }
    })??;
    let lacked: Vec<&str> = model
        .column_names()
        .iter()
        .map(String::as_str)
        .filter(|name| table.column_index(name).is_err())
        .collect();
    let names: Vec<&str> = table
        .column_names()
        .into_iter()
        .chain(lacked.iter().copied())
        .collect();
    for (filled, path) in completed.tables.iter().zip(&outputs) {
        write_table(&filled.join(&table, &names)?, path)?;
    }
    note(&told(&table, &completed, "filled"));
    if !lacked.is_empty() {
        note(&format!(
            "the table had no column {}: drawn whole, at the right",
            lacked.join(", ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// `out.csv` for one table; `out-1.csv`, `out-2.csv` for two.
fn outputs(path: &Path, draws: usize) -> Result<Vec<PathBuf>> {
    if draws == 1 {
        return Ok(vec![path.to_owned()]);
    }
    if is_dash(path) {
        bail!(
            "{draws} tables cannot go to standard output; name a file with -o, such as -o filled.csv for filled-1.csv and so on"
        );
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path
        .extension()
        .map_or(String::new(), |end| format!(".{}", end.to_string_lossy()));
    Ok((1..=draws)
        .map(|draw| path.with_file_name(format!("{stem}-{draw}{end}")))
        .collect())
}

/// Fills each cell with the best guess from many draws of its row. Derived columns then follow from their sources.
fn best(model: &EchoFlow, table: &Table, first_row: u64, key: Key) -> Result<Filled> {
    let open: Vec<usize> = (0..table.num_rows())
        .filter(|&row| {
            let cell = |name: &String| table.column_index(name).map(|at| table.value(row, at));
            let mut cells = model.column_names().iter().map(cell);
            cells.any(|cell| matches!(cell, Err(_) | Ok(Value::Missing)))
        })
        .collect();
    let mut guesses: Vec<Guess> = model.marginals().iter().map(|_| Guess::default()).collect();
    let (mut cells, mut rows, mut low_ess) = (0, 0, Vec::new());
    let working = Working::on_rows("guessing", open.len());
    let many = echoflow::Impute::new().draws(BEST_OF);
    for run in open
        .chunk_by(|one, next| one + 1 == *next)
        .flat_map(|run| run.chunks(CHUNK))
    {
        let rows_of_run = table.slice(run[0], run.len());
        let request = many.from_row(first_row + run[0] as u64);
        let drawn = request.run(model, &rows_of_run, key.purpose("best"))?;
        for (guess, column) in guesses.iter_mut().zip(&model.schema().columns) {
            guess.add(column, &drawn.tables)?;
        }
        cells += drawn.cells;
        rows += drawn.rows;
        low_ess.extend(drawn.low_ess.iter().map(|row| run[0] + row));
        working.done(run.len());
    }
    drop(working);
    // one row of guesses for each row of the table; those of rows that are whole are never looked at
    let mut guessed = table.select(&[])?;
    for ((guess, column), marginal) in guesses.iter().zip(&model.schema().columns).zip(model.marginals()) {
        let mut values = vec![Value::Missing; table.num_rows()];
        for (place, &row) in open.iter().enumerate() {
            values[row] = guess.value(place, marginal);
        }
        guessed = guessed.with_values(column, &values)?;
    }
    let known = table.completed_by(&guessed)?;
    let names: Vec<&str> = known.column_names();
    let others: Vec<&str> = table
        .column_names()
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    let all: Vec<&str> = names.iter().copied().chain(others).collect();
    let filled = known.join(table, &all)?;
    let completed = by_chunks(&filled, first_row, 1, |chunk, first_row| {
        echoflow::Impute::new().from_row(first_row).run(model, chunk, key)
    })?;
    Ok(Filled {
        tables: completed.tables,
        cells,
        rows,
        low_ess,
    })
}

/// What many draws of one column say of each row.
#[derive(Debug, Default)]
struct Guess {
    /// For each row, the commonest text and flag of it, or the mean of numbers and days.
    rows: Vec<Best>,
}

#[derive(Debug, Clone)]
enum Best {
    Label(String),
    Flag(bool),
    Mean(f64),
    Missing,
}

impl Guess {
    /// Takes in the draws of some rows more, one table a draw.
    fn add(&mut self, column: &ColumnSchema, draws: &[Table]) -> Result<(), echoflow::ModelError> {
        let Some(first) = draws.first() else {
            return Ok(());
        };
        let at = first.column_index(&column.name)?;
        for row in 0..first.num_rows() {
            let (mut labels, mut trues, mut sum, mut known) = (HashMap::<&str, usize>::new(), 0, 0.0, 0);
            for draw in draws {
                match draw.value(row, at) {
                    Value::Text(text) => *labels.entry(text).or_default() += 1,
                    Value::Boolean(flag) => trues += usize::from(flag),
                    Value::Number(x) => sum += x,
                    Value::Date(date) => sum += f64::from(date.day_number()),
                    Value::Missing => continue,
                }
                known += 1;
            }
            self.rows.push(match (known, first.value(row, at)) {
                (0, _) => Best::Missing,
                (_, Value::Text(_)) => {
                    // of equally common ones the first in the alphabet, whatever the map's order
                    let commonest = labels
                        .iter()
                        .max_by_key(|(label, count)| (**count, std::cmp::Reverse(**label)));
                    commonest.map_or(Best::Missing, |(label, _)| Best::Label((*label).to_owned()))
                }
                (known, Value::Boolean(_)) => Best::Flag(2 * trues > known),
                (known, _) => Best::Mean(sum / known as f64),
            });
        }
        Ok(())
    }

    /// The best value of a row, on the grid of its column.
    fn value(&self, row: usize, marginal: &ColumnMarginal) -> Value<'_> {
        match (self.rows.get(row), marginal) {
            (Some(Best::Label(label)), _) => Value::Text(label),
            (Some(Best::Flag(flag)), _) => Value::Boolean(*flag),
            (Some(Best::Mean(mean)), ColumnMarginal::Date(_)) => {
                Date::from_day_number(mean.round() as i32).map_or(Value::Missing, Value::Date)
            }
            (Some(Best::Mean(mean)), ColumnMarginal::Number(marginal)) => {
                Value::Number(match marginal.decimals() {
                    Some(decimals) => {
                        let scale = 10_f64.powi(decimals.into());
                        (mean * scale).round() / scale
                    }
                    None => *mean,
                })
            }
            _ => Value::Missing,
        }
    }
}
