//! `echoflow predict`: the distribution of one column in each row.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use echoflow::tabular::{ColumnMarginal, ColumnSchema, Date, Kind, NumberFormat, Value};
use echoflow::{EchoFlow, NumberPrediction, Prediction, with_threads};

use super::Job;
use super::completing::refuse_stranger;
use crate::args;
use crate::files::Files;
use crate::output::{count, note, read_table_for, refuse_taken, write_table};
use crate::progress::Working;

/// Rows predicted at a time: so many that a person sees them go by. No part of the result.
const CHUNK: usize = 2048;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Predict {
    /// Model file
    model: PathBuf,
    /// CSV file, whose empty cells and columns that it lacks are averaged over; - is standard input
    table: PathBuf,
    /// The column to predict; what the table says of it is not read
    #[arg(long, value_name = "NAME")]
    column: String,
    /// CSV file to write, which may be the table that is read; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Number of the table's first row, counted from 0: a part of a larger table gets what it gets in the whole
    #[arg(long, value_name = "ROW", default_value = "0", value_parser = args::first_row, allow_negative_numbers = true)]
    first_row: u64,
    /// Threads (0: all); any number gives the same predictions
    #[arg(long, default_value = "0", value_parser = args::threads, allow_negative_numbers = true)]
    threads: usize,
}

const EXAMPLES: &str = "\
Examples:
  echoflow predict loans.echoflow loans.csv --column defaulted -o predicted.csv
  echoflow predict loans.echoflow loans.csv --column income -o predicted.csv

Adds, for a category, P(NAME = LABEL) for each label and predicted, the most probable one; for a number or a date, mean,
deviation (in days for a date) and the quantiles q05, q25, median, q75 and q95 of its known values; and P(NAME is missing)
where it can be missing.";

impl Job for Predict {
    fn files(&self) -> Result<Files<'_>> {
        Ok(Files::default()
            .reads("model", &self.model)
            .reads_table("table", &self.table)
            .writes_more_of("table", "-o", &*self.output))
    }

    fn run(&self) -> Result<ExitCode> {
        run(self)
    }
}

fn run(args: &Predict) -> Result<ExitCode> {
    let model = EchoFlow::load(&args.model)?;
    let table = read_table_for(&model, &args.table)?;
    refuse_stranger(&model, &table, &args.table)?;
    // a prediction for no rows: it has the columns that will be added, so a clash is refused before the work
    let mut predicted = Predicted::default();
    let request = echoflow::Predict::column(&args.column);
    predicted.add(request.run(&model, &table.slice(0, 0), model.key())?);
    let at = model.schema().index(&args.column).unwrap_or(0);
    let (column, marginal) = (&model.schema().columns[at], &model.marginals()[at]);
    let refuse = |added: &[(ColumnSchema, Vec<Value<'_>>)]| {
        let names: Vec<&str> = added.iter().map(|(column, _)| column.name.as_str()).collect();
        refuse_taken(&table, &args.table, &names, "the prediction would go")
    };
    refuse(&predicted.columns(column, marginal))?;
    with_threads(args.threads, || -> Result<()> {
        let working = Working::on_rows("predicting", table.num_rows());
        for first in (0..table.num_rows()).step_by(CHUNK) {
            let chunk = table.slice(first, CHUNK);
            let request = request.from_row(args.first_row + first as u64);
            predicted.add(request.run(&model, &chunk, model.key())?);
            working.done(chunk.num_rows());
        }
        Ok(())
    })??;
    let added = predicted.columns(column, marginal);
    refuse(&added)?;
    let mut whole = table.clone();
    for (column, values) in &added {
        whole = whole.with_values(column, values)?;
    }
    write_table(&whole, &args.output)?;
    note(&format!(
        "predicted {} for {}",
        args.column,
        count(table.num_rows(), "row")
    ));
    Ok(ExitCode::SUCCESS)
}

/// The predictions of all rows.
#[derive(Debug, Default)]
struct Predicted {
    /// In the order in which they came; an empty one is a missing cell.
    labels: Vec<String>,
    /// Of each row, by label; shorter if later labels were not known yet.
    probabilities: Vec<Vec<f64>>,
    numbers: Vec<NumberPrediction>,
}

impl Predicted {
    /// Takes in the predictions of some rows more.
    fn add(&mut self, prediction: Prediction) {
        let (labels, probabilities) = match prediction {
            Prediction::Numbers { rows } | Prediction::Dates { rows } => return self.numbers.extend(rows),
            Prediction::Labels {
                labels,
                probabilities,
            } => (labels, probabilities),
            _ => unreachable!("a kind of prediction that this program does not know"),
        };
        let mut places = Vec::with_capacity(labels.len());
        for label in labels {
            let found = self.labels.iter().position(|known| *known == label);
            places.push(found.unwrap_or(self.labels.len()));
            if found.is_none() {
                self.labels.push(label);
            }
        }
        for row in probabilities {
            let mut all = vec![0.0; self.labels.len()];
            places.iter().zip(row).for_each(|(&place, p)| all[place] += p);
            self.probabilities.push(all);
        }
    }

    /// The columns that a prediction adds, with a value for each row.
    fn columns(
        &self,
        column: &ColumnSchema,
        marginal: &ColumnMarginal,
    ) -> Vec<(ColumnSchema, Vec<Value<'_>>)> {
        let name = &column.name;
        let is_missing = format!("P({name} is missing)");
        if !matches!(column.kind, Kind::Category | Kind::Boolean) {
            let mut columns = self.figures(column);
            if marginal.missing_level().is_some() {
                let missing = |row: &NumberPrediction| Value::Number(row.missing);
                columns.push((decimal(is_missing), self.numbers.iter().map(missing).collect()));
            }
            return columns;
        }
        let of = |row: &Vec<f64>, label: usize| row.get(label).copied().unwrap_or(0.0);
        let mut columns = Vec::new();
        for (at, label) in self.labels.iter().enumerate() {
            let name = if label.is_empty() {
                is_missing.clone()
            } else {
                format!("P({name} = {label})")
            };
            let values = self.probabilities.iter().map(|row| Value::Number(of(row, at)));
            columns.push((decimal(name), values.collect()));
        }
        let most_probable = |row: &Vec<f64>| {
            let known = (0..self.labels.len()).filter(|&at| !self.labels[at].is_empty());
            // of equally probable ones the first
            let best = known.rev().max_by(|&a, &b| of(row, a).total_cmp(&of(row, b)));
            best.map_or(Value::Missing, |at| Value::Text(&self.labels[at]))
        };
        let predicted = ColumnSchema {
            name: "predicted".to_owned(),
            kind: Kind::Category,
            ..column.clone()
        };
        columns.push((predicted, self.probabilities.iter().map(most_probable).collect()));
        columns
    }

    /// Mean, deviation and quantiles, these and the mean of dates as dates.
    fn figures(&self, column: &ColumnSchema) -> Vec<(ColumnSchema, Vec<Value<'static>>)> {
        let is_date = column.kind == Kind::Date;
        let value = |x: f64| match is_date {
            _ if !x.is_finite() => Value::Missing,
            true => Date::from_day_number(x.round() as i32).map_or(Value::Missing, Value::Date),
            false => Value::Number(x),
        };
        // decimals of a mean are its own
        let averaged = |name: &str| {
            if is_date {
                ColumnSchema {
                    name: name.to_owned(),
                    ..column.clone()
                }
            } else {
                decimal(name.to_owned())
            }
        };
        let rows = || self.numbers.iter();
        let number = |x: f64| {
            if x.is_finite() {
                Value::Number(x)
            } else {
                Value::Missing
            }
        };
        let mut columns = vec![
            (averaged("mean"), rows().map(|row| value(row.mean)).collect()),
            (
                decimal("deviation".to_owned()),
                rows().map(|row| number(row.deviation)).collect(),
            ),
        ];
        for (at, name) in ["q05", "q25", "median", "q75", "q95"].into_iter().enumerate() {
            let schema = ColumnSchema {
                name: name.to_owned(),
                ..column.clone()
            };
            columns.push((schema, rows().map(|row| value(row.quantiles[at])).collect()));
        }
        columns
    }
}

fn decimal(name: String) -> ColumnSchema {
    ColumnSchema {
        name,
        kind: Kind::Decimal,
        format: NumberFormat::Shortest { min_decimals: 0 },
        missing_marker: String::new(),
        boolean: echoflow::tabular::BooleanSpelling::default(),
    }
}
