//! The `echoflow` program: fit, sample, question and inspect models of tables.
//!
//! Results go to standard output or `-o`, messages to standard error. Exit codes: 0 done, 2 bad input or a failed
//! read or write, 130 a fit stopped by Ctrl-C.

mod args;
mod commands;
mod files;
mod hints;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = commands::Args::parse();
    match commands::run(&args.command) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence; the errors below it are already in it.
            let hint = error.chain().find_map(|cause| hints::hint(cause.downcast_ref()?));
            match hint {
                Some(hint) => output::note(&format!("error: {error} ({hint})")),
                None => output::note(&format!("error: {error}")),
            }
            ExitCode::from(2)
        }
    }
}
