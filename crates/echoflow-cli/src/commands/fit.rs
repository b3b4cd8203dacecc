//! `echoflow fit`: a table in, a model out.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ArgAction;
use echoflow::{EchoFlow, ModelKind, StopReason, Table, TrainedPart};

use super::Job;
use crate::args;
use crate::files::Files;
use crate::output::{count, is_dash, note, read_table};
use crate::progress::{Bars, stop_flag};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Fit {
    /// CSV file with a header row; - is standard input
    table: PathBuf,
    /// Model file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  echoflow fit loans.csv -o loans.echoflow --seed 1
  echoflow fit loans.csv -o given.echoflow --context town,purpose    rows given town and purpose
  echoflow fit loans.csv -o small.echoflow --order-agnostic no       half the time, for new rows and scores alone";

#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// auto (autoregressive, or a spline flow where validation prefers it), autoregressive, maf, rnvp, nsf or
    /// nsf-coupling
    #[arg(long, default_value_t = ModelKind::Auto)]
    pub(super) model: ModelKind,
    /// Autoregressive models trained apart and averaged: better, at as many times the cost (default: 5 for a table of
    /// fewer than 2500 rows, else 1)
    #[arg(long, alias = "members", value_name = "MODELS", value_parser = args::ensemble, allow_negative_numbers = true)]
    pub(super) ensemble: Option<usize>,
    /// Columns to condition on, comma-separated: not modelled, but given when sampling
    #[arg(long, value_name = "COLUMNS")]
    pub(super) context: Vec<String>,
    /// Model every column, also one that is an exact function of others in every row (default: such a column is
    /// derived from them)
    #[arg(long)]
    pub(super) no_dependencies: bool,
    /// Train an order-agnostic network beside the model, which proposes any columns given any others: conditions, missing
    /// cells and anomalies are then answered sooner and better
    #[arg(long, alias = "any-order", value_name = "yes|no", default_value = "yes", value_parser = args::yes_or_no, action = ArgAction::Set)]
    pub(super) order_agnostic: bool,
    /// The same table, settings and seed give the same model
    #[arg(long, default_value = "0", value_parser = args::seed, allow_negative_numbers = true)]
    pub(super) seed: u64,
    /// Most epochs of each stage; a fit usually stops earlier, when validation no longer improves
    #[arg(long, value_parser = args::epochs, allow_negative_numbers = true)]
    pub(super) epochs: Option<usize>,
    /// Stop after this many minutes and keep the best so far
    #[arg(long, value_name = "MINUTES", value_parser = args::minutes, allow_negative_numbers = true)]
    pub(super) max_minutes: Option<Duration>,
    /// Threads (0: all); any number gives the same model
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    pub(super) threads: usize,
    /// Parts of every mini-batch, at most one thread each [default: 2]; another number gives another model
    #[arg(long, value_parser = args::shards, allow_negative_numbers = true)]
    pub(super) shards: Option<usize>,
    /// No progress, no notes
    #[arg(long)]
    pub(super) quiet: bool,
}

/// A model, and whether Ctrl-C cut its fit short.
pub(super) struct Fitted {
    pub(super) model: EchoFlow,
    pub(super) stopped: bool,
}

impl Job for Fit {
    fn files(&self) -> Result<Files<'_>> {
        if is_dash(&self.output) {
            bail!(
                "a model cannot be written to standard output; name a file with -o, such as -o model.echoflow"
            );
        }
        Ok(Files::default()
            .reads_table("table", &self.table)
            .writes("-o", &*self.output))
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Fit) -> Result<ExitCode> {
    let Fit {
        table,
        output,
        settings,
    } = args;
    let table = read_table(table)?;
    let Fitted { model, stopped } = fit(&table, settings)?;
    let tried_short = model
        .tried()
        .iter()
        .find(|tried| tried.stopped_by == StopReason::Cancelled);
    if let Some(tried) = tried_short.filter(|tried| tried.kind != model.architecture().model()) {
        model.save(output)?;
        note(&format!(
            "stopped while fitting {}; kept {} in {}; this choice cannot be reproduced",
            tried.kind,
            model.architecture().model(),
            output.display()
        ));
        return Ok(ExitCode::from(130));
    }
    let Some(cut_short) = model
        .trained_parts()
        .find(|trained| trained.history.stopped_by == StopReason::Cancelled)
    else {
        model.save(output)?;
        if stopped {
            let kept = match model.order_agnostic() {
                Some(_) => "with the order-agnostic network as far as it came",
                None => "without an order-agnostic network",
            };
            note(&format!(
                "stopped while fitting the order-agnostic network; the model itself is whole and in {}, {kept}; this fit cannot be reproduced",
                output.display()
            ));
            return Ok(ExitCode::from(130));
        }
        if !settings.quiet {
            note(&format!("wrote the model to {}", output.display()));
        }
        return Ok(ExitCode::SUCCESS);
    };
    if is_untrained(&model) {
        note("stopped before anything was learned; no model was written");
        return Ok(ExitCode::from(130));
    }
    model.save(output)?;
    let kept: Vec<String> = model
        .trained_parts()
        .map(
            |trained| match (trained.part.name(), trained.history.best_epoch) {
                (part, Some(0)) => format!("{part} untrained"),
                (part, Some(epoch)) => format!("{part} of epoch {epoch}"),
                (part, None) => format!("{part} as they stood within the first epoch"),
            },
        )
        .collect();
    note(&format!(
        "stopped while fitting {}; kept the best so far ({}) in {}; this fit cannot be reproduced",
        cut_short.part.name(),
        kept.join(", "),
        output.display()
    ));
    Ok(ExitCode::from(130))
}

/// Whether no part of a model learned anything.
fn is_untrained(model: &EchoFlow) -> bool {
    let mut parts = model.trained_parts();
    parts.all(|trained| trained.history.best_epoch == Some(0))
}

/// Fits with a progress bar, and says how it went.
pub(super) fn fit(table: &Table, settings: &Settings) -> Result<Fitted> {
    let started = Instant::now();
    let mut builder = EchoFlow::builder()
        .model(settings.model)
        .context(context(table, &settings.context))
        .dependencies(!settings.no_dependencies)
        .order_agnostic(settings.order_agnostic)
        .seed(settings.seed)
        .threads(settings.threads);
    if let Some(models) = settings.ensemble {
        builder = builder.ensemble(models);
    }
    if let Some(epochs) = settings.epochs {
        builder = builder.epochs(epochs);
    }
    if let Some(shards) = settings.shards {
        builder = builder.shards(shards);
    }
    if let Some(time) = settings.max_minutes {
        builder = builder.max_time(time);
    }
    let stop = stop_flag();
    let mut bars = Bars::new(settings.quiet, Arc::clone(&stop));
    let model = builder.fit_with(table, &mut bars);
    bars.finish();
    let model = model?;
    if !settings.quiet {
        for TrainedPart {
            part, shift, history, ..
        } in model.trained_parts()
        {
            let last = history.epochs.len();
            let how = how_it_ended(history.stopped_by);
            let best = history.best_epoch.map_or("-".to_owned(), |e| e.to_string());
            let nll = history.best_nll + shift;
            let skipped = match history.skipped_steps {
                0 => String::new(),
                n => format!("; {} skipped because the loss was not finite", count(n, "step")),
            };
            note(&format!(
                "{:<8} {} ({how}), best {best}: validation NLL {nll:.4} nats{skipped}",
                part.name(),
                count(last, "epoch")
            ));
        }
        if let Some(TrainedPart { part, history, .. }) = model.order_agnostic() {
            let best = history.best_epoch.map_or("-".to_owned(), |e| e.to_string());
            note(&format!(
                "{:<8} {} ({}), best {best}: {:.4} nats a row from the model; {:.1} s of the fit (--order-agnostic no leaves it out)",
                part.name(),
                count(history.epochs.len(), "epoch"),
                how_it_ended(history.stopped_by),
                model.kl_to_model().unwrap_or(f64::NAN),
                bars.any_order_time().as_secs_f64()
            ));
        }
        for tried in model.tried() {
            if tried.stopped_by == StopReason::Clock {
                note(&format!(
                    "{} was cut short by the clock: the choice is not reproducible",
                    tried.kind
                ));
            }
        }
        if model.trained_parts().next().is_some() && is_untrained(&model) {
            note(match settings.model {
                ModelKind::Auto | ModelKind::Autoregressive => {
                    "no epoch was better than the start: the model is what was counted before training, each column given \
                     at most one before it and the numbers by linear regression"
                }
                _ => {
                    "nothing was learned: the model draws its columns independently; give it more time or rows"
                }
            });
        }
        note(&format!(
            "fitted {} in {:.1} s",
            count(table.num_rows(), "row"),
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(Fitted {
        model,
        stopped: stop.load(Ordering::Relaxed),
    })
}

/// Why a stage ended, in words.
pub(super) fn how_it_ended(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EarlyStopping => "validation stopped improving",
        StopReason::Clock => "the clock stopped it: not reproducible",
        StopReason::Cancelled => "stopped by Ctrl-C: not reproducible",
        _ => "all epochs done",
    }
}

/// The columns that `--context` names: each use of it is one column, if there is such a one, or several, comma-separated.
fn context(table: &Table, given: &[String]) -> Vec<String> {
    let names = |text: &String| -> Vec<String> {
        if table.column_index(text).is_ok() {
            return vec![text.clone()];
        }
        let parts = text.split(',');
        parts
            .map(|part| {
                if table.column_index(part).is_ok() {
                    part
                } else {
                    part.trim()
                }
            })
            .map(str::to_owned)
            .collect()
    };
    given.iter().flat_map(names).collect()
}
