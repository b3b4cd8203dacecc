//! `echoflow anomalies`: the rows that a model finds least likely.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::tabular::{BooleanSpelling, ColumnSchema, Kind, NumberFormat, Value};
use echoflow::{Attribution, EchoFlow, ModelError, Score, Scores, Table, with_threads};

use super::Job;
use super::score::LOG_PROB;
use crate::args;
use crate::files::Files;
use crate::output::{count, note, read_table_for, refuse_taken, write_table};
use crate::progress::Working;

const LOG_RATIO: &str = "log_ratio";
const LINE: &str = "line";
const ODDEST: &str = "oddest";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Anomalies {
    /// Model file
    model: PathBuf,
    /// CSV file with the model's columns, in any order; - is standard input
    table: PathBuf,
    /// Write this share of the rows, the least likely ones, and at least one
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = args::fraction,
          allow_negative_numbers = true, conflicts_with = "log_prob_below")]
    fraction: f64,
    /// Write the rows whose log_prob is below this many nats instead
    #[arg(long, value_name = "NATS", value_parser = args::nats, allow_negative_numbers = true)]
    log_prob_below: Option<f64>,
    /// Rank rows by log_ratio, their log_prob less that under this other model of the same columns: what is usual
    /// there, or hard to say at all, is then no anomaly
    #[arg(long, value_name = "MODEL")]
    over_density: Option<PathBuf>,
    /// CSV file to write; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Number of the table's first row, counted from 0: a part of a larger table gets what it gets in the whole
    #[arg(long, value_name = "ROW", default_value = "0", value_parser = args::first_row, allow_negative_numbers = true)]
    first_row: u64,
    /// Threads (0: all); any number gives the same rows
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    threads: usize,
}

const EXAMPLES: &str = "\
Examples:
  echoflow anomalies loans.echoflow loans.csv -o odd.csv
  echoflow anomalies loans.echoflow new.csv --log-prob-below -40 -o odd.csv
  echoflow anomalies loans.echoflow loans.csv --over-density everyone.echoflow --fraction 0.05 -o odd.csv

Writes the rows, the least likely first, with their line in the file, log_prob (and log_ratio), oddest, the column that
makes a row odd, and share: NAME for each column: by how many nats its value is less likely than usual, given the others.";

impl Job for Anomalies {
    fn files(&self) -> Result<Files<'_>> {
        let mut files = Files::default().reads("model", &self.model);
        if let Some(other) = &self.over_density {
            files = files.reads("model of --over-density", other);
        }
        // the odd rows are not all of the table, which they must not replace
        Ok(files
            .reads_table("table", &self.table)
            .writes("-o", &*self.output))
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Anomalies) -> Result<ExitCode> {
    let model = EchoFlow::load(&args.model)?;
    let reference = args.over_density.as_ref().map(EchoFlow::load).transpose()?;
    let table = read_table_for(&model, &args.table)?;
    let shares: Vec<String> = model.schema().columns.iter().map(|c| share_of(&c.name)).collect();
    let mut added = vec![LINE, LOG_PROB, ODDEST];
    added.extend(reference.as_ref().map(|_| LOG_RATIO));
    added.extend(shares.iter().map(String::as_str));
    refuse_taken(&table, &args.table, &added, "the anomalies would say theirs")?;
    let (ranked, odd, split) = with_threads(args.threads, || -> Result<_> {
        let _working = Working::on("scoring");
        let score = Score::new().from_row(args.first_row);
        let scores = score.run(&model, &table, model.key())?;
        let ratio = reference
            .as_ref()
            .map(|reference| {
                let under = score.run(reference, &table, reference.key())?;
                Ok::<_, ModelError>(ratio(&scores, &under))
            })
            .transpose()?;
        let ranked = Ranked { scores, ratio };
        let odd = ranked.oddest(args);
        let split = match model.attribute(&table.take(&odd)?) {
            Err(ModelError::CannotAnswer { .. }) => None,
            split => Some(split?),
        };
        Ok((ranked, odd, split))
    })??;
    write_table(&written(&table, &ranked, &odd, split.as_ref())?, &args.output)?;
    note(&format!(
        "{} of {}{}",
        odd.len(),
        count(table.num_rows(), "row"),
        ranked.range(&odd)
    ));
    if split.is_none() {
        note(&format!(
            "a {} model fitted without an order-agnostic network cannot say which column is odd: {ODDEST} and shares are left \
             out; fit the table with --model autoregressive for them",
            model.architecture().model()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn share_of(column: &str) -> String {
    format!("share: {column}")
}

/// Each row's log-density less that under another model.
fn ratio(scores: &Scores, under: &Scores) -> Vec<f64> {
    let pairs = scores.log_prob.iter().zip(&under.log_prob);
    // what is impossible is odd, whatever the other model says of it
    pairs
        .map(|(own, under)| {
            if *own == f64::NEG_INFINITY {
                *own
            } else {
                own - under
            }
        })
        .collect()
}

struct Ranked {
    scores: Scores,
    ratio: Option<Vec<f64>>,
}

impl Ranked {
    /// What rows are ranked by.
    fn rank(&self) -> &[f64] {
        self.ratio.as_deref().unwrap_or(&self.scores.log_prob)
    }

    /// The rows asked for, the least likely first; of equally likely ones in the order of the table.
    fn oddest(&self, args: &Anomalies) -> Vec<usize> {
        let rank = self.rank();
        let mut rows: Vec<usize> = match args.log_prob_below {
            Some(nats) => (0..rank.len())
                .filter(|&row| self.scores.log_prob[row] < nats)
                .collect(),
            None => (0..rank.len()).collect(),
        };
        rows.sort_by(|&a, &b| rank[a].total_cmp(&rank[b]));
        if args.log_prob_below.is_none() {
            let most = (args.fraction * rank.len() as f64).round() as usize;
            rows.truncate(most.max(1));
        }
        rows
    }

    /// From where to where the ranks of some rows go, in words.
    fn range(&self, rows: &[usize]) -> String {
        let what = if self.ratio.is_some() { LOG_RATIO } else { LOG_PROB };
        match (rows.first(), rows.last()) {
            (Some(&first), Some(&last)) => {
                format!(
                    ": {what} from {:.4} to {:.4} nats",
                    self.rank()[first],
                    self.rank()[last]
                )
            }
            _ => String::new(),
        }
    }
}

/// The odd rows with what makes them odd.
fn written(table: &Table, ranked: &Ranked, odd: &[usize], split: Option<&Attribution>) -> Result<Table> {
    let rows = table.take(odd)?;
    let line = |row: usize| rows.location(row).line.unwrap_or(row as u64 + 1);
    let lines: Vec<Value<'_>> = (0..odd.len())
        .map(|row| Value::Number(line(row) as f64))
        .collect();
    let whole = ColumnSchema {
        name: LINE.to_owned(),
        kind: Kind::Integer,
        format: NumberFormat::Integer,
        missing_marker: String::new(),
        boolean: BooleanSpelling::default(),
    };
    let names: Vec<&str> = [LINE].into_iter().chain(rows.column_names()).collect();
    let picked = |values: &[f64]| -> Vec<f64> { odd.iter().map(|&row| values[row]).collect() };
    let mut written = rows
        .with_values(&whole, &lines)?
        .select(&names)?
        .with_column(LOG_PROB, &picked(&ranked.scores.log_prob))?;
    if let Some(ratio) = &ranked.ratio {
        written = written.with_column(LOG_RATIO, &picked(ratio))?;
    }
    let Some(split) = split else {
        return Ok(written);
    };
    let oddest = ColumnSchema {
        name: ODDEST.to_owned(),
        kind: Kind::Category,
        ..whole
    };
    let names: Vec<Value<'_>> = (0..odd.len())
        .map(|row| split.top(row).map_or(Value::Missing, Value::Text))
        .collect();
    written = written.with_values(&oddest, &names)?;
    for (at, column) in split.columns.iter().enumerate() {
        written = written.with_column(&share_of(column), &split.nats.column(at).to_vec())?;
    }
    Ok(written)
}
