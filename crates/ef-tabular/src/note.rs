//! What a person should know about a column, in one sentence.

use arrow_array::{Array, ArrayRef};

use crate::date::Date;
use crate::law::{CategoryLaw, ColumnLaw};
use crate::schema::ColumnSchema;

pub(crate) fn note(column: &ColumnSchema, array: &ArrayRef, law: &ColumnLaw) -> Option<String> {
    let name = &column.name;
    if array.null_count() == array.len() {
        return Some(format!(
            "column \"{name}\": all cells are missing; it will be missing in every new row"
        ));
    }
    if let ColumnLaw::Category(law) = law
        && let Some(reason) = almost_dates(law)
    {
        return Some(format!("column \"{name}\": {reason}"));
    }
    match law {
        ColumnLaw::Category(law)
            if array.len() > 20 && law.levels().len() == array.len() - array.null_count() =>
        {
            Some(format!(
                "column \"{name}\": every value is different; new rows will repeat values of the table"
            ))
        }
        _ if law.cells() == 1 && !law.is_continuous() => {
            Some(format!("column \"{name}\": all cells are alike"))
        }
        _ => None,
    }
}

/// Why a column that mostly holds dates is one of categories.
fn almost_dates(law: &CategoryLaw) -> Option<String> {
    let levels = law.levels();
    let others: Vec<&String> = levels
        .iter()
        .filter(|level| Date::parse(level.trim()).is_none())
        .collect();
    let first = others.first().filter(|_| 2 * others.len() < levels.len())?;
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
