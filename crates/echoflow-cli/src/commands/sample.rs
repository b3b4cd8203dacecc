//! `echoflow sample`: rows from a model.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use echoflow::{Complete, Condition, Diagnostics, EchoFlow, Key, Table, with_threads};

use super::Job;
use super::completing::{by_chunks, has_columns_to_draw, refuse_stranger, told};
use crate::args;
use crate::files::Files;
use crate::output::{count as counted, estimate, note, read_table_for, write_json, write_table};
use crate::progress::Working;

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", args::CONDITIONS))]
pub(crate) struct Sample {
    /// Model file
    model: PathBuf,
    /// Rows to draw; with --rows, for each of its rows [default there: 1]
    #[arg(short = 'n', long = "count", value_name = "ROWS", value_parser = args::rows, allow_negative_numbers = true)]
    count: Option<usize>,
    /// A condition that every row meets; if given several times, rows meet all of them
    #[arg(long = "where", value_name = "CONDITION", value_parser = args::condition)]
    conditions: Vec<Condition>,
    /// Return rows under a condition even if it is so rare that they repeat a few draws
    #[arg(long, alias = "allow-poor", requires = "conditions")]
    allow_low_ess: bool,
    /// Write how rows under a condition were drawn (draws, effective sample size, probability) as a JSON object; - is
    /// standard output
    #[arg(long, value_name = "FILE", requires = "conditions")]
    json: Option<PathBuf>,
    /// CSV file of rows with some cells filled (- is standard input): their empty cells are drawn, and the columns that
    /// it lacks; context columns have to be there
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// The same seed gives the same rows
    #[arg(long, default_value = "0", value_parser = args::seed, allow_negative_numbers = true)]
    seed: u64,
    /// CSV file to write; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Draw numbers beyond the range seen at fit too, as often as they are scored
    #[arg(long)]
    tails: bool,
    /// Number of the first row drawn, counted from 0; with --rows, of its first row: a part of a larger sample or table gets
    /// what it gets in the whole
    #[arg(long, value_name = "ROW", default_value = "0", value_parser = args::first_row, allow_negative_numbers = true,
          conflicts_with = "conditions")]
    first_row: u64,
    /// Threads (0: all); any number gives the same rows
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    threads: usize,
}

const EXAMPLES: &str = "\
Examples:
  echoflow sample loans.echoflow -n 1000 -o new.csv
  echoflow sample loans.echoflow -n 1000 --where 'grade in (A, B)' --where 'income between 30000 and 60000'
  echoflow sample loans.echoflow -n 1000 --where 'defaulted = true and income is missing' --json story.json -o new.csv
  echoflow sample loans.echoflow --rows partial.csv -n 10    ten whole rows for each partial row";

impl Job for Sample {
    fn files(&self) -> Result<Files<'_>> {
        let mut files = Files::default().reads("model", &self.model);
        if let Some(rows) = &self.rows {
            files = files.reads_table("table", rows);
        }
        // rows drawn anew hold neither all rows of --rows nor columns that the model does not know
        files = files.writes("-o", &*self.output);
        if let Some(json) = &self.json {
            files = files.writes("--json", &**json);
        }
        Ok(files)
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Sample) -> Result<ExitCode> {
    if args.rows.is_some() && !args.conditions.is_empty() {
        bail!(
            "--rows and --where cannot be used together; write what is known into the rows, or leave --rows out and use \
             --where alone"
        );
    }
    let model = EchoFlow::load(&args.model)?;
    let key = Key::new(args.seed);
    let rows = |count| {
        echoflow::Sample::rows(count)
            .tails(args.tails)
            .from_row(args.first_row)
    };
    let table = match (&args.rows, args.count) {
        (Some(path), count) => completed(&model, path, count.unwrap_or(1), args)?,
        (None, Some(count)) if !args.conditions.is_empty() => under_conditions(&model, args, count)?,
        (None, Some(count)) => with_threads(args.threads, || rows(count).run(&model, key))??,
        // without a context, sampling no rows would do nothing at all: ask; with one, the error asks for --rows
        (None, None) if model.context_schema().is_none() => {
            bail!("say how many rows to draw with -n, such as -n 1000")
        }
        (None, None) => rows(0).run(&model, key)?,
    };
    write_table(&table, &args.output)?;
    Ok(ExitCode::SUCCESS)
}

fn under_conditions(model: &EchoFlow, args: &Sample, count: usize) -> Result<Table> {
    let condition = Condition::all(args.conditions.iter().cloned());
    let drawn = {
        let _working = Working::on("drawing rows that meet the condition");
        let request = echoflow::Sample::rows(count).tails(args.tails).where_(&condition);
        let request = request.allow_low_ess(args.allow_low_ess);
        with_threads(args.threads, || request.run(model, Key::new(args.seed)))??
    };
    note(&in_words(&drawn.diagnostics));
    if let Some(path) = &args.json {
        let mut object = serde_json::to_value(&drawn.diagnostics)?;
        object["condition"] = condition.to_string().into();
        write_json(&object, path)?;
    }
    Ok(drawn.table)
}

fn in_words(diagnostics: &Diagnostics) -> String {
    let of = if diagnostics.density {
        "density"
    } else {
        "probability"
    };
    let exact = if diagnostics.standard_error == 0.0 {
        " (exact)"
    } else {
        ""
    };
    format!(
        "drew {} from {} weighted draws, worth {:.0} independent ones; the condition's {of} under the model is {}{exact}",
        counted(diagnostics.rows, "row"),
        diagnostics.draws,
        diagnostics.ess,
        estimate(diagnostics.probability, diagnostics.standard_error)
    )
}

/// `each` rows for every row of a file, one after the other.
fn completed(model: &EchoFlow, path: &Path, each: usize, args: &Sample) -> Result<Table> {
    let given = read_table_for(model, path)?;
    refuse_stranger(model, &given, path)?;
    // no row for each of these is one row for each of none
    let (given, each) = if each == 0 {
        (given.slice(0, 0), 1)
    } else {
        (given, each)
    };
    let rows = given.num_rows();
    if rows.saturating_mul(each) > args::MOST_ROWS {
        bail!(
            "-n {each} for each of {} is more than the {} rows that can be made at once; make several files with different seeds",
            counted(rows, "row"),
            args::MOST_ROWS
        );
    }
    let key = Key::new(args.seed);
    if model.context_schema().is_some() && !has_columns_to_draw(model, &given) {
        let request = echoflow::Sample::rows(each).given(&given);
        let request = request.tails(args.tails).from_row(args.first_row);
        return Ok(with_threads(args.threads, || request.run(model, key))??);
    }
    let request = Complete::new().draws(each).tails(args.tails);
    let completed = with_threads(args.threads, || {
        by_chunks(&given, args.first_row, each, |chunk, first_row| {
            request.from_row(first_row).run(model, chunk, key)
        })
    })??;
    note(&told(&given, &completed, "drew"));
    let tables: Vec<&Table> = completed.tables.iter().collect();
    let in_turn: Vec<(usize, usize)> = (0..rows * each).map(|at| (at % each, at / each)).collect();
    Ok(Table::interleave(&tables, &in_turn)?)
}
