//! One table of bijectors through all laws.

mod flows;
mod layers;
mod residual;
mod table;

use ef_check::{CheckConfig, assert_bijector, assert_f32_agrees};

use crate::table::{on_the_line, table};

/// The columns and contexts every bijector is tried at.
const SIZES: [(usize, usize); 6] = [(1, 0), (1, 2), (2, 0), (2, 3), (5, 0), (5, 2)];

fn config(cases: u32) -> CheckConfig {
    CheckConfig {
        cases,
        ..CheckConfig::default()
    }
}

fn prove(dim: usize, context: usize) {
    let all = |dim, context| {
        table::<f64>(dim, context)
            .into_iter()
            .chain(on_the_line(dim, context))
    };
    let bijectors = SIZES.map(|(dim, context)| all(dim, context).count()).iter().sum();
    for entry in all(dim, context) {
        let config = entry.claims(config(8).share_of_asked_cases(bijectors));
        let report = assert_bijector(&*entry.bijector, &config);
        println!("{}, {dim} columns, context {context}: {report}", entry.name);
    }
}

#[test]
fn laws_of_one_column() {
    prove(1, 0);
    prove(1, 2);
}

#[test]
fn laws_of_two_columns() {
    prove(2, 0);
    prove(2, 3);
}

#[test]
fn laws_of_five_columns() {
    prove(5, 0);
    prove(5, 2);
}

/// With fewer units than columns, too, every column sees all columns before it.
#[test]
fn narrow_layers_see_every_column() {
    for (dim, context) in [(5, 0), (12, 2), (40, 0)] {
        for entry in layers::narrow::<f64>(dim, context) {
            let report = assert_bijector(&*entry.bijector, &entry.claims(config(2)));
            println!("{}, {dim} columns, context {context}: {report}", entry.name);
        }
    }
}

#[test]
fn f32_agrees_with_f64_at_every_simd_level() {
    for (dim, context) in [(1, 0), (2, 2), (6, 0), (6, 3)] {
        for (narrow, wide) in table::<f32>(dim, context).iter().zip(&table::<f64>(dim, context)) {
            println!("{}, {dim} columns, context {context}", wide.name);
            assert_f32_agrees(&*narrow.bijector, &*wide.bijector, &wide.claims(config(4)));
        }
    }
}
