//! What the measuring programs share: data, flows, the measuring itself, counts of useful work, the process's own
//! clocks; tables to fit and plain models of tables to compare with.

pub mod breadth;
pub mod conditions;
pub mod copula;
pub mod data;
pub mod model;
pub mod process;
pub mod speed;
pub mod split;
pub mod work;
