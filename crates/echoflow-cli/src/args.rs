//! The command line: the commands, and how their values are read.

use std::time::Duration;

use clap::{Parser, Subcommand};
use echoflow::{AutoregressiveSizes, Condition, TrainConfig};

use crate::commands::anomalies::Anomalies;
use crate::commands::demo::MakeDemo;
use crate::commands::fit::Fit;
use crate::commands::impute::Impute;
use crate::commands::inspect::Inspect;
use crate::commands::predict::Predict;
use crate::commands::probability::AskProbability;
use crate::commands::quickstart::Quickstart;
use crate::commands::sample::Sample;
use crate::commands::score::Score;

/// Learn the joint distribution of a table; sample it, score it, ask it anything.
#[derive(Debug, Parser)]
#[command(name = "echoflow", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  echoflow quickstart                                        the whole tour, in one command
  echoflow demo loans -o loans.csv                           a table to play with
  echoflow fit loans.csv -o loans.echoflow                   a table in, a model out
  echoflow sample loans.echoflow -n 1000 -o synthetic.csv    new rows
  echoflow sample loans.echoflow -n 1000 --where 'grade = A and income > 50000'
  echoflow probability loans.echoflow --where 'defaulted = true' --given 'grade = A'
  echoflow impute loans.echoflow loans.csv -o filled.csv     missing cells drawn from what is known
  echoflow score loans.echoflow loans.csv -o scored.csv      how likely is each row?

Results go to standard output or -o, messages to standard error.
An output that is a file the command reads, or another output, is refused; but impute, predict and score, which give the
table back with more in it, may write it over itself.
Exit codes: 0 done, 2 bad input or a failed read or write, 130 stopped by Ctrl-C.";

/// How conditions are written, for the help of the commands that take them.
pub(crate) const CONDITIONS: &str = "\
Conditions:
  sex = Female, age between 30 and 40, hours-per-week >= 50, income != \"<=50K\", education in (Bachelors, Masters),
  occupation is missing, day < 2024-02-01, capital-gain > column capital-loss; joined by and, or, not and ( ).
  A value of several words or with signs such as < and & is in double quotes; labels are compared letter by letter.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the spiral table, fit it, sample it, score it and draw it: the whole tour in under a minute
    Quickstart(Quickstart),
    /// Write a demo table whose true density is known
    Demo(MakeDemo),
    /// Fit a model to a table
    Fit(Fit),
    /// Draw rows from a model: any, those that meet conditions, or the empty cells of given rows
    Sample(Sample),
    /// Fill the missing cells of a table by draws from what the model says of them, given each row's other cells
    Impute(Impute),
    /// Print the probability that a row meets a condition, with its standard error
    Probability(AskProbability),
    /// Write a table with the distribution of one column in each row, given the row's other cells
    Predict(Predict),
    /// Write the rows of a table that the model finds least likely, and which cell of each is odd
    Anomalies(Anomalies),
    /// Write a table with a column log_prob: each row's log-density, nats, in the table's own units
    Score(Score),
    /// Print what a model is: columns, sizes, training, seed, version
    Inspect(Inspect),
}

/// Most rows made at once: all of them are held in memory.
pub(crate) const MOST_ROWS: usize = 10_000_000;

/// A trillion rows, far below where streams of random numbers would repeat.
const MOST_FIRST_ROW: u64 = 1_000_000_000_000;

pub(crate) fn rows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows) if rows <= MOST_ROWS => Ok(rows),
        Ok(_) => Err(format!(
            "at most {MOST_ROWS} rows can be made at once; make several files with different seeds"
        )),
        Err(_) => Err("give a whole number of rows, such as 1000".to_owned()),
    }
}

pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

/// The number of a table's first row.
pub(crate) fn first_row(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|row| *row <= MOST_FIRST_ROW)
        .ok_or_else(|| format!("give a whole number from 0 to {MOST_FIRST_ROW}, the rows before the first"))
}

pub(crate) fn epochs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|epochs| (1..=1_000_000).contains(epochs))
        .ok_or_else(|| "give a whole number from 1 to 1000000".to_owned())
}

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let most = TrainConfig::MOST_SHARDS;
    text.parse()
        .ok()
        .filter(|threads| *threads <= most)
        .ok_or_else(|| format!("give a whole number up to {most}, or 0 for all the machine has"))
}

pub(crate) fn ensemble(text: &str) -> Result<usize, String> {
    let most = AutoregressiveSizes::MOST_ENSEMBLE;
    text.parse()
        .ok()
        .filter(|models| (1..=most).contains(models))
        .ok_or_else(|| format!("give a whole number from 1 to {most}"))
}

pub(crate) fn shards(text: &str) -> Result<usize, String> {
    let most = TrainConfig::MOST_SHARDS;
    text.parse()
        .ok()
        .filter(|shards| (1..=most).contains(shards))
        .ok_or_else(|| format!("give a whole number from 1 to {most}"))
}

pub(crate) fn minutes(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|minutes: f64| Duration::try_from_secs_f64(minutes * 60.0).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "give a positive number of minutes, such as 2.5".to_owned())
}

pub(crate) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

pub(crate) fn condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn draws(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|draws| (1..=1000).contains(draws))
        .ok_or_else(|| "give a whole number from 1 to 1000".to_owned())
}

pub(crate) fn fraction(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|fraction| *fraction > 0.0 && *fraction <= 1.0)
        .ok_or_else(|| "give a share of the rows above 0 and up to 1, such as 0.01".to_owned())
}

pub(crate) fn nats(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|nats: &f64| !nats.is_nan())
        .ok_or_else(|| "give a number of nats, such as -30".to_owned())
}
