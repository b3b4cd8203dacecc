//! Dates in a model: fitted, saved, scored, drawn and given.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use approx::assert_abs_diff_eq;
use common::small;
use ef_model::{EchoFlow, ModelKind, Table};
use ef_tabular::{ColumnData, Date, Kind, Value};

/// Two rows a day, few or many days; takings are high at weekends.
fn shop(rows: i32, stride: i32) -> String {
    let mut text = "day,weekend,taken\n".to_owned();
    for row in 0..rows {
        let date = Date::from_day_number(15_000 + stride * (row / 2)).unwrap();
        let weekend = date.weekday() >= 5;
        let taken = f64::from((37 * row) % 100) / 100.0 + if weekend { 5.0 } else { 1.0 };
        let _ = writeln!(text, "{date},{weekend},{taken:.2}");
    }
    text
}

fn read(text: &str) -> Table {
    ef_io::read_csv_from(text.as_bytes(), "t.csv").unwrap()
}

fn fit(table: &Table, kind: ModelKind, context: &[&str]) -> EchoFlow {
    let sizes = small(kind, 16);
    let builder = EchoFlow::builder().architecture(sizes).seed(3).epochs(3);
    builder
        .context(context.iter().copied())
        .threads(1)
        .fit(table)
        .unwrap()
}

fn saved(model: &EchoFlow, path: &Path) -> (EchoFlow, String) {
    model.save(path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let header = String::from_utf8_lossy(&bytes).into_owned();
    (EchoFlow::load(path).unwrap(), header)
}

fn csv(table: &Table) -> String {
    let mut out = Vec::new();
    ef_io::write_csv_to(table, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn dates_are_scored_drawn_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    // with each day listed, and with days as ranks
    for (kind, stride, rows) in [
        (ModelKind::Maf, 1, 200),
        (ModelKind::Maf, 17, 2200),
        (ModelKind::Autoregressive, 1, 200),
        (ModelKind::Autoregressive, 17, 2200),
    ] {
        let table = read(&shop(rows, stride));
        let model = fit(&table, kind, &[]);
        let (loaded, header) = saved(&model, &folder.path().join("m.echoflow"));
        assert!(header.contains("columns/2"));
        let (ours, theirs) = (model.score(&table).unwrap(), loaded.score(&table).unwrap());
        assert_eq!(ours.log_prob, theirs.log_prob);
        assert!(ours.log_prob.iter().all(|log| log.is_finite()));
        let drawn = loaded.sample(300, 1).unwrap();
        assert_eq!(drawn.schema(), table.schema());
        let (Value::Date(first), Value::Date(last)) = (table.value(0, 0), table.value(rows as usize - 1, 0))
        else {
            panic!("no dates")
        };
        for row in 0..300 {
            let Value::Date(date) = drawn.value(row, 0) else {
                panic!("no date")
            };
            assert!((first..=last).contains(&date), "{date}");
        }
        assert_eq!(read(&csv(&drawn)), drawn);
    }
}

#[test]
fn all_days_and_flags_add_up_to_one() {
    let rows: String = (0..90)
        .map(|row| format!("2011-05-{:02},{}\n", 10 + 2 * (row % 5), row % 3 == 0))
        .collect();
    for kind in [ModelKind::Maf, ModelKind::Autoregressive] {
        let model = fit(&read(&format!("day,flag\n{rows}")), kind, &[]);
        assert_abs_diff_eq!(mass(&model), 1.0, epsilon = 1e-6);
    }
}

/// The mass of all rows of a day and a flag.
fn mass(model: &EchoFlow) -> f64 {
    let days: Vec<Option<Date>> = (-20_000..60_000).map(Date::from_day_number).collect();
    let mut total = 0.0;
    for flag in [Some(true), Some(false), None] {
        for day in [days.clone(), vec![None]] {
            let flag = vec![flag; day.len()];
            let columns = vec![
                ("day".to_owned(), ColumnData::Date(day)),
                ("flag".to_owned(), ColumnData::Boolean(flag)),
            ];
            let scores = model.score(&Table::from_columns(columns).unwrap()).unwrap();
            total += scores.log_prob.iter().map(|log| log.exp()).sum::<f64>();
        }
    }
    total
}

#[test]
fn dates_can_be_given() {
    // few days, and so many that they are no cells of a context
    for rows in [400, 1200] {
        let model = fit(&read(&shop(rows, 1)), ModelKind::Maf, &["day"]);
        let given = read("day\n2011-02-01\n\n2011-02-05\n2030-01-01\n");
        let drawn = model.sample_given(&given, 1).unwrap();
        assert_eq!(csv(&drawn.select(&["day"]).unwrap()), csv(&given));
        let refused = model
            .sample_given(&read("day\n2011-02-30\n"), 1)
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("t.csv, line 2, column \"day\": \"2011-02-30\" is not a date (YYYY-MM-DD)"),
            "{refused}"
        );
    }
}

/// Models of before there were dates hold them as categories: they load and score as ever.
#[test]
fn a_model_of_dates_as_categories_goes_on() {
    let text = shop(200, 1);
    let mut schema = read(&text).schema();
    schema.columns[0].kind = Kind::Category;
    let table = ef_io::read_csv_from_like(text.as_bytes(), "t.csv", &schema).unwrap();
    let table = schema.conform(&table).unwrap();
    let model = fit(&table, ModelKind::Maf, &[]);
    let folder = tempfile::tempdir().unwrap();
    let (loaded, header) = saved(&model, &folder.path().join("m.echoflow"));
    assert!(header.contains("columns/1") && !header.contains("confined"));
    let dates = read(&text);
    assert_eq!(dates.schema().columns[0].kind, Kind::Date);
    assert_eq!(
        loaded.score(&dates).unwrap().log_prob,
        model.score(&table).unwrap().log_prob
    );
    let drawn = loaded.sample(50, 1).unwrap();
    assert!(matches!(drawn.value(0, 0), Value::Text(text) if Date::parse(text).is_some()));
}
