//! The `echoflow` program.

fn main() {}
