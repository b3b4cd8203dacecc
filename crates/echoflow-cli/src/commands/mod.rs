//! What each command does, one file each.

mod demo;
mod fit;
mod inspect;
mod quickstart;
mod sample;
mod score;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Command;

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Quickstart {
            dir,
            seed,
            epochs,
            threads,
        } => quickstart::run(&dir, seed, epochs, threads),
        Command::Demo {
            name,
            rows,
            seed,
            output,
        } => demo::run(name, rows, seed, &output),
        Command::Fit {
            table,
            output,
            model,
            members,
            context,
            no_dependencies,
            seed,
            epochs,
            max_minutes,
            threads,
            shards,
            quiet,
        } => {
            let settings = fit::Settings {
                model,
                members,
                context,
                dependencies: !no_dependencies,
                seed,
                epochs,
                max_minutes,
                threads,
                shards,
                quiet,
            };
            fit::run(&table, &output, &settings)
        }
        Command::Sample {
            model,
            count,
            seed,
            output,
            rows,
            tails,
            threads,
        } => sample::run(&model, count, seed, &output, rows.as_deref(), tails, threads),
        Command::Score {
            model,
            table,
            output,
            threads,
        } => score::run(&model, &table, &output, threads),
        Command::Inspect { model } => inspect::run(&model),
    }
}
