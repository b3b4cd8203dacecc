//! A table processed in any pieces gives the bytes of the whole, whatever the model and the request.

mod common;

use std::fmt::Write as _;

use common::small;

use ef_demo::Demo;
use ef_model::{
    Anomalies, Complete, Completed, EchoFlow, Impute, Key, ModelKind, Predict, Prediction, Sample, Score,
    Scores, Table,
};
use ef_tabular::Value;

const KINDS: [ModelKind; 3] = [ModelKind::Autoregressive, ModelKind::Maf, ModelKind::Nsf];
const ROWS: usize = 1000;

/// Pieces of a table: the last are rows.
const CUTS: [usize; 4] = [1, 2, 7, ROWS];

/// Rows of requests that draw for each row; cut into 1000 pieces, a row is a piece.
const DRAWN_ROWS: usize = 220;

fn fit(table: &Table, kind: ModelKind, members: usize, context: &[&str]) -> EchoFlow {
    let builder = EchoFlow::builder()
        .architecture(small(kind, 12))
        .ensemble(members);
    let builder = builder.seed(3).epochs(2);
    builder.context(context.iter().copied()).fit(table).unwrap()
}

/// The table with about one cell in `every` missing in its first half, so that rows of all sorts lie side by side.
fn holed(table: &Table, every: usize, but: &str) -> Table {
    let mut holed = table.clone();
    for (at, column) in table.schema().columns.iter().enumerate() {
        if column.name == but {
            continue;
        }
        let cell = |row: usize| {
            let hole = row < 120 && (row * 31 + at * 17 + row * row % 7).is_multiple_of(every);
            if hole {
                Value::Missing
            } else {
                table.value(row, at)
            }
        };
        let values: Vec<Value<'_>> = (0..table.num_rows()).map(cell).collect();
        holed = holed.with_replaced(column, &values).unwrap();
    }
    holed
}

/// Missing cells, a lookup, a sum, a date and a column that is only given.
fn people() -> Table {
    let mut text = "kind,age,town,zone,wage,extra,total,weight,hired\n".to_owned();
    for i in 0..ROWS {
        let kind = ["a", "b", "c"][i * i % 3];
        let age = 18 + (i * 37) % 53;
        let town = ["Ayr", "Bath", "Cork", "Diss", ""][(i * 7 + i / 11) % 5];
        let zone = match town {
            "" => "",
            "Ayr" | "Bath" => "north",
            _ => "south",
        };
        let (wage, extra) = (1200 + 10 * (age / 2) + 50 * (i * 13 % 29), i * 97 % 301);
        let weight = 50.0 + 20.0 * ((i as f64 * 0.618).fract()) + 0.2 * age as f64;
        let hired = format!("20{:02}-0{}-1{}", 10 + age % 9, 1 + age % 8, i % 9);
        let age = if i % 10 == 3 {
            String::new()
        } else {
            age.to_string()
        };
        let _ = writeln!(
            text,
            "{kind},{age},{town},{zone},{wage},{extra},{},{weight},{hired}",
            wage + extra
        );
    }
    ef_io::read_csv_from(text.as_bytes(), "people.csv").unwrap()
}

/// Numbers that have densities: what flows answer exactly.
fn numbers() -> Table {
    let mut text = "x,y,z\n".to_owned();
    for i in 0..ROWS {
        let (u, v) = (
            (i as f64 * 0.618_033_988).fract(),
            (i as f64 * 0.754_877_666).fract(),
        );
        let _ = writeln!(text, "{},{},{}", 3.0 * u, 3.0 * u * u + v, (v * 7.0).sin() + u);
    }
    ef_io::read_csv_from(text.as_bytes(), "numbers.csv").unwrap()
}

/// The lines of a table, without the header.
fn lines(table: &Table) -> Vec<String> {
    let mut text = Vec::new();
    ef_io::write_csv_to(table, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

fn of_scores(scores: &Scores) -> Vec<String> {
    let pairs = scores.log_prob.iter().zip(&scores.standard_error);
    pairs
        .map(|(l, e)| format!("{:x} {:x}", l.to_bits(), e.to_bits()))
        .collect()
}

fn of_completed(completed: &Completed) -> Vec<String> {
    let tables: Vec<Vec<String>> = completed.tables.iter().map(lines).collect();
    let rows = 0..tables[0].len();
    rows.map(|row| {
        let low = completed.low_ess.contains(&row);
        let cells: Vec<&str> = tables.iter().map(|table| table[row].as_str()).collect();
        format!("{low} {}", cells.join(" | "))
    })
    .collect()
}

fn of_prediction(prediction: &Prediction) -> Vec<String> {
    match prediction {
        Prediction::Labels {
            labels,
            probabilities,
        } => probabilities
            .iter()
            .map(|p| format!("{labels:?} {p:?}"))
            .collect(),
        Prediction::Numbers { rows } | Prediction::Dates { rows } => {
            rows.iter().map(|row| format!("{row:?}")).collect()
        }
        _ => panic!("another prediction"),
    }
}

/// What a request gives for a piece of the table whose first row is number `u64`: a text a row.
type Ask<'a> = Box<dyn Fn(&Table, u64) -> Vec<String> + 'a>;

fn scored(model: &EchoFlow) -> Ask<'_> {
    Box::new(move |table, first| {
        let request = Score::new().from_row(first);
        of_scores(&request.run(model, table, Key::new(7)).unwrap())
    })
}

fn completed(model: &EchoFlow) -> Ask<'_> {
    Box::new(move |table, first| {
        let request = Complete::new().draws(3).from_row(first);
        of_completed(&request.run(model, table, Key::new(7)).unwrap())
    })
}

fn row_by_row<'a>(model: &'a EchoFlow, columns: &[&'a str]) -> Vec<(String, Ask<'a>)> {
    let key = Key::new(7);
    let mut all: Vec<(String, Ask<'a>)> = vec![
        ("score".to_owned(), scored(model)),
        ("complete".to_owned(), completed(model)),
        (
            "score observed".to_owned(),
            Box::new(move |table, first| {
                let request = Score::new().observed(true).from_row(first);
                of_scores(&request.run(model, table, key).unwrap())
            }),
        ),
        (
            "impute".to_owned(),
            Box::new(move |table, first| {
                of_completed(&Impute::new().from_row(first).run(model, table, key).unwrap())
            }),
        ),
    ];
    for column in columns.iter().copied() {
        all.push((
            format!("predict {column}"),
            Box::new(move |table, first| {
                of_prediction(
                    &Predict::column(column)
                        .from_row(first)
                        .run(model, table, key)
                        .unwrap(),
                )
            }),
        ));
    }
    all
}

fn in_pieces(table: &Table, count: usize, ask: &dyn Fn(&Table, u64) -> Vec<String>) -> Vec<String> {
    let cut = |piece: usize| table.num_rows() * piece / count;
    (0..count)
        .filter(|&piece| cut(piece) < cut(piece + 1))
        .flat_map(|piece| {
            let part = table.slice(cut(piece), cut(piece + 1) - cut(piece));
            ask(&part, cut(piece) as u64)
        })
        .collect()
}

#[track_caller]
fn assert_pieces_are_the_whole(
    what: &str,
    table: &Table,
    counts: &[usize],
    ask: &dyn Fn(&Table, u64) -> Vec<String>,
) {
    let whole = ask(table, 0);
    assert_eq!(whole.len(), table.num_rows(), "{what}");
    for &count in counts {
        let parts = in_pieces(table, count, ask);
        let other = (0..whole.len()).find(|&row| whole[row] != parts[row]);
        if let Some(row) = other {
            panic!(
                "{what} in {count} pieces: row {row} is\n{}\nwhere it is\n{}",
                parts[row], whole[row]
            );
        }
    }
}

#[test]
fn loans_in_pieces_are_the_whole() {
    let whole = Demo::Loans.generate(ROWS, 1).to_table().unwrap();
    let table = holed(&whole, 9, "");
    let part = table.slice(0, DRAWN_ROWS);
    let chain = fit(&whole, ModelKind::Autoregressive, 2, &[]);
    for (what, ask) in row_by_row(&chain, &["grade", "income"]) {
        assert_pieces_are_the_whole(
            &format!("autoregressive: {what}"),
            if what == "score" { &table } else { &part },
            &CUTS,
            &ask,
        );
    }
    // under flows the scores of rounded numbers are estimates, and cells cannot be known
    for kind in [ModelKind::Maf, ModelKind::Nsf] {
        let model = fit(&whole, kind, 1, &[]);
        let scores = model.score(&table).unwrap();
        assert!(
            scores.standard_error.iter().any(|e| *e > 0.0),
            "{kind}: no estimate"
        );
        assert_pieces_are_the_whole(&format!("{kind}: score"), &table, &CUTS, &scored(&model));
    }
}

#[test]
fn numbers_in_pieces_are_the_whole() {
    let whole = numbers();
    let table = holed(&whole, 4, "");
    let part = table.slice(0, DRAWN_ROWS);
    for kind in [ModelKind::Maf, ModelKind::Nsf] {
        let model = fit(&whole, kind, 1, &[]);
        // whole rows: a missing cell is impossible here
        assert_pieces_are_the_whole(&format!("{kind}: score"), &whole, &CUTS, &scored(&model));
        for (what, ask) in row_by_row(&model, &["y"]) {
            if what != "score" {
                assert_pieces_are_the_whole(
                    &format!("{kind}: {what}"),
                    if what == "score" { &table } else { &part },
                    &CUTS,
                    &ask,
                );
            }
        }
    }
}

#[test]
fn rows_of_a_context_in_pieces_are_the_whole() {
    let whole = people();
    let table = holed(&whole, 8, "kind");
    let part = table.slice(0, DRAWN_ROWS);
    let given = whole.select(&["kind"]).unwrap();
    for kind in KINDS {
        let model = fit(&whole, kind, 1, &["kind"]);
        if kind == ModelKind::Autoregressive {
            for (what, ask) in row_by_row(&model, &["town", "hired"]) {
                assert_pieces_are_the_whole(
                    &format!("{kind}: {what}"),
                    if what == "score" { &table } else { &part },
                    &CUTS,
                    &ask,
                );
            }
        } else {
            assert_pieces_are_the_whole(&format!("{kind}: score"), &table, &CUTS, &scored(&model));
        }
        assert_pieces_are_the_whole(
            &format!("{kind}: contexts completed"),
            &given,
            &CUTS,
            &completed(&model),
        );
        for each in [1, 3] {
            let ask = |table: &Table, first: u64| {
                let request = Sample::rows(each).given(table).from_row(first);
                let drawn = lines(&request.run(&model, Key::new(5)).unwrap());
                drawn.chunks(each).map(|rows| rows.join(" | ")).collect()
            };
            assert_pieces_are_the_whole(&format!("{kind}: {each} for each"), &given, &CUTS, &ask);
        }
    }
}

#[test]
fn parts_of_a_sample_are_parts_of_the_whole() {
    let table = Demo::Loans.generate(400, 1).to_table().unwrap();
    for (kind, members) in [
        (ModelKind::Autoregressive, 1),
        (ModelKind::Autoregressive, 3),
        (ModelKind::Maf, 1),
        (ModelKind::Nsf, 1),
    ] {
        let model = fit(&table, kind, members, &[]);
        let draw = |rows: usize, first: usize| {
            let request = Sample::rows(rows).from_row(first as u64);
            lines(&request.run(&model, Key::new(2)).unwrap())
        };
        let whole = draw(1000, 0);
        for (rows, first) in [(1, 0), (1, 999), (512, 3), (300, 700), (0, 5)] {
            assert_eq!(
                draw(rows, first),
                whole[first..first + rows],
                "{kind} {members}: {rows} from {first}"
            );
        }
        assert_eq!(whole, lines(&model.sample(1000, 2).unwrap()));
    }
}

/// The split of a row's log-density depends on no other row, with and without a context and an order-agnostic network.
#[test]
fn attributions_in_pieces_are_the_whole() {
    for (kind, members, context, order_agnostic) in [
        (ModelKind::Autoregressive, 1, &["kind"][..], true),
        (ModelKind::Autoregressive, 3, &[][..], false),
        (ModelKind::Nsf, 1, &[][..], true),
    ] {
        let table = if kind == ModelKind::Nsf {
            numbers()
        } else {
            people()
        };
        let builder = EchoFlow::builder()
            .architecture(small(kind, 12))
            .ensemble(members);
        let builder = builder
            .seed(3)
            .epochs(2)
            .context(context.iter().copied())
            .order_agnostic(order_agnostic);
        let model = builder.fit(&table).unwrap();
        let ask = |table: &Table, _: u64| {
            let found = Anomalies::new().run(&model, table, model.key()).unwrap();
            found
                .nats
                .rows()
                .into_iter()
                .map(|row| format!("{row:?}"))
                .collect()
        };
        assert_pieces_are_the_whole(&format!("{kind}"), &table, &[1, 2, 7], &ask);
    }
}

/// One seed names one family of streams for each request, the same as a key does.
#[test]
fn a_seed_is_a_key() {
    let table = holed(&people(), 8, "").slice(0, 60);
    let model = fit(&people(), ModelKind::Autoregressive, 1, &[]);
    let key = Key::new(9);
    assert_eq!(
        of_completed(&model.impute(&table, 9).unwrap()),
        of_completed(&Impute::new().run(&model, &table, key).unwrap())
    );
    assert_eq!(
        of_completed(&model.complete(&table, 9).unwrap()),
        of_completed(&Complete::new().run(&model, &table, key).unwrap())
    );
    assert_eq!(
        model.score(&table).unwrap(),
        Score::new().run(&model, &table, model.key()).unwrap()
    );
    assert_eq!(
        model.predict(&table, "town").unwrap(),
        Predict::column("town").run(&model, &table, model.key()).unwrap()
    );
    assert_ne!(
        of_completed(&model.impute(&table, 9).unwrap()),
        of_completed(&model.impute(&table, 10).unwrap())
    );
}

/// Rows under a condition have no numbers.
#[test]
fn a_condition_with_a_first_row_is_refused() {
    let table = people();
    let model = fit(&table, ModelKind::Autoregressive, 1, &[]);
    let condition = "age > 30".parse().unwrap();
    let refused = |request: Sample<'_>| {
        let error = request.where_(&condition).run(&model, Key::new(1)).unwrap_err();
        error.to_string()
    };
    let first = refused(Sample::rows(5).from_row(3));
    assert!(first.contains("the number of a first row"), "{first}");
    let given = refused(Sample::rows(5).given(&table));
    assert!(given.contains("rows that are given"), "{given}");
}
