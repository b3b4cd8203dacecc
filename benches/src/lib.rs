//! What the measuring programs share: data, flows, the measuring itself, counts of useful work, and the process's own
//! clocks.

pub mod data;
pub mod model;
pub mod process;
pub mod speed;
pub mod work;
