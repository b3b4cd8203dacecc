//! A set of derived values and the set of their sources say the same.

use std::fmt::Write as _;
use std::sync::LazyLock;

use ef_tabular::{
    ColumnData, ColumnMarginal, Date, Dependencies, EncoderOptions, Kind, NumberRange, Table, TableEncoder,
    Value, ValueSet,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const COLUMNS: &str = "town,code,day,weekday,month,season,celsius,fahrenheit,rest,minutes,hours,rooms,size,flag,word,a,b,sum,\
                       x,same";

/// Columns and what follows from them; every eleventh day is missing, and so is what follows from it.
fn text() -> String {
    let mut text = COLUMNS.to_owned() + "\n";
    for k in 0..1500i32 {
        let town = ["Oslo", "Rome", "Lima", "Pune", "Bonn"][(k * k % 31 % 5) as usize];
        let code = 100 + i32::from(town.as_bytes()[0]);
        let day = Date::from_day_number(15_000 + k * 37 % 1409).unwrap();
        let month = day.month();
        let season = ["winter", "spring", "summer", "autumn"][(month % 12 / 3) as usize];
        let days = match k % 11 {
            0 => ",,,".to_owned(),
            _ => format!("{day},{},{month},{season}", day.weekday()),
        };
        let celsius = f64::from(k * 73 % 611) / 10.0 - 20.0;
        let (fahrenheit, rest) = (1.8 * celsius + 32.0, 100.0 - celsius);
        let hours = k * 29 % 701;
        let rooms = k * 7 % 9;
        let size = ["small", "large"][usize::from(rooms > 5)];
        let flag = k * 5 % 11 < 4;
        let word = if flag { "yes" } else { "no" };
        let (a, b) = (k * 37 % 101, k * 53 % 97);
        let x = f64::from(k).sin();
        let _ = writeln!(
            text,
            "{town},{code},{days},{celsius:.1},{fahrenheit:.2},{rest:.1},{},{hours},{rooms},{size},{flag},{word},{a},{b},{},{x},{x}",
            60 * hours,
            a + b,
        );
    }
    text
}

static FITTED: LazyLock<(TableEncoder, Dependencies)> = LazyLock::new(|| {
    let table = ef_io::read_csv_from(text().as_bytes(), "t.csv").unwrap();
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).unwrap();
    (encoder, Dependencies::find(&table, &["minutes"]))
});

#[test]
fn the_planted_dependencies_are_there() {
    let found: Vec<String> = FITTED.1.iter().map(ToString::to_string).collect();
    let planted = [
        "code = lookup of town (5 values)",
        "weekday = lookup of the weekday of day (7 values)",
        "month = lookup of the month of day (12 values)",
        "season = lookup of the month of day (12 values)",
        "fahrenheit = 1.8 * celsius + 32",
        "rest = 100 - celsius",
        "hours = 1/60 * minutes",
        "size = lookup of rooms (9 values)",
        "word = lookup of flag (2 values)",
        "sum = a + b",
        "same = x",
    ];
    for planted in planted {
        assert!(
            found.iter().any(|found| found == planted),
            "{planted}: {found:#?}"
        );
    }
}

fn marginal(name: &str) -> &'static ColumnMarginal {
    &FITTED.0.marginals()[FITTED.0.schema().index(name).unwrap()]
}

fn kind(name: &str) -> Kind {
    FITTED.0.schema().column(name).unwrap().kind
}

/// What the column's marginal draws, and a missing cell.
fn values(name: &str, count: usize, rng: &mut ChaCha8Rng) -> Vec<Value<'static>> {
    let marginal = marginal(name);
    let mut values: Vec<Value<'_>> = (0..count)
        .map(|_| {
            let level = rng.random_range(0..marginal.levels() as u32);
            marginal.draw(level, rng.random())
        })
        .collect();
    values.push(Value::Missing);
    values
}

/// A set around some values of a column.
fn drawn_set(name: &str, rng: &mut ChaCha8Rng) -> ValueSet {
    let around = values(name, 3, rng);
    let closed = [rng.random(), rng.random()];
    let set = match kind(name) {
        Kind::Category => ValueSet::labels(around.iter().filter_map(|value| match value {
            Value::Text(label) => Some(*label),
            _ => None,
        })),
        Kind::Boolean => ValueSet::booleans([rng.random::<bool>()]),
        kind => {
            let mut ends: Vec<f64> = around
                .iter()
                .filter_map(|value| match value {
                    Value::Number(x) => Some(*x),
                    Value::Date(date) => Some(f64::from(date.day_number())),
                    _ => None,
                })
                .collect();
            ends.sort_by(f64::total_cmp);
            let range = NumberRange {
                low: ends.first().copied().unwrap_or(f64::NEG_INFINITY),
                low_closed: closed[0],
                high: ends.get(1).copied().unwrap_or(f64::INFINITY),
                high_closed: closed[1],
            };
            let last = ends.last().copied().unwrap_or(0.0);
            ValueSet::ranges(kind, [range, NumberRange::closed(last, last)])
        }
    };
    if rng.random() { set.complement() } else { set }
}

/// The values as a column of a table.
fn column(name: &str, values: &[Value<'_>]) -> Table {
    let data = match kind(name) {
        Kind::Category => ColumnData::Text(
            values
                .iter()
                .map(|value| match value {
                    Value::Text(label) => Some((*label).to_owned()),
                    _ => None,
                })
                .collect(),
        ),
        Kind::Boolean => ColumnData::Boolean(
            values
                .iter()
                .map(|value| match value {
                    Value::Boolean(flag) => Some(*flag),
                    _ => None,
                })
                .collect(),
        ),
        Kind::Date => ColumnData::Date(
            values
                .iter()
                .map(|value| match value {
                    Value::Date(date) => Some(*date),
                    _ => None,
                })
                .collect(),
        ),
        _ => ColumnData::Decimal(
            values
                .iter()
                .map(|value| match value {
                    Value::Number(x) => Some(*x),
                    _ => None,
                })
                .collect(),
        ),
    };
    Table::from_columns(vec![(name.to_owned(), data)]).unwrap()
}

proptest! {
    #[test]
    fn a_source_is_in_the_preimage_where_its_derived_value_is_in_the_set(seed in any::<u64>()) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for dependency in FITTED.1.iter() {
            let set = drawn_set(dependency.derived(), &mut rng);
            let sources = dependency.sources();
            let preimage = dependency.preimage(&set, marginal(sources[0]));
            if sources.len() > 1 {
                prop_assert_eq!(preimage, None);
                continue;
            }
            let preimage = preimage.unwrap();
            let table = column(sources[0], &values(sources[0], 100, &mut rng));
            for (row, derived) in dependency.derive(&table).unwrap().into_iter().enumerate() {
                let source = table.value(row, 0);
                let inside = derived.is_some_and(|derived| set.contains(derived));
                prop_assert_eq!(preimage.contains(source), inside, "{}: {:?} of {:?}", dependency, derived, source);
            }
        }
    }
}

#[test]
fn a_condition_on_what_is_derived_is_one_on_the_source() {
    let preimage = |derived: &str, set: ValueSet| {
        let dependency = FITTED.1.of(derived).unwrap();
        dependency
            .preimage(&set, marginal(dependency.sources()[0]))
            .unwrap()
    };
    let warm = ValueSet::ranges(
        Kind::Decimal,
        [NumberRange {
            low: 50.0,
            low_closed: false,
            ..NumberRange::ALL
        }],
    );
    let ranges: Vec<NumberRange> = preimage("fahrenheit", warm).number_ranges().collect();
    assert_eq!(
        ranges,
        [NumberRange {
            low: 10.1,
            ..NumberRange::ALL
        }]
    );
    let cool = ValueSet::ranges(Kind::Decimal, [NumberRange::closed(90.0, f64::INFINITY)]);
    let ranges: Vec<NumberRange> = preimage("rest", cool).number_ranges().collect();
    assert_eq!(
        ranges,
        [NumberRange {
            high: 10.0,
            ..NumberRange::ALL
        }]
    );
    let yes = preimage("word", ValueSet::labels(["yes"]));
    assert_eq!(yes, ValueSet::booleans([true]));
    let february = preimage(
        "month",
        ValueSet::ranges(Kind::Integer, [NumberRange::closed(2.0, 2.0)]),
    );
    assert!(
        february
            .number_ranges()
            .all(|range| range.high - range.low >= 27.0)
    );
    assert!(february.contains(Value::Date(Date::parse("2012-02-29").unwrap())));
    assert!(!february.contains(Value::Date(Date::parse("2012-03-01").unwrap())));
}
