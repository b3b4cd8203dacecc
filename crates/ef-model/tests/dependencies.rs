//! Columns that follow from others: derived when rows are drawn, checked when they are scored.

mod common;

use std::fmt::Write as _;

use approx::assert_relative_eq;
use common::small;
use ef_model::{EchoFlow, ModelKind, Table};
use ef_tabular::{Date, Dependency, Value};

fn read(text: &str) -> Table {
    ef_io::read_csv_from(text.as_bytes(), "t.csv").unwrap()
}

/// A number that looks random, in `0..1`.
fn noise(i: usize) -> f64 {
    (i as f64 * 12.9898)
        .sin()
        .mul_add(43_758.545, 0.5)
        .rem_euclid(1.0)
}

fn fit(table: &Table, context: &[&str], derive: bool) -> EchoFlow {
    let sizes = small(ModelKind::Maf, 16);
    let builder = EchoFlow::builder().architecture(sizes).seed(3).epochs(3);
    let builder = builder.context(context.iter().copied()).dependencies(derive);
    builder.threads(1).fit(table).unwrap()
}

fn said(model: &EchoFlow) -> Vec<String> {
    let derived = model.derived_columns();
    derived.map(|column| column.dependency.to_string()).collect()
}

/// Bookings: a booking's day settles month and year, its room the floor, its prices the total.
fn bookings(n: usize) -> Table {
    let mut text = "total,day,month,room,floor,base,extra,year,note\n".to_owned();
    for i in 0..n {
        let (day, month) = (1 + (28.0 * noise(i)) as usize, 1 + (12.0 * noise(i + 7)) as usize);
        let (year, room) = (2010 + i % 2, (9.0 * noise(i + 31)) as usize);
        let floor = ["ground", "first", "top"][room / 3];
        let (base, extra) = ((9000.0 * noise(i + 40)) as u64, (1000.0 * noise(i + 50)) as u64);
        let cents = |x: u64| format!("{}.{:02}", x / 100, x % 100);
        let total = cents(base + extra);
        let note = if noise(i + 60) < 0.3 { "" } else { "seen" };
        let date = format!("{year}-{month:02}-{day:02}");
        let (base, extra) = (cents(base), cents(extra));
        let _ = writeln!(
            text,
            "{total},{date},{month},r{room},{floor},{base},{extra},{year},{note}"
        );
    }
    read(&text)
}

const BOOKINGS: [&str; 4] = [
    "extra = total - base",
    "month = lookup of the month of day (12 values)",
    "floor = lookup of room (9 values)",
    "year = lookup of the year of day (2 values)",
];

#[test]
fn drawn_rows_keep_every_relation() {
    let table = bookings(600);
    let model = fit(&table, &[], true);
    let mut found = said(&model);
    found.sort_unstable();
    let mut expected = BOOKINGS;
    expected.sort_unstable();
    assert_eq!(found, expected);
    let drawn = model.sample(2000, 4).unwrap();
    assert_eq!(drawn.schema(), table.schema());
    for column in model.derived_columns() {
        let dependency = column.dependency;
        let column = drawn.column_index(dependency.derived()).unwrap();
        for (row, right) in dependency.derive(&drawn).unwrap().into_iter().enumerate() {
            let right = right.expect("drawn sources were seen");
            assert_eq!(drawn.value(row, column), right, "{dependency}, row {row}");
        }
    }
    // without derivation a small network breaks them
    let free = fit(&table, &[], false);
    assert_eq!(said(&free), [""; 0]);
    let drawn = free.sample(2000, 4).unwrap();
    let dependency = model.derived_columns().next().unwrap().dependency;
    let column = drawn.column_index(dependency.derived()).unwrap();
    let right = dependency.derive(&drawn).unwrap();
    let broken = (0..2000).filter(|row| right[*row] != Some(drawn.value(*row, column)));
    assert!(broken.count() > 100);
}

#[test]
fn probabilities_of_all_rows_add_up_to_one() {
    let mut text = "kind,grade,flag,again\n".to_owned();
    for i in 0..300 {
        let kind = (5.0 * noise(i)) as usize;
        let kind = ["a", "b", "c", "a", ""][kind];
        let grade = match kind {
            "a" | "c" => "x",
            "b" => "y",
            _ => "",
        };
        let _ = writeln!(text, "{kind},{grade},{},{kind}", noise(i + 9) < 0.4);
    }
    let table = read(&text);
    let model = fit(&table, &[], true);
    assert_eq!(
        said(&model),
        ["grade = lookup of kind (3 values)", "again = kind"]
    );
    // a gap is a value where there were gaps; elsewhere a gap and a new label are one event
    let kinds = ["a", "b", "c", "", "new"];
    let mut all = "kind,grade,flag,again\n".to_owned();
    let mut rows = 0;
    for (kind, again) in kinds.iter().flat_map(|k| kinds.map(|a| (*k, a))) {
        for (grade, flag) in ["x", "y", "", "new"]
            .iter()
            .flat_map(|g| ["true", "false", ""].map(|f| (*g, f)))
        {
            let _ = writeln!(all, "{kind},{grade},{flag},{again}");
            rows += 1;
        }
    }
    let all = read(&all);
    assert_eq!(all.num_rows(), rows);
    let mass = |model: &EchoFlow| {
        model
            .score(&all)
            .unwrap()
            .log_prob
            .iter()
            .map(|l| l.exp())
            .sum::<f64>()
    };
    assert_relative_eq!(mass(&model), 1.0, epsilon = 1e-5);
    assert_relative_eq!(mass(&fit(&table, &["kind"], true)), 5.0, epsilon = 1e-4);
    assert_relative_eq!(mass(&fit(&table, &[], false)), 1.0, epsilon = 1e-5);
}

#[test]
fn a_derived_number_has_mass_one_whatever_its_sources() {
    let mut text = "a,b,sum\n".to_owned();
    for i in 0..400 {
        let (a, b) = ((20.0 * noise(i)) as u32, (30.0 * noise(i + 3)) as u32);
        let _ = writeln!(text, "{a},{b},{}", a + b);
    }
    let model = fit(&read(&text), &[], true);
    assert_eq!(said(&model), ["sum = a + b"]);
    let marginal = model.derived_columns().next().unwrap().marginal;
    let eps: f64 = 1.0 / 402.0;
    for (a, b) in [(3, 4), (0, 0), (19, 29)] {
        let mut rows = "a,b,sum\n".to_owned();
        for sum in 0..3000 {
            let _ = writeln!(rows, "{a},{b},{sum}");
        }
        // one set of draws for all: rows of one number are scored alike
        let rows = read(&rows);
        let score = |row: usize| {
            let one = model.score(&rows.slice(row, 1)).unwrap();
            one.log_prob[0]
        };
        let right = (a + b) as usize;
        let own = |sum: usize| marginal.log_marginal(Value::Number(sum as f64));
        let base = score(right) - (1.0 - eps + eps * own(right).exp()).ln();
        let wrong = (right + 5) % 48;
        assert_relative_eq!(score(wrong) - base, eps.ln() + own(wrong), epsilon = 1e-9);
        let mass: f64 = (0..3000)
            .map(|sum| {
                if sum == right {
                    (score(right) - base).exp()
                } else {
                    (eps.ln() + own(sum)).exp()
                }
            })
            .sum();
        let gap = (eps.ln() + marginal.log_marginal(Value::Missing)).exp();
        assert_relative_eq!(mass + gap, 1.0, epsilon = 1e-7);
    }
}

#[test]
fn what_breaks_a_relation_is_unlikely_and_what_was_never_seen_falls_to_the_columns_own_marginal() {
    let table = bookings(600);
    let model = fit(&table, &[], true);
    let floor = model
        .derived_columns()
        .find(|column| column.dependency.derived() == "floor")
        .unwrap();
    let (dependency, marginal) = (floor.dependency, floor.marginal);
    assert_eq!(dependency.sources(), ["room"]);
    let row = |room: &str, floor: &str| {
        let text = format!(
            "total,day,month,room,floor,base,extra,year,note\n60.00,2010-05-09,5,{room},{floor},50.00,10.00,2010,seen\n"
        );
        model.score(&read(&text)).unwrap().log_prob[0]
    };
    let own = |floor: &str| marginal.log_marginal(Value::Text(floor));
    let eps: f64 = 1.0 / 602.0;
    assert_relative_eq!(
        row("r1", "top") - row("r1", "first"),
        own("top") - own("first"),
        epsilon = 1e-9
    );
    assert_relative_eq!(
        row("r1", "top") - row("r1", "ground"),
        eps.ln() + own("top") - (1.0 - eps + eps * own("ground").exp()).ln(),
        epsilon = 1e-9
    );
    assert_relative_eq!(
        row("r99", "top") - row("r99", "ground"),
        own("top") - own("ground"),
        epsilon = 1e-9
    );
}

#[test]
fn context_columns_are_sources_and_never_derived() {
    let table = bookings(600);
    let model = fit(&table, &["floor", "day"], true);
    assert!(model.schema().column("floor").is_none());
    let found: Vec<&str> = model.derived_columns().map(|c| c.dependency.derived()).collect();
    assert!(!found.contains(&"floor") && !found.contains(&"day"), "{found:?}");
    assert!(found.contains(&"month") && found.contains(&"year"), "{found:?}");
    // gaps, new days, and cells in other spellings, all given back as they were given
    let given = "day,floor\n2010-03-04,first\n2099-03-04,first\n,top\n2011-12-31,none\n";
    let given = read(given);
    let drawn = model.sample_given(&given, 5).unwrap();
    assert_eq!(drawn.column_names(), table.column_names());
    let text = |row: usize, name: &str| drawn.value(row, drawn.column_index(name).unwrap());
    assert_eq!(text(0, "month"), Value::Number(3.0));
    assert_eq!(text(0, "year"), Value::Number(2010.0));
    // the month of a new year is still a month; the year is drawn from the column's own marginal
    assert_eq!(text(1, "month"), Value::Number(3.0));
    let years = [Value::Number(2010.0), Value::Number(2011.0)];
    assert!(years.contains(&text(1, "year")) && years.contains(&text(2, "year")));
    let day = Date::parse("2099-03-04").unwrap();
    assert_eq!(text(1, "day"), Value::Date(day));
    assert_eq!(text(2, "day"), Value::Missing);
    assert!(
        model
            .score(&drawn)
            .unwrap()
            .log_prob
            .iter()
            .all(|l| l.is_finite())
    );
    assert_eq!(model.full_schema(), table.schema());
}

#[test]
fn a_table_that_follows_from_its_context_keeps_one_column_to_learn() {
    let table = bookings(600).select(&["room", "floor", "day", "month"]).unwrap();
    let model = fit(&table, &["room", "day"], true);
    assert_eq!(model.schema().columns.len(), 1);
    assert_eq!(model.derived_columns().count(), 1);
    let drawn = model.sample_given(&table, 5).unwrap();
    assert_eq!(drawn.schema(), table.schema());
}

#[test]
fn a_file_keeps_derived_columns_and_one_without_has_no_such_section() {
    let table = bookings(400);
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    for derive in [true, false] {
        let model = fit(&table, &[], derive);
        model.save(&first).unwrap();
        let loaded = EchoFlow::load(&first).unwrap();
        assert_eq!(said(&loaded), said(&model));
        loaded.save(&second).unwrap();
        let bytes = std::fs::read(&first).unwrap();
        assert!(bytes == std::fs::read(&second).unwrap());
        let scores = |model: &EchoFlow| -> Vec<u64> {
            let scores = model.score(&table).unwrap();
            scores.log_prob.iter().map(|l| l.to_bits()).collect()
        };
        assert_eq!(scores(&loaded), scores(&model));
        let draw = |model: &EchoFlow| model.sample(300, 2).unwrap();
        assert_eq!(draw(&loaded), draw(&model));
        let header = String::from_utf8_lossy(&bytes);
        assert_eq!(header.contains("derived/1"), derive);
    }
}

#[test]
fn dependencies_come_in_the_order_of_derivation() {
    let model = fit(&bookings(600), &[], true);
    let derived: Vec<&Dependency> = model.derived_columns().map(|c| c.dependency).collect();
    for (at, dependency) in derived.iter().enumerate() {
        let later: Vec<&str> = derived[at..].iter().map(|d| d.derived()).collect();
        assert!(
            dependency.sources().iter().all(|source| !later.contains(source)),
            "{dependency}"
        );
    }
}
