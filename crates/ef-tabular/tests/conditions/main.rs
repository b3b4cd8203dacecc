//! The language of conditions: text, meaning on tables, boxes, and the levels of marginals.

mod boxes;
mod columns;
mod drawn;
mod language;
mod levels;
mod matches;
mod sources;
