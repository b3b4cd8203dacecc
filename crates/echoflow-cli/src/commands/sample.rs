//! `echoflow sample`: rows from a model.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use echoflow::{Condition, Diagnostics, EchoFlow, Table, with_threads};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Job;
use super::completing::{by_chunks, refuse_stranger, says_something, told};
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
    let model = EchoFlow::load(&args.model)?
        .with_tails(args.tails)
        .with_poor_draws(args.allow_low_ess);
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let table = match (&args.rows, args.count) {
        (Some(path), count) => completed(&model, path, count.unwrap_or(1), args.threads, &mut rng)?,
        (None, Some(count)) if !args.conditions.is_empty() => {
            under_conditions(&model, args, count, &mut rng)?
        }
        (None, Some(count)) => with_threads(args.threads, || model.sample(count, &mut rng))??,
        // without a context, sampling no rows would do nothing at all: ask; with one, the error asks for --rows
        (None, None) if model.context_schema().is_none() => {
            bail!("say how many rows to draw with -n, such as -n 1000")
        }
        (None, None) => model.sample(0, &mut rng)?,
    };
    write_table(&table, &args.output)?;
    Ok(ExitCode::SUCCESS)
}

fn under_conditions(model: &EchoFlow, args: &Sample, count: usize, rng: &mut ChaCha8Rng) -> Result<Table> {
    let condition = Condition::all(args.conditions.iter().cloned());
    let drawn = {
        let _working = Working::on("drawing rows that meet the condition");
        with_threads(args.threads, || model.sample_where(&condition, count, rng))??
    };
    note(&in_words(&drawn.story));
    if let Some(path) = &args.json {
        let mut object = serde_json::to_value(&drawn.story)?;
        object["condition"] = condition.to_string().into();
        write_json(&object, path)?;
    }
    Ok(drawn.table)
}

fn in_words(story: &Diagnostics) -> String {
    let of = match story.density {
        true => "density",
        false => "probability",
    };
    let exact = if story.standard_error == 0.0 {
        " (exact)"
    } else {
        ""
    };
    format!(
        "drew {} from {} weighted draws, worth {:.0} independent ones; the condition's {of} under the model is {}{exact}",
        counted(story.rows, "row"),
        story.draws,
        story.effective,
        estimate(story.probability, story.standard_error)
    )
}

/// `each` rows for every row of a file, one after the other.
fn completed(
    model: &EchoFlow,
    path: &Path,
    each: usize,
    threads: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Table> {
    let given = read_table_for(model, path)?;
    refuse_stranger(model, &given, path)?;
    // none of each row are the rows of no row
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
    if model.context_schema().is_some() && !says_something(model, &given) {
        let repeated: Vec<usize> = (0..rows * each).map(|at| at / each).collect();
        let given = given.take(&repeated)?;
        return Ok(with_threads(threads, || model.sample_given(&given, rng))??);
    }
    let completed = with_threads(threads, || {
        by_chunks(&given, each, |chunk| model.complete(chunk, each, rng))
    })??;
    note(&told(&given, &completed, "drew"));
    let tables: Vec<&Table> = completed.tables.iter().collect();
    let in_turn: Vec<(usize, usize)> = (0..rows * each).map(|at| (at % each, at / each)).collect();
    Ok(Table::interleave(&tables, &in_turn)?)
}
