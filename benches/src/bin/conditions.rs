//! What `cargo xtask bench-conditions` measures: rows under random conditions against the law they should follow, beside
//! real rows that meet them, and imputed cells. Prints JSON lines.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use echoflow::demo::Demo;
use echoflow::{EchoFlow, Table};
use ef_bench::conditions::{Against, Imputing, Laws, Network, Pool, Real, impute, laws, real};
use ef_random::Key;
use serde_json::{Value, json};

/// Measures a model's answers to conditions.
#[derive(Parser, Debug)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Rows under random conditions against the model's own law
    Own {
        #[command(flatten)]
        asked: Asked,
        /// Reference rows that must meet a condition
        #[arg(long, default_value_t = 20_000)]
        least_hits: usize,
    },
    /// The same against the law that the training rows came from
    #[command(group(clap::ArgGroup::new("truth").required(true).args(["demo", "network"])))]
    Truth {
        #[command(flatten)]
        asked: Asked,
        /// The demo that the training table is
        #[arg(long)]
        demo: Option<Demo>,
        /// The network that the training table was drawn from, in the Bayesian Interchange Format
        #[arg(long, requires = "test")]
        network: Option<PathBuf>,
        /// Test rows of the network: their mean log-probability is printed, to know the network by
        #[arg(long)]
        test: Option<PathBuf>,
        /// Least probability of a condition
        #[arg(long, default_value_t = 0.05)]
        least_share: f64,
    },
    /// Rows under conditions, and which real rows meet them
    Real {
        #[arg(long)]
        model: PathBuf,
        #[arg(long)]
        train: PathBuf,
        #[arg(long)]
        test: PathBuf,
        /// Where the rows go
        #[arg(long)]
        folder: PathBuf,
        #[arg(long, default_value_t = 10)]
        conditions: usize,
        /// Test rows that must meet a condition
        #[arg(long, default_value_t = 500)]
        least: usize,
        /// Samples of each condition
        #[arg(long, default_value_t = 5)]
        repeats: usize,
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Removed cells of test rows
    Impute {
        #[arg(long)]
        model: PathBuf,
        #[arg(long)]
        train: PathBuf,
        #[arg(long)]
        test: PathBuf,
        /// Where tables and cells go
        #[arg(long)]
        folder: PathBuf,
        /// Test rows at most
        #[arg(long, default_value_t = 3_000)]
        rows: usize,
        /// Chance of a cell to be removed
        #[arg(long, default_value_t = 0.2)]
        share: f64,
        /// Imputed tables
        #[arg(long, default_value_t = 20)]
        draws: usize,
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

#[derive(clap::Args, Debug)]
struct Asked {
    #[arg(long)]
    model: PathBuf,
    /// Random conditions
    #[arg(long, default_value_t = 50)]
    conditions: usize,
    /// Rows drawn under each
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// Rows of the reference
    #[arg(long, default_value_t = 4_000_000)]
    pool: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Asked {
    fn laws(&self, least_share: f64, least_hits: usize) -> Laws {
        Laws {
            conditions: self.conditions,
            rows: self.rows,
            least_share,
            least_hits,
            seed: self.seed,
        }
    }
}

/// Prints a line at once, so that an interrupted run keeps its results.
#[allow(clippy::unnecessary_wraps)]
fn print(line: Value) -> Result<()> {
    println!("{line}");
    Ok(())
}

fn main() -> Result<()> {
    match Args::parse().task {
        Task::Own { asked, least_hits } => {
            let model = EchoFlow::load(&asked.model)?;
            let key = Key::new(asked.seed).purpose("own reference");
            let pool = Pool::of_model(&model, None, asked.pool, key)?;
            laws(
                &model,
                &Against::Own(&pool),
                asked.laws(0.0, least_hits),
                &mut print,
            )
        }
        Task::Truth {
            asked,
            demo,
            network,
            test,
            least_share,
        } => {
            let model = EchoFlow::load(&asked.model)?;
            let key = Key::new(asked.seed).purpose("true reference");
            let truth = match (demo, network, test) {
                (Some(demo), ..) => Pool::of_demo(demo, FIRST_ROW, asked.pool, asked.seed)?,
                (None, Some(network), Some(test)) => {
                    let text = std::fs::read_to_string(&network)
                        .with_context(|| format!("{} cannot be read", network.display()))?;
                    let network = Network::parse(&text)?;
                    print(likelihood(&model, &network, &test)?)?;
                    Pool::of_network(&network, asked.pool, key)?
                }
                _ => anyhow::bail!("--demo, or --network with --test, says what the truth is"),
            };
            let own = Pool::of_model(&model, Some(&truth), asked.pool, key)?;
            let against = Against::Truth(&truth, &own);
            laws(&model, &against, asked.laws(least_share, 0), &mut print)
        }
        Task::Real {
            model,
            train,
            test,
            folder,
            conditions,
            least,
            repeats,
            seed,
        } => {
            let model = EchoFlow::load(&model)?;
            let (train, test) = tables(&model, &train, &test)?;
            let settings = Real {
                conditions,
                least,
                repeats,
                seed,
            };
            real(&model, &train, &test, settings, &folder, &mut print)
        }
        Task::Impute {
            model,
            train,
            test,
            folder,
            rows,
            share,
            draws,
            seed,
        } => {
            let model = EchoFlow::load(&model)?;
            let (train, test) = tables(&model, &train, &test)?;
            let settings = Imputing {
                rows,
                share,
                draws,
                seed,
            };
            print(impute(&model, &train, &test, settings, &folder)?)
        }
    }
}

/// Mean log-probability of test rows, nats: under the network and under the model.
fn likelihood(model: &EchoFlow, network: &Network, test: &Path) -> Result<Value> {
    let test = echoflow::read_csv_like(test, &model.full_schema())?;
    let truth = network.log_prob(&test)?;
    Ok(json!({
        "part": "likelihood",
        "truth": truth.iter().sum::<f64>() / truth.len() as f64,
        "model": model.score(&test)?.mean().0,
    }))
}

/// A model may have been trained on the rows of a demo before this one.
const FIRST_ROW: usize = 1_000_000;

fn tables(model: &EchoFlow, train: &Path, test: &Path) -> Result<(Table, Table)> {
    let schema = model.full_schema();
    Ok((
        echoflow::read_csv_like(train, &schema)?,
        echoflow::read_csv_like(test, &schema)?,
    ))
}
