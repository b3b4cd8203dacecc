//! `echoflow demo`: a table whose true density is known.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::demo::Demo;

use super::Job;
use crate::args;
use crate::files::Files;
use crate::output::write_table;

#[derive(Debug, clap::Args)]
pub(crate) struct MakeDemo {
    /// spiral, high-low, sine, ring, grid or loans
    name: Demo,
    /// Rows to make [default: 5000 or 10000, by demo]
    #[arg(short = 'n', long, value_parser = args::rows, allow_negative_numbers = true)]
    rows: Option<usize>,
    /// The same seed gives the same rows
    #[arg(long, default_value = "0", value_parser = args::seed, allow_negative_numbers = true)]
    seed: u64,
    /// CSV file to write; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

impl Job for MakeDemo {
    fn files(&self) -> Result<Files<'_>> {
        Ok(Files::default().writes("-o", &*self.output))
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &MakeDemo) -> Result<ExitCode> {
    let rows = args.rows.unwrap_or(args.name.default_rows());
    write_table(&args.name.generate(rows, args.seed).to_table()?, &args.output)?;
    Ok(ExitCode::SUCCESS)
}
