//! `echoflow inspect`: what a model is.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::EchoFlow;
use echoflow::tabular::{ColumnLaw, Kind};

use super::fit::how_it_ended;
use crate::output::{count, to_stdout};

pub(super) fn run(path: &Path) -> Result<ExitCode> {
    let model = EchoFlow::load(path)?;
    to_stdout(|out| write(&model, out))?;
    Ok(ExitCode::SUCCESS)
}

fn write(model: &EchoFlow, out: &mut dyn Write) -> io::Result<()> {
    let architecture = model.architecture();
    let (cells, numbers) = model.num_params();
    writeln!(out, "echoflow {} model, seed {}", model.version(), model.seed())?;
    writeln!(out)?;
    writeln!(out, "columns")?;
    let width = model
        .column_names()
        .iter()
        .map(|n| n.chars().count())
        .max()
        .unwrap_or(0);
    let (context_names, context_laws) = model.context_columns();
    for name in model.column_names() {
        let found = model
            .schema()
            .index(name)
            .map(|at| (&model.schema().columns[at], &model.laws()[at], ""));
        let given = || {
            let at = context_names.iter().position(|n| n == name)?;
            Some((
                &model.context_schema()?.columns[at],
                &context_laws[at],
                ", context",
            ))
        };
        let derived = || {
            let mut columns = model.derived_columns();
            let (_, schema, law) = columns.find(|(_, schema, _)| schema.name == *name)?;
            Some((schema, law, ", derived"))
        };
        if let Some((schema, law, role)) = found.or_else(given).or_else(derived) {
            let (kind, law) = (kind(schema.kind), describe(law));
            writeln!(out, "  {name:<width$}  {kind:<8}  {law}{role}")?;
        }
    }
    if model.derived_columns().next().is_some() {
        writeln!(out)?;
        writeln!(
            out,
            "derived, as they follow from other columns in every training row"
        )?;
        for (dependency, _, _) in model.derived_columns() {
            writeln!(out, "  {dependency}")?;
        }
    }
    writeln!(out)?;
    writeln!(
        out,
        "model {}, {} parameters",
        architecture.model,
        cells + numbers
    )?;
    if cells > 0 {
        writeln!(
            out,
            "  cells    {cells} parameters: masked softmax network, {} of {} units, dropout {}",
            count(architecture.cells_blocks, "residual block"),
            architecture.cells_hidden,
            architecture.cells_dropout
        )?;
    }
    if numbers > 0 {
        writeln!(
            out,
            "  numbers  {numbers} parameters: {} {} layers, {} of {} units each{}",
            architecture.layers,
            architecture.model,
            count(architecture.blocks, "residual block"),
            architecture.hidden,
            architecture
                .options
                .iter()
                .map(|(name, value)| format!(", {name} {value}"))
                .collect::<String>()
        )?;
    }
    writeln!(
        out,
        "  kernels  fitted with {}; the same bytes come from the same kernels",
        model.kernels()
    )?;
    writeln!(out)?;
    writeln!(out, "training (nats a row; best epoch marked)")?;
    for (part, shift, history) in model.histories() {
        writeln!(
            out,
            "  {}: {} trained on, {} validated on, batches of {}; {}",
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
        writeln!(
            out,
            "    {:>5} {:>10} {:>11.4}{}",
            0,
            "",
            history.start_nll + shift,
            mark(0)
        )?;
        for e in &history.epochs {
            let (train, validation) = (e.train_nll + shift, e.validation_nll + shift);
            writeln!(
                out,
                "    {:>5} {train:>10.4} {validation:>11.4}{}",
                e.epoch,
                mark(e.epoch)
            )?;
        }
    }
    Ok(())
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Category => "category",
        Kind::Integer => "integer",
        Kind::Decimal => "decimal",
        Kind::Boolean => "boolean",
        _ => "other",
    }
}

fn describe(law: &ColumnLaw) -> String {
    let held = law.stored_training_values();
    match law {
        ColumnLaw::Category(law) => {
            let mut text = count(law.levels().len(), "level");
            if law.rare_cell().is_some() {
                text += ", the rarest pooled";
            }
            if law.missing_cell().is_some() {
                text += ", missing cells";
            }
            text
        }
        ColumnLaw::Number(law) => {
            let (low, high) = law.range();
            let mut text = format!("{low} to {high}");
            match law.decimals() {
                Some(0) => text += ", whole numbers",
                Some(d) => text += &format!(", {}", count(d.into(), "decimal")),
                None => text += ", no rounding step",
            }
            if law.is_continuous() {
                let atoms = law.points().len();
                if atoms > 0 {
                    text += &format!(", {}", count(atoms, "heavy value"));
                }
            } else {
                text += &format!(", {} values as cells", law.points().len());
            }
            if law.missing_cell().is_some() {
                text += ", missing cells";
            }
            if held > 0 {
                text += &format!("; holds {}", count(held, "training value"));
            }
            text
        }
        _ => String::new(),
    }
}
