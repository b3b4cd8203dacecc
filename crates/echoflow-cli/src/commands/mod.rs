//! What each command takes and does, one file each.

pub(crate) mod anomalies;
mod completing;
pub(crate) mod demo;
pub(crate) mod fit;
pub(crate) mod impute;
pub(crate) mod inspect;
pub(crate) mod predict;
pub(crate) mod probability;
pub(crate) mod quickstart;
pub(crate) mod sample;
pub(crate) mod score;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Command;
use crate::files::Files;

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
