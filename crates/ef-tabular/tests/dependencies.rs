//! Columns that are a function of others: planted relations are found, others never.

use std::fmt::Write as _;

use ef_tabular::{Dependencies, Table, Value};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn read(text: &str) -> Table {
    ef_io::read_csv_from(text.as_bytes(), "t.csv").unwrap()
}

fn words(found: &Dependencies) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

fn find(table: &Table) -> Vec<String> {
    words(&Dependencies::find(table, &[]))
}

/// A table of these columns, a cell a text.
fn table(columns: &[(&str, Vec<String>)]) -> Table {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut text = names.join(",") + "\n";
    for row in 0..columns[0].1.len() {
        let cells: Vec<&str> = columns.iter().map(|(_, cells)| cells[row].as_str()).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    read(&text)
}

/// `n` cells of each kind of column, all independent.
fn noise(rng: &mut ChaCha8Rng, n: usize) -> Vec<(&'static str, Vec<String>)> {
    let mut draw = |cell: &mut dyn FnMut(&mut ChaCha8Rng) -> String| (0..n).map(|_| cell(rng)).collect();
    vec![
        (
            "town",
            draw(&mut |r| ["Oslo", "Rome", "Lima", "Pune", "Bonn"][r.random_range(0..5)].to_owned()),
        ),
        ("rooms", draw(&mut |r| r.random_range(1..8).to_string())),
        (
            "cents",
            draw(&mut |r| format!("{:.2}", r.random_range(0.0..40.0))),
        ),
        ("flag", draw(&mut |r| r.random_bool(0.5).to_string())),
        (
            "rare",
            draw(&mut |r| if r.random_bool(0.02) { "1" } else { "0" }.to_owned()),
        ),
        ("count", draw(&mut |r| r.random_range(0..300).to_string())),
        ("x", draw(&mut |r| r.random::<f64>().to_string())),
        ("id", draw(&mut |r| format!("k{}", r.random_range(0..1_000_000)))),
        (
            "gap",
            draw(&mut |r| {
                if r.random_bool(0.4) {
                    String::new()
                } else {
                    r.random_range(0..9).to_string()
                }
            }),
        ),
        (
            "day",
            draw(&mut |r| {
                format!(
                    "20{:02}-{:02}-{:02}",
                    r.random_range(10..13),
                    r.random_range(1..13),
                    r.random_range(1..29)
                )
            }),
        ),
    ]
}

fn cells<'a>(columns: &'a [(&str, Vec<String>)], name: &str) -> &'a [String] {
    &columns.iter().find(|(other, _)| *other == name).unwrap().1
}

/// One number a row from the cells of some columns.
fn number(columns: &[(&str, Vec<String>)], name: &str) -> Vec<i64> {
    cells(columns, name)
        .iter()
        .map(|cell| cell.parse().unwrap())
        .collect()
}

/// Columns that follow from those of [`noise`], each with what must be said of it.
fn planted(columns: &[(&'static str, Vec<String>)]) -> Vec<(&'static str, Vec<String>, &'static str)> {
    let map = |name: &str, f: &dyn Fn(&str) -> String| -> Vec<String> {
        cells(columns, name).iter().map(|cell| f(cell)).collect()
    };
    let (rooms, count) = (number(columns, "rooms"), number(columns, "count"));
    let pairs = || rooms.iter().zip(&count);
    let hundredths: Vec<i64> = cells(columns, "cents")
        .iter()
        .map(|cell| cell.replace('.', "").parse().unwrap())
        .collect();
    let fixed = |x: i64| {
        format!(
            "{}{}.{:02}",
            if x < 0 { "-" } else { "" },
            x.abs() / 100,
            x.abs() % 100
        )
    };
    vec![
        ("town2", map("town", &str::to_owned), "town2 = town"),
        ("x2", map("x", &str::to_owned), "x2 = x"),
        ("day2", map("day", &str::to_owned), "day2 = day"),
        (
            "due",
            map("town", &|town| {
                format!("2030-01-{:02}", town.len() + usize::from(town.as_bytes()[0]) % 20)
            }),
            "due = lookup of town (5 values)",
        ),
        (
            "code",
            map("town", &|town| (town.as_bytes()[0] * 3).to_string()),
            "code = lookup of town (5 values)",
        ),
        (
            "north",
            map("town", &|town| (town == "Oslo" || town == "Bonn").to_string()),
            "north = lookup of town (5 values)",
        ),
        (
            "size",
            map("rooms", &|rooms| {
                if rooms < "4" { "small" } else { "large" }.to_owned()
            }),
            "size = lookup of rooms (7 values)",
        ),
        (
            "gap2",
            map("gap", &|gap| match gap.parse::<i64>() {
                Ok(gap) => (10 - 2 * gap).to_string(),
                Err(_) => String::new(),
            }),
            "gap2 = 10 - 2 * gap",
        ),
        (
            "euros",
            hundredths
                .iter()
                .map(|x| format!("{:.3}", (x * 25 + 500) as f64 / 1000.0))
                .collect(),
            "euros = 2.5 * cents + 0.5",
        ),
        (
            "all",
            pairs()
                .map(|(rooms, count)| (rooms + count).to_string())
                .collect(),
            "all = rooms + count",
        ),
        (
            "rest",
            pairs()
                .zip(&hundredths)
                .map(|((rooms, count), x)| fixed(50_000 - 100 * (rooms - count) - x))
                .collect(),
            "rest = 500 - rooms - cents + count",
        ),
        (
            "month",
            map("day", &|day| day[5..7].parse::<i64>().unwrap().to_string()),
            "month = lookup of the month of day (12 values)",
        ),
        (
            "year",
            map("day", &|day| {
                ["a", "b", "c"][day[3..4].parse::<usize>().unwrap()].to_owned()
            }),
            "year = lookup of the year of day (3 values)",
        ),
    ]
}

#[test]
fn unrelated_columns_are_never_derived() {
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n = [30, 60, 200, 1000, 4000][seed as usize % 5];
        let table = table(&noise(&mut rng, n));
        assert_eq!(find(&table), [""; 0], "seed {seed}, {n} rows");
    }
}

#[test]
fn planted_relations_are_found_and_derive_every_row() {
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(100 + seed);
        let base = noise(&mut rng, 400 + 100 * seed as usize);
        let planted = planted(&base);
        let mut columns = base.clone();
        columns.extend(planted.iter().map(|(name, cells, _)| (*name, cells.clone())));
        let table = table(&columns);
        let found = Dependencies::find(&table, &[]);
        let mut expected: Vec<&str> = planted.iter().map(|(_, _, words)| *words).collect();
        let mut said = words(&found);
        expected.sort_unstable();
        said.sort_unstable();
        assert_eq!(said, expected, "seed {seed}");
        for dependency in found.iter() {
            let column = table.column_index(dependency.derived()).unwrap();
            for (row, right) in dependency.derive(&table).unwrap().into_iter().enumerate() {
                assert_eq!(right, Some(table.value(row, column)), "{dependency}, row {row}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// One cell that breaks a relation: changed to another value of the column, or emptied.
    #[test]
    fn a_relation_with_one_exception_is_not_found(
        which in 0..13usize,
        row in any::<prop::sample::Index>(),
        empty in any::<bool>(),
        seed in 0..1000u64,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n = 1000;
        let mut columns = noise(&mut rng, n);
        let (name, mut cells, words) = planted(&columns).swap_remove(which);
        let row = row.index(n);
        let was = cells[row].clone();
        cells[row] = match (empty, name) {
            (true, _) if !was.is_empty() => String::new(),
            _ => cells.iter().find(|cell| **cell != was && !cell.is_empty()).unwrap().clone(),
        };
        columns.push((name, cells));
        let said = find(&table(&columns));
        prop_assert!(!said.iter().any(|said| said == words), "{:?}", said);
        // nor any other: what is left is one exception to a rule
        prop_assert!(said.is_empty(), "{:?}", said);
    }
}

#[test]
fn the_left_column_stays_and_nothing_is_derived_in_a_circle() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut text = "a,b,c,d,e,f,total\n".to_owned();
    for _ in 0..500 {
        let (a, d) = (rng.random_range(0..20), rng.random_range(0..30));
        let e = a + d;
        let _ = writeln!(text, "{a},{},{},{d},{e},{},{}", 2 * a, 5 - a, e - 2 * a, a + e);
    }
    let table = read(&text);
    let found = Dependencies::find(&table, &[]);
    let derived: Vec<&str> = found.iter().map(ef_tabular::Dependency::derived).collect();
    // a and d say all; what is derived has its sources before it
    let mut known = vec!["a", "d"];
    for dependency in found.iter() {
        assert!(
            dependency.sources().iter().all(|s| known.contains(s)),
            "{dependency}"
        );
        known.push(dependency.derived());
    }
    assert_eq!(known.len(), 7, "{:?}", words(&found));
    assert!(!derived.contains(&"a"));
    let said = words(&found);
    for expected in ["b = 2 * a", "c = 5 - a", "e = a + d"] {
        assert!(said.iter().any(|said| said == expected), "{said:?}");
    }
}

#[test]
fn one_way_lookups_chain_through_the_smallest_table() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut text = "continent,country,city,iso\n".to_owned();
    for _ in 0..2000 {
        let city: u32 = rng.random_range(0..40);
        let country = city / 4;
        let _ = writeln!(text, "C{},L{country},T{city},{}", country / 3, 100 + country);
    }
    let table = read(&text);
    assert_eq!(
        find(&table),
        [
            "country = lookup of city (40 values)",
            "continent = lookup of country (10 values)",
            "iso = lookup of country (10 values)"
        ]
    );
    // columns that are given are sources only
    let found = Dependencies::find(&table, &["country", "continent"]);
    assert_eq!(words(&found), ["iso = lookup of country (10 values)"]);
    let found = Dependencies::find(&table, &["iso"]);
    assert_eq!(
        words(&found),
        [
            "country = lookup of iso (10 values)",
            "continent = lookup of country (10 values)"
        ]
    );
}

#[test]
fn missing_cells_must_go_together() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let rows: Vec<(u32, u32, bool, bool)> = (0..600)
        .map(|_| {
            let gap = |rng: &mut ChaCha8Rng| rng.random_bool(0.2);
            (
                rng.random_range(0..50),
                rng.random_range(0..50),
                gap(&mut rng),
                gap(&mut rng),
            )
        })
        .collect();
    let written = |missing: &dyn Fn(bool, bool) -> bool| {
        let mut text = "a,b,sum\n".to_owned();
        for &(a, b, no_a, no_b) in &rows {
            let cell = |x: u32, gone: bool| if gone { String::new() } else { x.to_string() };
            let sum = cell(a + b, missing(no_a, no_b));
            let _ = writeln!(text, "{},{},{sum}", cell(a, no_a), cell(b, no_b));
        }
        read(&text)
    };
    assert_eq!(find(&written(&|a, b| a || b)), ["sum = a + b"]);
    assert_eq!(find(&written(&|a, b| a && b)), [""; 0]);
    assert_eq!(find(&written(&|a, _| a)), [""; 0]);
    assert_eq!(find(&written(&|_, _| false)), [""; 0]);

    let table = written(&|a, b| a || b);
    let found = Dependencies::find(&table, &[]);
    let sum = found.of("sum").unwrap();
    let new = read("a,b\n1,2\n,2\n1e300,1\n7,3\n");
    let right = sum.derive(&new).unwrap();
    assert_eq!(
        right,
        [
            Some(Value::Number(3.0)),
            Some(Value::Missing),
            None,
            Some(Value::Number(10.0))
        ]
    );
}

#[test]
fn a_lookup_says_nothing_about_what_it_never_saw() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let mut text = "day,shop,area\n".to_owned();
    for _ in 0..800 {
        let (month, day, shop) = (
            rng.random_range(1..13),
            rng.random_range(1..29),
            rng.random_range(0..6),
        );
        let _ = writeln!(text, "2011-{month:02}-{day:02},s{shop},{}", ["n", "s"][shop % 2]);
    }
    let table = read(&text);
    let found = Dependencies::find(&table, &[]);
    assert_eq!(words(&found), ["area = lookup of shop (6 values)"]);
    let new = read("shop\ns3\ns6\n\"\"\n");
    let right = found.of("area").unwrap().derive(&new).unwrap();
    assert_eq!(right, [Some(Value::Text("s")), None, None]);
    let lacking = read("other\n1\n");
    assert!(found.of("area").unwrap().derive(&lacking).is_err());
}

/// The column that settles another only where it is "none" does not determine it.
#[test]
fn the_commonest_value_alone_is_no_evidence() {
    let mut text = "days,result\n".to_owned();
    for i in 0..200 {
        let _ = match i % 6 {
            0 => writeln!(text, "{},{}", 90 + i, ["yes", "no", "other"][i % 5 % 3]),
            _ => writeln!(text, "-1,unknown"),
        };
    }
    assert_eq!(find(&read(&text)), [""; 0]);
}

#[test]
fn what_was_found_survives_a_file() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let base = noise(&mut rng, 900);
    let mut columns = base.clone();
    columns.extend(planted(&base).into_iter().map(|(name, cells, _)| (name, cells)));
    let found = Dependencies::find(&table(&columns), &[]);
    assert_eq!(found.len(), 13);
    let json = serde_json::to_string(&found).unwrap();
    let again: Dependencies = serde_json::from_str(&json).unwrap();
    assert_eq!(again, found);
    assert_eq!(found.clone().without("x2").len(), 12);
    // a damaged list is refused, not believed
    let damaged = json.replacen("\"divisor\":1", "\"divisor\":0", 1);
    assert!(damaged != json && serde_json::from_str::<Dependencies>(&damaged).is_err());
}

/// Any four of many copies add up to nothing; the search looks at one of them.
#[test]
fn many_copies_are_one_column() {
    let copies = 60;
    let header: Vec<String> = (0..copies).map(|j| format!("c{j}")).collect();
    let rows = (0..400).map(|i| vec![(i * 37 % 211).to_string(); copies].join(","));
    let text: Vec<String> = std::iter::once(header.join(",")).chain(rows).collect();
    let table = ef_io::read_csv_from(text.join("\n").as_bytes(), "copies").unwrap();
    let found = Dependencies::find(&table, &[]);
    assert_eq!(found.len(), copies - 1);
    assert!(found.iter().all(|d| d.sources().len() == 1));
}

/// Each column is the sum of the two before it: asking what follows from what must not walk every way.
#[test]
fn chains_of_sums_are_searched_once() {
    let columns = 45;
    let rows = (0..300_i64).map(|i| {
        let mut row = vec![i * 37 % 101, i * 53 % 97];
        while row.len() < columns {
            row.push(row[row.len() - 1] + row[row.len() - 2]);
        }
        row.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
    });
    let header: Vec<String> = (0..columns).map(|j| format!("c{j}")).collect();
    let text: Vec<String> = std::iter::once(header.join(",")).chain(rows).collect();
    let table = ef_io::read_csv_from(text.join("\n").as_bytes(), "sums").unwrap();
    assert_eq!(Dependencies::find(&table, &[]).len(), columns - 2);
}
