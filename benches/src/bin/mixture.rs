//! Writes the rows that `flow_speed` trains on to standard output, for other programs to train on the same: `f32`,
//! little-endian, row by row.

use std::io::{BufWriter, Write, stdout};

use anyhow::Result;
use clap::Parser;
use ef_bench::data::{ROWS, mixture};

/// Writes rows of the mixture.
#[derive(Parser, Debug)]
struct Args {
    #[arg(long)]
    dim: usize,
    #[arg(long, default_value_t = ROWS)]
    rows: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut out = BufWriter::new(stdout().lock());
    for value in mixture(args.rows, args.dim, 0) {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(out.flush()?)
}
