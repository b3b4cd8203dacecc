#![doc = include_str!("../README.md")]

mod bijector;
mod config;
mod gradient;
mod jacobian;
mod precision;
mod report;

pub use bijector::{assert_bijector, check_bijector};
pub use config::CheckConfig;
pub use gradient::{GradientReport, check_gradient};
pub use precision::assert_f32_agrees;
pub use report::{Report, Violation};
