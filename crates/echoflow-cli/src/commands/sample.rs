//! `echoflow sample`: rows from a model.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use echoflow::{EchoFlow, with_threads};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::output::{read_table, write_table};

pub(super) fn run(
    model: &Path,
    count: Option<usize>,
    seed: u64,
    output: &Path,
    given: Option<&Path>,
    threads: usize,
) -> Result<ExitCode> {
    let model = EchoFlow::load(model)?;
    let given = given.map(read_table).transpose()?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let table = match (&given, count) {
        (Some(given), count) => {
            if let Some(count) = count.filter(|&c| c != given.num_rows()) {
                let rows = given.num_rows();
                bail!("-n {count} but --rows has {rows} rows, and one row is drawn for each; leave -n out");
            }
            with_threads(threads, || model.sample_given(given, &mut rng))??
        }
        (None, Some(count)) => with_threads(threads, || model.sample(count, &mut rng))??,
        (None, None) => bail!("say how many rows to draw with -n"),
    };
    write_table(&table, output)?;
    Ok(ExitCode::SUCCESS)
}
