//! No output takes the place of a file that is read, or of another output, by whatever name: refused before any work,
//! with everything as it was. A table that comes back with more in it may be written over itself.

mod common;

use std::fs::{self, OpenOptions};

use common::{Done, Folder, club};

/// A folder whose files are no tables and no models: who reads one of them fails with another sentence.
fn unread() -> Folder {
    let folder = Folder::new();
    for name in ["t.csv", "m.echoflow", "n.echoflow", "filled-1.csv", "old.csv"] {
        folder.write(name, format!("this is {name}"));
    }
    folder
}

/// Everything in a folder, by name.
fn content(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let files = folder.files().into_iter();
    files.map(|name| (name.clone(), folder.bytes(&name))).collect()
}

#[test]
fn an_output_that_is_read_is_refused_by_every_command() {
    let model = |o: &str| format!("-o {o} would replace the model that is read; name another file with -o");
    let table = |o: &str| format!("-o {o} would replace the table that is read; name another file with -o");
    let cases = [
        ("fit t.csv -o t.csv", table("t.csv")),
        ("sample m.echoflow -n 3 -o m.echoflow", model("m.echoflow")),
        ("sample m.echoflow --rows t.csv -o t.csv", table("t.csv")),
        (
            "sample m.echoflow -n 3 --where x=1 --json m.echoflow -o o.csv",
            "--json m.echoflow would replace the model that is read; name another file with --json"
                .to_owned(),
        ),
        ("impute m.echoflow t.csv -o m.echoflow", model("m.echoflow")),
        (
            "impute m.echoflow filled-1.csv --draws 2 -o filled.csv",
            table("filled-1.csv"),
        ),
        (
            "predict m.echoflow t.csv --column x -o m.echoflow",
            model("m.echoflow"),
        ),
        ("score m.echoflow t.csv -o m.echoflow", model("m.echoflow")),
        ("anomalies m.echoflow t.csv -o m.echoflow", model("m.echoflow")),
        ("anomalies m.echoflow t.csv -o t.csv", table("t.csv")),
        (
            "anomalies m.echoflow t.csv --over-density n.echoflow -o n.echoflow",
            "-o n.echoflow would replace the model of --over-density that is read; name another file with -o"
                .to_owned(),
        ),
        (
            "sample m.echoflow -n 3 --where x=1 --json old.csv -o old.csv",
            "-o and --json both name old.csv; give each a file of its own".to_owned(),
        ),
        (
            "sample m.echoflow -n 3 --where x=1 --json ./new.csv -o new.csv",
            "-o new.csv and --json ./new.csv are the same file; give each a file of its own".to_owned(),
        ),
    ];
    let folder = unread();
    let before = content(&folder);
    for (line, sentence) in cases {
        folder.run(line).refused(&sentence);
        assert_eq!(content(&folder), before, "{line}");
    }
}

#[test]
fn every_spelling_of_a_file_is_that_file() {
    let folder = unread();
    let absolute = folder.path("t.csv").display().to_string();
    let mut pairs = vec![
        ("t.csv", "./t.csv"),
        ("./t.csv", "t.csv"),
        ("t.csv", &absolute),
        (&absolute, "t.csv"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("t.csv", folder.path("link.csv")).unwrap();
        std::os::unix::fs::symlink(folder.path("."), folder.path("sub")).unwrap();
        fs::hard_link(folder.path("t.csv"), folder.path("hard.csv")).unwrap();
        pairs.extend([
            ("t.csv", "link.csv"),
            ("link.csv", "t.csv"),
            ("t.csv", "hard.csv"),
            ("t.csv", "sub/t.csv"),
        ]);
    }
    for (read, output) in pairs {
        folder.run(&format!("fit {read} -o {output}")).refused(&format!(
            "-o {output} is the same file as {read}, the table that is read, and would replace it; name another file with \
             -o"
        ));
        assert_eq!(folder.read("t.csv"), "this is t.csv", "{read}, {output}");
    }
}

#[cfg(unix)]
#[test]
fn redirected_streams_are_the_files_behind_them() {
    let folder = unread();
    let before = content(&folder);
    let table = || OpenOptions::new().read(true).open(folder.path("t.csv")).unwrap();
    for (line, output, read) in [
        ("fit - -o t.csv", "t.csv", "standard input"),
        ("fit t.csv -o /dev/fd/0", "/dev/fd/0", "t.csv"),
        ("fit - -o /dev/stdin", "/dev/stdin", "standard input"),
    ] {
        let done = folder.command(line).stdin(table()).output().unwrap();
        Done::of(line, done).refused(&format!(
            "-o {output} is the same file as {read}, the table that is read, and would replace it; name another file with \
             -o"
        ));
        assert_eq!(content(&folder), before, "{line}");
    }
    for (line, file, what) in [
        ("probability m.echoflow --where x=1", "m.echoflow", "model"),
        ("inspect m.echoflow", "m.echoflow", "model"),
        ("score m.echoflow t.csv", "t.csv", "table"),
    ] {
        let appended = OpenOptions::new().append(true).open(folder.path(file)).unwrap();
        let done = folder.command(line).stdout(appended).output().unwrap();
        Done::of(line, done).refused(&format!(
            "standard output is the same file as {file}, the {what} that is read; send it to another file"
        ));
        assert_eq!(content(&folder), before, "{line}");
    }
}

#[cfg(unix)]
#[test]
fn the_files_of_the_tour_are_four() {
    let folder = Folder::new();
    fs::create_dir(folder.path("tour")).unwrap();
    folder.write("tour/spiral.csv", "old");
    std::os::unix::fs::symlink("spiral.csv", folder.path("tour/synthetic.csv")).unwrap();
    folder.run("quickstart --dir tour --epochs 1").refused(
        "--dir tour/spiral.csv and --dir tour/synthetic.csv are the same file; give each a file of its own",
    );
    assert_eq!(folder.read("tour/spiral.csv"), "old");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_may_be_named_twice() {
    let folder = club();
    folder
        .run("sample m.echoflow -n 5 --where active=TRUE --json /dev/null -o /dev/null")
        .ok();
    folder
        .run("fit /dev/null -o /dev/null")
        .refused("/dev/null is empty; a table needs a header row with the column names");
}

#[test]
fn a_table_with_more_in_it_may_take_its_own_place() {
    let folder = club();
    let commands = [
        "impute m.echoflow IT --seed 2",
        "score m.echoflow IT",
        "predict m.echoflow IT --column active",
    ];
    for line in commands {
        let elsewhere = line.replace("IT", "members.csv") + " -o elsewhere.csv";
        folder.run(&elsewhere).ok();
        for output in ["copy.csv", "./copy.csv"] {
            folder.write("copy.csv", folder.bytes("members.csv"));
            folder
                .run(&format!("{} -o {output}", line.replace("IT", "copy.csv")))
                .ok();
            assert_eq!(folder.read("copy.csv"), folder.read("elsewhere.csv"), "{line}");
        }
    }
}
