//! Columns keep the shares of their training rows, however hard weights are decayed and whatever else is learned.

use ef_demo::Demo;
use ef_model::{EchoFlow, ModelKind, Part, Table, TrainConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DRAWS: usize = 30_000;

/// Twelve columns of very unequal shares, each a copy of the one before in two rows of five: a table whose marginals are
/// pulled towards uniform if output biases decay.
fn skewed(rows: usize) -> Table {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let level = |u: f64| ["a", "b", "c", "d"][[0.9, 0.97, 0.99].iter().filter(|&&below| u > below).count()];
    let names: Vec<String> = (0..12).map(|column| format!("c{column}")).collect();
    let mut text = names.join(",");
    for _ in 0..rows {
        let mut row = vec![level(rng.random())];
        for column in 1..12 {
            let copied = rng.random::<f64>() < 0.4;
            row.push(if copied {
                row[column - 1]
            } else {
                level(rng.random())
            });
        }
        text.push('\n');
        text.push_str(&row.join(","));
    }
    ef_io::read_csv_from(text.as_bytes(), "skewed.csv").unwrap()
}

/// How often each text stands in a column.
fn counts(table: &Table, column: &str) -> std::collections::BTreeMap<String, usize> {
    let at = table.column_index(column).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for row in 0..table.num_rows() {
        *counts.entry(format!("{:?}", table.value(row, at))).or_default() += 1;
    }
    counts
}

/// Every level of 50 training rows or more is drawn with its share, within 5 % of it and two standard errors of the training
/// share (and three of the draws').
fn assert_shares_are_kept(name: &str, table: &Table, model: &EchoFlow) {
    let drawn = model.sample(DRAWS, 2).unwrap();
    let rows = table.num_rows() as f64;
    let mut checked = 0;
    for column in table.column_names() {
        let found = counts(&drawn, column);
        for (level, count) in counts(table, column)
            .into_iter()
            .filter(|(_, count)| *count >= 50)
        {
            let share = count as f64 / rows;
            let drawn = found.get(&level).copied().unwrap_or(0) as f64 / DRAWS as f64;
            let variance = share * (1.0 - share);
            let allowed =
                0.05 * share + 2.0 * (variance / rows).sqrt() + 3.0 * (variance / DRAWS as f64).sqrt();
            assert!(
                (drawn - share).abs() <= allowed,
                "{name}, {column} = {level}: drawn {drawn}, training share {share}"
            );
            checked += 1;
        }
    }
    println!("{name}: {checked} levels");
}

#[test]
fn demo_tables_keep_their_shares() {
    for demo in Demo::ALL {
        let table = demo.generate(1500, 3).to_table().unwrap();
        let has_levels = |column| counts(&table, column).into_values().any(|count| count >= 50);
        if !table.column_names().into_iter().any(has_levels) {
            continue;
        }
        let builder = EchoFlow::builder()
            .model(ModelKind::Autoregressive)
            .seed(1)
            .order_agnostic(false);
        let model = builder.fit(&table).unwrap();
        assert_shares_are_kept(demo.name(), &table, &model);
    }
}

#[test]
fn strong_decay_leaves_the_shares_alone() {
    let table = skewed(4000);
    for (kind, part) in [
        (ModelKind::Autoregressive, Part::Columns),
        (ModelKind::Maf, Part::Levels),
    ] {
        let training = TrainConfig::default().batch(256).epochs(8).weight_decay(20.0);
        let builder = EchoFlow::builder().model(kind).seed(1).order_agnostic(false);
        let model = builder.train(part, training).fit(&table).unwrap();
        assert_shares_are_kept(kind.name(), &table, &model);
    }
}

/// The first column's probabilities are those of its marginal, and are printed as exact.
#[test]
fn the_first_column_is_exact() {
    let table = skewed(4000);
    let model = EchoFlow::builder()
        .model(ModelKind::Autoregressive)
        .epochs(5)
        .order_agnostic(false)
        .fit(&table)
        .unwrap();
    let rows = table.num_rows() as f64;
    for (level, text) in [("a", "Text(\"a\")"), ("b", "Text(\"b\")"), ("c", "Text(\"c\")")] {
        let condition = format!("c0 = {level}").parse().unwrap();
        let p = model.probability(&condition, 1).unwrap();
        let share = counts(&table, "c0")[text] as f64 / rows;
        assert!((p.value - share).abs() <= 1e-6 * share, "{p:?}, share {share}");
        assert_eq!(p.standard_error, 0.0);
    }
}
