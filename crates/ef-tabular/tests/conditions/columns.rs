//! Marginals of every sort of column, and drawn sets of their values.

use std::sync::LazyLock;

use ef_tabular::{
    ColumnData, ColumnMarginal, Date, DateMarginal, EncoderOptions, Kind, NumberRange, Table, TableEncoder,
    Value, ValueSet,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Roughly normal numbers.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn to(x: f64, multiple: f64) -> f64 {
    (x / multiple).round() * multiple
}

/// Numbers of every sort of marginal, and whether they have a rounding grid.
fn numbers(seed: u64) -> Vec<(&'static str, Vec<f64>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let base: Vec<f64> = (0..1500).map(|_| normal(&mut rng)).collect();
    let map = |f: &dyn Fn(f64) -> f64| base.iter().map(|x| f(*x)).collect::<Vec<f64>>();
    let with = |mut values: Vec<f64>, more: &[f64]| {
        more.iter().for_each(|x| values.extend(vec![*x; 150]));
        values
    };
    let whole = map(&|x| to(300.0 * x, 1.0));
    let mut heaped = whole.clone();
    heaped.iter_mut().step_by(3).for_each(|x| *x = to(*x, 50.0));
    vec![
        ("listed", map(&|x| to(2.0 * x, 1.0))),
        (
            "listed off every grid",
            map(&|x| to(x, 1.0) * std::f64::consts::PI),
        ),
        ("whole", whole.clone()),
        (
            "whole, atoms, missing",
            with(whole, &[0.0, 55.0, 4000.0, f64::NAN]),
        ),
        ("whole, above 0", map(&|x| to(300.0 * x.abs(), 1.0))),
        ("heaped", heaped),
        ("cents", map(&|x| (1000.0 * (1.5 * x).exp()).round() / 100.0)),
        ("density", base.clone()),
        (
            "density, atoms, missing",
            with(base.clone(), &[0.25, 9.0, f64::NAN]),
        ),
        ("density above 0", map(&|x| x.abs())),
        ("density far from 0", map(&|x| 1e9 + x)),
        ("density with heavy tails", map(&|x| (4.0 * x).sinh())),
        (
            "density of eight digits",
            map(&|x| format!("{:.7e}", 1e-3 * x).parse().unwrap()),
        ),
    ]
}

/// Marginals of four seeds, fitted once.
pub(crate) fn marginals(seed: u64) -> &'static [(&'static str, ColumnMarginal)] {
    static LAWS: LazyLock<Vec<Vec<(&str, ColumnMarginal)>>> = LazyLock::new(|| (0..4).map(fitted).collect());
    &LAWS[seed as usize]
}

fn fitted(seed: u64) -> Vec<(&'static str, ColumnMarginal)> {
    let mut marginals: Vec<(&str, ColumnMarginal)> = numbers(seed)
        .into_iter()
        .map(|(name, values)| (name, ColumnMarginal::fit_numbers(&values, None).expect(name)))
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for (name, spread) in [("few days", 100.0), ("many days", 2000.0)] {
        let days = (0..1500).map(|k| (k % 9 > 0).then(|| (spread * normal(&mut rng)) as i32));
        let dates: Vec<Option<Date>> = days.map(|day| day.and_then(Date::from_day_number)).collect();
        let marginal = DateMarginal::fit(dates.into_iter()).expect(name);
        marginals.push((name, ColumnMarginal::Date(Box::new(marginal))));
    }
    marginals
}

/// Encoders of tables of one such column, for each of four seeds.
pub(crate) fn encoders(seed: u64) -> &'static [(&'static str, TableEncoder)] {
    static ENCODERS: LazyLock<Vec<Vec<(&str, TableEncoder)>>> = LazyLock::new(|| {
        let encoder = |(name, values): (&'static str, Vec<f64>)| {
            let cells = values.into_iter().map(|x| Some(x).filter(|x| !x.is_nan()));
            let column = ("x".to_owned(), ColumnData::Decimal(cells.collect()));
            let table = Table::from_columns(vec![column]).unwrap();
            (
                name,
                TableEncoder::fit(&table, &EncoderOptions::default()).unwrap(),
            )
        };
        (0..4)
            .map(|seed| numbers(seed).into_iter().map(encoder).collect())
            .collect()
    });
    &ENCODERS[seed as usize]
}

/// Where a marginal's values are: numbers, or days.
pub(crate) fn spread(marginal: &ColumnMarginal) -> (f64, f64, Kind) {
    match marginal {
        ColumnMarginal::Number(marginal) => {
            let (min, max) = marginal.range();
            (min, max, Kind::Decimal)
        }
        ColumnMarginal::Date(marginal) => {
            let (min, max) = marginal.days().range();
            (min, max, Kind::Date)
        }
        _ => panic!("no numbers"),
    }
}

/// Ends of ranges: anywhere in the data and a little beyond, some at values that the marginal draws.
fn end(marginal: &ColumnMarginal, share: f64, snap: u8) -> f64 {
    let (min, max, _) = spread(marginal);
    let x = match snap {
        0 => f64::NEG_INFINITY,
        1 => f64::INFINITY,
        2 | 3 => min + (1.3 * share - 0.15) * (max - min),
        _ => {
            let level = (share * marginal.levels() as f64) as u32;
            match marginal.draw(level.min(marginal.levels() as u32 - 1), share) {
                Value::Number(x) => x,
                Value::Date(date) => f64::from(date.day_number()),
                _ => 0.0,
            }
        }
    };
    if snap == 3 { x.round() } else { x }
}

fn range(marginal: &ColumnMarginal, (a, b, snap_a, snap_b, closed): (f64, f64, u8, u8, u8)) -> NumberRange {
    let (x, y) = (end(marginal, a, snap_a), end(marginal, b, snap_b));
    NumberRange {
        low: x.min(y),
        low_closed: closed & 1 > 0,
        high: x.max(y),
        high_closed: closed & 2 > 0,
    }
}

pub(crate) fn drawn_set(
    marginal: &ColumnMarginal,
    ranges: &[(f64, f64, u8, u8, u8)],
    complement: bool,
    missing: bool,
) -> ValueSet {
    let kind = spread(marginal).2;
    let set = ValueSet::ranges(kind, ranges.iter().map(|drawn| range(marginal, *drawn)));
    let set = if complement { set.complement() } else { set };
    if missing {
        set.union(&ValueSet::missing(kind))
    } else {
        set.intersect(&ValueSet::known(kind))
    }
}

pub(crate) fn ranges() -> impl Strategy<Value = Vec<(f64, f64, u8, u8, u8)>> {
    let end = || (0.0..1.0, 0u8..8);
    let one =
        (end(), end(), 0u8..4).prop_map(|((a, snap_a), (b, snap_b), closed)| (a, b, snap_a, snap_b, closed));
    proptest::collection::vec(one, 1..4)
}
