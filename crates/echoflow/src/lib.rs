#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | holds |
//! | --- | --- |
//! | [`EchoFlow`], [`Builder`] | a fitted model; how to fit one |
//! | [`Sample`], [`Score`], [`Complete`], [`Impute`], [`Probability`], [`Predict`], [`Anomalies`] | what can be asked of a model |
//! | [`Key`] | where random numbers come from |
//! | [`Table`], [`read_csv`], [`write_csv`] | the table; from files and into files, by the default feature `csv` |
//! | [`Progress`] | watching a fit, and stopping it |
//! | [`Architecture`] | the sizes of a model, and their defaults |
//! | [`ModelKind`], [`Tried`], [`register`] | the kinds of model, what `auto` compared, and the door for flows of your own |
//! | [`Part`] | what of a model is trained by itself |
//! | [`demo`], [`plot`] | tables whose true density is known; pictures: the default features `demo` and `plot` |
//! | [`column`](mod@column), [`tensor`], [`bijectors`], [`density`], [`train`], [`tabular`], [`io`], [`random`] | the crates below |

mod answers;
mod architecture;
mod builder;
mod candidate;
mod columns;
mod derived;
mod ensemble;
mod error;
mod file;
mod kind;
mod model;
mod or_infinity;
mod parallel;
mod progress;
mod proposal;
mod row_key;
mod stage;
mod table_density;

pub use answers::{
    Anomalies, Attribution, Complete, Completed, Diagnostics, Drawn, Estimate, Impute, NumberPrediction,
    Predict, Prediction, Probability, Sample, SampleWhere, Score,
};
pub use architecture::{Architecture, AutoregressiveSizes, FlowSizes};
pub use builder::Builder;
pub use candidate::Tried;
pub use ef_density::{Key, Scores};
pub use ef_io::IoError;
#[cfg(feature = "csv")]
pub use ef_io::{read_csv, read_csv_from, read_csv_from_like, read_csv_like, write_csv, write_csv_to};
pub use ef_tabular::{Table, TableError};
pub use ef_train::{History, StopReason, TrainConfig};
pub use error::Error;
pub use kind::{FlowConstructor, ModelKind, Options, RegisteredName, register};
pub use model::EchoFlow;
pub use parallel::with_threads;
pub use progress::{Progress, Silent, StageStart};
pub use stage::Part;

pub use ef_tabular::condition;
pub use ef_tabular::condition::Condition;

pub use ef_bijectors as bijectors;
pub use ef_column as column;
#[cfg(feature = "demo")]
pub use ef_demo as demo;
pub use ef_density as density;
pub use ef_io as io;
#[cfg(feature = "plot")]
pub use ef_plot as plot;
pub use ef_random as random;
pub use ef_tabular as tabular;
pub use ef_tensor as tensor;
pub use ef_train as train;
/// The traits of generators that [`random`] and the crates above it are written for.
pub use rand;
