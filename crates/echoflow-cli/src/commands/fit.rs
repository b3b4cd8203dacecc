//! `echoflow fit`: a table in, a model out.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use echoflow::{EchoFlow, ModelKind, StopReason, Table};

use crate::output::{check_model_output, count, note, read_table};
use crate::progress::{Bars, stop_flag};

pub(super) struct Settings {
    pub(super) model: ModelKind,
    pub(super) members: usize,
    pub(super) context: Vec<String>,
    pub(super) dependencies: bool,
    pub(super) seed: u64,
    pub(super) epochs: Option<usize>,
    pub(super) max_minutes: Option<Duration>,
    pub(super) threads: usize,
    pub(super) shards: Option<usize>,
    pub(super) quiet: bool,
}

pub(super) fn run(table: &Path, output: &Path, settings: &Settings) -> Result<ExitCode> {
    check_model_output(output)?;
    let table = read_table(table)?;
    let model = fit(&table, settings)?;
    let tried_short = model
        .tried()
        .iter()
        .find(|tried| tried.stopped_by == StopReason::Cancelled);
    if let Some(tried) = tried_short.filter(|tried| tried.kind != model.architecture().model) {
        model.save(output)?;
        note(&format!(
            "stopped while fitting {}; kept {} in {}; this choice cannot be reproduced",
            tried.kind,
            model.architecture().model,
            output.display()
        ));
        return Ok(ExitCode::from(130));
    }
    let Some(stopped) = model
        .histories()
        .find(|(_, _, h)| h.stopped_by == StopReason::Cancelled)
    else {
        model.save(output)?;
        if !settings.quiet {
            note(&format!("wrote the model to {}", output.display()));
        }
        return Ok(ExitCode::SUCCESS);
    };
    if model.histories().all(|(_, _, h)| h.best_epoch == Some(0)) {
        note("stopped before anything was learned; no model was written");
        return Ok(ExitCode::from(130));
    }
    model.save(output)?;
    let kept: Vec<String> = model
        .histories()
        .map(|(part, _, h)| match h.best_epoch {
            Some(0) => format!("{} untrained", part.name()),
            Some(epoch) => format!("{} of epoch {epoch}", part.name()),
            None => format!("{} as they stood within the first epoch", part.name()),
        })
        .collect();
    note(&format!(
        "stopped while fitting {}; kept the best so far ({}) in {}; this fit cannot be reproduced",
        stopped.0.name(),
        kept.join(", "),
        output.display()
    ));
    Ok(ExitCode::from(130))
}

/// Fits with a progress bar, and says how it went.
pub(super) fn fit(table: &Table, settings: &Settings) -> Result<EchoFlow> {
    let started = Instant::now();
    let mut builder = EchoFlow::builder()
        .model(settings.model)
        .members(settings.members)
        .context(context(table, &settings.context))
        .dependencies(settings.dependencies)
        .seed(settings.seed)
        .threads(settings.threads);
    if let Some(epochs) = settings.epochs {
        builder = builder.epochs(epochs);
    }
    if let Some(shards) = settings.shards {
        builder = builder.shards(shards);
    }
    if let Some(time) = settings.max_minutes {
        builder = builder.max_time(time);
    }
    let mut bars = Bars::new(settings.quiet, stop_flag());
    let model = builder.fit_with(table, &mut bars);
    bars.finish();
    let model = model?;
    if !settings.quiet {
        for (part, shift, history) in model.histories() {
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
        for tried in model.tried() {
            if tried.stopped_by == StopReason::Clock {
                note(&format!(
                    "{} was cut short by the clock: the choice is not reproducible",
                    tried.kind
                ));
            }
        }
        if model.num_params().iter().any(|(_, count)| *count > 0)
            && model.histories().all(|(_, _, h)| h.best_epoch == Some(0))
        {
            note("nothing was learned: the model draws its columns independently; give it more time or rows");
        }
        note(&format!(
            "fitted {} in {:.1} s",
            count(table.num_rows(), "row"),
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(model)
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
