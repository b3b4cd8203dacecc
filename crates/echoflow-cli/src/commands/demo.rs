//! `echoflow demo`: a table whose true density is known.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::demo::Demo;

use crate::output::{check_table_output, write_table};

pub(super) fn run(demo: Demo, rows: Option<usize>, seed: u64, output: &Path) -> Result<ExitCode> {
    check_table_output(output)?;
    let table = demo
        .generate(rows.unwrap_or(demo.default_rows()), seed)
        .to_table()?;
    write_table(&table, output)?;
    Ok(ExitCode::SUCCESS)
}
