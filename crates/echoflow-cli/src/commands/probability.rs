//! `echoflow probability`: how probable a condition is.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::{Condition, EchoFlow, Estimate, Key, ModelError, Probability, with_threads};
use serde_json::json;

use super::Job;
use crate::args;
use crate::files::Files;
use crate::output::{estimate, note, to_stdout};
use crate::progress::Working;

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", args::CONDITIONS))]
pub(crate) struct AskProbability {
    /// Model file
    model: PathBuf,
    /// What is asked; if given several times, the probability that all of them are met
    #[arg(long = "where", value_name = "CONDITION", value_parser = args::condition, required = true)]
    conditions: Vec<Condition>,
    /// What is known; if given several times, all of them
    #[arg(long = "given", value_name = "CONDITION", value_parser = args::condition)]
    given: Vec<Condition>,
    /// Print a JSON object instead
    #[arg(long)]
    json: bool,
    /// The same seed gives the same estimate
    #[arg(long, default_value = "0", value_parser = args::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Threads (0: all); any number gives the same estimate
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    threads: usize,
}

const EXAMPLES: &str = "\
Examples:
  echoflow probability loans.echoflow --where 'amount > 20000'
  echoflow probability loans.echoflow --where 'defaulted = true' --given 'grade = A' --given 'income > 50000'";

impl Job for AskProbability {
    fn files(&self) -> Result<Files<'_>> {
        Ok(Files::default().reads("model", &self.model).prints())
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &AskProbability) -> Result<ExitCode> {
    let model = EchoFlow::load(&args.model)?;
    let condition = Condition::all(args.conditions.iter().cloned());
    let given = (!args.given.is_empty()).then(|| Condition::all(args.given.iter().cloned()));
    let request = Probability::of(&condition);
    let request = given.as_ref().map_or(request, |given| request.given(given));
    let (answer, why_not) = {
        let _working = Working::on("drawing");
        with_threads(args.threads, || -> Result<_, ModelError> {
            let answer = request.run(&model, Key::new(args.seed))?;
            let all = Condition::all(given.iter().cloned().chain([condition.clone()]));
            let why_not = if answer.value == 0.0 {
                model.sample_where(&all, 0, args.seed).err()
            } else {
                None
            };
            Ok((answer, why_not))
        })??
    };
    if let Some(ModelError::Impossible { condition, because }) = why_not {
        note(&format!("no row of the model meets {condition}: {because}"));
    }
    to_stdout(|out| {
        if args.json {
            let object = json!({
                "condition": condition.to_string(),
                "given": given.as_ref().map(ToString::to_string),
                "probability": answer.value,
                "standard_error": answer.standard_error,
                "draws": answer.draws,
                "ess": answer.ess,
            });
            writeln!(out, "{object}")
        } else {
            writeln!(out, "P = {}", in_words(&answer))
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn in_words(answer: &Estimate) -> String {
    let value = estimate(answer.value, answer.standard_error);
    if answer.standard_error == 0.0 {
        format!("{value} (exact)")
    } else {
        format!("{value} (standard error; {} draws)", answer.draws)
    }
}
