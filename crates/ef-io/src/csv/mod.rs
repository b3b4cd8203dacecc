//! CSV files: text of records, read into tables and written from them.

mod read;
mod scan;
mod write;

pub use read::{read_csv, read_csv_from, read_csv_from_like, read_csv_like};
pub use write::{write_csv, write_csv_to};
