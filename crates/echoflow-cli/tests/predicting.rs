//! One column given the others, and rows that are odd.

mod common;

use std::fmt::Write as _;

use common::{Folder, cells, club, column, rows};

/// The cells of a column of a CSV text as numbers.
fn numbers(text: &str, name: &str) -> Vec<f64> {
    let table = cells(text);
    let at = table[0]
        .iter()
        .position(|other| other == name)
        .unwrap_or_else(|| panic!("{name}: {:?}", table[0]));
    table[1..].iter().map(|row| row[at].parse().unwrap()).collect()
}

/// The first `n` rows of the members.
fn some(folder: &Folder, n: usize) -> String {
    let text: String = folder
        .read("members.csv")
        .split_inclusive('\n')
        .take(n + 1)
        .collect();
    folder.write("some.csv", &text);
    text
}

#[test]
fn labels_have_probabilities_that_add_up() {
    let folder = club();
    let given = some(&folder, 60);
    let done = folder
        .run_of(&["predict", "m.echoflow", "some.csv", "--column", "home town"])
        .ok();
    assert_eq!(done.err, "predicted home town for 60 rows\n");
    let head = "home town,zone,age,score,joined,active,";
    let header = done.out.lines().next().unwrap();
    assert!(
        header.starts_with(head) && header.ends_with(",predicted"),
        "{header}"
    );
    let labels = ["Oslo", "Rome", "York, New"];
    let shares = labels.map(|label| numbers(&done.out, &format!("P(home town = {label})")));
    let table = cells(&done.out);
    for (i, row) in table[1..].iter().enumerate() {
        let p: Vec<f64> = shares.iter().map(|share| share[i]).collect();
        assert!(
            (p.iter().sum::<f64>() - 1.0).abs() < 1e-9 && p.iter().all(|p| *p >= 0.0),
            "{p:?}"
        );
        let best = (0..3).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
        assert_eq!(row.last().unwrap(), labels[best]);
        // the zone is known, and says which towns it can be
        assert_eq!(p[0] > 0.99, row[1] == "10", "{row:?}");
    }
    for (line, back) in given.lines().zip(done.out.lines()) {
        assert!(back.starts_with(line), "{back}");
    }
    // what the table says of the column itself is not read
    let without: String = given
        .lines()
        .map(|line| if line.starts_with("home") { line.to_owned() } else { line.replace("Oslo", "Rome") } + "\n")
        .collect();
    folder.write("other.csv", without);
    let other = folder
        .run_of(&["predict", "m.echoflow", "other.csv", "--column", "home town"])
        .ok();
    assert_eq!(numbers(&other.out, "P(home town = Oslo)"), shares[0]);

    let active = folder.run("predict m.echoflow some.csv --column active").ok().out;
    let (yes, no) = (
        numbers(&active, "P(active = TRUE)"),
        numbers(&active, "P(active = FALSE)"),
    );
    assert!(yes.iter().zip(&no).all(|(yes, no)| (yes + no - 1.0).abs() < 1e-9));
    assert_eq!(active.lines().next().unwrap().matches("missing").count(), 0);
}

#[test]
fn numbers_and_dates_have_figures() {
    let folder = club();
    some(&folder, 30);
    let age = folder.run("predict m.echoflow some.csv --column age").ok().out;
    let names = ["q05", "q25", "median", "q75", "q95"];
    let figures = names.map(|name| numbers(&age, name));
    for row in 0..30 {
        assert!(figures.windows(2).all(|pair| pair[0][row] <= pair[1][row]));
        let (mean, deviation) = (numbers(&age, "mean")[row], numbers(&age, "deviation")[row]);
        assert!(figures[0][row] <= mean && mean <= figures[4][row] && deviation >= 0.0);
    }
    assert!(figures.iter().flatten().all(|x| x.fract() == 0.0));
    let missing = numbers(&age, "P(age is missing)");
    assert!(missing.iter().all(|p| (0.0..=1.0).contains(p)) && missing.iter().any(|p| *p > 0.0));

    let score = folder.run("predict m.echoflow some.csv --column score").ok().out;
    assert!(!score.contains("is missing"));
    let real = numbers(&score, "score");
    let (low, high) = (numbers(&score, "q05"), numbers(&score, "q95"));
    let inside = (0..30)
        .filter(|&row| low[row] <= real[row] && real[row] <= high[row])
        .count();
    assert!(inside > 18, "{inside} of 30 between the outer quantiles");

    let joined = folder.run("predict m.echoflow some.csv --column joined").ok().out;
    let table = cells(&joined);
    for row in &table[1..] {
        let days = [6, 8, 9, 10, 11, 12].map(|at| row[at].clone());
        assert!(
            days.iter().all(|day| day.len() == 10 && day.starts_with("20")),
            "{row:?}"
        );
        assert!(
            days[1] <= days[5] && row[7].parse::<f64>().unwrap() >= 0.0,
            "{row:?}"
        );
    }
}

#[test]
fn predictions_take_gaps_and_are_the_same_on_any_number_of_threads() {
    let folder = club();
    folder.write("part.csv", "note,age,joined\na,44,\nb,?,2015-05-15\n");
    for name in ["active", "score"] {
        let run = |threads: &str| {
            let line = format!("predict m.echoflow part.csv --column {name} --threads {threads} -o out.csv");
            folder.run(&line).ok();
            folder.read("out.csv")
        };
        let one = run("1");
        assert!(one.starts_with("note,age,joined,"), "{one}");
        assert_eq!(rows(&one).len(), 2);
        assert!(run("2") == one && run("8") == one);
        let piped = folder
            .pipe(
                &format!("predict m.echoflow - --column {name}"),
                &folder.read("part.csv"),
            )
            .ok();
        assert_eq!(piped.out, one);
    }
    folder.write("none.csv", "age\n");
    let none = folder.run("predict m.echoflow none.csv --column active").ok();
    assert!(none.out.starts_with("age,P(active = "), "{}", none.out);
    assert_eq!(none.out.lines().count(), 1);
}

#[test]
fn predictions_that_cannot_be_made_are_refused() {
    let folder = club();
    let refused = |column: &str| {
        folder.run(&format!("predict m.echoflow members.csv --column {column}")).refused(&format!(
            "\"{column}\" is not a modelled column (a column that is given or derived has nothing to predict); choose one of: \
             home town, age, score, joined, active"
        ));
    };
    refused("zone");
    refused("shoes");
    folder.write("taken.csv", "age,predicted\n3,x\n");
    folder.run("predict m.echoflow taken.csv --column active").refused(
        "taken.csv already has a column \"predicted\", where the prediction would go; rename it or take it out first",
    );
    folder.write("taken.csv", "age,q25\n3,x\n");
    folder.run("predict m.echoflow taken.csv --column score").refused(
        "taken.csv already has a column \"q25\", where the prediction would go; rename it or take it out first",
    );
    folder.write("other.csv", "name\nx\n");
    folder.run("predict m.echoflow other.csv --column score").refused(
        "other.csv has none of the model's columns, which are: home town, zone, age, score, joined, active; its own are: \
         name",
    );
}

/// The members with one row in which the town's zone, and one in which the score, cannot be right.
fn with_odd_rows(folder: &Folder) {
    let mut text = folder.read("members.csv");
    text.push_str("Rome,20,30,99.50,2016-04-15,TRUE\n");
    text.push_str("Oslo,20,30,4.50,2016-04-15,TRUE\n");
    folder.write("odd.csv", text);
}

#[test]
fn odd_rows_come_first_and_say_what_is_odd() {
    let folder = club();
    with_odd_rows(&folder);
    let done = folder.run("anomalies m.echoflow odd.csv -o found.csv").ok();
    let said: Vec<&str> = done.err.lines().collect();
    assert_eq!(said[0], "wrote 4 rows to found.csv");
    assert!(
        said[1].starts_with("4 of 402 rows: log_prob from "),
        "{}",
        done.err
    );
    let found = folder.read("found.csv");
    let table = cells(&found);
    assert_eq!(
        table[0].join("|"),
        "line|home town|zone|age|score|joined|active|log_prob|oddest|share: home town|share: age|share: score|share: \
         joined|share: active"
    );
    let lines: Vec<&str> = column(&found, "line");
    assert!(
        lines[..2].contains(&"402") && lines[..2].contains(&"403"),
        "{found}"
    );
    let source = cells(&folder.read("odd.csv"));
    for row in &table[1..] {
        let line: usize = row[0].parse().unwrap();
        assert_eq!(row[1..7], source[line - 1][..], "{row:?}");
    }
    let spoilt = table.iter().find(|row| row[0] == "402").unwrap();
    assert_eq!(spoilt[8], "score");
    let shares: Vec<f64> = spoilt[9..].iter().map(|share| share.parse().unwrap()).collect();
    assert!(shares.iter().all(|share| *share <= shares[2]), "{shares:?}");

    // every row, by the scores that `score` gives
    let all = folder.run("anomalies m.echoflow odd.csv --fraction 1").ok().out;
    let ranked = numbers(&all, "log_prob");
    assert_eq!(ranked.len(), 402);
    assert!(ranked.is_sorted());
    let scores = numbers(&folder.run("score m.echoflow odd.csv").ok().out, "log_prob");
    for (line, log_prob) in numbers(&all, "line").iter().zip(&ranked) {
        assert_eq!(scores[*line as usize - 2], *log_prob);
    }
    let below = (ranked[20] + ranked[21]) / 2.0;
    let few = folder
        .run(&format!("anomalies m.echoflow odd.csv --log-prob-below {below}"))
        .ok()
        .out;
    assert_eq!(numbers(&few, "log_prob"), ranked[..21]);
    let none = folder
        .run("anomalies m.echoflow odd.csv --log-prob-below -1e300")
        .ok();
    assert_eq!(
        none.out.lines().count(),
        1 + ranked.iter().filter(|x| **x == f64::NEG_INFINITY).count()
    );
    // at least one
    some(&folder, 3);
    assert_eq!(
        folder
            .run("anomalies m.echoflow some.csv")
            .ok()
            .out
            .lines()
            .count(),
        2
    );
    let both = folder.run("anomalies m.echoflow odd.csv --fraction 0.1 --log-prob-below -5");
    assert_eq!(both.code, Some(2));
    assert!(both.err.contains("cannot be used with"), "{}", both.err);
}

#[test]
fn anomalies_over_another_density() {
    let folder = club();
    with_odd_rows(&folder);
    folder
        .run("fit members.csv -o plain.echoflow --epochs 1 --quiet --order-agnostic no")
        .ok();
    let line = "anomalies m.echoflow odd.csv --over-density plain.echoflow --fraction 1";
    let done = folder.run(line).ok();
    assert!(
        done.err.starts_with("402 of 402 rows: log_ratio from "),
        "{}",
        done.err
    );
    let ratio = numbers(&done.out, "log_ratio");
    assert!(ratio.is_sorted());
    let scores = |model: &str| {
        numbers(
            &folder.run(&format!("score {model} odd.csv")).ok().out,
            "log_prob",
        )
    };
    let (own, other) = (scores("m.echoflow"), scores("plain.echoflow"));
    for (line, ratio) in numbers(&done.out, "line").iter().zip(&ratio) {
        let row = *line as usize - 2;
        let wanted = if own[row].is_finite() {
            own[row] - other[row]
        } else {
            own[row]
        };
        assert!(
            *ratio == wanted || (ratio - wanted).abs() < 1e-9,
            "line {line}: {ratio}, {wanted}"
        );
    }
    for threads in ["1", "2"] {
        assert!(folder.run(&format!("{line} --threads {threads}")).ok().out == done.out);
    }
    // a chain without an order-agnostic network splits by its own order
    let split = folder.run("anomalies plain.echoflow odd.csv").ok();
    assert!(split.out.contains(",oddest,share: "), "{}", split.out);
}

#[test]
fn anomalies_that_cannot_be_said_are_refused_or_left_out() {
    let folder = club();
    for name in ["line", "log_prob", "oddest", "share: age"] {
        folder.write("taken.csv", format!("age,{name}\n3,1\n"));
        folder.run("anomalies m.echoflow taken.csv").refused(&format!(
            "taken.csv already has a column \"{name}\", where the anomalies would say theirs; rename it or take it out first"
        ));
    }
    folder.write("other.csv", "age\n3\n");
    folder
        .run("anomalies m.echoflow other.csv")
        .refused("other.csv has no column \"home town\"; its columns are: age");

    let mut text = "x,y\n".to_owned();
    for i in 0..200 {
        let _ = writeln!(text, "{},{}", common::noise(i), common::noise(i + 500));
    }
    folder.write("numbers.csv", &text);
    folder
        .run("fit numbers.csv -o flow.echoflow --model maf --epochs 1 --quiet --order-agnostic no")
        .ok();
    let done = folder.run("anomalies flow.echoflow numbers.csv").ok();
    assert_eq!(done.out.lines().next(), Some("line,x,y,log_prob"));
    assert!(
        done.err.ends_with(
            "a maf model fitted without an order-agnostic network cannot say which column is odd: oddest and shares are left \
             out; fit the table with --model autoregressive for them\n"
        ),
        "{}",
        done.err
    );
    folder.write("none.csv", "x,y\n");
    let none = folder.run("anomalies flow.echoflow none.csv").ok();
    assert_eq!(none.out, "line,x,y,log_prob\n");
}
