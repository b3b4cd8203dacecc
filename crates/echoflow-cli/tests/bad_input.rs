//! What goes wrong ends with exit code 2 and one sentence that names the place and the way out; nothing half-written
//! is left.

mod common;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Done, Folder, column};

/// `x,kind`: numbers and labels.
fn small() -> String {
    (0..60).fold("x,kind\n".to_owned(), |mut text, i| {
        let kind = ["red", "green", "blue"][i % 3];
        let _ = writeln!(text, "{:.3},{kind}", (i as f64 * 0.7).sin());
        text
    })
}

/// `x` with one value a row and labels `kind`, and a model of it.
fn fitted() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", small());
    folder.run("fit t.csv -o m.echoflow --epochs 1 --quiet").ok();
    folder
}

#[test]
fn a_table_that_cannot_be_learned_from_leaves_the_old_model() {
    let cases: &[(&[u8], &str)] = &[
        (
            b"",
            "bad.csv is empty; a table needs a header row with the column names",
        ),
        (
            b"a,b\n",
            "bad.csv has 0 rows; a fit needs at least 2, and hundreds to learn much",
        ),
        (
            b"a,b\n1,2\n",
            "bad.csv has 1 row; a fit needs at least 2, and hundreds to learn much",
        ),
        (
            b"a,b\n1,2\n\n3\n",
            "bad.csv, line 4: the row has 1 field, the header 2; quote a field that contains a comma, or mend the row",
        ),
        (
            b"a,b,a\n1,2,3\n",
            "bad.csv: two columns are named \"a\"; give every column a name of its own",
        ),
        (
            b"a,,c\n1,2,3\n",
            "bad.csv: column 2 of the header has no name; name it or leave it out (pandas: to_csv(index=False))",
        ),
        (
            b"a,b\n1,2\ncaf\xe9,3\n",
            "bad.csv, line 3: the text is not UTF-8; save the file as UTF-8 and try again",
        ),
        (
            b"a,b\n1,2\n3,\"four\n5,6\n",
            "bad.csv, line 3: the quote opened here is never closed; close it, or double a quote that belongs to the \
             text (\"\")",
        ),
        (
            b"a,b\n1,2\n3,-inf\n5,6\n",
            "bad.csv, line 3, column \"b\": \"-inf\" is not a finite number; replace it, or leave the cell empty",
        ),
        (
            b"a,b\n1,2\n1e999,3\n5,6\n",
            "bad.csv, line 3, column \"a\": \"1e999\" is not a finite number; replace it, or leave the cell empty",
        ),
    ];
    let folder = Folder::new();
    folder.write("m.echoflow", "old");
    for (content, sentence) in cases {
        folder.write("bad.csv", content);
        folder.run("fit bad.csv -o m.echoflow").refused(sentence);
        assert_eq!(folder.read("m.echoflow"), "old", "{sentence}");
        assert_eq!(folder.files(), ["bad.csv", "m.echoflow"], "{sentence}");
        folder.run("fit bad.csv -o new.echoflow").refused(sentence);
        assert_eq!(folder.files(), ["bad.csv", "m.echoflow"], "{sentence}");
    }
    folder.run("fit none.csv -o m.echoflow").refused(
        "cannot read none.csv: No such file or directory (os error 2); check the path and that the file may be read",
    );
    folder
        .pipe("fit - -o m.echoflow", "")
        .refused("standard input is empty; a table needs a header row with the column names");
    assert_eq!(folder.read("m.echoflow"), "old");
}

#[test]
fn columns_without_news_are_said_once_and_come_back() {
    let folder = Folder::new();
    let text = (0..60).fold("x,gap,same,word\n".to_owned(), |mut text, i| {
        let _ = writeln!(text, "{:.3},NA,5.0,yes", (i as f64 * 0.7).sin());
        text
    });
    folder.write("t.csv", text);
    let fit = folder.run("fit t.csv -o m.echoflow --epochs 1").ok();
    for sentence in [
        "column \"gap\": all cells are missing; it will be missing in every new row",
        "column \"same\": all cells are alike",
        "column \"word\": all cells are alike",
    ] {
        assert_eq!(
            fit.err.lines().filter(|line| *line == sentence).count(),
            1,
            "{}",
            fit.err
        );
    }
    let drawn = folder.run("sample m.echoflow -n 30").ok().out;
    assert_eq!(column(&drawn, "gap"), ["NA"; 30]);
    assert_eq!(column(&drawn, "same"), ["5.0"; 30]);
    assert_eq!(column(&drawn, "word"), ["yes"; 30]);
    let quiet = folder.run("fit t.csv -o m.echoflow --epochs 1 --quiet").ok();
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
}

#[test]
fn scoring_names_the_cell_or_the_column() {
    let folder = fitted();
    let mut lines: Vec<String> = small().lines().map(str::to_owned).collect();
    let cases = [
        (
            "oops,red",
            "\"oops\" is not a number, and the column held numbers when the model was fitted; mend the cell or leave \
             it empty",
        ),
        (
            "inf,red",
            "\"inf\" is not a finite number; replace it, or leave the cell empty",
        ),
    ];
    for (row, what) in cases {
        lines[7] = row.to_owned();
        folder.write("bad.csv", lines.join("\n"));
        folder
            .run("score m.echoflow bad.csv -o out.csv")
            .refused(&format!("bad.csv, line 8, column \"x\": {what}"));
    }
    folder.write("bad.csv", "x,other\n1,red\n");
    folder
        .run("score m.echoflow bad.csv -o out.csv")
        .refused("bad.csv has no column \"kind\"; its columns are: x, other");
    folder.write("bad.csv", "x,kind,log_prob\n1,red,-1\n");
    folder.run("score m.echoflow bad.csv -o out.csv").refused(
        "bad.csv already has a column \"log_prob\", where the scores would go; rename it or take it out first",
    );
    assert!(!folder.files().contains(&"out.csv".to_owned()));

    // columns in another order, and one more: the same scores
    let turned: Vec<String> = small()
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let (x, kind) = line.split_once(',').unwrap();
            let more = if i == 0 { "more" } else { "1" };
            format!("{kind},{more},{x}\n")
        })
        .collect();
    folder.write("turned.csv", turned.concat());
    let straight = folder.run("score m.echoflow t.csv").ok();
    let turned = folder.run("score m.echoflow turned.csv").ok();
    assert_eq!(column(&straight.out, "log_prob"), column(&turned.out, "log_prob"));
    assert_eq!(straight.err, turned.err);
    // a header alone has nothing to score
    folder.write("none.csv", "x,kind\n");
    let none = folder.run("score m.echoflow none.csv").ok();
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        ("x,kind,log_prob\n", "no rows to score\n")
    );
}

/// Changes the JSON header of a model file.
fn with_header(model: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (length, rest) = model.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let (header, data) = rest.split_at(length);
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(from), "{from}");
    let header = header.replacen(from, to, 1);
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn a_damaged_model_is_refused_and_a_newer_one_named() {
    let folder = fitted();
    let model = folder.bytes("m.echoflow");
    let (cure, damaged) = (
        "copy it again from where it was made, or fit it again",
        "bad.echoflow is not a whole echoflow model",
    );
    let load = |content: &[u8]| {
        folder.write("bad.echoflow", content);
        folder.run("sample bad.echoflow -n 3 -o out.csv")
    };
    let refused = |done: &Done| {
        assert_eq!(done.code, Some(2), "{}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
        let (start, end) = (format!("error: {damaged}: "), format!("; {cure}\n"));
        let newer = "error: bad.echoflow was made by a newer echoflow (";
        assert!(
            (done.err.starts_with(&start) && done.err.ends_with(&end)) || done.err.starts_with(newer),
            "{}",
            done.err
        );
        assert!(!folder.files().contains(&"out.csv".to_owned()));
    };

    load(b"").refused(&format!("{damaged}: its header cannot be read; {cure}"));
    load(b"x,kind\n1,red\n").refused(&format!("{damaged}: its header cannot be read; {cure}"));
    let header = 8 + u64::from_le_bytes(model[..8].try_into().unwrap()) as usize;
    let ends = (0..20)
        .map(|i| i * header / 20)
        .chain((0..20).map(|i| header + i * (model.len() - header) / 20));
    for end in ends.chain([model.len() - 1]) {
        refused(&load(&model[..end]));
    }
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..4096)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    refused(&load(&noise));
    refused(&load(&[&model[..8], &noise].concat()));
    refused(&load(&[&model[..], b"more"].concat()));

    let newer = |what: &str| {
        format!("bad.echoflow was made by a newer echoflow ({what}); update this program to read it")
    };
    load(&with_header(&model, r#"\"format\":2"#, r#"\"format\":3"#)).refused(&newer("file format 3"));
    load(&with_header(&model, "columns/1", "columns/3")).refused(&newer("section \"columns/3\""));
    load(&with_header(&model, "density.autoregressive/2", "density.maf/3"))
        .refused(&newer("section \"density.maf/3\""));
    load(&with_header(&model, "density.autoregressive/2", "density.glow/2")).refused(
        "bad.echoflow holds a flow of the kind \"glow\", which this program does not know; update it, or call \
         register(\"glow\", ..) before loading",
    );
    let more = r#"\"sections\":{\"advice\":{\"kind\":\"advice/1\"},"#;
    load(&with_header(&model, r#"\"sections\":{"#, more)).refused(&newer("section \"advice\""));
    load(&with_header(&model, r#"\"seed\":0"#, r#"\"seed\":1"#)).refused(&format!(
        "{damaged}: its checksum does not match, so some bytes have changed; {cure}"
    ));
    folder.run("inspect none.echoflow").refused(
        "cannot read the model none.echoflow: No such file or directory (os error 2); check the path",
    );

    // the file as it is, to show that the refusals above are not of something else
    load(&model).ok();
}

#[test]
fn a_flipped_byte_is_refused_or_changes_nothing() {
    let folder = fitted();
    let model = folder.bytes("m.echoflow");
    let whole = folder.run("sample m.echoflow -n 3").ok().out;
    let header = 8 + u64::from_le_bytes(model[..8].try_into().unwrap()) as usize;
    let positions = (0..8)
        .chain((0..120).map(|i| 8 + i * (header - 8) / 120))
        .chain((0..72).map(|i| header + i * (model.len() - header) / 72));
    let mut survived = 0;
    for (k, at) in positions.enumerate() {
        let mut bytes = model.clone();
        bytes[at] ^= [0x01, 0x20, 0x80, 0xff][k % 4];
        folder.write("bad.echoflow", bytes);
        let done = folder.run("sample bad.echoflow -n 3");
        match done.code {
            Some(0) => {
                survived += 1;
                assert_eq!(done.out, whole, "byte {at}");
            }
            code => {
                assert_eq!(
                    (code, done.out.as_str(), done.err.lines().count()),
                    (Some(2), "", 1),
                    "byte {at}: {}",
                    done.err
                );
                assert!(done.err.starts_with("error: bad.echoflow "), "{}", done.err);
            }
        }
    }
    // only what means the same in JSON may survive
    assert!(survived <= 5, "{survived} of 200 flips went unseen");
}

#[test]
fn where_nothing_can_be_written_no_work_is_done() {
    let folder = fitted();
    let before = folder.files();
    let missing = |path: &str| {
        format!(
            "cannot write {path}: No such file or directory (os error 2); check that the folder exists and may be \
             written"
        )
    };
    // the inputs are missing too: outputs are looked at first
    folder
        .run("fit none.csv -o none/m.echoflow")
        .refused(&missing("none/m.echoflow"));
    for line in [
        "sample none.echoflow -n 9 -o none/s.csv",
        "score none.echoflow none.csv -o none/s.csv",
        "impute none.echoflow none.csv -o none/s.csv",
        "predict none.echoflow none.csv --column x -o none/s.csv",
        "anomalies none.echoflow none.csv -o none/s.csv",
        "sample none.echoflow -n 9 --where x>1 --json none/s.csv",
        "demo ring -o none/s.csv",
    ] {
        folder.run(line).refused(&missing("none/s.csv"));
    }
    for line in [
        "fit t.csv -o .",
        "sample m.echoflow -n 3 -o .",
        "score m.echoflow t.csv -o .",
        "impute m.echoflow t.csv -o .",
        "predict m.echoflow t.csv --column x -o .",
        "anomalies m.echoflow t.csv -o .",
        "demo ring -o .",
    ] {
        folder
            .run(line)
            .refused(". is a folder; name a file in it with -o");
    }
    folder.run("fit t.csv -o -").refused(
        "a model cannot be written to standard output; name a file with -o, such as -o model.echoflow",
    );
    folder
        .run("quickstart --dir t.csv")
        .refused("cannot make the folder t.csv: File exists (os error 17); name another with --dir");
    folder
        .run("fit t.csv -o t.csv/m")
        .refused("cannot write t.csv/m: not a directory; check that the folder exists and may be written");
    assert_eq!(folder.files(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let folder = fitted();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for line in [
        "sample m.echoflow -n 3",
        "sample m.echoflow -n 3000",
        "score m.echoflow t.csv",
        "demo ring -n 5",
        "impute m.echoflow t.csv",
        "predict m.echoflow t.csv --column kind",
        "anomalies m.echoflow t.csv",
        "probability m.echoflow --where x<0",
        "inspect m.echoflow",
    ] {
        let output = folder.command(line).stdout(full()).output().unwrap();
        Done::of(line, output).refused(
            "cannot write to standard output: No space left on device (os error 28); make room, or send it elsewhere",
        );
        // nobody can be told
        let output = folder.command(line).stdout(full()).stderr(full()).output();
        assert_eq!(output.unwrap().status.code(), Some(2), "{line}");
    }
    // A link, so that a program gone wrong would replace the link and not the device.
    std::os::unix::fs::symlink("/dev/full", folder.path("full")).unwrap();
    folder.run("sample m.echoflow -n 3 -o full").refused(
        "cannot write full: No space left on device (os error 28); check that the folder exists, may be written and \
         has room",
    );
    folder.run("fit t.csv -o full --epochs 1 --quiet").refused(
        "cannot write the model full: No space left on device (os error 28); check that the folder exists, may be \
         written and has room",
    );
    assert!(folder.path("full").is_symlink());
}

#[test]
fn settings_out_of_range_are_refused_before_any_file_is_read() {
    let folder = Folder::new();
    let start = |line: &str| {
        let done = folder.run(line);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{line}");
        let first = done.err.lines().next().unwrap().to_owned();
        assert!(done.err.contains("--help"), "{}", done.err);
        first
    };
    let minutes = "give a positive number of minutes, such as 2.5";
    for bad in ["0", "-1", "nan", "inf", "soon"] {
        assert_eq!(
            start(&format!("fit t.csv -o m --max-minutes {bad}")),
            format!("error: invalid value '{bad}' for '--max-minutes <MINUTES>': {minutes}")
        );
    }
    for (line, sentence) in [
        (
            "fit t.csv -o m --epochs 0",
            "invalid value '0' for '--epochs <EPOCHS>': give a whole number from 1 to 1000000",
        ),
        (
            "fit t.csv -o m --seed x7",
            "invalid value 'x7' for '--seed <SEED>': give a whole number from 0 to 18446744073709551615",
        ),
        (
            "sample m -n 3 --seed -1",
            "invalid value '-1' for '--seed <SEED>': give a whole number from 0 to 18446744073709551615",
        ),
        (
            "sample m -n many",
            "invalid value 'many' for '--count <ROWS>': give a whole number of rows, such as 1000",
        ),
        (
            "sample m -n -5",
            "invalid value '-5' for '--count <ROWS>': give a whole number of rows, such as 1000",
        ),
        (
            "sample m -n 99999999999",
            "invalid value '99999999999' for '--count <ROWS>': at most 10000000 rows can be made at once; make several \
             files with different seeds",
        ),
        (
            "score m t.csv --threads 100000",
            "invalid value '100000' for '--threads <THREADS>': give a whole number up to 1024, or 0 for all the machine \
             has",
        ),
        (
            "fit t.csv -o m --order-agnostic maybe",
            "invalid value 'maybe' for '--order-agnostic <yes|no>': say yes or no",
        ),
        (
            "impute m t.csv --draws 0",
            "invalid value '0' for '--draws <DRAWS>': give a whole number from 1 to 1000",
        ),
        (
            "anomalies m t.csv --fraction 1.5",
            "invalid value '1.5' for '--fraction <SHARE>': give a share of the rows above 0 and up to 1, such as 0.01",
        ),
        (
            "anomalies m t.csv --fraction -1",
            "invalid value '-1' for '--fraction <SHARE>': give a share of the rows above 0 and up to 1, such as 0.01",
        ),
        (
            "anomalies m t.csv --log-prob-below low",
            "invalid value 'low' for '--log-prob-below <NATS>': give a number of nats, such as -30",
        ),
        (
            "demo spirals",
            "invalid value 'spirals' for '<NAME>': there is no demo called 'spirals'; choose one of spiral, high-low, \
             sine, ring, grid, loans",
        ),
        (
            "fit t.csv -o m --model glow",
            "invalid value 'glow' for '--model <MODEL>': \"glow\" is no model; choose one of: auto, autoregressive, maf, rnvp, nsf, nsf-coupling",
        ),
    ] {
        assert_eq!(start(line), format!("error: {sentence}"));
    }
    // what is missing is named, and how it is given
    let missing = folder.run("fit t.csv");
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("--output <FILE>"), "{}", missing.err);
    assert!(folder.files().is_empty());
}

#[test]
fn contexts_and_counts_that_do_not_fit_are_refused() {
    let folder = fitted();
    folder
        .run("fit t.csv -o c.echoflow --context color")
        .refused("t.csv has no column \"color\"; its columns are: x, kind");
    folder.run("fit t.csv -o c.echoflow --context x,kind").refused(
        "every column is a context column, so nothing is left to learn; leave at least one column out of the context (fit --context)",
    );
    folder
        .run("fit t.csv -o c.echoflow --context kind,kind")
        .refused("the context column \"kind\" is named twice; name it once");
    assert!(!folder.files().contains(&"c.echoflow".to_owned()));

    folder
        .run("sample m.echoflow")
        .refused("say how many rows to draw with -n, such as -n 1000");
    let none = folder.run("sample m.echoflow -n 0").ok();
    assert_eq!(none.out, "x,kind\n");

    folder
        .run("fit t.csv -o c.echoflow --context kind --epochs 1 --quiet")
        .ok();
    let needed = "this model is conditioned on: kind; to sample it, give a table of these columns with one row for each row \
                  to draw (--rows FILE)";
    folder.run("sample c.echoflow -n 3").refused(needed);
    folder.run("sample c.echoflow").refused(needed);
    folder.write("given.csv", "kind\nred\nblue\n");
    folder
        .run("sample c.echoflow -n 9999999 --rows given.csv")
        .refused(
            "-n 9999999 for each of 2 rows is more than the 10000000 rows that can be made at once; make several files \
             with different seeds",
        );
    folder
        .run("sample c.echoflow --rows none.csv")
        .refused("cannot read none.csv: No such file or directory (os error 2); check the path and that the file may be read");
    folder.write("other.csv", "sort\nred\n");
    folder
        .run("sample c.echoflow --rows other.csv")
        .refused("other.csv has no column \"kind\"; its columns are: sort");
    folder.write("empty.csv", "kind\n");
    assert_eq!(
        folder.run("sample c.echoflow --rows empty.csv").ok().out,
        "x,kind\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = fitted();
    let mut child = folder
        .command("sample m.echoflow -n 20000")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert_eq!(first, "x,kind\n");
    let done = Done::of("sample | head -1", child.wait_with_output().unwrap()).ok();
    assert_eq!(done.err, "");
}

/// Starts a long fit and presses Ctrl-C `after` it began to learn; the exit code and what was said.
#[cfg(unix)]
fn interrupted(folder: &Folder, after: Duration) -> (Option<i32>, String) {
    let mut child = folder
        .command("fit t.csv -o m.echoflow --threads 1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // the note about this column is the last thing said before learning begins
    messages.read_line(&mut said).unwrap();
    assert_eq!(said, "column \"same\": all cells are alike\n");
    std::thread::sleep(after);
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    said.clear();
    messages.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_best_so_far() {
    let folder = Folder::new();
    let spiral = folder.run("demo spiral -n 20000").ok().out;
    let with_note: Vec<String> = spiral
        .lines()
        .enumerate()
        .map(|(i, line)| format!("{line},{}\n", if i == 0 { "same" } else { "1" }))
        .collect();
    folder.write("t.csv", with_note.concat());

    let (code, said) = interrupted(&folder, Duration::ZERO);
    assert_eq!(code, Some(130), "{said}");
    assert!(
        said.ends_with("stopped before anything was learned; no model was written\n"),
        "{said}"
    );
    assert_eq!(folder.files(), ["t.csv"]);

    let (code, said) = interrupted(&folder, Duration::from_secs(3));
    assert_eq!(code, Some(130), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("stopped while fitting columns; kept the best so far (columns ")
            && last.ends_with(") in m.echoflow; this fit cannot be reproduced"),
        "{said}"
    );
    let inspected = folder.run("inspect m.echoflow").ok().out;
    assert!(
        inspected.contains("stopped by Ctrl-C: not reproducible"),
        "{inspected}"
    );
    assert_eq!(folder.run("sample m.echoflow -n 5").ok().out.lines().count(), 6);
}
