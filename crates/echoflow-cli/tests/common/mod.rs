//! The program in a folder of its own, as a person runs it.

// every test file uses its own part of this
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

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
