//! The language of conditions: text, meaning on tables, boxes, and the cells of laws.

mod boxes;
mod cells;
mod columns;
mod drawn;
mod language;
mod matches;
mod sources;
