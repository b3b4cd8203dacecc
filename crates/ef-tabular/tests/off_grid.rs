//! A number between the points of a column's rounding grid is a value never seen: it is none of its neighbours, neither
//! when it is scored, nor in a condition, nor as the source of a derived column.

use ef_tabular::{
    ColumnData, ColumnMarginal, Dependencies, EncoderOptions, Kind, NumberRange, Table, TableEncoder, Value,
    ValueSet,
};
use proptest::prelude::*;

/// A name, the marginal, its grid step, and whether cells were missing at fit.
struct Case {
    name: &'static str,
    marginal: ColumnMarginal,
    step: f64,
    missing: bool,
}

fn case(name: &'static str, step: f64, values: &[f64]) -> Case {
    Case {
        name,
        marginal: ColumnMarginal::fit_numbers(values, None).expect(name),
        step,
        missing: values.iter().any(|x| x.is_nan()),
    }
}

/// Listed values and continuous cells, with atoms and without, on several grids.
fn cases() -> Vec<Case> {
    let spread = |step: f64, rows: i32| -> Vec<f64> {
        let scale = (1.0 / step).round();
        (0..rows).map(|i| f64::from(i * i % 1009) / scale).collect()
    };
    let and = |mut values: Vec<f64>, more: f64| {
        values.extend(vec![more; 300]);
        values
    };
    vec![
        case("zeros and ones", 1.0, &[0.0, 1.0, 1.0, 0.0, 1.0]),
        case("one value", 1.0, &[4.0; 30]),
        case("listed, missing", 0.1, &and(spread(0.1, 40).repeat(20), f64::NAN)),
        case("whole", 1.0, &spread(1.0, 2000)),
        case(
            "whole, atom, missing",
            1.0,
            &and(and(spread(1.0, 2000), 55.0), f64::NAN),
        ),
        case("cents", 0.01, &spread(0.01, 2000)),
        case(
            "cents on both sides",
            0.01,
            &spread(0.01, 2000).iter().map(|x| x - 5.0).collect::<Vec<_>>(),
        ),
    ]
}

fn off(marginal: &ColumnMarginal) -> f64 {
    marginal.log_marginal(Value::Number(0.123_456_7))
}

#[test]
fn all_of_them_are_one_event_that_was_never_seen() {
    for Case {
        name, marginal, step, ..
    } in cases()
    {
        let ColumnMarginal::Number(numbers) = &marginal else {
            panic!("{name}")
        };
        let (min, max) = numbers.range();
        for i in 0..200 {
            let point = ((min + (max - min) * f64::from(i) / 200.0) / step).round() * step;
            for share in [0.5, -0.5, 0.1, 0.02, -0.3] {
                let x = point + share * step;
                let place = marginal.place(Value::Number(x));
                assert_eq!(place.level, None, "{name}: {x}");
                assert_eq!(place.log_measure, off(&marginal), "{name}: {x}");
                assert!(!marginal.has_density(Value::Number(x)), "{name}: {x}");
            }
        }
        assert!(off(&marginal) < (0.5f64).ln(), "{name}");
        assert!(marginal.place(Value::Number(min)).level.is_some(), "{name}");
    }
}

#[test]
fn the_event_has_its_share_of_the_mass() {
    for Case {
        name,
        marginal,
        missing,
        ..
    } in cases()
    {
        let ColumnMarginal::Number(numbers) = &marginal else {
            panic!("{name}")
        };
        let no_value = marginal.log_marginal(Value::Missing).exp();
        // where none was missing at fit, a missing cell is the same event
        let unseen = if missing {
            off(&marginal).exp() + no_value
        } else {
            no_value
        };
        if !missing {
            assert_eq!(no_value.ln(), off(&marginal), "{name}");
        }
        let total = numbers.mass(f64::NEG_INFINITY, f64::INFINITY) + unseen;
        assert!((total - 1.0).abs() < 1e-9, "{name}: {total}");
    }
}

#[test]
fn no_condition_takes_it_for_a_neighbour() {
    for Case {
        name, marginal, step, ..
    } in cases()
    {
        let ColumnMarginal::Number(numbers) = &marginal else {
            panic!("{name}")
        };
        let (min, max) = numbers.range();
        for x in [min + 0.5 * step, max - 0.5 * step, min + 0.01 * step] {
            let set = ValueSet::only(Kind::Decimal, Value::Number(x));
            assert!(marginal.levels_within(&set).is_empty(), "{name}: {x}");
            assert_eq!(marginal.unknown_in(&set).len(), 1, "{name}: {x}");
            // all but this number is everything
            let others = set.complement().intersect(&ValueSet::known(Kind::Decimal));
            let all = ValueSet::ranges(Kind::Decimal, [NumberRange::ALL]);
            assert_eq!(
                marginal.levels_within(&others),
                marginal.levels_within(&all),
                "{name}: {x}"
            );
        }
    }
}

/// Network inputs lie between those of the neighbours.
#[test]
fn its_rank_lies_between_its_neighbours() {
    for Case {
        name, marginal, step, ..
    } in cases()
    {
        let ColumnMarginal::Number(numbers) = &marginal else {
            panic!("{name}")
        };
        let (min, max) = numbers.range();
        for i in 0..50 {
            let low = (min / step).round() * step + f64::from(i) * step;
            let ranks = [0.0, 0.2, 0.8, 1.0].map(|share| numbers.mid_rank(low + share * step));
            assert!(low > max || ranks.is_sorted(), "{name}: {low} {ranks:?}");
        }
    }
}

/// What a sum of decimals or 32 bits are off by is no other value.
#[test]
fn roundings_of_floats_are_the_value_itself() {
    let values: Vec<f64> = (0..2000).map(|i| f64::from(i * i % 1009) / 10.0).collect();
    let marginal = ColumnMarginal::fit_numbers(&values, None).unwrap();
    for (x, same) in [
        (0.1 + 0.2, 0.3),
        (0.8 - 0.1, 0.7),
        (f64::from(61.3f32), 61.3),
        (-0.0, 0.0),
    ] {
        assert_eq!(
            marginal.place(Value::Number(x)),
            marginal.place(Value::Number(same)),
            "{x}"
        );
    }
}

#[test]
fn a_table_keeps_it_through_conform_and_encode() {
    let whole = |values: &[i64]| ColumnData::Integer(values.iter().copied().map(Some).collect());
    let train = Table::from_columns(vec![("x".into(), whole(&[0, 1, 1, 0, 1, 1]))]).unwrap();
    let encoder = TableEncoder::fit(&train, &EncoderOptions::default()).unwrap();
    let halves = Table::from_columns(vec![(
        "x".into(),
        ColumnData::Decimal(vec![Some(0.5), Some(1.0)]),
    )])
    .unwrap();
    let encoded = encoder.encode(&halves).unwrap();
    assert_eq!(encoded.columns[0].levels, [None, Some(1)]);
}

#[test]
fn nothing_is_derived_from_it() {
    let column = |f: &dyn Fn(i64) -> i64| ColumnData::Integer((0..600).map(|i| Some(f(i))).collect());
    let table = Table::from_columns(vec![
        ("a".into(), column(&|i| i * i % 31)),
        ("b".into(), column(&|i| i * 7 % 43)),
        ("sum".into(), column(&|i| i * i % 31 + i * 7 % 43)),
        ("letter".into(), column(&|i| (i * i % 31) * 17 % 5)),
    ])
    .unwrap();
    let found = Dependencies::find(&table, &[]);
    assert!(found.len() >= 2);
    let decimal = |x: f64| ColumnData::Decimal(vec![Some(x)]);
    for dependency in found.iter() {
        let rows = dependency
            .sources()
            .into_iter()
            .map(|source| (source.to_owned(), decimal(3.5)));
        let row = Table::from_columns(rows.collect()).unwrap();
        assert_eq!(dependency.derive(&row).unwrap(), [None], "{dependency}");
        assert!(
            !dependency.same(Value::Number(3.5), Value::Number(4.0)),
            "{dependency}"
        );
    }
}

proptest! {
    /// Whatever the column, two different decimals of up to 12 digits have one place only if both were never seen.
    #[test]
    fn different_numbers_never_share_a_cell(
        column in prop::collection::vec(0i64..500, 2..60),
        decimals in 0i32..5,
        a in 0i64..500_000,
        b in 0i64..500_000,
    ) {
        let scale = 10f64.powi(decimals);
        let values: Vec<f64> = column.iter().map(|x| *x as f64 / scale).collect();
        let marginal = ColumnMarginal::fit_numbers(&values, None).unwrap();
        let (x, y) = (a as f64 / (1000.0 * scale), b as f64 / (1000.0 * scale));
        let (one, other) = (marginal.place(Value::Number(x)), marginal.place(Value::Number(y)));
        if a != b && one.level.is_some() && one.level == other.level {
            prop_assert!(one.low >= other.high || other.low >= one.high, "{} and {}: {:?} {:?}", x, y, one, other);
        }
    }
}
