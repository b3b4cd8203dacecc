//! Fits the tables of each part and runs its program.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xshell::{Cmd, Shell};

use super::{Options, Part};
use crate::folder::{Table, tables_of};
use crate::json_lines::joined;
use crate::programs::{Programs, text};

/// The table that is made and not read.
const LOANS: &str = "loans";

/// Takes lines as they come.
type Record<'r> = &'r mut dyn FnMut(Value) -> Result<()>;

/// Measures every table of every part; the names of those that failed.
pub(super) fn run(
    sh: &Shell,
    programs: &Programs,
    options: &Options,
    data: &Path,
    record: Record<'_>,
) -> Result<Vec<String>> {
    let all = [Part::Own, Part::Truth, Part::Real, Part::Impute];
    let asked = |part: &Part| options.parts.is_empty() || options.parts.contains(part);
    let bench = Bench {
        sh,
        programs,
        options,
        data,
        python: programs.python(sh)?,
    };
    let mut models = BTreeMap::new();
    let mut failed = Vec::new();
    for part in all.into_iter().filter(asked) {
        for name in names(part, options) {
            let what = format!("{part:?} of {name}").to_lowercase();
            println!("{what}");
            if let Err(error) = bench.measure(part, name, &mut models, record) {
                eprintln!("{what} failed: {error:#}");
                failed.push(what);
            }
        }
    }
    Ok(failed)
}

/// The tables of a part: of those asked for its own ones, or any if the part was asked for by name and needs no truth.
fn names(part: Part, options: &Options) -> Vec<&str> {
    let (own, asked) = (part.tables(), &options.tables);
    if asked.is_empty() {
        return own.to_vec();
    }
    let any = |name: &str| !options.parts.is_empty() && part != Part::Truth && name != LOANS;
    let asked = asked.iter().map(String::as_str);
    asked.filter(|name| own.contains(name) || any(name)).collect()
}

struct Bench<'a> {
    sh: &'a Shell,
    programs: &'a Programs,
    options: &'a Options,
    data: &'a Path,
    python: PathBuf,
}

impl Bench<'_> {
    fn measure(
        &self,
        part: Part,
        name: &str,
        models: &mut BTreeMap<String, (Table, PathBuf)>,
        record: Record<'_>,
    ) -> Result<()> {
        if !models.contains_key(name) {
            models.insert(name.to_owned(), self.fit(name, record)?);
        }
        let (table, model) = &models[name];
        let conditions = || self.programs.bench(self.sh, "conditions");
        let folder = self.folder(name)?;
        let seed = self.options.seed.to_string();
        match part {
            Part::Own => self.lines(name, self.asked(conditions().arg("own"), model), record),
            Part::Truth => {
                let command = self.asked(conditions().arg("truth"), model);
                let command = match name {
                    "sim/asia" | "sim/child" => {
                        let network = folder.join("network.bif");
                        let scorer = self.scorer().args(["network", &name["sim/".len()..]]);
                        self.sh.write_file(&network, scorer.read()?)?;
                        command
                            .arg("--network")
                            .arg(network)
                            .arg("--test")
                            .arg(&table.test)
                    }
                    // the demos of these names are the same laws
                    _ => command.args(["--demo", name.trim_start_matches("sim/")]),
                };
                self.lines(name, command, record)
            }
            Part::Real => {
                let command = self.on_files(conditions().arg("real"), table, model, &folder);
                let command = match self.options.conditions {
                    Some(conditions) => command.args(["--conditions", &conditions.to_string()]),
                    None => command,
                };
                let cases = folder.join("cases.jsonl");
                self.sh.write_file(&cases, command.read()?)?;
                let scorer = self.scorer().arg("trend").arg("--train").arg(&table.train);
                let scorer = scorer.arg("--test").arg(&table.test).arg("--cases").arg(cases);
                self.lines_about(json!({"part": "real"}), name, scorer, record)
            }
            Part::Impute => {
                let command = self.on_files(conditions().arg("impute"), table, model, &folder);
                let about = joined(json!({"part": "impute"}), &command.read()?)?;
                let scorer = self.scorer().arg("impute").arg("--folder").arg(&folder);
                self.lines_about(about, name, scorer.args(["--seed", &seed]), record)
            }
        }
    }

    /// A model of a table, and the table.
    fn fit(&self, name: &str, record: Record<'_>) -> Result<(Table, PathBuf)> {
        let (options, folder) = (self.options, self.folder(name)?);
        let (train, seed) = (folder.join("loans.train.csv"), options.seed.to_string());
        let table = if name == LOANS {
            self.programs
                .echoflow_quietly(self.sh, &["demo", LOANS, "-o", text(&train)?])?;
            Table {
                name: name.to_owned(),
                // its truth is known and needs no test rows
                test: train.clone(),
                train,
            }
        } else {
            let found = tables_of(self.sh, self.data, &[name.to_owned()], true)?;
            found.into_iter().next().context("a table was named")?
        };
        let model = folder.join("model.echoflow");
        let mut fit = vec!["fit", text(&table.train)?, "-o", text(&model)?];
        fit.extend(["--seed", &seed, "--quiet"]);
        fit.extend(options.fit_args.split_whitespace());
        let took = self.programs.echoflow(self.sh, "fit", &fit)?;
        record(self.about(json!({"part": "fit"}), name, &Value::Object(took).to_string())?)?;
        Ok((table, model))
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.programs.folder.join("runs").join(name.replace('/', "-"));
        Ok(self.sh.create_dir(folder)?)
    }

    fn asked<'s>(&self, command: Cmd<'s>, model: &Path) -> Cmd<'s> {
        let options = self.options;
        let command = command.arg("--model").arg(model);
        let command = command.args(["--seed", &options.seed.to_string()]);
        let command = command.args(["--rows", &options.rows.to_string()]);
        let command = command.args(["--pool", &options.pool.to_string()]);
        match options.conditions {
            Some(conditions) => command.args(["--conditions", &conditions.to_string()]),
            None => command,
        }
    }

    fn on_files<'s>(&self, command: Cmd<'s>, table: &Table, model: &Path, folder: &Path) -> Cmd<'s> {
        command
            .arg("--model")
            .arg(model)
            .arg("--train")
            .arg(&table.train)
            .arg("--test")
            .arg(&table.test)
            .arg("--folder")
            .arg(folder)
            .args(["--seed", &self.options.seed.to_string()])
    }

    fn scorer(&self) -> Cmd<'_> {
        self.programs
            .python_program(self.sh, &self.python, "conditional.py")
    }

    fn lines(&self, name: &str, command: Cmd<'_>, record: Record<'_>) -> Result<()> {
        self.lines_about(json!({}), name, command, record)
    }

    /// Records each line that a program prints, with what is known about the run.
    fn lines_about(&self, about: Value, name: &str, command: Cmd<'_>, record: Record<'_>) -> Result<()> {
        let mut child = Command::from(command).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().context("a program has no output")?;
        for line in BufReader::new(out).lines() {
            record(self.about(about.clone(), name, &line?)?)?;
        }
        let status = child.wait()?;
        ensure!(status.success(), "the program ended with {status}");
        Ok(())
    }

    fn about(&self, about: Value, name: &str, printed: &str) -> Result<Value> {
        let run = json!({"table": name, "seed": self.options.seed, "fit_args": self.options.fit_args});
        joined(joined(run, &about.to_string())?, printed)
    }
}
