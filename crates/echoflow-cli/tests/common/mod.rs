//! The program in a folder of its own, as a person runs it.

// every test file uses its own part of this
#![allow(dead_code)]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use assert_cmd::cargo::CommandCargoExt as _;
use tempfile::TempDir;

/// A new folder; the program runs in it, so messages name files as they are named here.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    /// Names of all files, hidden ones too.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The program, not started yet. The words of `line` are its arguments.
    pub(crate) fn command(&self, line: &str) -> Command {
        self.command_of(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn command_of(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("echoflow").unwrap();
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Done {
        Done::of(line, self.command(line).output().unwrap())
    }

    pub(crate) fn run_of(&self, args: &[&str]) -> Done {
        Done::of(&args.join(" "), self.command_of(args).output().unwrap())
    }

    /// Runs with `input` as standard input.
    pub(crate) fn pipe(&self, line: &str, input: &str) -> Done {
        self.write(".input", input);
        let input = fs::File::open(self.path(".input")).unwrap();
        let output = self.command(line).stdin(input).output().unwrap();
        fs::remove_file(self.path(".input")).unwrap();
        Done::of(line, output)
    }
}

/// What a run left on the terminal.
pub(crate) struct Done {
    line: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(line: &str, output: Output) -> Self {
        let done = Self {
            line: line.to_owned(),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!done.err.contains("panicked"), "{line}: {}", done.err);
        done
    }

    /// It went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}: {}", self.line, self.err);
        self
    }

    /// It was refused with exactly this sentence and gave no results.
    #[track_caller]
    pub(crate) fn refused(&self, sentence: &str) {
        assert_eq!(self.err, format!("error: {sentence}\n"), "{}", self.line);
        assert_eq!(
            (self.code, self.out.as_str()),
            (Some(2), ""),
            "{}: {}",
            self.line,
            self.err
        );
    }
}

/// The cells of a plain CSV text (no quotes), without the header.
pub(crate) fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect()
}

/// The column of that name of a plain CSV text.
pub(crate) fn column<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let header = text.lines().next().unwrap();
    let at = header.split(',').position(|n| n == name).unwrap();
    rows(text).into_iter().map(|row| row[at]).collect()
}

/// A CSV text of `n` rows by row number.
pub(crate) fn table(header: &str, n: usize, row: impl Fn(usize) -> String) -> String {
    (0..n).fold(format!("{header}\n"), |mut text, i| {
        let _ = writeln!(text, "{}", row(i));
        text
    })
}

/// A number that looks random, in `0..1`.
pub(crate) fn noise(i: usize) -> f64 {
    (i as f64 * 12.9898)
        .sin()
        .mul_add(43_758.545, 0.5)
        .rem_euclid(1.0)
}

/// Ensemble of a club: every kind of column, missing cells, a column that follows from another, a name of two words.
pub(crate) fn members() -> String {
    table("home town,zone,age,score,joined,active", 400, |i| {
        let town = ["Oslo", "Rome", "\"York, New\""][(3.0 * noise(i)) as usize];
        let zone = if town == "Oslo" { 10 } else { 20 };
        let years = 18 + (50.0 * noise(i + 1000)) as u32;
        let age = if i % 9 == 4 {
            "?".to_owned()
        } else {
            years.to_string()
        };
        let score = f64::from(years) / 10.0 + 3.0 * noise(i + 2000);
        let joined = format!("20{:02}-0{}-15", 10 + years % 12, 1 + i % 9);
        let active = if noise(i + 3000) < f64::from(years) / 80.0 {
            "TRUE"
        } else {
            "FALSE"
        };
        format!("{town},{zone},{age},{score:.2},{joined},{active}")
    })
}

/// A folder with `members.csv` and a model of it, `m.echoflow`, which every test of a binary shares.
pub(crate) fn club() -> Folder {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    let folder = Folder::new();
    folder.write("members.csv", members());
    let model = MODEL.get_or_init(|| {
        folder
            .run("fit members.csv -o m.echoflow --epochs 6 --seed 3 --quiet")
            .ok();
        folder.bytes("m.echoflow")
    });
    folder.write("m.echoflow", model);
    folder
}

/// The cells of a CSV text with its header, quotes read.
pub(crate) fn cells(text: &str) -> Vec<Vec<String>> {
    let read = |line: &str| {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                c => fields.last_mut().unwrap().push(c),
            }
        }
        fields
    };
    text.lines().map(read).collect()
}
