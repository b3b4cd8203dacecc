//! What the measuring programs share: data, and the process's own clocks.

pub mod data;
pub mod process;
