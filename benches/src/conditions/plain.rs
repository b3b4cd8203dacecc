//! Tables for other programs: rows picked, cells blanked, missing cells written as nothing.

use std::path::Path;

use anyhow::{Context, Result};
use echoflow::Table;
use ef_tabular::{ColumnData, Kind, Value};

/// Rows of a table, in this order; of row `i` of them, the cells that `keeps(i, column)`, the others missing.
///
/// # Errors
/// Never for a table's own cells.
pub(super) fn pick(table: &Table, rows: &[usize], keeps: impl Fn(usize, usize) -> bool) -> Result<Table> {
    let schema = table.schema();
    let columns = schema.columns.iter().enumerate().map(|(j, column)| {
        let cells = rows.iter().enumerate().map(|(i, row)| {
            if keeps(i, j) {
                table.value(*row, j)
            } else {
                Value::Missing
            }
        });
        let number = |value: Value<'_>| match value {
            Value::Number(number) => Some(number),
            _ => None,
        };
        let data = match column.kind {
            Kind::Integer => ColumnData::Integer(
                cells
                    .map(|value| number(value).map(|number| number as i64))
                    .collect(),
            ),
            Kind::Decimal => ColumnData::Decimal(cells.map(number).collect()),
            Kind::Boolean => ColumnData::Boolean(
                cells
                    .map(|value| match value {
                        Value::Boolean(value) => Some(value),
                        _ => None,
                    })
                    .collect(),
            ),
            Kind::Date => ColumnData::Date(
                cells
                    .map(|value| match value {
                        Value::Date(date) => Some(date),
                        _ => None,
                    })
                    .collect(),
            ),
            _ => ColumnData::Text(
                cells
                    .map(|value| match value {
                        Value::Text(text) => Some(text.to_owned()),
                        _ => None,
                    })
                    .collect(),
            ),
        };
        (column.name.clone(), data)
    });
    let picked = Table::from_columns(columns.collect())?;
    Ok(schema.conform(&picked)?)
}

/// Writes a table as CSV in which a missing cell is empty, whatever marked it before.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write_plain(table: &Table, path: &Path) -> Result<()> {
    let what = || format!("{} cannot be written", path.display());
    let mut out = csv::Writer::from_path(path).with_context(what)?;
    out.write_record(table.column_names()).with_context(what)?;
    for row in 0..table.num_rows() {
        let cells = (0..table.num_columns()).map(|j| cell(table.value(row, j)));
        out.write_record(cells).with_context(what)?;
    }
    out.flush().with_context(what)
}

/// A cell as text.
pub(super) fn cell(value: Value<'_>) -> String {
    match value {
        Value::Missing => String::new(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Date(date) => format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_blanked_and_the_others_are_as_they_were() {
        let text = "n,x,who,on,day\n1,1.50,Ann,true,2024-01-30\n2,0.25,?,false,2024-01-31\n";
        let table = echoflow::read_csv_from(text.as_bytes(), "t").expect("a table");
        let picked = pick(&table, &[1, 0, 1], |i, j| i != 2 || j == 1).expect("rows");
        assert_eq!(picked.schema().columns[1].kind, Kind::Decimal);
        for j in 0..5 {
            assert_eq!(picked.value(0, j), table.value(1, j));
            assert_eq!(picked.value(1, j), table.value(0, j));
            assert_eq!(picked.value(2, j) == Value::Missing, j != 1);
        }
        assert_eq!(cell(table.value(1, 2)), "");
        assert_eq!(cell(table.value(0, 4)), "2024-01-30");
    }
}
