//! `echoflow inspect`: what a model is.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::tabular::{ColumnMarginal, Kind, NumberMarginal};
use echoflow::{Architecture, EchoFlow, Part, TrainedPart};

use super::Job;
use super::fit::how_it_ended;
use crate::files::Files;
use crate::output::{count, to_stdout};

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// Model file
    model: PathBuf,
}

impl Job for Inspect {
    fn files(&self) -> Result<Files<'_>> {
        Ok(Files::default().reads("model", &self.model).prints())
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Inspect) -> Result<ExitCode> {
    let model = EchoFlow::load(&args.model)?;
    to_stdout(|out| write(&model, out))?;
    Ok(ExitCode::SUCCESS)
}

fn write(model: &EchoFlow, out: &mut dyn Write) -> io::Result<()> {
    let architecture = model.architecture();
    writeln!(out, "echoflow {} model, seed {}", model.version(), model.seed())?;
    writeln!(out)?;
    writeln!(out, "columns")?;
    let names = model.column_names().iter().map(|name| on_one_line(name));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    for name in model.column_names() {
        let found = model
            .schema()
            .index(name)
            .map(|at| (&model.schema().columns[at], &model.marginals()[at], ""));
        let given = || {
            let schema = model.context_schema()?;
            let at = schema.index(name)?;
            Some((&schema.columns[at], &model.context_marginals()[at], ", context"))
        };
        let derived = || {
            let mut columns = model.derived_columns();
            let column = columns.find(|column| column.schema.name == *name)?;
            Some((column.schema, column.marginal, ", derived"))
        };
        if let Some((schema, marginal, role)) = found.or_else(given).or_else(derived) {
            let (name, kind, marginal) = (on_one_line(name), kind(schema.kind), describe(marginal));
            writeln!(out, "  {name:<width$}  {kind:<8}  {marginal}{role}")?;
        }
    }
    if model.derived_columns().next().is_some() {
        writeln!(out)?;
        writeln!(
            out,
            "derived, as they follow from other columns in every training row"
        )?;
        for column in model.derived_columns() {
            writeln!(out, "  {}", on_one_line(&column.dependency.to_string()))?;
        }
    }
    writeln!(out)?;
    writeln!(
        out,
        "model {}, {} parameters",
        architecture.model(),
        model.parameters().len()
    )?;
    for tried in model.tried() {
        let chosen = if tried.kind == architecture.model() {
            ", chosen"
        } else {
            ""
        };
        writeln!(
            out,
            "  tried {}: {}, validation NLL {:.4} nats{chosen}",
            tried.kind,
            how_it_ended(tried.stopped_by),
            tried.validation_nll
        )?;
    }
    let kernels = "kernels";
    let parts = model.trained_parts().chain(model.order_agnostic());
    let names = parts.map(|trained| trained.part.name()).chain([kernels]);
    let width = names.map(str::len).max().unwrap_or(0);
    for trained in model.trained_parts() {
        let what = what_it_is(architecture, trained.part);
        writeln!(
            out,
            "  {:<width$}  {} parameters: {what}",
            trained.part.name(),
            trained.params
        )?;
    }
    if let (Some(trained), Some(gap)) = (model.order_agnostic(), model.kl_to_model()) {
        writeln!(
            out,
            "  {:<width$}  {} parameters: beside the model, for any order of its columns, {gap:.4} nats a row from it",
            trained.part.name(),
            trained.params
        )?;
    }
    writeln!(
        out,
        "  {kernels:<width$}  fitted with {}; the same bytes come from the same kernels",
        model.kernels()
    )?;
    writeln!(out)?;
    writeln!(out, "training (nats a row; best epoch marked)")?;
    for trained in model.trained_parts() {
        write_history(&trained, "", out)?;
    }
    if let Some(trained) = model.order_agnostic() {
        let remark = "; on rows that the model drew, its losses over random orders";
        write_history(&trained, remark, out)?;
    }
    Ok(())
}

fn write_history(trained: &TrainedPart<'_>, remark: &str, out: &mut dyn Write) -> io::Result<()> {
    let TrainedPart {
        part, shift, history, ..
    } = *trained;
    writeln!(
        out,
        "  {}: {} trained on, {} validated on, batches of {}; {}{remark}",
        part.name(),
        count(history.train_rows, "row"),
        history.validation_rows,
        history.batch,
        how_it_ended(history.stopped_by)
    )?;
    writeln!(out, "    epoch      train  validation")?;
    let mark = |epoch: usize| {
        if history.best_epoch == Some(epoch) {
            " *"
        } else {
            ""
        }
    };
    let start = history.start_nll + shift;
    writeln!(out, "    {:>5} {:>10} {start:>11.4}{}", 0, "", mark(0))?;
    for e in &history.epochs {
        let (train, validation) = (e.train_nll + shift, e.validation_nll + shift);
        writeln!(
            out,
            "    {:>5} {train:>10.4} {validation:>11.4}{}",
            e.epoch,
            mark(e.epoch)
        )?;
    }
    Ok(())
}

/// A text with its line breaks and other control characters written as escapes, such as `\n`.
fn on_one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Category => "category",
        Kind::Integer => "integer",
        Kind::Decimal => "decimal",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        _ => "other",
    }
}

fn describe(marginal: &ColumnMarginal) -> String {
    let held = marginal.stored_training_values();
    match marginal {
        ColumnMarginal::Category(marginal) => {
            let mut text = count(marginal.labels().len(), "level");
            if marginal.rare_level().is_some() {
                text += ", the rarest pooled";
            }
            if marginal.missing_level().is_some() {
                text += ", missing cells";
            }
            text
        }
        ColumnMarginal::Number(marginal) => {
            let (low, high) = marginal.range();
            let digits = match marginal.decimals() {
                Some(0) => "whole numbers".to_owned(),
                Some(d) => count(d.into(), "decimal"),
                None => "no rounding step".to_owned(),
            };
            format!(
                "{low} to {high}, {digits}{}",
                describe_levels(marginal, "value", held)
            )
        }
        ColumnMarginal::Date(marginal) => {
            let (first, last) = marginal.range();
            format!(
                "{first} to {last}{}",
                describe_levels(marginal.days(), "day", held)
            )
        }
        _ => String::new(),
    }
}

/// What a marginal of numbers or days holds one by one.
fn describe_levels(marginal: &NumberMarginal, what: &str, held: usize) -> String {
    let mut text = String::new();
    let atoms = marginal.atoms().len();
    if !marginal.is_continuous() {
        text += &format!(", {}", count(atoms, &format!("distinct {what}")));
    } else if atoms > 0 {
        text += &format!(", {}", count(atoms, &format!("repeated {what}")));
    }
    if marginal.missing_level().is_some() {
        text += ", missing cells";
    }
    if held > 0 {
        text += &format!("; holds {}", count(held, &format!("training {what}")));
    }
    text
}

/// The network that a part is, with its sizes.
fn what_it_is(architecture: &Architecture, part: Part) -> String {
    let network = |blocks, units, dropout| {
        let blocks = count(blocks, "residual block");
        format!("{blocks} of {units} units, dropout {dropout}")
    };
    match architecture {
        Architecture::Autoregressive(sizes) => format!(
            "masked network with a head a column, {}, components {}",
            network(sizes.blocks, sizes.hidden, sizes.dropout),
            sizes.components
        ),
        Architecture::Flow(sizes) if part == Part::Levels => format!(
            "masked softmax network, {}",
            network(sizes.levels_blocks, sizes.levels_hidden, sizes.levels_dropout)
        ),
        Architecture::Flow(sizes) => {
            let options = sizes
                .options
                .iter()
                .map(|(name, value)| format!(", {name} {value}"));
            format!(
                "{} {} layers, {} of {} units each{}",
                sizes.layers,
                sizes.model,
                count(sizes.blocks, "residual block"),
                sizes.hidden,
                options.collect::<String>()
            )
        }
        _ => String::new(),
    }
}
