//! Dates from files and batches, through their marginal, and back.

use std::sync::Arc;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use arrow_array::{Array as _, Date32Array, RecordBatch, TimestampSecondArray};
use ef_tabular::{
    ColumnData, ColumnMarginal, DATE_FEATURES, Date, DateMarginal, EncoderOptions, Kind, Marginal,
    NUMBER_FEATURES, Schema, Table, TableEncoder, TableError, Value,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn read(text: &str) -> Table {
    ef_io::read_csv_from(text.as_bytes(), "t.csv").unwrap()
}

fn written(table: &Table) -> String {
    let mut out = Vec::new();
    ef_io::write_csv_to(table, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn day(number: i32) -> Date {
    Date::from_day_number(number).unwrap()
}

#[test]
fn a_column_of_days_is_a_column_of_dates() {
    let cases: [(&[&str], Kind); 10] = [
        (&["2011-05-28", "1969-12-31"], Kind::Date),
        (&["0001-01-01", "?", "9999-12-31"], Kind::Date),
        (&[" 2011-05-28", "2011-05-29 "], Kind::Date),
        (&["2011-05-28", "2011-02-29"], Kind::Category),
        (&["2011-05-28", "2011-5-28"], Kind::Category),
        (&["2011-05-28", "tomorrow"], Kind::Category),
        (&["2011-05-28", "20110528"], Kind::Category),
        (&["2011-05-28 10:00:00", "2011-05-28 11:00:00"], Kind::Category),
        (&["2011-05-28T10:00"], Kind::Category),
        (&["28.05.2011"], Kind::Category),
    ];
    for (cells, kind) in cases {
        let text = format!("x,d\n0,{}\n", cells.join("\n1,"));
        let table = read(&text);
        assert_eq!(table.schema().columns[1].kind, kind, "{cells:?}");
        assert_eq!(written(&table), text);
    }
    let table = read("d\n2011-05-28\nNA\n");
    assert_eq!(table.value(0, 0), Value::Date(date("2011-05-28")));
    assert_eq!(table.value(1, 0), Value::Missing);
    assert_eq!(table.numbers("d").unwrap(), None);
}

fn read_as(text: &str, schema: &Schema) -> Result<Table, TableError> {
    let table = ef_io::read_csv_from_like(text.as_bytes(), "s.csv", schema);
    schema.conform(&table.unwrap())
}

#[test]
fn a_bad_date_is_named_with_the_way_out() {
    let known = read("n,d\n1,2011-05-28\n").schema();
    for (text, found) in [
        (
            "n,d\n1,2011-05-28\n\n2,2011-02-29\n",
            "line 4, column \"d\": \"2011-02-29\"",
        ),
        ("d,n\n20110528,1\n", "line 2, column \"d\": \"20110528\""),
        ("d,n\nTRUE,1\n", "line 2, column \"d\": \"TRUE\""),
    ] {
        assert_eq!(
            read_as(text, &known).unwrap_err().to_string(),
            format!(
                "s.csv, {found} is not a date (YYYY-MM-DD), and the column held dates when the model was fitted; \
                 mend the cell or leave it empty"
            )
        );
    }
    let table = read_as("d,n\n,1\n 2012-01-01,2\n", &known).unwrap();
    assert_eq!(table.value(0, 1), Value::Missing);
    assert_eq!(table.value(1, 1), Value::Date(date("2012-01-01")));
    // the other way round: dates where there were numbers, or true and false
    let numbers = read("d\n1.5\n").schema();
    let refused = read_as("d\n\n2011-05-28\n", &numbers).unwrap_err().to_string();
    assert!(
        refused.starts_with("s.csv, line 3, column \"d\": \"2011-05-28\" is not a number"),
        "{refused}"
    );
    let booleans = read("d\ntrue\n").schema();
    let refused = read_as("d\n2011-05-28\n", &booleans).unwrap_err().to_string();
    assert!(
        refused.starts_with("s.csv, line 2, column \"d\": \"2011-05-28\" is neither true nor false"),
        "{refused}"
    );
}

/// Before there were dates, such columns were categories: their models go on as they were.
#[test]
fn a_schema_that_says_category_keeps_the_texts() {
    let text = "d,n\n2011-05-28,1\n2011-05-29,2\n2011-05-28,3\n";
    let mut schema = read(text).schema();
    schema.columns[0].kind = Kind::Category;
    for table in [
        read_as(text, &schema).unwrap(),
        schema.conform(&read(text)).unwrap(),
    ] {
        assert_eq!(table.value(0, 0), Value::Text("2011-05-28"));
        assert_eq!(table.schema().columns[0].kind, Kind::Category);
        assert_eq!(written(&table), text);
        let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
        let json = serde_json::to_string(&encoder).unwrap();
        assert!(!json.contains("confined") && !json.contains("date\""), "{json}");
        let loaded: TableEncoder = serde_json::from_str(&json).unwrap();
        assert_eq!(
            loaded.encode(&read(text)).unwrap().columns[0].levels,
            [Some(0), Some(1), Some(0)]
        );
    }
}

#[test]
fn a_note_says_why_a_column_is_not_one_of_dates() {
    let notes = |cells: &[&str]| {
        let table = read(&format!("d\n{}\n", cells.join("\n")));
        let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
        encoder.notes().to_vec()
    };
    assert_eq!(
        notes(&["2011-05-28", "2011-02-29", "2011-05-27", "2011-05-28"]),
        [
            "column \"d\": read as categories, because \"2011-02-29\" is no date (YYYY-MM-DD); mend it to have dates"
        ]
    );
    assert_eq!(
        notes(&["2011-05-28", "soon", "2011-05-27", "never", "2011-01-01", "never"]),
        [
            "column \"d\": read as categories, because 2 values are no dates (YYYY-MM-DD), such as \"never\"; mend \
             them to have dates"
        ]
    );
    assert!(notes(&["2011-05-28", "soon"]).is_empty());
    assert!(notes(&["2011-05-28", "2011-05-27"]).is_empty());
}

fn batch(array: impl arrow_array::Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter([("d", Arc::new(array) as Arc<dyn arrow_array::Array>)]).unwrap()
}

#[test]
fn arrow_dates_come_in_and_go_out() {
    let days = Date32Array::from(vec![Some(15_122), None, Some(-1)]);
    let table = Table::from_record_batch(&batch(days.clone())).unwrap();
    assert_eq!(table.schema().columns[0].kind, Kind::Date);
    assert_eq!(written(&table), "d\n2011-05-28\n\"\"\n1969-12-31\n");
    assert_eq!(table.record_batch().column(0).to_data(), days.to_data());
    let columns = vec![(
        "d".into(),
        ColumnData::Date(vec![Some(day(15_122)), None, Some(day(-1))]),
    )];
    assert_eq!(Table::from_columns(columns).unwrap(), table);
    // a batch of a file remembers how its missing cells were written
    let text = "d,x\n?,1\n2011-05-28,2\n";
    assert_eq!(
        written(&Table::from_record_batch(read(text).record_batch()).unwrap()),
        text
    );
    let refused = Table::from_record_batch(&batch(Date32Array::from(vec![0, 2_932_897])));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "row 1 (counting from 0), column \"d\": day 2932897 after 1970-01-01 is outside the years 0001 to 9999; \
         replace it, or leave the cell empty"
    );
    let refused = Table::from_record_batch(&batch(TimestampSecondArray::from(vec![0])));
    assert!(matches!(refused, Err(TableError::UnsupportedType { .. })));
}

/// A name and the dates a marginal is fitted to.
fn columns() -> Vec<(&'static str, Vec<Option<Date>>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut draw = |n: usize, first: i32, span: f64| -> Vec<Option<Date>> {
        let bell = |rng: &mut ChaCha8Rng| (0..4).map(|_| rng.random::<f64>()).sum::<f64>() / 4.0;
        (0..n)
            .map(|_| Some(day(first + (span * bell(&mut rng)) as i32)))
            .collect()
    };
    let with = |mut dates: Vec<Option<Date>>, more: Option<Date>, times: usize| {
        dates.extend(vec![more; times]);
        dates
    };
    vec![
        ("one day", vec![Some(day(15_000)); 20]),
        ("two days", vec![Some(day(-400)), Some(day(9000))]),
        ("listed", draw(4000, 14_975, 731.0)),
        ("listed, missing", with(draw(900, -100, 200.0), None, 90)),
        ("continuous", draw(800, 14_975, 3000.0)),
        ("continuous, many days", draw(6000, -30_000, 60_000.0)),
        (
            "continuous, an end that means never",
            with(draw(2000, 10_000, 9000.0), Some(Date::LAST), 300),
        ),
        (
            "continuous, at the first day, missing",
            with(draw(600, Date::FIRST.day_number(), 4000.0), None, 50),
        ),
    ]
}

fn marginals() -> Vec<(&'static str, ColumnMarginal)> {
    let fit = |dates: Vec<Option<Date>>| {
        ColumnMarginal::Date(Box::new(DateMarginal::fit(dates.into_iter()).unwrap()))
    };
    columns()
        .into_iter()
        .map(|(name, dates)| (name, fit(dates)))
        .collect()
}

/// The days around those seen have the mass of their range, one by one, and the whole calendar has all of it.
#[test]
fn all_days_together_have_mass_one() {
    for (name, marginal) in marginals() {
        let ColumnMarginal::Date(own) = &marginal else {
            panic!("{name}: not a marginal of dates")
        };
        let shares = marginal.level_shares();
        let (calendar_first, calendar_last) = (Date::FIRST.day_number(), Date::LAST.day_number());
        let (first, last) = (own.range().0.day_number(), own.range().1.day_number());
        let around = 100 + 2 * (last - first);
        let (first, last) = (
            (first - around).max(calendar_first),
            (last + around).min(calendar_last),
        );
        let days: f64 = (first..=last)
            .map(|number| {
                let place = marginal.place(Value::Date(day(number)));
                (place.log_measure + place.level.map_or(0.0, |level| shares[level as usize].ln())).exp()
            })
            .sum();
        let mass = |first: i32, last: i32| marginal.mass(f64::from(first), f64::from(last));
        println!("{name}: {days} in {first} to {last}");
        assert_abs_diff_eq!(mass(first, last), days, epsilon = 1e-9);
        let missing = marginal.log_marginal(Value::Missing).exp();
        let calendar = mass(calendar_first, calendar_last);
        assert_abs_diff_eq!(calendar + missing, 1.0, epsilon = 1e-9);
        assert_abs_diff_eq!(mass(i32::MIN, i32::MAX), calendar, epsilon = 1e-12);
    }
}

#[test]
fn draws_are_dates_of_their_cell_and_of_the_range_seen() {
    for (name, marginal) in marginals() {
        let ColumnMarginal::Date(own) = &marginal else {
            panic!("{name}: not a marginal of dates")
        };
        let (first, last) = own.range();
        assert_eq!(marginal.is_continuous(), name.starts_with("continuous"), "{name}");
        for level in 0..marginal.levels() as u32 {
            for i in 0..500 {
                let rank = (f64::from(i) + 0.5) / 500.0;
                let drawn = marginal.draw(level, rank);
                let place = marginal.place(drawn);
                assert_eq!(place.level, Some(level), "{name}: {drawn:?}");
                let Value::Date(_) = drawn else {
                    assert_eq!(marginal.missing_level(), Some(level), "{name}: {drawn:?}");
                    break;
                };
                if level > 0 || !marginal.is_continuous() {
                    break;
                }
                assert!(
                    (place.low - 1e-12..=place.high + 1e-12).contains(&rank),
                    "{name}: {rank} {place:?}"
                );
                let confined = marginal.draw(level, own.days().confined(rank));
                let Value::Date(confined) = confined else {
                    panic!("{name}: {confined:?}")
                };
                assert!((first..=last).contains(&confined), "{name}: {confined}");
            }
        }
    }
}

#[test]
fn days_are_listed_while_there_are_two_rows_for_each() {
    let fitted = |days: i32, rows: i32| {
        let dates = (0..rows).map(|row| Some(day(15_000 + 3 * (row % days))));
        let marginal = DateMarginal::fit(dates).unwrap();
        (marginal.days().is_continuous(), marginal.days().atoms().len())
    };
    assert_eq!(fitted(1024, 2048), (false, 1024));
    assert!(fitted(1025, 20_000).0);
    assert!(fitted(1000, 1999).0);
    assert_eq!(fitted(2, 2), (false, 2));
}

#[test]
fn features_know_the_calendar() {
    for (name, marginal) in marginals() {
        assert_eq!(marginal.num_features(), DATE_FEATURES);
        let of = |value: Value<'_>| {
            let mut features = vec![9.0; DATE_FEATURES];
            marginal.features(value, &mut features);
            features
        };
        // a Wednesday, the leap day; a Sunday, half a turn of the year
        for (text, weekday, month, turn) in [
            ("2012-02-29", 2, 1, 59.0 / 366.0),
            ("2012-07-01", 6, 6, 182.0 / 366.0),
            ("2011-01-01", 5, 0, 0.0),
            ("9999-12-31", 4, 11, 364.0 / 365.0),
        ] {
            let features = of(Value::Date(date(text)));
            assert!(features.iter().all(|feature| feature.abs() <= 6.0), "{name}");
            let calendar = &features[NUMBER_FEATURES..];
            for (at, feature) in calendar[..19].iter().enumerate() {
                let set = at == weekday || at == 7 + month;
                assert_relative_eq!(*feature, f32::from(u8::from(set)));
            }
            let turn = std::f64::consts::TAU * turn;
            assert_relative_eq!(f64::from(calendar[19]), turn.sin(), epsilon = 1e-6);
            assert_relative_eq!(f64::from(calendar[20]), turn.cos(), epsilon = 1e-6);
        }
        let missing = of(Value::Missing);
        assert_relative_eq!(missing[NUMBER_FEATURES - 1], 1.0);
        assert_relative_eq!(missing.iter().sum::<f32>(), 1.0);
        // later dates have higher ranks
        let ranks = [-700_000, 0, 15_000, 2_900_000].map(|number| of(Value::Date(day(number)))[0]);
        assert!(ranks.is_sorted(), "{name}: {ranks:?}");
        for level in 0..marginal.levels() as u32 {
            assert_eq!(
                marginal.level_features(level),
                of(marginal.draw(level, 0.5))
                    .into_iter()
                    .map(f64::from)
                    .collect::<Vec<_>>(),
                "{name}"
            );
        }
    }
}

#[test]
fn other_values_have_no_place_and_saved_marginals_are_equal() {
    for (name, marginal) in marginals() {
        for other in [
            Value::Number(15_000.0),
            Value::Text("2011-05-28"),
            Value::Boolean(true),
        ] {
            assert_relative_eq!(marginal.place(other).log_measure, f64::NEG_INFINITY);
        }
        let saved = serde_json::to_string(&marginal).unwrap();
        assert_eq!(
            serde_json::from_str::<ColumnMarginal>(&saved).unwrap(),
            marginal,
            "{name}"
        );
    }
}

fn any_date() -> impl Strategy<Value = Date> {
    let near = |centre: i32, reach: i32| {
        let (first, last) = (Date::FIRST.day_number(), Date::LAST.day_number());
        ((centre - reach).max(first)..=(centre + reach).min(last)).prop_map(day)
    };
    prop_oneof![
        near(15_000, 20),
        near(15_000, 4000),
        near(Date::FIRST.day_number(), 30),
        near(Date::LAST.day_number(), 30),
        near(1_000_000, 1_700_000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// From a file to levels and ranks and back to the same bytes.
    #[test]
    fn tables_of_dates_come_back(
        dates in prop::collection::vec(prop::option::weighted(0.9, any_date()), 2..60),
        copies in 1usize..4,
        other in any_date(),
        rank in any::<f64>(),
    ) {
        let mut text = "row,d\n".to_owned();
        for (row, date) in dates.iter().flat_map(|date| vec![date; copies]).enumerate() {
            text += &format!("{row},{}\n", date.map_or_else(|| "NA".to_owned(), |date| date.to_string()));
        }
        let table = read(&text);
        prop_assert_eq!(&written(&table), &text);
        prop_assume!(dates.iter().any(Option::is_some));
        let encoder = TableEncoder::fit(&table.select(&["d"]).unwrap(), &EncoderOptions::default()).unwrap();
        let marginal = &encoder.marginals()[0];
        let drawn: Vec<_> = encoder.encode(&table).unwrap().columns.into_iter().map(|column| {
            ef_tabular::DecodedColumn {
                ranks: column.low.iter().zip(&column.high).map(|(lo, hi)| 0.5 * (lo + hi)).collect(),
                levels: column.levels.into_iter().map(|level| level.expect("a value seen at fit")).collect(),
            }
        }).collect();
        let again = encoder.decode(&drawn).unwrap();
        prop_assert_eq!(again, table.select(&["d"]).unwrap());
        let missing = marginal.log_marginal(Value::Missing).exp();
        prop_assert!((marginal.mass(f64::NEG_INFINITY, f64::INFINITY) + missing - 1.0).abs() < 1e-9);
        // any other date, and any rank
        let place = marginal.place(Value::Date(other));
        prop_assert!(place.log_measure.is_finite() && 0.0 <= place.low && place.low <= place.high && place.high <= 1.0);
        prop_assert!(place.level.is_none_or(|level| (level as usize) < marginal.levels()));
        prop_assert!(marginal.place(marginal.draw(0, rank)).level.is_some());
        let saved = serde_json::to_string(&encoder).unwrap();
        prop_assert_eq!(serde_json::from_str::<TableEncoder>(&saved).unwrap(), encoder);
    }
}
