//! What can go wrong with a table, and what to do about it.

use std::fmt;

/// Where in a table something was found: a file's line if the table came from a file, else its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the file or stream, if the table was read from one.
    pub source_name: Option<String>,
    /// 1-based line where the row starts (the header is line 1), if the table was read from a file.
    pub line: Option<u64>,
    /// Row of the table, counted from 0.
    pub row: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source_name, self.line) {
            (Some(name), Some(line)) => write!(f, "{name}, line {line}"),
            _ => write!(f, "row {} (counting from 0)", self.row),
        }
    }
}

/// Everything that building, fitting, encoding or decoding a table can refuse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A row with more or fewer cells than the table has columns.
    #[error("{location}: the row has {}, the table {expected}; mend the row", count(*found, "cell"))]
    RowLength {
        /// The row.
        location: Location,
        /// Columns of the table.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },
    /// Two columns of one name.
    #[error("{source_name}: two columns are named \"{name}\"; give every column a name of its own")]
    DuplicateColumn {
        /// File, stream or "the table".
        source_name: String,
        /// The name.
        name: String,
    },
    /// A column without a name.
    #[error(
        "{source_name}: column {position} of the header has no name; name it or leave it out (pandas: to_csv(index=False))"
    )]
    EmptyColumnName {
        /// File, stream or "the table".
        source_name: String,
        /// 1-based position in the header.
        position: usize,
    },
    /// An infinite number, or one too large for a 64-bit float.
    #[error(
        "{location}, column \"{column}\": \"{text}\" is not a finite number; replace it, or leave the cell empty"
    )]
    NotFinite {
        /// The row.
        location: Location,
        /// The column.
        column: String,
        /// The cell's text.
        text: String,
    },
    /// Text where the schema has numbers.
    #[error(
        "{location}, column \"{column}\": \"{text}\" is not a number, and the column held numbers when the model was fitted; mend the cell or leave it empty"
    )]
    NotANumber {
        /// The row.
        location: Location,
        /// The column.
        column: String,
        /// The cell's text.
        text: String,
    },
    /// Something else where the schema has true and false.
    #[error(
        "{location}, column \"{column}\": \"{text}\" is neither true nor false, and the column held only these when the model was fitted; mend the cell or leave it empty"
    )]
    NotABoolean {
        /// The row.
        location: Location,
        /// The column.
        column: String,
        /// The cell's text.
        text: String,
    },
    /// Something else where the schema has dates.
    #[error(
        "{location}, column \"{column}\": \"{text}\" is not a date (YYYY-MM-DD), and the column held dates when the model was fitted; mend the cell or leave it empty"
    )]
    NotADate {
        /// The row.
        location: Location,
        /// The column.
        column: String,
        /// The cell's text.
        text: String,
    },
    /// A date that cannot be written with four digits of the year.
    #[error(
        "{location}, column \"{column}\": day {day} after 1970-01-01 is outside the years 0001 to 9999; replace it, or leave the cell empty"
    )]
    DateOutOfRange {
        /// The row.
        location: Location,
        /// The column.
        column: String,
        /// Days since 1970-01-01.
        day: i32,
    },
    /// A whole number that a 64-bit float cannot hold exactly.
    #[error(
        "{location}, column \"{column}\": {value} is beyond 2^53 and would lose digits; hand such identifiers over as text"
    )]
    IntegerTooLarge {
        /// The row.
        location: Location,
        /// The column.
        column: String,
        /// The number.
        value: i128,
    },
    /// A column that is not there.
    #[error("{source_name} has no column \"{name}\"; its columns are: {}", present.join(", "))]
    UnknownColumn {
        /// File, stream or "the table".
        source_name: String,
        /// The name that was looked for.
        name: String,
        /// The names that are there.
        present: Vec<String>,
    },
    /// A column that is already there.
    #[error("{source_name} already has a column \"{name}\"; choose another name")]
    ColumnExists {
        /// File, stream or "the table".
        source_name: String,
        /// The name.
        name: String,
    },
    /// Columns of different lengths.
    #[error("column \"{name}\" has {found} values where {expected} are needed")]
    LengthMismatch {
        /// The column.
        name: String,
        /// Rows needed.
        expected: usize,
        /// Rows given.
        found: usize,
    },
    /// An Arrow type that is no table column here.
    #[error(
        "column \"{column}\" has the Arrow type {data_type}; cast it to text (Utf8), integers, floats, Boolean or Date32 first"
    )]
    UnsupportedType {
        /// The column.
        column: String,
        /// Arrow's name of the type.
        data_type: String,
    },
    /// Too few rows to learn from.
    #[error("{source_name} has {}; a fit needs at least 2, and hundreds to learn much", count(*rows, "row"))]
    TooFewRows {
        /// File, stream or "the table".
        source_name: String,
        /// Rows of the table.
        rows: usize,
    },
    /// A user's transformer that does not fit its column.
    #[error("the transformer \"{kind}\" of column \"{column}\" does not fit: {reason}")]
    Transformer {
        /// The transformer's kind.
        kind: String,
        /// The column.
        column: String,
        /// What is wrong, with the way out.
        reason: String,
    },
    /// A name that cannot be given to a kind of transformer.
    #[error(
        "\"{0}\" cannot be registered as a transformer; take a name that is not empty, and neither identity nor asinh, which are built in"
    )]
    TransformerName(String),
    /// Cells or ranks handed to `decode` that no marginal can hold.
    #[error("cannot decode column \"{column}\": {reason}")]
    Decode {
        /// The column.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// More rows or text than one Arrow array can hold.
    #[error("{source_name}, column \"{column}\": more than 2 GB of text in one column; split the file")]
    TooMuchText {
        /// File or stream.
        source_name: String,
        /// The column.
        column: String,
    },
    /// Arrow refused to build the table.
    #[error("the table could not be built: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
