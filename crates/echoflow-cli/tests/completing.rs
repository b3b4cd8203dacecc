//! Rows with empty cells, completed: `sample --rows` and `impute` keep what is there and fill the rest.

mod common;

use common::{Folder, cells, club, noise, table};

/// Rows of `members.csv` with some cells emptied, one column more and the others in another order.
fn gaps(folder: &Folder) -> Vec<Vec<String>> {
    let whole = cells(&folder.read("members.csv"));
    let order = [5, 3, 0, 2, 4, 1];
    let mut rows = vec![vec![
        "active,\"my note\",score,home town,age,joined,zone".to_owned(),
    ]];
    for (i, row) in whole[1..41].iter().enumerate() {
        let mut fields: Vec<String> = order.iter().map(|&at| row[at].clone()).collect();
        for (k, field) in fields.iter_mut().enumerate() {
            if noise(100 * k + i) < 0.3 {
                *field = ["", "NA", "?"][i % 3].to_owned();
            }
            if field.contains(',') {
                *field = format!("\"{field}\"");
            }
        }
        fields.insert(1, format!("n{i}"));
        rows.push(vec![fields.join(",")]);
    }
    let text: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    folder.write("gaps.csv", format!("{}\n", text.join("\n")));
    cells(&folder.read("gaps.csv"))
}

fn is_empty(cell: &str) -> bool {
    ["", "NA", "?"].contains(&cell)
}

/// Every cell of `given` is in `filled`, where the columns may be in another order.
fn keeps(given: &[Vec<String>], filled: &[Vec<String>]) {
    assert_eq!(given.len(), filled.len());
    for (at, name) in given[0].iter().enumerate() {
        let Some(to) = filled[0].iter().position(|other| other == name) else {
            continue;
        };
        for (row, own) in given.iter().zip(filled).skip(1) {
            assert!(
                is_empty(&row[at]) || row[at] == own[to],
                "{name}: {row:?} became {own:?}"
            );
        }
    }
}

#[test]
fn imputing_fills_every_gap_and_loses_nothing() {
    let folder = club();
    let given = gaps(&folder);
    let empty = given[1..].iter().flatten().filter(|cell| is_empty(cell)).count();
    let open = given[1..]
        .iter()
        .filter(|row| row.iter().any(|cell| is_empty(cell)))
        .count();
    for option in ["", "--best"] {
        let done = folder
            .run(&format!("impute m.echoflow gaps.csv -o filled.csv {option}"))
            .ok();
        let said: Vec<&str> = done.err.lines().collect();
        assert_eq!(said[0], "wrote 40 rows to filled.csv");
        assert!(
            said[1].starts_with(&format!("filled {empty} cells in {open} of 40 rows")),
            "{}",
            done.err
        );
        let filled = cells(&folder.read("filled.csv"));
        assert_eq!(filled[0], given[0]);
        keeps(&given, &filled);
        for row in &filled[1..] {
            assert!(row.iter().all(|cell| !is_empty(cell)), "{row:?}");
            let decimals = row[2].split_once('.').map(|(_, decimals)| decimals.len());
            assert_eq!(decimals, Some(2), "{row:?}");
            assert!(row[4].parse::<u32>().is_ok(), "{row:?}");
            assert_eq!(row[5].len(), 10, "{row:?}");
            assert!(["TRUE", "FALSE"].contains(&&*row[0]), "{row:?}");
        }
        // what is derived follows from what was filled in
        for (row, before) in filled.iter().zip(&given).skip(1) {
            if is_empty(&before[6]) || is_empty(&before[3]) {
                assert_eq!(row[6], if row[3] == "Oslo" { "10" } else { "20" }, "{row:?}");
            }
        }
        let piped = folder
            .pipe(&format!("impute m.echoflow - {option}"), &folder.read("gaps.csv"))
            .ok();
        assert_eq!(piped.out, folder.read("filled.csv"));
    }
}

#[test]
fn the_best_guess_is_nearer_than_a_draw() {
    let folder = club();
    let whole = cells(&folder.read("members.csv"));
    // joined says the score, nearly
    let text = table("joined,score", 120, |i| format!("{},", whole[i + 1][4]));
    folder.write("gaps.csv", text);
    let error = |option: &str| -> f64 {
        let text = folder
            .run(&format!("impute m.echoflow gaps.csv {option}"))
            .ok()
            .out;
        let filled = cells(&text);
        let off =
            |i: usize| filled[i + 1][1].parse::<f64>().unwrap() - whole[i + 1][3].parse::<f64>().unwrap();
        (0..120).map(|i| off(i).powi(2)).sum()
    };
    assert!(error("--best") < error(""), "{} {}", error("--best"), error(""));
}

#[test]
fn several_tables_have_draws_of_their_own() {
    let folder = club();
    let given = gaps(&folder);
    folder
        .run("impute m.echoflow gaps.csv -o out.v1.csv --draws 3")
        .ok();
    let tables: Vec<_> = (1..=3)
        .map(|k| cells(&folder.read(&format!("out.v1-{k}.csv"))))
        .collect();
    tables.iter().for_each(|filled| keeps(&given, filled));
    assert!(tables[0] != tables[1] && tables[1] != tables[2]);
    assert!(!folder.files().contains(&"out.v1.csv".to_owned()));
    folder.run("impute m.echoflow gaps.csv -o plain --draws 2").ok();
    assert!(folder.files().contains(&"plain-2".to_owned()));

    let before = folder.files();
    folder.run("impute m.echoflow gaps.csv --draws 3").refused(
        "3 tables cannot go to standard output; name a file with -o, such as -o filled.csv for filled-1.csv and so on",
    );
    let both = folder.run("impute m.echoflow gaps.csv -o b.csv --draws 3 --best");
    assert_eq!(both.code, Some(2));
    assert!(both.err.contains("cannot be used with"), "{}", both.err);
    folder.run("impute m.echoflow gaps.csv -o none/b.csv --draws 2").refused(
        "cannot write none/b-1.csv: No such file or directory (os error 2); check that the folder exists and may be \
         written",
    );
    assert_eq!(folder.files(), before);
}

#[test]
fn the_same_seed_fills_the_same_cells_on_any_number_of_threads() {
    let folder = club();
    gaps(&folder);
    for line in [
        "impute m.echoflow gaps.csv",
        "impute m.echoflow gaps.csv --best",
        "sample m.echoflow --rows gaps.csv -n 3",
    ] {
        let run = |more: &str| folder.run(&format!("{line} {more}")).ok().out;
        let one = run("--seed 4 --threads 1");
        assert!(run("--seed 4 --threads 2") == one, "{line}");
        assert!(run("--seed 5") != one, "{line}: the seed changes nothing");
    }
}

#[test]
fn partial_rows_are_completed_one_after_the_other() {
    let folder = club();
    let given = gaps(&folder);
    let once = folder.run("sample m.echoflow --rows gaps.csv -o once.csv").ok();
    let said: Vec<&str> = once.err.lines().collect();
    assert!(
        said[0].starts_with("drew ") && said[0].contains(" of 40 rows"),
        "{}",
        once.err
    );
    assert_eq!(said[1], "wrote 40 rows to once.csv");
    let rows = cells(&folder.read("once.csv"));
    assert_eq!(rows[0], cells(&folder.read("members.csv"))[0]);
    keeps(&given, &rows);

    let many = cells(&folder.run("sample m.echoflow --rows gaps.csv -n 4").ok().out);
    let repeated = given[1..]
        .iter()
        .flat_map(|row| std::iter::repeat_n(row.clone(), 4));
    let repeated: Vec<Vec<String>> = [given[0].clone()].into_iter().chain(repeated).collect();
    keeps(&repeated, &many);
    // of some row with an empty number the four differ
    assert!(
        many[1..]
            .chunks(4)
            .any(|group| group.windows(2).any(|pair| pair[0] != pair[1]))
    );

    // columns that the file lacks, and columns without a cell
    folder.write("part.csv", "score,age,joined\n,44,\n,,\n");
    let rows = cells(&folder.run("sample m.echoflow --rows part.csv -n 2").ok().out);
    assert_eq!(
        (rows.len(), rows[1][2].as_str(), rows[2][2].as_str()),
        (5, "44", "44")
    );
    for row in &rows[1..] {
        assert!(
            !is_empty(&row[0]) && !is_empty(&row[3]) && !is_empty(&row[4]),
            "{row:?}"
        );
    }
    let none = folder.run("sample m.echoflow --rows part.csv -n 0").ok();
    assert_eq!(none.out, "home town,zone,age,score,joined,active\n");
    folder.write(
        "whole.csv",
        "home town,zone,age,score,joined,active\nOslo,10,30,4.56,2015-03-15,TRUE\n",
    );
    let whole = folder.run("sample m.echoflow --rows whole.csv").ok();
    assert_eq!(whole.out, folder.read("whole.csv"));
    assert_eq!(whole.err, "no cell of 1 row was empty, so nothing was drawn\n");
}

#[test]
fn values_that_the_model_never_saw_stay() {
    let folder = club();
    folder.write(
        "new.csv",
        "home town,age,score,joined\nParis,200,,1950-01-01\n,,99.123,\nOslo,-4,7,?\n",
    );
    let given = cells(&folder.read("new.csv"));
    for line in ["impute m.echoflow new.csv", "impute m.echoflow new.csv --best"] {
        let done = folder.run(line).ok();
        let filled = cells(&done.out);
        keeps(&given, &filled);
        assert_eq!(
            filled[0],
            ["home town", "age", "score", "joined", "zone", "active"]
        );
        assert!(
            done.err
                .ends_with("the table had no column zone, active: drawn whole, at the right\n"),
            "{}",
            done.err
        );
    }
    keeps(
        &given,
        &cells(&folder.run("sample m.echoflow --rows new.csv").ok().out),
    );
}

#[test]
fn tables_that_cannot_be_filled_are_refused() {
    let folder = club();
    folder.write("other.csv", "name,size\nx,1\n");
    folder.write("bad.csv", "age,score\n30,4\nold,5\n");
    for line in ["impute m.echoflow", "sample m.echoflow --rows"] {
        folder.run(&format!("{line} other.csv")).refused(
            "other.csv has none of the model's columns, which are: home town, zone, age, score, joined, active; its own \
             are: name, size",
        );
        folder.run(&format!("{line} bad.csv")).refused(
            "bad.csv, line 3, column \"age\": \"old\" is not a number, and the column held numbers when the model was \
             fitted; mend the cell or leave it empty",
        );
    }
    folder.run("sample m.echoflow --rows bad.csv -n 9999999").refused(
        "-n 9999999 for each of 2 rows is more than the 10000000 rows that can be made at once; make several files with \
         different seeds",
    );
}

#[test]
fn context_columns_have_to_be_there() {
    let folder = club();
    folder
        .run("fit members.csv -o given.echoflow --context active --epochs 1 --quiet")
        .ok();
    folder.write("part.csv", "active,age\nTRUE,\nFALSE,33\nTRUE,61\n");
    let rows = cells(&folder.run("sample given.echoflow --rows part.csv -n 2").ok().out);
    let column = |at: usize| rows[1..].iter().map(|row| row[at].as_str()).collect::<Vec<_>>();
    assert_eq!(column(5), ["TRUE", "TRUE", "FALSE", "FALSE", "TRUE", "TRUE"]);
    assert_eq!(column(2)[2..], ["33", "33", "61", "61"]);
    folder.write("part.csv", "age\n33\n");
    for line in [
        "sample given.echoflow --rows part.csv",
        "impute given.echoflow part.csv",
    ] {
        folder
            .run(line)
            .refused("part.csv has no column \"active\"; its columns are: age");
    }
    folder.write("part.csv", "active,age\nTRUE,33\n?,44\n");
    folder.run("sample given.echoflow --rows part.csv").refused(
        "part.csv, line 3: the context column \"active\" is missing there, and no row had it missing at fit; fill it in",
    );
}
