#![doc = include_str!("../README.md")]

mod whole_file;

pub use whole_file::{check_writable, write_atomically};
