#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | holds |
//! | --- | --- |
//! | [`Key`], [`StepKey`] | families of streams, by seed, purpose and step |
//! | [`Philox`] | a stream, one a row |
//! | [`uniform`], [`normal`] | numbers from a stream |
//! | [`philox`] | blocks of many streams side by side, for vector code |

mod key;
pub mod normal;
pub mod philox;

pub use key::{Key, StepKey, uniform};
pub use philox::Philox;

/// The traits of generators that [`Philox`] implements, so that a user's version cannot differ.
pub use rand_core;
