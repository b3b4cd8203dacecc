//! Tables with empty cells, filled by a model: what `sample --rows` and `impute` share.

use std::path::Path;

use anyhow::{Result, bail};
use echoflow::tabular::Value;
use echoflow::{Completed, EchoFlow, Table};

use crate::output::{count, named};
use crate::progress::Working;

/// Rows filled at a time: so many that a person sees them go by. Part of the result, since random numbers are keyed by the
/// chunk and the row in it.
const CHUNK: usize = 2048;

/// Fills a table, chunk by chunk, in `draws` tables.
pub(super) fn by_chunks(
    table: &Table,
    draws: usize,
    mut fill: impl FnMut(&Table) -> Result<Completed, echoflow::Error>,
) -> Result<Completed> {
    let working = Working::on_rows("filling", table.num_rows());
    let mut pieces = Vec::new();
    // a table without rows still has columns
    for first in (0..table.num_rows().max(1)).step_by(CHUNK) {
        let chunk = table.slice(first, CHUNK);
        let mut filled = fill(&chunk)?;
        filled.poor.iter_mut().for_each(|row| *row += first);
        working.done(chunk.num_rows());
        pieces.push(filled);
    }
    let mut tables = Vec::with_capacity(draws);
    for draw in 0..draws {
        let parts: Vec<&Table> = pieces.iter().map(|piece| &piece.tables[draw]).collect();
        let picks: Vec<(usize, usize)> = parts
            .iter()
            .enumerate()
            .flat_map(|(at, part)| (0..part.num_rows()).map(move |row| (at, row)))
            .collect();
        tables.push(Table::interleave(&parts, &picks)?);
    }
    Ok(Completed {
        tables,
        cells: pieces.iter().map(|piece| piece.cells).sum(),
        rows: pieces.iter().map(|piece| piece.rows).sum(),
        poor: pieces
            .iter()
            .flat_map(|piece| piece.poor.iter().copied())
            .collect(),
    })
}

/// Refuses a table that shares no column with the model. Of context columns that it lacks the model has its own to say.
pub(super) fn refuse_stranger(model: &EchoFlow, table: &Table, path: &Path) -> Result<()> {
    let shared = |name: &String| table.column_index(name).is_ok();
    if model.context_schema().is_some() || model.column_names().iter().any(shared) {
        return Ok(());
    }
    bail!(
        "{} has none of the model's columns, which are: {}; its own are: {}",
        named(path),
        model.column_names().join(", "),
        table.column_names().join(", ")
    )
}

/// Whether a table says anything of columns that the model draws.
pub(super) fn says_something(model: &EchoFlow, table: &Table) -> bool {
    let given = model.context_columns().0;
    let drawn = model
        .column_names()
        .iter()
        .filter(|name| !given.contains(&name.as_str()));
    drawn
        .filter_map(|name| table.column_index(name).ok())
        .any(|at| (0..table.num_rows()).any(|row| table.value(row, at) != Value::Missing))
}

/// What was done to the rows of a table, in words.
pub(super) fn told(table: &Table, completed: &Completed, verb: &str) -> String {
    if table.num_rows() == 0 {
        return "no rows to fill".to_owned();
    }
    let rows = count(table.num_rows(), "row");
    if completed.cells == 0 {
        return format!("no cell of {rows} was empty, so nothing was drawn");
    }
    let mut text = format!(
        "{verb} {} in {} of {rows}",
        count(completed.cells, "cell"),
        completed.rows
    );
    let poor: Vec<String> = completed
        .poor
        .iter()
        .take(5)
        .map(|&row| match table.location(row).line {
            Some(line) => line.to_string(),
            None => (row + 1).to_string(),
        })
        .collect();
    if !poor.is_empty() {
        let more = match completed.poor.len() - poor.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        text += &format!(
            "; in {} the known cells are so unusual together that the draws are poor (line {}{more})",
            count(completed.poor.len(), "row"),
            poor.join(", ")
        );
    }
    text
}
