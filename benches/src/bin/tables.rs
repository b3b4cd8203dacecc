//! What `cargo xtask bench-quality` does to tables: splits one, writes those of the breadth run, compares a model of one
//! with plain models.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use echoflow::EchoFlow;
use echoflow::tabular::ColumnMarginal;
use ef_bench::breadth::Breadth;
use ef_bench::copula::Copula;
use ef_bench::process::machine;
use ef_bench::split::split;
use ef_random::Key;

/// Splits tables, writes tables, compares models of a table.
#[derive(Parser, Debug)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Write two random parts of a table
    Split {
        table: PathBuf,
        /// Where the first part goes
        #[arg(long)]
        train: PathBuf,
        /// Where the other goes
        #[arg(long)]
        test: PathBuf,
        /// Share of the first part
        #[arg(long, default_value_t = 0.8)]
        share: f64,
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Write a table of the breadth run
    Breadth {
        table: Breadth,
        /// Folder for its two files
        #[arg(long)]
        folder: PathBuf,
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Print a JSON line: mean negative log-density of test rows under a model, under its marginals alone, and under
    /// the Gaussian copula of those marginals
    Compare {
        #[arg(long)]
        model: PathBuf,
        /// The table the model was fitted to
        #[arg(long)]
        train: PathBuf,
        #[arg(long)]
        test: PathBuf,
        /// Draws a row where the copula is simulated
        #[arg(long, default_value_t = 256)]
        draws: usize,
        /// Of more test rows than this, so many are taken at random
        #[arg(long, default_value_t = 5_000)]
        most_rows: usize,
    },
}

fn main() -> Result<()> {
    match Args::parse().task {
        Task::Split {
            table,
            train,
            test,
            share,
            seed,
        } => {
            let text =
                std::fs::read(&table).with_context(|| format!("{} cannot be read", table.display()))?;
            let (first, other) = split(&text, share, seed).with_context(|| table.display().to_string())?;
            std::fs::write(&train, first)
                .with_context(|| format!("{} cannot be written", train.display()))?;
            std::fs::write(&test, other).with_context(|| format!("{} cannot be written", test.display()))
        }
        Task::Breadth { table, folder, seed } => table.write(&folder, seed),
        Task::Compare {
            model,
            train,
            test,
            draws,
            most_rows,
        } => {
            let line = compare(&model, &train, &test, draws, most_rows)?;
            println!("{line}");
            Ok(())
        }
    }
}

/// The marginal of every column of the table, those derived from others included.
fn marginals(model: &EchoFlow) -> Vec<ColumnMarginal> {
    let modelled = model.schema().columns.iter().zip(model.marginals());
    let derived = model
        .derived_columns()
        .map(|column| (column.schema, column.marginal));
    let known: BTreeMap<&str, &ColumnMarginal> = modelled
        .chain(derived)
        .map(|(column, marginal)| (column.name.as_str(), marginal))
        .collect();
    let names = model.column_names().iter();
    names
        .filter_map(|name| known.get(name.as_str()).map(|&marginal| marginal.clone()))
        .collect()
}

fn compare(
    model: &Path,
    train: &Path,
    test: &Path,
    draws: usize,
    most_rows: usize,
) -> Result<serde_json::Value> {
    let model = EchoFlow::load(model)?;
    ensure!(
        model.context_schema().is_none(),
        "a model with context columns has no density of whole rows"
    );
    let schema = model.full_schema();
    let train = echoflow::read_csv_like(train, &schema)?;
    let mut tested = echoflow::read_csv_like(test, &schema)?;
    let all = tested.num_rows();
    ensure!(all > 0, "{} has no rows", test.display());
    if all > most_rows {
        let text = std::fs::read(test)?;
        let (some, _) = split(&text, most_rows as f64 / all as f64, 0)?;
        tested = echoflow::read_csv_from_like(some.as_slice(), &test.display().to_string(), &schema)?;
    }
    let rows = tested.num_rows();
    let mean = |sum: f64| -sum / rows as f64;

    let scores = model.score(&tested)?;
    let marginals = marginals(&model);
    let copula = Copula::fit(&marginals, &train)?;
    let independent = (0..rows).map(|row| copula.log_marginals(&tested, row)).sum();
    let found = copula.log_prob(&tested, Key::new(0).purpose("copula"), draws);
    let squares: f64 = found.iter().map(|e| e.standard_error.powi(2)).sum();
    Ok(serde_json::json!({
        "compared_rows": rows,
        "nll_compared": mean(scores.log_prob.iter().sum()),
        "nll_independent": mean(independent),
        "nll_copula": mean(found.iter().map(|e| e.log_prob).sum()),
        "copula_error": squares.sqrt() / rows as f64,
        // the logarithm of a mean is too low by about half its variance
        "copula_bias": 0.5 * squares / rows as f64,
        "machine": machine(),
    }))
}
