//! Rows under conditions, and probabilities: what is asked for is met by every row, as it is written.

mod common;

use std::fmt::Write as _;

use common::{Folder, cells, club};

/// `sample` with conditions.
fn sample(folder: &Folder, conditions: &[&str], more: &str) -> common::Done {
    let mut args = vec!["sample", "m.echoflow"];
    conditions
        .iter()
        .for_each(|condition| args.extend(["--where", condition]));
    args.extend(more.split_whitespace());
    folder.run_of(&args)
}

fn probability(folder: &Folder, conditions: &[&str], given: &[&str], more: &str) -> common::Done {
    let mut args = vec!["probability", "m.echoflow"];
    conditions
        .iter()
        .for_each(|condition| args.extend(["--where", condition]));
    given
        .iter()
        .for_each(|condition| args.extend(["--given", condition]));
    args.extend(more.split_whitespace());
    folder.run_of(&args)
}

/// The number after `P = `.
fn value(text: &str) -> f64 {
    let number = text
        .strip_prefix("P = ")
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    number.parse().unwrap()
}

/// town, zone, age, score, joined, active
type Meets = fn(&[String]) -> bool;

const CONDITIONS: &[(&[&str], Meets)] = &[
    (&["home town = Oslo"], |row| row[0] == "Oslo"),
    (&["home town = \"York, New\" and age > 40"], |row| {
        row[0] == "York, New" && row[2] != "?" && row[2].parse::<u32>().unwrap() > 40
    }),
    (&["age between 30 and 40", "active = true"], |row| {
        (30..=40).contains(&row[2].parse::<u32>().unwrap()) && row[5] == "TRUE"
    }),
    (&["age is missing"], |row| row[2] == "?"),
    (&["score between 3.15 and 4.05"], |row| {
        let score: f64 = row[3].parse().unwrap();
        (3.15..=4.05).contains(&score) && row[3].len() == 4
    }),
    (&["joined < 2014-01-01 or home town in (Oslo, Rome)"], |row| {
        row[4].as_str() < "2014-01-01" || ["Oslo", "Rome"].contains(&&*row[0])
    }),
    // a column that follows from another
    (&["zone = 20"], |row| row[1] == "20" && row[0] != "Oslo"),
    (&["not zone = 20 and not (age < 25 or age is missing)"], |row| {
        row[0] == "Oslo" && row[2].parse::<u32>().unwrap() >= 25
    }),
    (&["age > column zone", "age < 60"], |row| {
        let age: u32 = row[2].parse().unwrap();
        age > row[1].parse().unwrap() && age < 60
    }),
];

#[test]
fn every_row_meets_its_conditions() {
    let folder = club();
    for (conditions, meets) in CONDITIONS {
        let drawn = sample(&folder, conditions, "-n 70 -o new.csv").ok();
        assert_eq!(drawn.out, "");
        let said: Vec<&str> = drawn.err.lines().collect();
        assert!(
            said[0].starts_with("drew 70 rows from ")
                && said[0].contains("; the condition's probability under the model is 0."),
            "{}",
            drawn.err
        );
        assert_eq!(said[1..], ["wrote 70 rows to new.csv"], "{}", drawn.err);
        let text = folder.read("new.csv");
        assert_eq!(text.lines().next(), folder.read("members.csv").lines().next());
        let rows = &cells(&text)[1..];
        assert_eq!(rows.len(), 70);
        for row in rows {
            assert!(meets(row), "{conditions:?}: {row:?}");
            assert_eq!(row[1], if row[0] == "Oslo" { "10" } else { "20" });
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_answer_on_any_number_of_threads() {
    let folder = club();
    let asked = ["age > 50 and home town != Oslo"];
    let rows = |more: &str| sample(&folder, &asked, &format!("-n 300 {more}")).ok().out;
    let odds = |more: &str| probability(&folder, &asked, &["active = true"], more).ok().out;
    for threads in ["2", "8"] {
        let more = format!("--seed 4 --threads {threads}");
        assert!(
            rows(&more) == rows("--seed 4 --threads 1"),
            "{threads} threads: other rows"
        );
        assert_eq!(odds(&more), odds("--seed 4 --threads 1"));
    }
    assert!(rows("--seed 4") != rows("--seed 5"), "the seed changes nothing");
}

#[test]
fn the_story_of_conditional_rows_is_an_object() {
    let folder = club();
    let story = sample(
        &folder,
        &["age > 50", "active = true"],
        "-n 20 -o new.csv --json -",
    )
    .ok();
    assert_eq!(story.out.lines().count(), 1);
    let object: serde_json::Value = serde_json::from_str(&story.out).unwrap();
    assert_eq!(object["condition"], "age > 50 and active = true");
    assert_eq!(object["rows"], 20);
    assert_eq!(object["density"], false);
    assert!(["own", "order-agnostic"].contains(&object["proposal"].as_str().unwrap()));
    assert!(object["ess"].as_f64().unwrap() <= object["draws"].as_f64().unwrap());
    let p = object["probability"].as_f64().unwrap();
    let error = object["standard_error"].as_f64().unwrap();
    let told = probability(&folder, &["age > 50 and active = true"], &[], "")
        .ok()
        .out;
    assert!(
        (p - value(&told)).abs() < 6.0 * error + 0.01,
        "{p} +- {error}, {told}"
    );

    sample(&folder, &["age > 50", "active = true"], "-n 20 --json story.json").ok();
    assert_eq!(folder.read("story.json"), story.out);
    let refused = sample(&folder, &["age > 50"], "-n 20 --json -");
    refused.refused("-o and --json cannot both go to standard output; name a file with -o");
    for option in ["--json story.json", "--allow-low-ess"] {
        let alone = sample(&folder, &[], &format!("-n 20 {option}"));
        assert_eq!((alone.code, alone.out.as_str()), (Some(2), ""));
        assert!(alone.err.contains("--where <CONDITION>"), "{}", alone.err);
    }
}

#[test]
fn probabilities_are_those_of_the_table_and_add_up() {
    let folder = club();
    let p = |condition: &str, given: &[&str]| value(&probability(&folder, &[condition], given, "").ok().out);
    let table = cells(&folder.read("members.csv"));
    let share = |meets: &dyn Fn(&[String]) -> bool| {
        let all = table.len() - 1;
        table[1..].iter().filter(|row| meets(row)).count() as f64 / all as f64
    };
    for (condition, real) in [
        ("home town = Oslo", share(&|row| row[0] == "Oslo")),
        ("age is missing", share(&|row| row[2] == "?")),
        ("active = true", share(&|row| row[5] == "TRUE")),
        ("zone = 20", share(&|row| row[1] == "20")),
    ] {
        let told = p(condition, &[]);
        assert!(
            (told - real).abs() < 0.06,
            "{condition}: {told}, in the table {real}"
        );
        assert!(
            (told + p(&format!("not {condition}"), &[]) - 1.0).abs() < 0.03,
            "{condition}"
        );
    }
    let (both, given) = (p("score > 5 and age > 40", &[]), p("age > 40", &[]));
    assert!((p("score > 5", &["age > 40"]) - both / given).abs() < 0.04);
    let several = p("score > 5", &["age > 40", "active = true"]);
    assert!((several - p("score > 5", &["age > 40 and active = true"])).abs() < 1e-12);
}

#[test]
fn a_probability_says_how_sure_it_is() {
    let folder = club();
    let first = probability(&folder, &["home town = Rome"], &[], "").ok();
    assert_eq!(first.err, "");
    assert!(first.out.ends_with(" (exact)\n"), "{}", first.out);
    let estimated = probability(&folder, &["active = true and age > 40"], &["score > 5"], "").ok();
    let figures: Vec<&str> = estimated.out.split_whitespace().collect();
    assert_eq!((figures[0], figures[3]), ("P", "+-"), "{}", estimated.out);
    assert!(figures[4].parse::<f64>().unwrap() < 0.02, "{}", estimated.out);
    assert!(
        estimated.out.contains(" (standard error; ") && estimated.out.ends_with(" draws)\n"),
        "{}",
        estimated.out
    );
    let object = probability(&folder, &["age > 40"], &["active = true", "zone = 10"], "--json")
        .ok()
        .out;
    let object: serde_json::Value = serde_json::from_str(&object).unwrap();
    assert_eq!(object["condition"], "age > 40");
    assert_eq!(object["given"], "active = true and zone = 10");
    for name in ["probability", "standard_error", "draws", "ess"] {
        assert!(object[name].as_f64().unwrap() >= 0.0, "{object}");
    }
    // what cannot be has no probability, and a misspelling is said
    let never = probability(&folder, &["home town = Osl"], &[], "").ok();
    assert_eq!(never.out, "P = 0 (exact)\n");
    assert_eq!(
        never.err,
        "no row of the model meets \"home town\" = Osl: no training row has home town = \"Osl\" (did you mean \"Oslo\"?)\n"
    );
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let folder = club();
    let before = folder.files();
    sample(&folder, &["home town = Paris"], "-n 5 -o new.csv").refused(
        "no row of the model meets \"home town\" = Paris: no training row has home town = \"Paris\"",
    );
    sample(&folder, &["age > 30", "age < 20"], "-n 5 -o new.csv")
        .refused("no row of the model meets age > 30 and age < 20: no row can meet all of it");
    sample(&folder, &["years > 30"], "-n 5 -o new.csv").refused(
        "there is no column \"years\"; the columns are: home town, zone, age, score, joined, active",
    );
    sample(&folder, &["age > thirty"], "-n 5 -o new.csv").refused(
        "column \"age\" holds numbers, and \"thirty\" is none; write digits and a decimal point, such as 3.5",
    );
    sample(&folder, &["age > 30"], "").refused("say how many rows to draw with -n, such as -n 1000");
    sample(&folder, &["age > 30"], "--rows members.csv").refused(
        "--rows and --where cannot be used together; write what is known into the rows, or leave --rows out and use \
         --where alone",
    );
    probability(&folder, &["age > 30"], &["home town = Paris"], "").refused(
        "no row of the model meets \"home town\" = Paris: no training row has home town = \"Paris\"",
    );
    // no row can meet it, but no column by itself says so
    let never = sample(
        &folder,
        &["age < column zone and zone = 10"],
        "-n 5 -o new.csv --allow-low-ess",
    );
    assert_eq!((never.code, never.out.as_str()), (Some(2), ""));
    assert!(
        never
            .err
            .starts_with("error: none of 32768 weighted draws meets age < `zone` and zone = 10, so"),
        "{}",
        never.err
    );
    assert_eq!(folder.files(), before);
}

#[test]
fn a_condition_that_does_not_parse_is_shown_with_the_place() {
    let folder = club();
    for args in [
        &["sample", "none.echoflow", "-n", "5", "--where", "age >"][..],
        &["probability", "none.echoflow", "--where", "age >"],
        &[
            "probability",
            "none.echoflow",
            "--where",
            "age > 3",
            "--given",
            "age >",
        ],
    ] {
        let done = folder.run_of(args);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""));
        let lines: Vec<&str> = done.err.lines().collect();
        assert!(
            lines[0].starts_with("error: invalid value 'age >' for '--")
                && lines[0].contains(": at character 6 of the condition: expected a value"),
            "{}",
            done.err
        );
        assert_eq!(lines[1..3], ["  age >", "       ^"], "{}", done.err);
    }
    let none = folder.run("probability m.echoflow");
    assert_eq!(none.code, Some(2));
    assert!(none.err.contains("--where <CONDITION>"), "{}", none.err);
}

#[test]
fn rare_rows_are_refused_unless_they_are_asked_for() {
    let folder = club();
    // few of the rows that are drawn to meet the rest meet a comparison of two columns
    let rare = ["age < column zone and age > 18"];
    let refused = sample(&folder, &rare, "-n 30 -o new.csv");
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
    assert!(
        refused
            .err
            .starts_with("error: rows that meet age < `zone` and age > 18 are too rare under the model")
            && refused.err.contains("--allow-low-ess"),
        "{}",
        refused.err
    );
    sample(&folder, &rare, "-n 30 -o new.csv --allow-low-ess").ok();
    let rows = cells(&folder.read("new.csv"));
    assert_eq!(rows.len(), 31);
    assert!(
        rows[1..].iter().all(|row| row[1] == "20" && row[2] == "19"),
        "{rows:?}"
    );
}

#[test]
fn models_of_other_kinds_answer_or_say_why_not() {
    let folder = club();
    folder
        .run("fit members.csv -o given.echoflow --context active --epochs 1 --quiet --order-agnostic no")
        .ok();
    let needed = "this model is conditioned on: active; to sample it, give a table of these columns with one row for each row \
                  to draw (--rows FILE)";
    folder
        .run_of(&["sample", "given.echoflow", "-n", "3", "--where", "age > 30"])
        .refused(needed);
    folder
        .run_of(&["probability", "given.echoflow", "--where", "age > 30"])
        .refused(needed);

    // a flow knows ranges, and no exact values
    let mut numbers = "x,y\n".to_owned();
    for i in 0..200 {
        let x = common::noise(i);
        let _ = writeln!(numbers, "{x},{}", x + common::noise(i + 500));
    }
    folder.write("numbers.csv", numbers);
    for (order_agnostic, knows) in [("yes", true), ("no", false)] {
        folder
            .run(&format!(
                "fit numbers.csv -o flow.echoflow --model maf --epochs 2 --quiet --order-agnostic {order_agnostic}"
            ))
            .ok();
        let inspected = folder.run("inspect flow.echoflow").ok().out;
        assert_eq!(inspected.contains("order-agnostic"), knows, "{inspected}");
        let run =
            |condition: &str| folder.run_of(&["sample", "flow.echoflow", "-n", "20", "--where", condition]);
        for row in &cells(&run("y > 0.8 and x < 0.6").ok().out)[1..] {
            let (x, y): (f64, f64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
            assert!(y > 0.8 && x < 0.6, "{row:?}");
        }
        if knows {
            let given = run("x = 0.25").ok();
            assert!(
                cells(&given.out)[1..].iter().all(|row| row[0] == "0.25"),
                "{}",
                given.out
            );
            assert!(
                given
                    .err
                    .contains("; the condition's density under the model is "),
                "{}",
                given.err
            );
        } else {
            run("x = 0.25").refused(
                "a maf model cannot draw rows given an exact value of a number; a model of the kind \"autoregressive\" can (fit --model autoregressive)",
            );
        }
    }
}
