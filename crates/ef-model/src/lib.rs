#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | module | holds |
//! | --- | --- |
//! | `columns`, `derived` | a table's columns as a density reads them; columns that follow from others |
//! | `kind`, `architecture` | the kinds of model, their sizes and defaults, and the door for flows of your own |
//! | `table_density` | what every kind of model can do, and what it may be able to do |
//! | `builder`, `candidate`, `budget`, `stage`, `progress` | fitting |
//! | `proposal` | the order-agnostic network beside a model |
//! | `file` | the model file |
//! | `answers` | what can be asked of a model: one request a file |

mod answers;
mod architecture;
mod budget;
mod builder;
mod candidate;
mod columns;
mod derived;
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
pub use derived::DerivedColumn;
pub use error::ModelError;
pub use kind::{FlowConstructor, ModelKind, Options, RegisteredName, register};
pub use model::EchoFlow;
pub use parallel::with_threads;
pub use progress::{Progress, Silent, StageStart};
pub use stage::{Part, TrainedPart};

pub use ef_density::{Key, Scores};
pub use ef_tabular::condition::Condition;
pub use ef_tabular::{Table, TableError};
pub use ef_train::{History, StopReason, TrainConfig};
