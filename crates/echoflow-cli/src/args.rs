//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use echoflow::demo::Demo;
use echoflow::{Architecture, ModelKind, TrainConfig};

/// Learn the joint distribution of a table; sample it, score it, condition on it.
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
  echoflow score loans.echoflow loans.csv -o scored.csv      how likely is each row?

Results go to standard output or -o, messages to standard error.
Exit codes: 0 done, 2 bad input or a failed read or write, 130 stopped by Ctrl-C.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the spiral table, fit it, sample it, score it and draw it: the whole tour in under a minute
    Quickstart {
        /// Folder for the files, made if it is not there
        #[arg(long, value_name = "FOLDER", default_value = "echoflow-quickstart")]
        dir: PathBuf,
        /// The same seed gives the same files
        #[arg(long, default_value = "0", value_parser = seed, allow_negative_numbers = true)]
        seed: u64,
        /// Most epochs, for a shorter tour and a poorer picture
        #[arg(long, value_parser = epochs, allow_negative_numbers = true)]
        epochs: Option<usize>,
        /// Threads (0: all); any number gives the same files
        #[arg(long, default_value = "0", value_parser = threads, allow_negative_numbers = true)]
        threads: usize,
    },
    /// Write a demo table whose true density is known
    Demo {
        /// spiral, high-low, sine, ring, grid or loans
        name: Demo,
        /// Rows to make [default: 5000 or 10000, by demo]
        #[arg(short = 'n', long, value_parser = rows, allow_negative_numbers = true)]
        rows: Option<usize>,
        /// The same seed gives the same rows
        #[arg(long, default_value = "0", value_parser = seed, allow_negative_numbers = true)]
        seed: u64,
        /// CSV file to write; - is standard output
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
    },
    /// Fit a model to a table
    Fit {
        /// CSV file with a header row; - is standard input
        table: PathBuf,
        /// Model file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// auto (the chain, or a spline flow where validation prefers it), chain, maf, rnvp, nsf or nsf-coupling
        #[arg(long, default_value_t = ModelKind::Auto)]
        model: ModelKind,
        /// Chains trained apart and averaged: a little better, at as many times the cost
        #[arg(long, default_value = "1", value_parser = members, allow_negative_numbers = true)]
        members: usize,
        /// Columns to condition on, comma-separated: not modelled, but given when sampling
        #[arg(long, value_name = "COLUMNS")]
        context: Vec<String>,
        /// Model every column, also one that is an exact function of others in every row (default: such a column is
        /// derived from them)
        #[arg(long)]
        no_dependencies: bool,
        /// The same table, settings and seed give the same model
        #[arg(long, default_value = "0", value_parser = seed, allow_negative_numbers = true)]
        seed: u64,
        /// Most epochs of each stage; a fit usually stops earlier, when validation no longer improves
        #[arg(long, value_parser = epochs, allow_negative_numbers = true)]
        epochs: Option<usize>,
        /// Stop after this many minutes and keep the best so far
        #[arg(long, value_name = "MINUTES", value_parser = minutes, allow_negative_numbers = true)]
        max_minutes: Option<Duration>,
        /// Threads (0: all); any number gives the same model
        #[arg(long, default_value = "0", value_parser = threads, allow_negative_numbers = true)]
        threads: usize,
        /// Parts of every mini-batch, at most one thread each [default: 2]; another number gives another model
        #[arg(long, value_parser = shards, allow_negative_numbers = true)]
        shards: Option<usize>,
        /// No progress, no notes
        #[arg(long)]
        quiet: bool,
    },
    /// Draw rows from a model
    Sample {
        /// Model file
        model: PathBuf,
        /// Rows to draw
        #[arg(short = 'n', long = "count", value_name = "ROWS", value_parser = rows, allow_negative_numbers = true)]
        count: Option<usize>,
        /// The same seed gives the same rows
        #[arg(long, default_value = "0", value_parser = seed, allow_negative_numbers = true)]
        seed: u64,
        /// CSV file to write; - is standard output
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
        /// For a model fitted with --context: CSV file with its context columns (- is standard input); one row is
        /// drawn for each of its rows
        #[arg(long, value_name = "FILE")]
        rows: Option<PathBuf>,
        /// Draw numbers beyond the range seen at fit too, as often as they are scored
        #[arg(long)]
        tails: bool,
        /// Threads (0: all); any number gives the same rows
        #[arg(long, default_value = "0", value_parser = threads, allow_negative_numbers = true)]
        threads: usize,
    },
    /// Write a table with a column log_prob: each row's log-density, nats, in the table's own units
    Score {
        /// Model file
        model: PathBuf,
        /// CSV file with the model's columns, in any order; - is standard input
        table: PathBuf,
        /// CSV file to write; - is standard output
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
        /// Threads (0: all); any number gives the same scores
        #[arg(long, default_value = "0", value_parser = threads, allow_negative_numbers = true)]
        threads: usize,
    },
    /// Print what a model is: columns, sizes, training, seed, version
    Inspect {
        /// Model file
        model: PathBuf,
    },
}

/// Most rows made at once: all of them are held in memory.
const MOST_ROWS: usize = 10_000_000;

fn rows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows) if rows <= MOST_ROWS => Ok(rows),
        Ok(_) => Err(format!(
            "at most {MOST_ROWS} rows can be made at once; make several files with different seeds"
        )),
        Err(_) => Err("give a whole number of rows, such as 1000".to_owned()),
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

fn epochs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|epochs| (1..=1_000_000).contains(epochs))
        .ok_or_else(|| "give a whole number from 1 to 1000000".to_owned())
}

fn threads(text: &str) -> Result<usize, String> {
    let most = TrainConfig::MOST_SHARDS;
    text.parse()
        .ok()
        .filter(|threads| *threads <= most)
        .ok_or_else(|| format!("give a whole number up to {most}, or 0 for all the machine has"))
}

fn members(text: &str) -> Result<usize, String> {
    let most = Architecture::MOST_MEMBERS;
    text.parse()
        .ok()
        .filter(|members| (1..=most).contains(members))
        .ok_or_else(|| format!("give a whole number from 1 to {most}"))
}

fn shards(text: &str) -> Result<usize, String> {
    let most = TrainConfig::MOST_SHARDS;
    text.parse()
        .ok()
        .filter(|shards| (1..=most).contains(shards))
        .ok_or_else(|| format!("give a whole number from 1 to {most}"))
}

fn minutes(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|minutes: f64| Duration::try_from_secs_f64(minutes * 60.0).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "give a positive number of minutes, such as 2.5".to_owned())
}
