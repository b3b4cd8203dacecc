//! A table given in parts, each with `--first-row`, gets what it gets in the whole.

mod common;

use common::{Folder, club};

/// Where the table is cut: one part begins beyond the chunk that the program works by.
const CUTS: [usize; 4] = [0, 301, 2105, 2400];

/// A table of 2400 members, in `whole.csv` and in `part0.csv`, `part1.csv` and `part2.csv`.
fn parts(folder: &Folder) {
    let text = folder.read("members.csv");
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let all: Vec<&str> = (0..2400).map(|i| rows[i % rows.len()]).collect();
    let write = |name: &str, rows: &[&str]| folder.write(name, format!("{header}\n{}\n", rows.join("\n")));
    write("whole.csv", &all);
    for (part, cut) in CUTS.windows(2).enumerate() {
        write(&format!("part{part}.csv"), &all[cut[0]..cut[1]]);
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().skip(1).map(str::to_owned).collect()
}

/// Runs a line with `TABLE` for the whole table, and for its parts with the number of their first row.
fn assert_parts_are_the_whole(folder: &Folder, line: &str) {
    let whole = folder.run(&line.replace("TABLE", "whole.csv")).ok().out;
    let mut found = Vec::new();
    for (part, first) in CUTS[..3].iter().enumerate() {
        let line = line.replace("TABLE", &format!("part{part}.csv"));
        let out = folder.run(&format!("{line} --first-row {first}")).ok().out;
        assert_eq!(out.lines().next(), whole.lines().next(), "{line}");
        found.extend(lines(&out));
    }
    let whole = lines(&whole);
    assert_eq!(found.len(), whole.len(), "{line}");
    let other = (0..whole.len()).find(|&row| whole[row] != found[row]);
    assert_eq!(other.map(|row| (row, &found[row], &whole[row])), None, "{line}");
}

#[test]
fn a_table_in_parts_is_the_whole() {
    let folder = club();
    parts(&folder);
    for line in [
        "impute m.echoflow TABLE --seed 4",
        "impute m.echoflow TABLE --seed 4 --best",
        "predict m.echoflow TABLE --column active",
        "sample m.echoflow --rows TABLE -n 2 --seed 5",
    ] {
        assert_parts_are_the_whole(&folder, line);
    }
}

/// Under a flow the scores of rounded numbers are draws.
#[test]
fn estimated_scores_in_parts_are_those_of_the_whole() {
    let folder = club();
    parts(&folder);
    folder
        .run("fit members.csv -o maf.echoflow --model maf --epochs 1 --seed 3 --quiet")
        .ok();
    assert_parts_are_the_whole(&folder, "score maf.echoflow TABLE");
    let found = |table: &str, first: usize| {
        let line = format!("anomalies maf.echoflow {table} --log-prob-below 1e9 --first-row {first}");
        let out = folder.run(&line).ok().out;
        let lines = common::column(&out.replace("\"York, New\"", "York"), "line")
            .iter()
            .map(|line| line.parse::<usize>().unwrap() + first)
            .collect::<Vec<_>>();
        let scores = common::column(&out.replace("\"York, New\"", "York"), "log_prob")
            .iter()
            .map(|score| (*score).to_owned())
            .collect::<Vec<_>>();
        let mut all: Vec<(usize, String)> = lines.into_iter().zip(scores).collect();
        all.sort();
        all
    };
    let whole = found("whole.csv", 0);
    let mut parts = Vec::new();
    for (part, first) in CUTS[..3].iter().enumerate() {
        parts.extend(found(&format!("part{part}.csv"), *first));
    }
    assert_eq!(whole, parts);
}

#[test]
fn a_sample_in_parts_is_the_whole() {
    let folder = club();
    let draw = |rows: usize, first: usize| {
        let line = format!("sample m.echoflow -n {rows} --seed 6 --first-row {first}");
        lines(&folder.run(&line).ok().out)
    };
    let whole = draw(900, 0);
    assert_eq!(draw(700, 200), whole[200..]);
    assert_eq!(draw(1, 899), whole[899..]);
    let refused = folder.run_of(&[
        "sample",
        "m.echoflow",
        "-n",
        "3",
        "--first-row",
        "2",
        "--where",
        "age > 30",
    ]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("--first-row"), "{}", refused.err);
    let far = folder.run("sample m.echoflow -n 3 --first-row -1");
    assert!(far.err.contains("give a whole number from 0"), "{}", far.err);
}
