//! One real fit through the program: a demo table, split, fitted, sampled, scored, inspected, and asked.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

const ROWS: usize = 3_000;
const TRAIN_ROWS: usize = 2_500;
const SAMPLED_ROWS: usize = 1_000;

/// Runs the program from a table to scores and checks what comes out.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo build -p echoflow-cli").run()?;
    let target = target_directory(sh)?;
    let program = Path::new(&target)
        .join("debug")
        .join(format!("echoflow{}", std::env::consts::EXE_SUFFIX));
    let folder = Path::new(&target).join("e2e");
    sh.remove_path(&folder)?;
    let folder = sh.create_dir(folder)?;
    let _inside = sh.push_dir(&folder);

    let rows = ROWS.to_string();
    cmd!(sh, "{program} demo loans -n {rows} --seed 7 -o loans.csv").run()?;
    let table = sh.read_file("loans.csv")?;
    let (train, test) = split(&table, TRAIN_ROWS)?;
    ensure!(
        row_count(&test) == ROWS - TRAIN_ROWS,
        "the demo wrote {} rows, not {ROWS}",
        row_count(&table)
    );
    sh.write_file("train.csv", &train)?;
    sh.write_file("test.csv", &test)?;

    for model in ["maf", "autoregressive"] {
        check_threads(sh, &program, model)?;
    }
    check_results(sh, &program, &table, &test)?;
    check_questions(sh, &program, &test)
}

/// Conditions, missing cells and odd rows, under the last model: rows meet what was asked, whatever the number of threads.
fn check_questions(sh: &Shell, program: &Path, test: &str) -> Result<()> {
    let income = column(header(test), "income")?;
    let blanked: Vec<String> = test
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let blank = |(i, cell): (usize, &str)| {
                if at > 0 && (i + at) % 4 == 0 {
                    String::new()
                } else {
                    cell.to_owned()
                }
            };
            let cells: Vec<String> = line.split(',').enumerate().map(blank).collect();
            cells.join(",")
        })
        .collect();
    sh.write_file("holes.csv", blanked.join("\n") + "\n")?;
    for threads in ["1", "2"] {
        let asked = [
            "sample",
            "1.model",
            "-n",
            "500",
            "--where",
            "income between 30000 and 50000",
        ];
        cmd!(
            sh,
            "{program} {asked...} --seed 2 --threads {threads} -o asked-{threads}.csv"
        )
        .run()?;
        cmd!(
            sh,
            "{program} impute 1.model holes.csv --seed 2 --threads {threads} -o whole-{threads}.csv"
        )
        .run()?;
    }
    for (one, two) in [("asked-1.csv", "asked-2.csv"), ("whole-1.csv", "whole-2.csv")] {
        ensure!(
            sh.read_binary_file(one)? == sh.read_binary_file(two)?,
            "{one} and {two}, made with 1 and 2 threads, differ"
        );
    }
    let asked = sh.read_file("asked-1.csv")?;
    ensure!(
        row_count(&asked) == 500,
        "{} rows were drawn, not 500",
        row_count(&asked)
    );
    for line in asked.lines().skip(1) {
        let value: f64 = line.split(',').nth(income).unwrap_or_default().parse()?;
        ensure!(
            (30_000.0..=50_000.0).contains(&value),
            "a row has the income {value}"
        );
    }
    let whole = sh.read_file("whole-1.csv")?;
    ensure!(
        row_count(&whole) == row_count(test),
        "imputing changed the number of rows"
    );
    for (line, holes) in whole.lines().zip(&blanked) {
        for (cell, hole) in line.split(',').zip(holes.split(',')) {
            ensure!(!cell.is_empty(), "a cell was left empty: {line}");
            ensure!(hole.is_empty() || cell == hole, "'{hole}' became '{cell}'");
        }
    }
    let p = cmd!(sh, "{program} probability 1.model --where")
        .arg("income >= 40000")
        .read()?;
    ensure!(p.starts_with("P = 0."), "a probability reads '{p}'");
    let odd = cmd!(sh, "{program} anomalies 1.model test.csv --fraction 0.02").read()?;
    ensure!(
        row_count(&odd) == row_count(test) / 50,
        "{} odd rows",
        row_count(&odd)
    );
    Ok(())
}

fn column(header: &str, name: &str) -> Result<usize> {
    header
        .split(',')
        .position(|column| column == name)
        .with_context(|| format!("there is no column '{name}' among '{header}'"))
}

/// Fits, samples and scores with one thread and with two: the files must be equal.
fn check_threads(sh: &Shell, program: &Path, model: &str) -> Result<()> {
    for threads in ["1", "2"] {
        cmd!(
            sh,
            "{program} fit train.csv -o {threads}.model --model {model} --seed 1 --epochs 4 --threads {threads} --quiet"
        )
        .run()?;
        let n = SAMPLED_ROWS.to_string();
        cmd!(
            sh,
            "{program} sample {threads}.model -n {n} --seed 3 -o sample-{threads}.csv"
        )
        .run()?;
        cmd!(
            sh,
            "{program} score {threads}.model test.csv -o scores-{threads}.csv"
        )
        .run()?;
    }
    for (one, two, what) in [
        ("1.model", "2.model", "the models"),
        ("sample-1.csv", "sample-2.csv", "the samples"),
        ("scores-1.csv", "scores-2.csv", "the scores"),
    ] {
        ensure!(
            sh.read_binary_file(one)? == sh.read_binary_file(two)?,
            "{what} of 1 and 2 threads differ under {model}: the order of a sum or a random number depends on the thread count"
        );
    }
    Ok(())
}

/// The rows and scores of the last model are as a user expects.
fn check_results(sh: &Shell, program: &Path, table: &str, test: &str) -> Result<()> {
    let sample = sh.read_file("sample-1.csv")?;
    ensure!(
        header(&sample) == header(table),
        "the sample's columns are '{}', the table's '{}'",
        header(&sample),
        header(table)
    );
    ensure!(
        row_count(&sample) == SAMPLED_ROWS,
        "{} rows were sampled, not {SAMPLED_ROWS}",
        row_count(&sample)
    );

    let scores = sh.read_file("scores-1.csv")?;
    ensure!(
        row_count(&scores) == row_count(test),
        "{} scores for {} rows",
        row_count(&scores),
        row_count(test)
    );
    let mean = mean_of_column(&scores, "log_prob")?;
    ensure!(mean.is_finite(), "the mean log_prob of the test rows is {mean}");

    let inspected = cmd!(sh, "{program} inspect 1.model").read()?;
    for column in header(table).split(',') {
        ensure!(
            inspected.contains(column),
            "`inspect` does not name the column '{column}'"
        );
    }
    println!(
        "fitted {TRAIN_ROWS} loans, sampled {SAMPLED_ROWS}; mean log_prob of the test rows {mean:.3} nats"
    );
    Ok(())
}

/// Where cargo builds.
pub(crate) fn target_directory(sh: &Shell) -> Result<String> {
    let metadata = cmd!(sh, "cargo metadata --format-version 1 --no-deps")
        .quiet()
        .read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    Ok(metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?
        .to_owned())
}

fn header(csv: &str) -> &str {
    csv.lines().next().unwrap_or("")
}

fn row_count(csv: &str) -> usize {
    csv.lines().count().saturating_sub(1)
}

/// The first `rows` rows and the others, each under the header. The loans have no line break inside a cell.
fn split(csv: &str, rows: usize) -> Result<(String, String)> {
    let lines: Vec<&str> = csv.lines().collect();
    let Some((header, body)) = lines.split_first() else {
        bail!("the demo table is empty")
    };
    ensure!(
        body.len() > rows,
        "the demo table has {} rows; more than {rows} are needed",
        body.len()
    );
    let (first, rest) = body.split_at(rows);
    let table = |part: &[&str]| format!("{header}\n{}\n", part.join("\n"));
    Ok((table(first), table(rest)))
}

/// The mean of a column of numbers; the column's cells hold no commas.
fn mean_of_column(csv: &str, name: &str) -> Result<f64> {
    let at = column(header(csv), name)?;
    let mut sum = 0.0;
    for line in csv.lines().skip(1) {
        let cell = line
            .split(',')
            .nth(at)
            .with_context(|| format!("the line '{line}' has no '{name}'"))?;
        let number: f64 = cell
            .parse()
            .with_context(|| format!("'{cell}' under '{name}' is not a number"))?;
        sum += number;
    }
    Ok(sum / row_count(csv) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_split_under_one_header() {
        let (train, test) = split("a,b\n1,2\n3,4\n5,6\n", 2).expect("three rows");
        assert_eq!((train.as_str(), test.as_str()), ("a,b\n1,2\n3,4\n", "a,b\n5,6\n"));
        assert!(split("a,b\n1,2\n", 2).is_err());
        assert!(split("", 0).is_err());
    }

    #[test]
    fn means_are_of_the_named_column() {
        assert_eq!(
            mean_of_column("x,log_prob\n9,-1\n9,-3\n", "log_prob").expect("numbers"),
            -2.0
        );
        assert!(mean_of_column("x\n1\n", "log_prob").is_err());
        assert!(mean_of_column("log_prob\nabc\n", "log_prob").is_err());
        assert!(
            !mean_of_column("log_prob\n-inf\n", "log_prob")
                .expect("a number")
                .is_finite()
        );
    }
}
