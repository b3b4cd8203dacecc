#![doc = include_str!("../README.md")]

mod bijector;
mod case;
mod config;
#[cfg(feature = "density")]
mod density;
mod gradient;
mod jacobian;
mod laws;
mod report;
mod saved;
pub mod strategy;

pub use bijector::{assert_bijector, check_bijector};
pub use config::{CheckConfig, Domain};
#[cfg(feature = "density")]
pub use density::{DensityConfig, DensityDraw, assert_density, check_density};
pub use gradient::{GradientReport, check_gradient};
pub use laws::{Mass, assert_f32_agrees, total_mass};
pub use report::{Report, Violation};
pub use strategy::{Draw, Extreme};
