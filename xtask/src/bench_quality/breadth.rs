//! Generated tables: fit, and compare log-densities with plain models of the same columns.

use anyhow::Result;
use serde_json::{Value, json};
use xshell::Shell;

use super::Options;
use super::run::object;
use crate::folder::{Table, tables_of};
use crate::programs::{Programs, text};

/// As `tables breadth` calls them.
const NAMES: [&str; 5] = ["wide", "small", "long", "levels", "missing"];

/// Makes the tables and runs each with every seed.
pub(super) fn run(
    sh: &Shell,
    programs: &Programs,
    options: &Options,
    record: &mut dyn FnMut(String, Result<Value>) -> Result<()>,
) -> Result<()> {
    let folder = sh.create_dir(programs.folder.join("breadth"))?;
    for name in NAMES {
        if options.tables.is_empty() || options.tables.iter().any(|asked| asked == name) {
            let command = programs.bench(sh, "tables").args(["breadth", name, "--folder"]);
            command.arg(&folder).run()?;
        }
    }
    for table in tables_of(sh, &folder, &options.tables, true)? {
        for seed in 0..options.seeds {
            let what = format!("{} with seed {seed}", table.name);
            println!("{what}");
            record(what, fit_and_compare(sh, programs, options, &table, seed))?;
        }
    }
    Ok(())
}

fn fit_and_compare(
    sh: &Shell,
    programs: &Programs,
    options: &Options,
    table: &Table,
    seed: u64,
) -> Result<Value> {
    let folder = sh.create_dir(programs.folder.join("runs"))?;
    let model = folder.join(format!("breadth-{}-{seed}.echoflow", table.name));
    let (model, train, test) = (text(&model)?, text(&table.train)?, text(&table.test)?);
    let number = seed.to_string();
    let mut line = json!({"breadth": table.name, "seed": seed, "fit_args": options.fit_args});
    let mut fit = vec!["fit", train, "-o", model, "--seed", &number, "--quiet"];
    fit.extend(options.fit_args());
    let took = programs.echoflow(sh, "fit", &fit)?;
    let compare = ["compare", "--model", model, "--train", train, "--test", test];
    let compared = object(&programs.bench(sh, "tables").args(compare).read()?)?;
    if let Value::Object(line) = &mut line {
        line.extend(took);
        line.extend(compared);
    }
    Ok(line)
}
