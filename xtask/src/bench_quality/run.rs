//! Real tables: fit, sample, score, judge.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};
use xshell::Shell;

use super::Options;
use crate::folder::Table;
use crate::json_lines::joined;
use crate::programs::{Programs, text};

/// Runs every table with every seed.
pub(super) fn run(
    sh: &Shell,
    programs: &Programs,
    options: &Options,
    tables: &[Table],
    record: &mut dyn FnMut(String, Result<Value>) -> Result<()>,
) -> Result<()> {
    let python = programs.python(sh)?;
    for table in tables {
        // What depends on the real tables only is computed once for each pair of them.
        let mut real = None;
        for seed in 0..options.seeds {
            let what = format!("{} with seed {seed}", table.name);
            println!("{what}");
            let mut one = || -> Result<Value> {
                let pair = if options.validate {
                    real = None;
                    split(sh, programs, table, seed)?
                } else {
                    table.clone()
                };
                let known = match &real {
                    Some(known) => known,
                    None => real.insert(of_real(sh, programs, &python, options, &pair)?),
                };
                fit_and_judge(sh, programs, &python, options, &pair, seed, known)
            };
            let line = one();
            record(what, line)?;
        }
    }
    Ok(())
}

/// A training file in two, as the files of a table; the test file stays closed.
fn split(sh: &Shell, programs: &Programs, table: &Table, seed: u64) -> Result<Table> {
    let folder = sh.create_dir(programs.folder.join("validate"))?;
    let file = |part: &str| folder.join(format!("{}.{part}.csv", table.file_name()));
    let (train, test) = (file("train"), file("test"));
    let command = programs.bench(sh, "tables").arg("split").arg(&table.train);
    let command = command.arg("--train").arg(&train).arg("--test").arg(&test);
    command.args(["--seed", &seed.to_string()]).run()?;
    Ok(Table {
        name: table.name.clone(),
        train,
        test,
    })
}

fn of_real(
    sh: &Shell,
    programs: &Programs,
    python: &Path,
    options: &Options,
    table: &Table,
) -> Result<Map<String, Value>> {
    let (train, test) = (&table.train, &table.test);
    let scorer = programs
        .scorer(sh, python)
        .arg("real")
        .arg("--train")
        .arg(train)
        .arg("--test")
        .arg(test);
    object(&scorer.args(target(options, table)).read()?)
}

fn target<'o>(options: &'o Options, table: &Table) -> Vec<&'o str> {
    options
        .target(&table.name)
        .map_or_else(Vec::new, |column| vec!["--target", column])
}

fn fit_and_judge(
    sh: &Shell,
    programs: &Programs,
    python: &Path,
    options: &Options,
    table: &Table,
    seed: u64,
    real: &Map<String, Value>,
) -> Result<Value> {
    let folder = sh.create_dir(programs.folder.join("runs"))?;
    let file = |ending: &str| folder.join(format!("{}-{seed}.{ending}", table.file_name()));
    let (model, drawn) = (file("echoflow"), file("synthetic.csv"));
    let (train_scores, test_scores) = (file("train-scores.csv"), file("test-scores.csv"));
    let (model, drawn) = (text(&model)?, text(&drawn)?);
    let (train, test) = (text(&table.train)?, text(&table.test)?);
    let number = seed.to_string();
    let rows = real["rows"].to_string();

    let mut line = json!({"table": table.name, "seed": seed, "validate": options.validate, "fit_args": options.fit_args});
    let mut add = |found: Map<String, Value>| {
        if let Value::Object(line) = &mut line {
            line.extend(found);
        }
    };
    add(real.clone());
    let mut fit = vec!["fit", train, "-o", model, "--seed", &number, "--quiet"];
    fit.extend(options.fit_args());
    add(programs.echoflow(sh, "fit", &fit)?);
    add(programs.echoflow(
        sh,
        "sample",
        &["sample", model, "-n", &rows, "--seed", &number, "-o", drawn],
    )?);
    // as many rows as were drawn
    add(programs.echoflow(sh, "score", &["score", model, train, "-o", text(&train_scores)?])?);
    programs.echoflow(sh, "score", &["score", model, test, "-o", text(&test_scores)?])?;

    let compare = ["compare", "--model", model, "--train", train, "--test", test];
    add(object(&programs.bench(sh, "tables").args(compare).read()?)?);
    let scorer = programs
        .scorer(sh, python)
        .args([
            "synthetic",
            "--train",
            train,
            "--test",
            test,
            "--synthetic",
            drawn,
        ])
        .args([
            "--train-scores",
            text(&train_scores)?,
            "--test-scores",
            text(&test_scores)?,
        ])
        .args(target(options, table));
    // last: its NLL is over all test rows
    add(object(&scorer.read()?)?);
    Ok(line)
}

/// The object that a program printed.
pub(super) fn object(printed: &str) -> Result<Map<String, Value>> {
    match joined(json!({}), printed)? {
        Value::Object(found) => Ok(found),
        other => anyhow::bail!("a program printed '{other}'"),
    }
}
