//! `echoflow sample`: rows from a model.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use echoflow::{EchoFlow, with_threads};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::output::{check_table_output, count as counted, read_table_for, write_table};

pub(super) fn run(
    model: &Path,
    count: Option<usize>,
    seed: u64,
    output: &Path,
    given: Option<&Path>,
    tails: bool,
    threads: usize,
) -> Result<ExitCode> {
    check_table_output(output)?;
    let model = EchoFlow::load(model)?.with_tails(tails);
    let given = given.map(|path| read_table_for(&model, path)).transpose()?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let table = match (&given, count) {
        (Some(given), count) => {
            if let Some(count) = count.filter(|&c| c != given.num_rows()) {
                let rows = counted(given.num_rows(), "row");
                bail!(
                    "-n {count} does not fit --rows, whose table has {rows}; one row is drawn for each of them, so leave -n out"
                );
            }
            with_threads(threads, || model.sample_given(given, &mut rng))??
        }
        (None, Some(count)) => with_threads(threads, || model.sample(count, &mut rng))??,
        // without a context, sampling no rows would do nothing at all: ask; with one, the error asks for --rows
        (None, None) if model.context_schema().is_none() => {
            bail!("say how many rows to draw with -n, such as -n 1000")
        }
        (None, None) => model.sample(0, &mut rng)?,
    };
    write_table(&table, output)?;
    Ok(ExitCode::SUCCESS)
}
