//! The jobs people come for, from the first command to the last.

mod common;

use std::collections::BTreeSet;

use common::{Folder, column, noise, rows, table};

/// Each kind of flow goes through the whole job, and a model says which it is.
#[test]
fn every_kind_of_model_does_the_job() {
    let folder = Folder::new();
    folder.run("demo spiral -n 200 --seed 3 -o t.csv").ok();
    for (kind, said) in [
        ("maf", "10 maf layers, 1 residual block of 128 units each\n"),
        ("rnvp", "16 rnvp layers, 1 residual block of 128 units each\n"),
        (
            "nsf",
            "5 nsf layers, 1 residual block of 128 units each, bins 8, bound 5\n",
        ),
    ] {
        folder
            .run(&format!(
                "fit t.csv -o m.echoflow --model {kind} --epochs 1 --quiet"
            ))
            .ok();
        let inspected = folder.run("inspect m.echoflow").ok();
        assert!(inspected.out.contains(said), "{}", inspected.out);
        let drawn = folder.run("sample m.echoflow -n 5").ok();
        assert_eq!(rows(&drawn.out).len(), 5);
        let scored = folder.run("score m.echoflow t.csv -o scored.csv").ok();
        assert!(
            scored.err.contains("nats over 200 rows (exact)"),
            "{}",
            scored.err
        );
    }
}

#[test]
fn from_demo_to_inspect() {
    let folder = Folder::new();
    let demo = folder.run("demo loans -n 300 --seed 3 -o loans.csv").ok();
    assert_eq!(
        (demo.out.as_str(), demo.err.as_str()),
        ("", "wrote 300 rows to loans.csv\n")
    );
    let loans = folder.read("loans.csv");

    let fit = folder.run("fit loans.csv -o m.echoflow --epochs 2 --seed 5").ok();
    assert_eq!(fit.out, "");
    let said: Vec<&str> = fit.err.lines().collect();
    assert!(said[0].starts_with("model autoregressive: "), "{}", fit.err);
    // so few rows are learned by five models
    assert!(
        said[1..6]
            .iter()
            .all(|line| line.starts_with("columns  2 epochs (all epochs done), best ")),
        "{}",
        fit.err
    );
    assert!(
        said[6].starts_with("order-agnostic 2 epochs (all epochs done), best ")
            && said[6].contains(" nats a row from the model; ")
            && said[6].ends_with(" s of the fit (--order-agnostic no leaves it out)"),
        "{}",
        fit.err
    );
    assert!(said[7].starts_with("fitted 300 rows in "), "{}", fit.err);
    assert_eq!(said[8..], ["wrote the model to m.echoflow"]);

    let sample = folder.run("sample m.echoflow -n 250 -o new.csv").ok();
    assert_eq!(
        (sample.out.as_str(), sample.err.as_str()),
        ("", "wrote 250 rows to new.csv\n")
    );
    let new = folder.read("new.csv");
    assert_eq!(new.lines().next(), loans.lines().next());
    assert_eq!(rows(&new).len(), 250);
    let levels = |text: &str, name: &str| -> BTreeSet<String> {
        column(text, name).into_iter().map(str::to_owned).collect()
    };
    for name in ["town", "employment", "purpose", "grade", "defaulted"] {
        let unknown: Vec<String> = levels(&new, name)
            .difference(&levels(&loans, name))
            .cloned()
            .collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
    assert!(column(&new, "amount").iter().all(|x| x.parse::<u64>().is_ok()));
    assert!(column(&new, "income").contains(&""), "no gap was drawn");

    let score = folder.run("score m.echoflow new.csv").ok();
    let scored = |line: &str| line.rsplit_once(',').unwrap().0.to_owned();
    let back: Vec<String> = score.out.lines().map(scored).collect();
    assert_eq!(back, new.lines().collect::<Vec<_>>());
    let log_prob: Vec<f64> = column(&score.out, "log_prob")
        .iter()
        .map(|x| x.parse().unwrap())
        .collect();
    assert!(log_prob.iter().all(|x| x.is_finite()));
    let mean = log_prob.iter().sum::<f64>() / 250.0;
    assert_eq!(
        score.err,
        format!("mean log_prob {mean:.4} nats over 250 rows (exact)\n")
    );
    folder
        .run("fit loans.csv -o flow.echoflow --model maf --epochs 1 --quiet")
        .ok();
    let estimated = folder.run("score flow.echoflow new.csv").ok().err;
    assert!(
        estimated.contains(" nats over 250 rows (an estimate for "),
        "{estimated}"
    );

    let inspect = folder.run("inspect m.echoflow").ok();
    assert_eq!(inspect.err, "");
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        inspect
            .out
            .starts_with(&format!("echoflow {version} model, seed 5\n"))
    );
    for name in loans.lines().next().unwrap().split(',') {
        assert!(inspect.out.contains(&format!("\n  {name} ")), "{name}");
    }
    for line in [
        "columns         ",
        "order-agnostic  ",
        "kernels         fitted with ",
    ] {
        assert!(inspect.out.contains(&format!("\n  {line}")), "{}", inspect.out);
    }
}

#[test]
fn pipes_in_and_out_give_what_files_give() {
    let folder = Folder::new();
    let ring = folder.run("demo ring -n 200 -o -").ok();
    assert_eq!(ring.err, "");
    folder.run("demo ring -n 200 -o ring.csv").ok();
    assert_eq!(ring.out, folder.read("ring.csv"));

    let fit = folder
        .pipe("fit - -o piped.echoflow --epochs 1 --quiet", &ring.out)
        .ok();
    assert_eq!((fit.out.as_str(), fit.err.as_str()), ("", ""));
    folder.run("fit ring.csv -o m.echoflow --epochs 1 --quiet").ok();
    assert_eq!(folder.bytes("piped.echoflow"), folder.bytes("m.echoflow"));

    folder.run("sample m.echoflow -n 40 -o new.csv").ok();
    let new = folder.run("sample m.echoflow -n 40 -o -").ok();
    assert_eq!(
        (new.out.as_str(), new.err.as_str()),
        (&*folder.read("new.csv"), "")
    );
    folder.run("score m.echoflow new.csv -o scores.csv").ok();
    let scores = folder.pipe("score m.echoflow -", &new.out).ok();
    assert_eq!(scores.out, folder.read("scores.csv"));
    assert!(
        scores.err.ends_with("nats over 40 rows (exact)\n"),
        "{}",
        scores.err
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = Folder::new();
    folder.run("demo loans -n 530 -o t.csv").ok();
    for threads in ["1", "2", "8"] {
        let run = |line: &str| folder.run(&format!("{line} --threads {threads}")).ok();
        run(&format!(
            "fit t.csv -o {threads}.echoflow --epochs 1 --seed 9 --quiet"
        ));
        run(&format!(
            "sample {threads}.echoflow -n 600 --seed 4 -o sample.{threads}"
        ));
        run(&format!("score {threads}.echoflow t.csv -o score.{threads}"));
    }
    for threads in ["2", "8"] {
        let same =
            |name: &str, of: &str| assert!(folder.bytes(name) == folder.bytes(of), "{name} is not {of}");
        same(&format!("{threads}.echoflow"), "1.echoflow");
        same(&format!("sample.{threads}"), "sample.1");
        same(&format!("score.{threads}"), "score.1");
    }
    let other = folder.run("sample 1.echoflow -n 600 --seed 5").ok().out;
    assert!(other != folder.read("sample.1"), "the seed changes nothing");
    folder
        .run("fit t.csv -o other.echoflow --epochs 1 --seed 8 --quiet")
        .ok();
    assert!(folder.bytes("other.echoflow") != folder.bytes("1.echoflow"));
}

#[test]
fn given_rows_come_back_as_they_were_given() {
    let folder = Folder::new();
    let text = table("x,kind,size,y", 200, |i| {
        let kind = ["a", "b"][i % 2];
        format!("{:.2},{kind},{:.1},{}", noise(i), 10.0 * noise(i + 1000), i % 7)
    });
    folder.write("t.csv", &text);
    folder
        .run("fit t.csv -o m.echoflow --context kind,size --epochs 1 --quiet")
        .ok();
    // another order, further columns, more digits than at fit, a label never seen, a gap
    let given = "size,extra,kind\n1.23456,7,b\n2,8,a\n2.0,9,new\nNA,9,b\n1e1,9,b\n";
    folder.write("given.csv", given);
    let drawn = folder.run("sample m.echoflow --rows given.csv").ok().out;
    assert_eq!(drawn.lines().next(), Some("x,kind,size,y"));
    for name in ["kind", "size"] {
        assert_eq!(column(&drawn, name), column(given, name));
    }
    assert!(column(&drawn, "y").iter().all(|y| y.parse::<u32>().unwrap() < 7));
    let five = folder.run("sample m.echoflow --rows given.csv -n 5").ok().out;
    assert_eq!(rows(&five).len(), 25);
    let sizes = column(given, "size").into_iter().flat_map(|size| [size; 5]);
    assert_eq!(column(&five, "size"), sizes.collect::<Vec<_>>());
    assert_eq!(folder.pipe("sample m.echoflow --rows -", given).ok().out, drawn);
    let inspect = folder.run("inspect m.echoflow").ok().out;
    assert_eq!(inspect.matches(", context\n").count(), 2, "{inspect}");
}

#[test]
fn a_column_whose_name_has_a_comma_can_be_context() {
    let folder = Folder::new();
    folder.write(
        "t.csv",
        table("\"a,b\",c,d", 60, |i| {
            format!("{},{:.3},{}", i % 3, noise(i), i % 2)
        }),
    );
    folder
        .run_of(&[
            "fit",
            "t.csv",
            "-o",
            "m",
            "--context",
            "a,b",
            "--context",
            "d",
            "--epochs",
            "1",
            "--quiet",
        ])
        .ok();
    folder.write("given.csv", "\"a,b\",d\n2,1\n");
    let drawn = folder.run("sample m --rows given.csv").ok().out;
    assert!(drawn.starts_with("\"a,b\",c,d\n2,"), "{drawn}");
    let spaced = folder.run_of(&[
        "fit",
        "t.csv",
        "-o",
        "m",
        "--context",
        "c, d",
        "--epochs",
        "1",
        "--quiet",
    ]);
    spaced.ok();
    assert_eq!(folder.run("inspect m").ok().out.matches(", context\n").count(), 2);
}

#[test]
fn every_shape_of_table_goes_the_whole_way() {
    let shapes = [
        (
            "only categories",
            table("a,b,c", 90, |i| format!("u{},v{},{}", i % 2, i % 5, i % 4 == 0)),
        ),
        (
            "only numbers",
            table("a,b", 90, |i| format!("{:.4},{:.4}", noise(i), noise(i + 500))),
        ),
        ("one number", table("a", 90, |i| format!("{:.5}", noise(i)))),
        ("one whole number", table("a", 90, |i| format!("{}", i * i))),
        ("one category", table("a", 90, |i| format!("k{}", i % 3))),
        (
            "one number with gaps",
            table("a", 90, |i| {
                if i % 4 == 0 {
                    "NA".into()
                } else {
                    format!("{:.5}", noise(i))
                }
            }),
        ),
        ("two rows", "a,b\n1.5,x\n2.5,y\n".to_owned()),
        (
            "two hundred rows",
            table("n,x,k", 200, |i| format!("{i},{:.2},{}", noise(i), i % 3)),
        ),
    ];
    let folder = Folder::new();
    for (shape, text) in &shapes {
        folder.write("t.csv", text);
        folder.run("fit t.csv -o m.echoflow --epochs 1 --quiet").ok();
        let new = folder.run("sample m.echoflow -n 25").ok().out;
        assert_eq!(new.lines().next(), text.lines().next(), "{shape}");
        assert_eq!(new.lines().count(), 26, "{shape}");
        let scored = folder.pipe("score m.echoflow -", &new).ok().out;
        assert!(
            column(&scored, "log_prob")
                .iter()
                .all(|x| x.parse::<f64>().unwrap().is_finite()),
            "{shape}: {scored}"
        );
        folder.run("inspect m.echoflow").ok();
    }
}

#[test]
fn unique_names_stay_cheap_and_are_said() {
    let folder = Folder::new();
    folder.write(
        "t.csv",
        table("name,x", 3000, |i| format!("person {i:05},{:.3}", noise(i))),
    );
    let fit = folder
        .run("fit t.csv -o m.echoflow --epochs 1 --order-agnostic no")
        .ok();
    let note = "column \"name\": every value is different; new rows will repeat values of the table";
    assert!(fit.err.lines().any(|line| line == note), "{}", fit.err);
    let size = folder.bytes("m.echoflow").len();
    assert!(size < 6_000_000, "{size} bytes");
    let new = folder.run("sample m.echoflow -n 50").ok().out;
    assert!(
        column(&new, "name")
            .iter()
            .all(|name| name.starts_with("person "))
    );
}

#[test]
fn names_and_texts_of_any_kind_come_back() {
    let folder = Folder::new();
    let header = "first name,\"says \"\"hi\"\"\",größe,日付,\"two\nlines\"";
    let text = table(header, 80, |i| {
        let words = ["\"a\nb\"", "\"c,d\"", "\"e\"\"f\"", "naïve ☃"];
        format!("{},{},{:.2},{},1", words[i % 4], i % 2 == 0, noise(i), i % 9)
    });
    folder.write("t.csv", text);
    folder
        .run_of(&[
            "fit",
            "t.csv",
            "-o",
            "a model.echoflow",
            "--context",
            "größe",
            "--epochs",
            "1",
            "--quiet",
        ])
        .ok();
    folder.write("given.csv", table("größe", 40, |i| format!("0.{:02}", i + 10)));
    let new = folder
        .run_of(&["sample", "a model.echoflow", "--rows", "given.csv"])
        .ok()
        .out;
    assert!(new.starts_with(&format!("{header}\n")), "{new}");
    let inspected = folder.run_of(&["inspect", "a model.echoflow"]).ok().out;
    assert!(inspected.contains("\n  two\\nlines  "), "{inspected}");
    let found = ["\"a\nb\",", "\"c,d\",", "\"e\"\"f\",", "naïve ☃,"].map(|word| new.matches(word).count());
    assert_eq!(found.iter().sum::<usize>(), 40, "{new}");
    folder.write("new.csv", &new);
    let scored = folder.run_of(&["score", "a model.echoflow", "new.csv"]).ok();
    assert!(
        scored.err.starts_with("mean log_prob ") && scored.err.contains(" over 40 rows "),
        "{}",
        scored.err
    );
}

#[test]
fn dates_go_the_whole_way() {
    let folder = Folder::new();
    let row = |i: usize| {
        let paid = if i.is_multiple_of(9) {
            "?".into()
        } else {
            format!("19{:02}-06-{:02}", i % 97, 1 + i % 30)
        };
        format!("2011-{:02}-{:02},{paid},{:.2}", 1 + i % 12, 1 + i % 3, noise(i))
    };
    folder.write("t.csv", table("day,paid,x", 200, row));
    folder.run("fit t.csv -o m.echoflow --epochs 1 --quiet").ok();
    let inspected = folder.run("inspect m.echoflow").ok().out;
    for line in [
        "day   date      2011-01-01 to 2011-12-03, 12 distinct days; holds 12 training days",
        "paid  date      1900-06-08 to 1996-06-14, missing cells",
    ] {
        assert!(inspected.contains(line), "{inspected}");
    }
    let new = folder.run("sample m.echoflow -n 50 -o new.csv").ok();
    assert_eq!(new.out, "");
    let new = folder.read("new.csv");
    for row in rows(&new) {
        assert!(row[0].starts_with("2011-") && row[0].len() == 10, "{new}");
        assert!(
            row[1] == "?" || (row[1].starts_with("19") && row[1].len() == 10),
            "{new}"
        );
    }
    let scored = folder.run("score m.echoflow new.csv").ok();
    assert_eq!(column(&scored.out, "log_prob").len(), 50);
    folder.write("bad.csv", "day,paid,x\n2011-01-01,,0.5\n01.02.2011,,0.5\n");
    folder.run("score m.echoflow bad.csv").refused(
        "bad.csv, line 3, column \"day\": \"01.02.2011\" is not a date (YYYY-MM-DD), and the column held dates when \
         the model was fitted; mend the cell or leave it empty",
    );
    // one bad day makes a column of categories, and a note says which it is
    folder.write(
        "bad.csv",
        table("day,paid,x", 200, |i| row(i).replace("2011-12-03", "2011-13-03")),
    );
    let fitted = folder.run("fit bad.csv -o m.echoflow --epochs 1").ok();
    let note = "column \"day\": read as categories, because \"2011-13-03\" is no date (YYYY-MM-DD); mend it to have dates";
    assert!(fitted.err.contains(note), "{}", fitted.err);
}

#[test]
fn numbers_and_gaps_are_written_as_in_the_table() {
    let folder = Folder::new();
    let text = table("whole,cents,point,flag,gap", 150, |i| {
        let gap = if i % 3 == 0 {
            "n/a".into()
        } else {
            (i % 11).to_string()
        };
        let flag = if i % 2 == 0 { "TRUE" } else { "FALSE" };
        format!(
            "{},{:.2},{:.0}.0,{flag},{gap}",
            (1e5 * noise(i)) as i64,
            100.0 * noise(i + 7),
            50.0 * noise(i + 9)
        )
    });
    folder.write("t.csv", &text);
    folder.run("fit t.csv -o m.echoflow --epochs 1 --quiet").ok();
    let new = folder.run("sample m.echoflow -n 100").ok().out;
    let decimals = |x: &str| x.split_once('.').map(|(_, decimals)| decimals.len());
    assert!(
        column(&new, "whole")
            .iter()
            .all(|x| decimals(x).is_none() && x.parse::<i64>().is_ok())
    );
    assert!(column(&new, "cents").iter().all(|x| decimals(x) == Some(2)));
    assert!(column(&new, "point").iter().all(|x| x.ends_with(".0")));
    assert!(column(&new, "flag").iter().all(|x| ["TRUE", "FALSE"].contains(x)));
    let gaps = column(&new, "gap");
    assert!(gaps.contains(&"n/a"), "{gaps:?}");
    assert!(gaps.iter().all(|x| *x == "n/a" || x.parse::<u8>().unwrap() < 11));
}

#[test]
fn quickstart_is_the_whole_tour() {
    let folder = Folder::new();
    let tour = folder.run("quickstart --dir new/tour --epochs 1").ok();
    assert_eq!(rows(&folder.read("new/tour/spiral.csv")).len(), 8000);
    assert_eq!(rows(&folder.read("new/tour/synthetic.csv")).len(), 8000);
    assert!(folder.read("new/tour/spiral.svg").starts_with("<svg"));
    folder.run("inspect new/tour/spiral.echoflow").ok();
    let result: Vec<&str> = tour.out.lines().collect();
    assert!(
        result[0].starts_with("held-out mean log_prob ")
            && result[0].contains(" nats over 2000 rows (exact); the truth has "),
        "{}",
        tour.out
    );
    assert_eq!(
        result[1..],
        ["wrote spiral.csv, spiral.echoflow, synthetic.csv and spiral.svg to new/tour"]
    );
}

#[test]
fn help_says_what_every_option_does() {
    let folder = Folder::new();
    let whole = folder.run("--help").ok().out;
    for command in [
        "quickstart",
        "demo",
        "fit",
        "sample",
        "impute",
        "probability",
        "predict",
        "anomalies",
        "score",
        "inspect",
    ] {
        assert!(whole.contains(&format!("\n  {command} ")), "{whole}");
        let help = folder.run(&format!("{command} --help")).ok().out;
        let options: Vec<&str> = help
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('-') || line.starts_with('<'))
            .collect();
        assert!(options.len() > 1, "{help}");
        for option in options {
            let about = option.split_once("  ").map_or("", |(_, about)| about.trim());
            assert!(about.starts_with(char::is_alphabetic), "{command}: {option}");
        }
    }
    let bare = folder.run("");
    assert_eq!((bare.code, bare.out.as_str()), (Some(2), ""));
    assert_eq!(bare.err, whole);
}

#[test]
fn columns_that_follow_from_others_are_listed_and_derived() {
    let folder = Folder::new();
    let text = table("town,code,a,b,sum", 300, |i| {
        let town = (4.0 * noise(i)) as usize;
        let (a, b) = ((20.0 * noise(i + 1000)) as u32, (30.0 * noise(i + 2000)) as u32);
        format!("t{town},{},{a},{b},{}", 10 * (town % 3), a + b)
    });
    folder.write("t.csv", &text);
    let fit = folder.run("fit t.csv -o m.echoflow --epochs 1").ok();
    let inspect = folder.run("inspect m.echoflow").ok();
    for words in ["sum = a + b", "code = lookup of town (4 values)"] {
        let note = format!("in every row {words}; it is derived, not modelled");
        assert!(fit.err.contains(&note), "{}", fit.err);
        assert!(inspect.out.contains(&format!("\n  {words}\n")), "{}", inspect.out);
    }
    assert_eq!(inspect.out.matches(", derived\n").count(), 2, "{}", inspect.out);
    let new = folder.run("sample m.echoflow -n 400").ok().out;
    for line in new.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |k: usize| cells[k].parse::<u32>().unwrap();
        assert_eq!(number(2) + number(3), number(4), "{line}");
        assert_eq!(
            10 * (cells[0][1..].parse::<u32>().unwrap() % 3),
            number(1),
            "{line}"
        );
    }

    folder
        .run("fit t.csv -o all.echoflow --epochs 1 --quiet --no-dependencies")
        .ok();
    let inspect = folder.run("inspect all.echoflow").ok();
    assert!(!inspect.out.contains("derived"), "{}", inspect.out);
}

/// The threads that a fit computes on, the one that waits for them, and the one that waits for Ctrl-C.
#[cfg(target_os = "linux")]
#[test]
fn a_fit_has_the_threads_it_was_given_and_no_others() {
    let folder = Folder::new();
    folder.run("demo spiral -n 4000 --seed 3 -o t.csv").ok();
    for threads in [1, 2] {
        let line = format!("fit t.csv -o m.echoflow --epochs 1 --threads {threads} --quiet");
        // a pool that nobody was to open would have this many
        let mut fit = folder
            .command(&line)
            .env("RAYON_NUM_THREADS", "9")
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", fit.id());
        let (mut most, mut looks) = (0, 0);
        while fit.try_wait().unwrap().is_none() {
            let now = std::fs::read_to_string(&status).unwrap_or_default();
            let count = now.lines().find_map(|line| line.strip_prefix("Threads:"));
            most = most.max(count.map_or(0, |count| count.trim().parse().unwrap()));
            looks += 1;
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert!(fit.wait().unwrap().success());
        assert!(
            most <= threads + 2,
            "{most} threads, in {looks} looks, with --threads {threads}"
        );
    }
}
