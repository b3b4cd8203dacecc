//! Whole tables through their marginals and back.

use approx::assert_relative_eq;
use ef_tabular::{
    Asinh, ColumnMarginal, Date, DecodedColumn, EncodedColumn, EncoderOptions, Marginal, NUMBER_FEATURES,
    Table, TableEncoder, TableError, Value,
};
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

/// 400 rows with every kind of column, each written in its own way.
fn mixed() -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = String::from("label,price,count,flag,empty,same,share,day,paid\n");
    for row in 0..400 {
        let label = ["red", "dark, blue", "\u{e9}cru"][rng.random_range(0..3)];
        let price = f64::from(rng.random_range(100..90_000)) / 100.0;
        let count = if row % 7 == 0 {
            "?".to_owned()
        } else {
            rng.random_range(0..2000).to_string()
        };
        let flag = if rng.random() { "True" } else { "False" };
        let share = format!("{:.1}", rng.random_range(0..9));
        // few days, and many with gaps
        let day = Date::from_day_number(15_000 + rng.random_range(0..60)).unwrap();
        let paid = match Date::from_day_number(15_000 + rng.random_range(0..9000)) {
            Some(date) if row % 11 > 0 => date.to_string(),
            _ => "?".to_owned(),
        };
        let label = if label.contains(',') {
            format!("\"{label}\"")
        } else {
            label.to_owned()
        };
        text += &format!("{label},{price:.2},{count},{flag},NA,k,{share}.0,{day},{paid}\n");
    }
    text
}

fn middles(columns: &[EncodedColumn]) -> Vec<DecodedColumn> {
    let decoded = |column: &EncodedColumn| DecodedColumn {
        levels: column
            .levels
            .iter()
            .map(|level| level.expect("a value seen at fit"))
            .collect(),
        ranks: column
            .low
            .iter()
            .zip(&column.high)
            .map(|(low, high)| 0.5 * (low + high))
            .collect(),
    };
    columns.iter().map(decoded).collect()
}

#[test]
fn a_training_table_comes_back_byte_for_byte() {
    let text = mixed();
    let table = read(&text);
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
    let encoded = encoder.encode(&table).unwrap();
    assert_eq!(encoded.rows, 400);
    assert_eq!(
        written(&encoder.decode(&middles(&encoded.columns)).unwrap()),
        text
    );
    // the same through a saved encoder, and from shuffled columns
    let loaded: TableEncoder = serde_json::from_str(&serde_json::to_string(&encoder).unwrap()).unwrap();
    let shuffled = table
        .select(&[
            "paid", "share", "empty", "flag", "label", "day", "same", "count", "price",
        ])
        .unwrap();
    assert_eq!(loaded.encode(&shuffled).unwrap(), encoded);
}

#[test]
fn notes_say_what_a_person_should_know() {
    let encoder = TableEncoder::fit(&read(&mixed()), &EncoderOptions::default()).unwrap();
    let notes = encoder.notes().join("\n");
    assert!(
        notes.contains("column \"empty\": all cells are missing"),
        "{notes}"
    );
    assert!(notes.contains("column \"same\": all cells are alike"), "{notes}");
}

#[test]
fn places_of_single_values_and_of_columns_agree() {
    let table = read(&mixed());
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
    let encoded = encoder.encode(&table).unwrap();
    for row in 0..table.num_rows() {
        let marginal = &encoder.marginals()[1];
        assert_eq!(
            encoded.columns[1].place(row).unwrap(),
            marginal.place(table.value(row, 1))
        );
    }
    assert_eq!(encoded.columns[1].place(400), None);
    // column by column, and in each row by row
    let mut next = (0, 0);
    encoder
        .encode_into(&table, |column, row, place| {
            assert_eq!((column, row), next);
            assert_eq!(Some(place), encoded.columns[column].place(row));
            let last = row + 1 == table.num_rows();
            next = if last { (column + 1, 0) } else { (column, row + 1) };
        })
        .unwrap();
    assert_eq!(next, (encoder.marginals().len(), 0));
}

#[test]
fn features_are_small_and_mark_missing_cells() {
    let table = read(&mixed());
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
    let features = encoder.features(&table, &[0, 1, 2]).unwrap();
    assert_eq!(features.width, 2 * NUMBER_FEATURES);
    assert_eq!(features.values.len(), 400 * features.width);
    assert!(features.values.iter().all(|feature| feature.abs() <= 6.0));
    for (row, values) in features.values.chunks(features.width).enumerate() {
        let missing = table.value(row, 2) == Value::Missing;
        assert_relative_eq!(values[features.width - 1], f32::from(u8::from(missing)));
        if missing {
            assert!(
                values[NUMBER_FEATURES..features.width - 1]
                    .iter()
                    .all(|feature| *feature == 0.0)
            );
        }
    }
    // ranks of a column cover (-1, 1) evenly
    let mut ranks: Vec<f32> = features
        .values
        .chunks(features.width)
        .map(|values| values[0])
        .collect();
    ranks.sort_by(f32::total_cmp);
    assert_relative_eq!(ranks[200], 0.0, epsilon = 0.1);
    let marginal = &encoder.marginals()[6];
    assert_eq!(marginal.level_features(0).len(), NUMBER_FEATURES);
}

#[test]
fn fitting_refuses_what_it_cannot_learn_from() {
    for (text, rows) in [("a,b\n", 0), ("a,b\n1,2\n", 1)] {
        let error = TableEncoder::fit(&read(text), &EncoderOptions::default()).unwrap_err();
        assert!(matches!(error, TableError::TooFewRows { rows: found, .. } if found == rows));
    }
    let table = read(&mixed());
    let fit = |column: &str| {
        let options = EncoderOptions::default().transformer(column, Asinh::new(0.0, 1.0));
        TableEncoder::fit(&table, &options).map_err(|error| error.to_string())
    };
    assert!(fit("price").is_ok());
    assert!(fit("label").unwrap_err().contains("does not hold numbers"));
    assert!(
        fit("prize")
            .unwrap_err()
            .starts_with("t.csv has no column \"prize\"")
    );
}

#[test]
fn decoding_checks_what_it_is_given() {
    let table = read(&mixed());
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
    let columns = middles(&encoder.encode(&table).unwrap().columns);
    assert!(encoder.decode(&columns[1..]).is_err());
    let mut wrong = columns.clone();
    wrong[0].levels[3] = 77;
    let error = encoder.decode(&wrong).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot decode column \"label\": level 77 was given, its marginal has 3"
    );
    let mut short = columns.clone();
    short[1].ranks.pop();
    assert!(encoder.decode(&short).is_err());
    short[1].levels.pop();
    assert!(matches!(
        encoder.decode(&short),
        Err(TableError::LengthMismatch { .. })
    ));
    assert_eq!(
        encoder
            .decode(&vec![DecodedColumn::default(); 9])
            .unwrap()
            .num_rows(),
        0
    );
}

#[test]
fn new_labels_and_numbers_are_scored() {
    let encoder = TableEncoder::fit(&read("x,y\n1,a\n2,b\n1,a\n2,a\n"), &EncoderOptions::default()).unwrap();
    let encoded = encoder.encode(&read("x,y\n3,c\n,\n")).unwrap();
    for column in &encoded.columns {
        assert_eq!(column.levels, [None, None]);
        assert!(
            column
                .log_measure
                .iter()
                .all(|log| log.is_finite() && *log < -1.0)
        );
    }
}

#[test]
fn drawing_whole_tables_by_shares_reproduces_them() {
    let table = read(&mixed());
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
    let rows = 4000;
    let columns: Vec<DecodedColumn> = encoder
        .marginals()
        .iter()
        .map(|marginal| {
            let mut edges = marginal.level_shares();
            (1..edges.len()).for_each(|i| edges[i] += edges[i - 1]);
            // the place in the cumulated shares picks the level, a golden-ratio sequence the rank
            let level =
                |row: usize| edges.partition_point(|edge| *edge <= (row as f64 + 0.5) / rows as f64) as u32;
            DecodedColumn {
                levels: (0..rows)
                    .map(|row| level(row).min(marginal.levels() as u32 - 1))
                    .collect(),
                ranks: (0..rows)
                    .map(|row| (row as f64 * 0.618_033_988_749_895).fract())
                    .collect(),
            }
        })
        .collect();
    let drawn = encoder.decode(&columns).unwrap();
    let schema = drawn.schema();
    assert_eq!(&schema, encoder.schema());
    for (marginal, name) in encoder.marginals().iter().zip(table.column_names()) {
        let ColumnMarginal::Number(marginal) = marginal else {
            continue;
        };
        let mean = |table: &Table| {
            let values = table.numbers(name).unwrap().unwrap();
            let present: Vec<f64> = values.into_iter().filter(|x| !x.is_nan()).collect();
            present.iter().sum::<f64>() / present.len() as f64
        };
        let (min, max) = marginal.range();
        assert_relative_eq!(mean(&drawn), mean(&table), epsilon = 0.02 * (max - min));
    }
}

/// Numbers without a rounding grid come back with as many significant digits as they had, inside their range.
#[test]
fn significant_digits_are_kept() {
    let text: String = (0..500)
        .map(|i| format!("{:.8e}\n", (f64::from(i) * 0.7).sin() * 1e-3 + 2e-3))
        .collect();
    let plain: String = text
        .lines()
        .map(|l| format!("{}\n", l.parse::<f64>().unwrap()))
        .collect();
    let table = ef_io::read_csv_from(format!("x\n{plain}").as_bytes(), "digits").unwrap();
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
    let ColumnMarginal::Number(marginal) = &encoder.marginals()[0] else {
        panic!("a marginal of numbers")
    };
    let ranks: Vec<f64> = (0..1000)
        .map(|i| marginal.confined((f64::from(i) + 0.5) / 1000.0))
        .collect();
    let drawn = encoder
        .decode(&[DecodedColumn {
            levels: vec![0; 1000],
            ranks,
        }])
        .unwrap();
    let (low, high) = (1e-3, 3e-3);
    for x in drawn.numbers("x").unwrap().unwrap() {
        let digits = format!("{x:e}")
            .split('e')
            .next()
            .unwrap()
            .bytes()
            .filter(u8::is_ascii_digit)
            .count();
        assert!(digits <= 9, "{x}");
        assert!((low..=high).contains(&x), "{x}");
    }
}
