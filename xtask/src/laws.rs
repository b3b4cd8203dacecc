//! The laws of all bijectors over many drawn cases, where continuous integration draws few.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

/// Counts of ef-check's reports, in the order in which a report prints them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts([u64; 5]);

/// The words after each count.
const WORDS: [&str; 5] = [
    " cases, ",
    " gradient coordinates compared, ",
    " skipped at kinks, ",
    " integrals compared with 1, ",
    " unsettled",
];

/// Runs the table of bijectors with at least `cases` cases in all, and adds up what they report.
pub(crate) fn run(sh: &Shell, cases: u64) -> Result<()> {
    let asked = cases.to_string();
    let test = cmd!(
        sh,
        "cargo test -p ef-bijectors --test laws laws_of -- --nocapture"
    );
    let mut running = Command::from(test)
        .env("EF_LAWS_CASES", &asked)
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo does not start")?;
    let lines = running.stdout.take().context("the test's output was asked for")?;
    let mut sum = Counts::default();
    let mut bijectors = 0;
    for line in BufReader::new(lines).lines() {
        let line = line?;
        println!("{line}");
        if let Some(counts) = Counts::of(&line) {
            bijectors += 1;
            sum.0.iter_mut().zip(counts.0).for_each(|(sum, n)| *sum += n);
        }
    }
    ensure!(
        running.wait()?.success(),
        "a law is broken: the lines above name it, the place and the case"
    );
    let Counts([drawn, compared, skipped, masses, unsettled]) = sum;
    println!(
        "{bijectors} bijectors, each size and context counted, {drawn} cases: {compared} gradient coordinates compared with differences, {skipped} \
         skipped at kinks; {masses} densities integrated to 1, {unsettled} could not be settled"
    );
    ensure!(
        drawn >= cases,
        "{drawn} cases were drawn, fewer than the {cases} asked for: see that every bijector of \
         ef-bijectors/tests/laws takes its share and prints its report"
    );
    Ok(())
}

impl Counts {
    /// The counts at the end of a line, `name: 8 cases, ..`; none if it has no report.
    fn of(line: &str) -> Option<Self> {
        let mut rest = line;
        let mut counts = [0; 5];
        for (count, words) in counts.iter_mut().zip(WORDS) {
            let (before, after) = rest.split_once(words)?;
            *count = before.rsplit(' ').next()?.parse().ok()?;
            rest = after;
        }
        Some(Self(counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let line = "maf, 2 columns, context 3: 8 cases, 480 gradient coordinates compared, 2 skipped at kinks, 1 \
                    integrals compared with 1, 0 unsettled";
        assert_eq!(Counts::of(line), Some(Counts([8, 480, 2, 1, 0])));
        assert_eq!(Counts::of("test laws_of_two_columns ... ok"), None);
        assert_eq!(Counts::of("running 3 tests, 8 cases"), None);
    }
}
