//! The language of conditions: text, meaning on tables, boxes, and the cells of laws.

mod boxes;
mod cells;
mod drawn;
mod language;
mod matches;
