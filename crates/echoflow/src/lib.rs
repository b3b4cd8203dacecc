#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | holds |
//! | --- | --- |
//! | [`EchoFlow`], [`Builder`] | a fitted model; how to fit one |
//! | [`Sample`], [`SampleWhere`], [`Score`], [`Complete`], [`Impute`], [`Probability`], [`Predict`], [`Anomalies`] | what can be asked of a model |
//! | [`Key`] | where random numbers come from |
//! | [`Table`], [`ColumnData`], [`Date`] | the table; the values of a column, to make one without files |
//! | [`read_csv`], [`write_csv`] | tables from files and into files, by the default feature `csv` |
//! | [`Progress`] | watching a fit, and stopping it |
//! | [`Architecture`] | the sizes of a model, and their defaults |
//! | [`ModelKind`], [`Tried`], [`register`] | the kinds of model, what `auto` compared, and the door for flows of your own |
//! | [`Part`] | what of a model is trained by itself |
//! | [`Error`] | whatever of this crate fails, for `?` |
//! | [`prelude`] | the names that most programs need, for `use echoflow::prelude::*` |
//! | [`demo`], [`plot`] | tables whose true density is known; pictures: the default features `demo` and `plot` |
//! | [`column`](mod@column), [`tensor`], [`bijectors`], [`density`], [`train`], [`tabular`], [`model`], [`io`], [`files`], [`random`] | the crates below |

pub use ef_model::{
    Anomalies, Architecture, Attribution, AutoregressiveSizes, Builder, Complete, Completed, Condition,
    DerivedColumn, Diagnostics, Drawn, EchoFlow, Estimate, FlowConstructor, FlowSizes, History, Impute, Key,
    ModelError, ModelKind, NumberPrediction, Options, Part, Predict, Prediction, Probability, Progress,
    RegisteredName, Sample, SampleWhere, Score, Scores, Silent, StageStart, StopReason, Table, TableError,
    TrainConfig, TrainedPart, Tried, register, with_threads,
};

#[cfg(feature = "csv")]
pub use ef_io::{
    IoError, read_csv, read_csv_from, read_csv_from_like, read_csv_like, write_csv, write_csv_to,
};

pub use ef_tabular::{ColumnData, Date, condition};

pub use ef_bijectors as bijectors;
pub use ef_column as column;
#[cfg(feature = "demo")]
pub use ef_demo as demo;
pub use ef_density as density;
pub use ef_files as files;
#[cfg(feature = "csv")]
pub use ef_io as io;
pub use ef_model as model;
#[cfg(feature = "plot")]
pub use ef_plot as plot;
pub use ef_random as random;
pub use ef_tabular as tabular;
pub use ef_tensor as tensor;
pub use ef_train as train;
/// The traits of generators that [`random`] and the crates above it are written for.
pub use rand;

/// The names that most programs need.
pub mod prelude {
    pub use crate::{
        Anomalies, Complete, Condition, EchoFlow, Impute, Key, ModelKind, Predict, Prediction, Probability,
        Sample, Score, Table,
    };
    #[cfg(feature = "csv")]
    pub use crate::{read_csv, write_csv};
}

/// An error of any of the crates that a program meets here, for functions that use `?` on all of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Of a model: fitting, asking, saving, loading.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// Of a table in memory.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Of a condition that is read from text, or that does not fit a table.
    #[error(transparent)]
    Condition(#[from] condition::ConditionError),
    /// Of a file that a table comes from or goes to.
    #[cfg(feature = "csv")]
    #[error(transparent)]
    Io(#[from] IoError),
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        Self::Model(Box::new(error))
    }
}
