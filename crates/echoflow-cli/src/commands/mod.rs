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

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Quickstart(args) => quickstart::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Fit(args) => fit::run(args),
        Command::Sample(args) => sample::run(args),
        Command::Impute(args) => impute::run(args),
        Command::Probability(args) => probability::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Anomalies(args) => anomalies::run(args),
        Command::Score(args) => score::run(args),
        Command::Inspect(args) => inspect::run(args),
    }
}
