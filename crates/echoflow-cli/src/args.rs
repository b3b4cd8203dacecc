//! How the values of the command line are read.

use std::time::Duration;

use echoflow::{AutoregressiveSizes, Condition, TrainConfig};

/// How conditions are written, for the help of the commands that take them.
pub(crate) const CONDITIONS: &str = "\
Conditions:
  sex = Female, age between 30 and 40, hours-per-week >= 50, income != \"<=50K\", education in (Bachelors, Masters),
  occupation is missing, day < 2024-02-01, capital-gain > column capital-loss; joined by and, or, not and ( ).
  A value of several words or with signs such as < and & is in double quotes; labels are compared letter by letter.";

/// Most rows made at once: all of them are held in memory.
pub(crate) const MOST_ROWS: usize = 10_000_000;

/// A trillion rows, far below where streams of random numbers would repeat.
const MOST_FIRST_ROW: u64 = 1_000_000_000_000;

pub(crate) fn rows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows) if rows <= MOST_ROWS => Ok(rows),
        Ok(_) => Err(format!(
            "at most {MOST_ROWS} rows can be made at once; make several files with different seeds"
        )),
        Err(_) => Err("give a whole number of rows, such as 1000".to_owned()),
    }
}

pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

/// The number of a table's first row.
pub(crate) fn first_row(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|row| *row <= MOST_FIRST_ROW)
        .ok_or_else(|| format!("give a whole number from 0 to {MOST_FIRST_ROW}, the rows before the first"))
}

pub(crate) fn epochs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|epochs| (1..=1_000_000).contains(epochs))
        .ok_or_else(|| "give a whole number from 1 to 1000000".to_owned())
}

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let most = TrainConfig::MOST_SHARDS;
    text.parse()
        .ok()
        .filter(|threads| *threads <= most)
        .ok_or_else(|| format!("give a whole number up to {most}, or 0 for all the machine has"))
}

pub(crate) fn ensemble(text: &str) -> Result<usize, String> {
    let most = AutoregressiveSizes::MOST_ENSEMBLE;
    text.parse()
        .ok()
        .filter(|models| (1..=most).contains(models))
        .ok_or_else(|| format!("give a whole number from 1 to {most}"))
}

pub(crate) fn shards(text: &str) -> Result<usize, String> {
    let most = TrainConfig::MOST_SHARDS;
    text.parse()
        .ok()
        .filter(|shards| (1..=most).contains(shards))
        .ok_or_else(|| format!("give a whole number from 1 to {most}"))
}

pub(crate) fn minutes(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|minutes: f64| Duration::try_from_secs_f64(minutes * 60.0).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "give a positive number of minutes, such as 2.5".to_owned())
}

pub(crate) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

pub(crate) fn condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn draws(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|draws| (1..=1000).contains(draws))
        .ok_or_else(|| "give a whole number from 1 to 1000".to_owned())
}

pub(crate) fn fraction(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|fraction| *fraction > 0.0 && *fraction <= 1.0)
        .ok_or_else(|| "give a share of the rows above 0 and up to 1, such as 0.01".to_owned())
}

pub(crate) fn nats(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|nats: &f64| !nats.is_nan())
        .ok_or_else(|| "give a number of nats, such as -30".to_owned())
}
