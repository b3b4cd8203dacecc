#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | holds |
//! | --- | --- |
//! | [`fit()`], [`TrainConfig`], [`History`] | the loop, its settings, what happened |
//! | [`fit_variational()`], [`Variational`], [`Target`], [`kl_divergence`] | reverse-KL training for a density known up to a factor, and how far it got |
//! | [`Plan`], [`Hold`] | how long to train, and at which learning rates |
//! | [`Observer`] | progress, and a stop button |
//! | [`Adam`], [`Schedule`], [`clip_factor`], [`ema_decay`] | the parts of a step, usable alone |
//! | [`Batches`], [`validation_split`] | keyed orders of rows |
//!
//! Training uses a model only as a [`Density`](ef_density::Density). This crate knows neither how a model is built nor
//! what a row is.

mod adam;
mod batches;
mod clip;
mod config;
mod ema;
mod error;
mod fit;
mod history;
mod observer;
mod parallel;
mod passes;
mod plan;
mod schedule;
mod score;
mod variational;

pub use adam::{Adam, AdamConfig, AdamStep};
pub use batches::{Batches, Split, SplitConfig, validation_split};
pub use clip::{clip_factor, squared_norm};
pub use config::TrainConfig;
pub use ema::{ema_decay, ema_update};
pub use error::TrainError;
pub use fit::fit;
pub use history::{EpochRecord, History, StopReason};
pub use observer::{EpochReport, FitStart, Observer, StepReport};
pub use plan::{Hold, Plan};
pub use schedule::Schedule;
pub use variational::{
    KlEstimate, Target, Variational, VariationalBlock, VariationalConfig, VariationalHistory,
    VariationalScratch, fit_variational, kl_divergence,
};
