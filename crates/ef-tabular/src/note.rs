//! What a person should know about a column, in one sentence.

use arrow_array::{Array, ArrayRef};

use crate::date::Date;
use crate::marginal::{CategoryMarginal, ColumnMarginal};
use crate::schema::ColumnSchema;

pub(crate) fn note(column: &ColumnSchema, array: &ArrayRef, marginal: &ColumnMarginal) -> Option<String> {
    let name = &column.name;
    if array.null_count() == array.len() {
        return Some(format!(
            "column \"{name}\": all cells are missing; it will be missing in every new row"
        ));
    }
    if let ColumnMarginal::Category(marginal) = marginal
        && let Some(reason) = almost_dates(marginal)
    {
        return Some(format!("column \"{name}\": {reason}"));
    }
    match marginal {
        ColumnMarginal::Category(marginal)
            if array.len() > 20 && marginal.labels().len() == array.len() - array.null_count() =>
        {
            Some(format!(
                "column \"{name}\": every value is different; new rows will repeat values of the table"
            ))
        }
        _ if marginal.levels() == 1 && !marginal.is_continuous() => {
            Some(format!("column \"{name}\": all cells are alike"))
        }
        _ => None,
    }
}

/// Why a column that mostly holds dates is one of categories.
fn almost_dates(marginal: &CategoryMarginal) -> Option<String> {
    let labels = marginal.labels();
    let others: Vec<&String> = labels
        .iter()
        .filter(|label| Date::parse(label.trim()).is_none())
        .collect();
    let first = others.first().filter(|_| 2 * others.len() < labels.len())?;
    Some(match others.len() {
        1 => {
            format!("read as categories, because \"{first}\" is no date (YYYY-MM-DD); mend it to have dates")
        }
        count => format!(
            "read as categories, because {count} values are no dates (YYYY-MM-DD), such as \"{first}\"; mend them to \
             have dates"
        ),
    })
}
