#![doc = include_str!("../README.md")]

mod arrow_in;
pub mod condition;
mod date;
mod dependency;
mod encoder;
mod error;
mod format;
mod infer;
mod join;
pub mod marginal;
mod note;
mod rows;
mod schema;
mod table;
mod texts;
mod transform;
mod value;

pub use condition::{
    Boxes, Condition, ConditionBox, ConditionColumn, ConditionError, LabelSet, Literal, NumberRange, ValueSet,
};
pub use date::Date;
pub use dependency::{Dependencies, Dependency};
pub use ef_column::{Level, LevelSet, Marginal, Place};
pub use encoder::{DecodedColumn, EncodedColumn, EncodedTable, EncoderOptions, Features, TableEncoder};
pub use error::{Location, TableError};
pub use format::{BooleanSpelling, MISSING_MARKERS, NumberFormat};
pub use marginal::{
    CategoryMarginal, ColumnMarginal, DATE_FEATURES, DateMarginal, NUMBER_FEATURES, NumberMarginal, RankBins,
    UnknownValue,
};
pub use schema::{ColumnSchema, Kind, Schema};
pub use table::{ColumnData, Table};
pub use texts::{CellTexts, TextRows};
pub use transform::{Asinh, Identity, Transformer, TransformerConstructor, register_transformer};
pub use value::Value;
