//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use echoflow::ModelKind;
use echoflow::demo::Demo;

/// Learn the joint distribution of a table; sample it, score it, condition on it.
#[derive(Debug, Parser)]
#[command(name = "echoflow", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the spiral table, fit it, sample it, score it and draw it: the whole tour in under a minute
    Quickstart {
        /// Folder for the files
        #[arg(long, default_value = "echoflow-quickstart")]
        dir: PathBuf,
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Threads (0: all); any number gives the same files
        #[arg(long, default_value_t = 0)]
        threads: usize,
    },
    /// Write a demo table whose true density is known
    Demo {
        /// spiral, high-low, sine, ring, grid or loans
        name: Demo,
        /// Rows
        #[arg(short = 'n', long)]
        rows: Option<usize>,
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// CSV file to write; - is standard output
        #[arg(short, long, default_value = "-")]
        output: PathBuf,
    },
    /// Fit a model to a table
    Fit {
        /// CSV file; - is standard input
        table: PathBuf,
        /// Model file to write
        #[arg(short, long)]
        output: PathBuf,
        /// The flow over numbers: maf or rnvp
        #[arg(long, default_value_t = ModelKind::Maf)]
        model: ModelKind,
        /// Columns to condition on, comma-separated: not modelled, given when sampling
        #[arg(long, value_delimiter = ',')]
        context: Vec<String>,
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Most epochs of each stage; validation usually stops earlier
        #[arg(long)]
        epochs: Option<usize>,
        /// Stop after this many minutes with the best weights so far
        #[arg(long)]
        max_minutes: Option<f64>,
        /// Threads (0: all); any number gives the same model
        #[arg(long, default_value_t = 0)]
        threads: usize,
        /// No progress, no notes
        #[arg(long)]
        quiet: bool,
    },
    /// Draw rows from a model
    Sample {
        /// Model file
        model: PathBuf,
        /// Rows to draw
        #[arg(
            short = 'n',
            long = "count",
            value_name = "ROWS",
            required_unless_present = "rows"
        )]
        count: Option<usize>,
        /// The same seed gives the same rows
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// CSV file to write; - is standard output
        #[arg(short, long, default_value = "-")]
        output: PathBuf,
        /// Table with the context columns: one row is drawn for each of its rows
        #[arg(long, value_name = "FILE")]
        rows: Option<PathBuf>,
        /// Threads (0: all); any number gives the same rows
        #[arg(long, default_value_t = 0)]
        threads: usize,
    },
    /// Write a table with a column log_prob: each row's log-density, nats, in the table's own units
    Score {
        /// Model file
        model: PathBuf,
        /// CSV file; - is standard input
        table: PathBuf,
        /// CSV file to write; - is standard output
        #[arg(short, long, default_value = "-")]
        output: PathBuf,
        /// Threads (0: all); any number gives the same scores
        #[arg(long, default_value_t = 0)]
        threads: usize,
    },
    /// Print what a model is: columns, sizes, training, seed, version
    Inspect {
        /// Model file
        model: PathBuf,
    },
}
