//! Tables with empty cells, filled by a model: what `sample --rows` and `impute` share.

use std::path::Path;

use anyhow::{Result, bail};
use echoflow::{Completed, EchoFlow, Table};

use crate::output::{count, named};
use crate::progress::Working;

/// Rows filled at a time: so many that a person sees them go by. No part of the result.
const CHUNK: usize = 2048;

/// A table filled, as [`Completed`] has it for its chunks.
pub(super) struct Filled {
    pub(super) tables: Vec<Table>,
    pub(super) cells: usize,
    pub(super) rows: usize,
    pub(super) low_ess: Vec<usize>,
}

/// Fills a table whose first row is number `first_row`, chunk by chunk, in `draws` tables; `fill` gets each chunk and the
/// number of its first row.
pub(super) fn by_chunks(
    table: &Table,
    first_row: u64,
    draws: usize,
    mut fill: impl FnMut(&Table, u64) -> Result<Completed, echoflow::ModelError>,
) -> Result<Filled> {
    let working = Working::on_rows("filling", table.num_rows());
    let mut pieces = Vec::new();
    // a table without rows still has columns
    for first in (0..table.num_rows().max(1)).step_by(CHUNK) {
        let chunk = table.slice(first, CHUNK);
        let mut filled = fill(&chunk, first_row + first as u64)?;
        filled.low_ess.iter_mut().for_each(|row| *row += first);
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
    Ok(Filled {
        tables,
        cells: pieces.iter().map(|piece| piece.cells).sum(),
        rows: pieces.iter().map(|piece| piece.rows).sum(),
        low_ess: pieces
            .iter()
            .flat_map(|piece| piece.low_ess.iter().copied())
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

/// Whether a table has a column that the model draws, filled or not: whatever rows of it are at hand.
pub(super) fn has_columns_to_draw(model: &EchoFlow, table: &Table) -> bool {
    let is_given = |name: &str| {
        let schema = model.context_schema();
        schema.is_some_and(|schema| schema.index(name).is_some())
    };
    let mut drawn = model.column_names().iter().filter(|name| !is_given(name));
    drawn.any(|name| table.column_index(name).is_ok())
}

/// What was done to the rows of a table, in words.
pub(super) fn told(table: &Table, completed: &Filled, verb: &str) -> String {
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
    let lines: Vec<String> = completed
        .low_ess
        .iter()
        .take(5)
        .map(|&row| match table.location(row).line {
            Some(line) => line.to_string(),
            None => (row + 1).to_string(),
        })
        .collect();
    if !lines.is_empty() {
        let more = match completed.low_ess.len() - lines.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        text += &format!(
            "; in {} the known cells are so unusual together that the draws are poor (line {}{more})",
            count(completed.low_ess.len(), "row"),
            lines.join(", ")
        );
    }
    text
}
