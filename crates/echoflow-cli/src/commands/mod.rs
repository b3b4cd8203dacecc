//! The commands: what each takes and does, one file each.

mod anomalies;
mod completing;
mod demo;
mod fit;
mod impute;
mod inspect;
mod predict;
mod probability;
mod quickstart;
mod sample;
mod score;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::files::Files;
use anomalies::Anomalies;
use demo::MakeDemo;
use fit::Fit;
use impute::Impute;
use inspect::Inspect;
use predict::Predict;
use probability::AskProbability;
use quickstart::Quickstart;
use sample::Sample;
use score::Score;

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

/// What a command is to the program: the files it names, which are checked, and then its work.
pub(crate) trait Job {
    /// Every file that the command reads or writes. No work yet.
    ///
    /// # Errors
    /// If no file can be named.
    fn files(&self) -> Result<Files<'_>>;

    /// The work.
    ///
    /// # Errors
    /// Whatever goes wrong, in one sentence.
    fn run(&self) -> Result<ExitCode>;
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let job = job(command);
    job.files()?.check()?;
    job.run()
}

pub(crate) fn job(command: &Command) -> &dyn Job {
    match command {
        Command::Quickstart(args) => args,
        Command::Demo(args) => args,
        Command::Fit(args) => args,
        Command::Sample(args) => args,
        Command::Impute(args) => args,
        Command::Probability(args) => args,
        Command::Predict(args) => args,
        Command::Anomalies(args) => args,
        Command::Score(args) => args,
        Command::Inspect(args) => args,
    }
}
