//! The files of a command: what it reads, what it writes, and that no output takes the place of something else.
//!
//! Every command lists its files ([`Job::files`](crate::commands::Job::files)), and [`Files::check`] holds them against
//! each other before the command runs. Two names are one file if they lead to the same device and inode, or, where a
//! file is not there yet and on systems without inodes, to the same path once links and folders are resolved. What is no
//! regular file (a pipe, a terminal, `/dev/null`) loses nothing when it is written to, and may be named as often as
//! wanted.

use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use echoflow::files;

use crate::output::is_dash;

/// Links followed to a file that is not there yet; more than any system follows.
const MOST_LINKS: usize = 64;

/// What a command reads and writes, in the order in which it is listed.
#[derive(Debug, Default)]
pub(crate) struct Files<'a> {
    inputs: Vec<Input<'a>>,
    outputs: Vec<Output<'a>>,
}

#[derive(Debug)]
struct Input<'a> {
    /// What it is to the command: "model".
    what: &'static str,
    place: Place<'a>,
}

#[derive(Debug)]
struct Output<'a> {
    /// The option that names it.
    option: &'static str,
    place: Place<'a>,
    /// The input that it may take the place of.
    may_replace: Option<&'static str>,
    /// Whether it is in a folder that the command makes.
    in_new_folder: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Place<'a> {
    StandardInput,
    StandardOutput,
    File(Cow<'a, Path>),
}

impl<'a> Files<'a> {
    /// A file to read, such as the "model".
    pub(crate) fn reads(mut self, what: &'static str, path: &'a Path) -> Self {
        let place = Place::File(path.into());
        self.inputs.push(Input { what, place });
        self
    }

    /// The same, where `-` is standard input.
    pub(crate) fn reads_table(self, what: &'static str, path: &'a Path) -> Self {
        let mut files = self.reads(what, path);
        if let (true, Some(input)) = (is_dash(path), files.inputs.last_mut()) {
            input.place = Place::StandardInput;
        }
        files
    }

    /// A file to write, named by an option; `-` is standard output. It may be no file that is read.
    pub(crate) fn writes(mut self, option: &'static str, path: impl Into<Cow<'a, Path>>) -> Self {
        let path = path.into();
        self.outputs.push(Output {
            option,
            place: if is_dash(&path) {
                Place::StandardOutput
            } else {
                Place::File(path)
            },
            may_replace: None,
            in_new_folder: false,
        });
        self
    }

    /// A table to write that holds all of the table `what` and more, and so may take its place. The command has to read
    /// that table whole before it writes.
    pub(crate) fn writes_more_of(
        self,
        what: &'static str,
        option: &'static str,
        path: impl Into<Cow<'a, Path>>,
    ) -> Self {
        let mut files = self.writes(option, path);
        if let Some(output) = files.outputs.last_mut() {
            output.may_replace = Some(what);
        }
        files
    }

    /// A file to write in a folder that the command makes if it is not there.
    pub(crate) fn writes_in_folder(mut self, option: &'static str, path: PathBuf) -> Self {
        self.outputs.push(Output {
            option,
            place: Place::File(path.into()),
            may_replace: None,
            in_new_folder: true,
        });
        self
    }

    /// Something is printed to standard output, whatever is asked for.
    pub(crate) fn prints(self) -> Self {
        self.writes("standard output", Path::new("-"))
    }

    /// Fails now, and not after minutes of work, if an output would replace an input or another output, or cannot be
    /// written.
    pub(crate) fn check(&self) -> Result<()> {
        let inputs: Vec<_> = self.inputs.iter().map(|input| input.place.identity()).collect();
        let outputs: Vec<_> = self
            .outputs
            .iter()
            .map(|output| output.place.identity())
            .collect();
        for (at, output) in self.outputs.iter().enumerate() {
            for (input, identity) in self.inputs.iter().zip(&inputs) {
                // what is printed over an input is not written beside it and renamed
                let in_place =
                    output.may_replace == Some(input.what) && output.place != Place::StandardOutput;
                if is_one_file(&outputs[at], identity) && !in_place {
                    return Err(output.would_replace(input));
                }
            }
            for (earlier, identity) in self.outputs[..at].iter().zip(&outputs) {
                let both_printed = [&output.place, &earlier.place] == [&Place::StandardOutput; 2];
                if both_printed || is_one_file(&outputs[at], identity) {
                    return Err(output.is_also(earlier));
                }
            }
        }
        let mut there = self.outputs.iter().filter(|output| !output.in_new_folder);
        there.try_for_each(Output::check_writable)
    }

    /// All paths, for the test that none is forgotten.
    #[cfg(test)]
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let inputs = self.inputs.iter().map(|input| &input.place);
        let outputs = self.outputs.iter().map(|output| &output.place);
        inputs.chain(outputs).filter_map(Place::path).collect()
    }
}

impl Output<'_> {
    /// What a person knows it by.
    fn named(&self) -> String {
        match self.place.path() {
            Some(path) => format!("{} {}", self.option, path.display()),
            None => self.place.named(),
        }
    }

    fn check_writable(&self) -> Result<()> {
        let Some(path) = self.place.path() else {
            return Ok(());
        };
        if path.is_dir() {
            bail!(
                "{} is a folder; name a file in it with {}",
                path.display(),
                self.option
            );
        }
        files::check_writable(path).map_err(|error| {
            anyhow!(
                "cannot write {}: {error}; check that the folder exists and may be written",
                path.display()
            )
        })
    }

    fn would_replace(&self, input: &Input<'_>) -> anyhow::Error {
        let (named, option, what) = (self.named(), self.option, input.what);
        let read = input.place.named();
        if self.place == Place::StandardOutput {
            anyhow!(
                "standard output is the same file as {read}, the {what} that is read; send it to another file"
            )
        } else if self.place == input.place {
            anyhow!("{named} would replace the {what} that is read; name another file with {option}")
        } else {
            anyhow!(
                "{named} is the same file as {read}, the {what} that is read, and would replace it; name another file with \
                 {option}"
            )
        }
    }

    fn is_also(&self, earlier: &Self) -> anyhow::Error {
        let (option, other) = (earlier.option, self.option);
        match (self.place == earlier.place, self.place.path()) {
            (true, None) => {
                anyhow!("{option} and {other} cannot both go to standard output; name a file with {option}")
            }
            (true, Some(path)) => anyhow!(
                "{option} and {other} both name {}; give each a file of its own",
                path.display()
            ),
            (false, _) => anyhow!(
                "{} and {} are the same file; give each a file of its own",
                earlier.named(),
                self.named()
            ),
        }
    }
}

impl Place<'_> {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::StandardInput | Self::StandardOutput => None,
        }
    }

    fn named(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::StandardOutput => "standard output".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn identity(&self) -> Option<Identity> {
        match self {
            Self::File(path) => identity(path),
            Self::StandardInput => redirected(std::io::stdin()),
            Self::StandardOutput => redirected(std::io::stdout()),
        }
    }
}

/// Which file a name leads to.
#[derive(Debug, PartialEq)]
enum Identity {
    /// Device and inode of a file that is there.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The path once links and folders are resolved.
    Path(PathBuf),
}

fn is_one_file(a: &Option<Identity>, b: &Option<Identity>) -> bool {
    a.is_some() && a == b
}

/// The file that a path leads to, there or not yet; `None` if that is no regular file.
fn identity(path: &Path) -> Option<Identity> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {
            of_file(&found).or_else(|| fs::canonicalize(path).ok().map(Identity::Path))
        }
        Ok(_) => None,
        Err(_) => Some(Identity::Path(to_be(path))),
    }
}

#[cfg(unix)]
fn of_file(found: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some(Identity::Inode(found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn of_file(_: &Metadata) -> Option<Identity> {
    None
}

/// The file that a standard stream was redirected to or from, if it was.
#[cfg(unix)]
fn redirected(stream: impl std::os::fd::AsFd) -> Option<Identity> {
    let file = fs::File::from(stream.as_fd().try_clone_to_owned().ok()?);
    let found = file.metadata().ok().filter(Metadata::is_file)?;
    of_file(&found)
}

/// Without inodes there is no telling.
#[cfg(not(unix))]
fn redirected<S>(_: S) -> Option<Identity> {
    None
}

/// Where a file would be made that is not there yet: links that lead nowhere are followed, its folder is resolved.
fn to_be(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = folder(&path).join(target);
    }
    let whole = match (fs::canonicalize(folder(&path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(&path).unwrap_or(path),
    };
    if cfg!(windows) {
        PathBuf::from(whole.to_string_lossy().to_lowercase())
    } else {
        whole
    }
}

fn folder(path: &Path) -> &Path {
    let parent = path.parent();
    parent
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use clap::parser::ValueSource;
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::commands::{Args, job};

    /// For each command, a line that gives every option that takes a path.
    const LINES: [&str; 10] = [
        "quickstart --dir tour",
        "demo sine -o o.csv",
        "fit t.csv -o o.echoflow",
        "sample m.echoflow --where x=1 --rows r.csv --json j.json -o o.csv",
        "impute m.echoflow t.csv -o o.csv",
        "probability m.echoflow --where x=1",
        "predict m.echoflow t.csv --column x -o o.csv",
        "anomalies m.echoflow t.csv --over-density n.echoflow -o o.csv",
        "score m.echoflow t.csv -o o.csv",
        "inspect m.echoflow",
    ];

    #[test]
    fn every_path_on_the_command_line_is_checked() {
        for command in Args::command().get_subcommands() {
            let name = command.get_name();
            let line = LINES.iter().find(|line| line.split(' ').next() == Some(name));
            let line = line.unwrap_or_else(|| panic!("{name}: add a line with all of its paths"));
            let words = ["echoflow"].into_iter().chain(line.split(' '));
            let matches = Args::command().try_get_matches_from(words).unwrap();
            let args = Args::from_arg_matches(&matches).unwrap();
            let files = job(&args.command).files().unwrap();
            let given = matches.subcommand().unwrap().1;
            for arg in command.get_arguments() {
                if arg.get_value_parser().type_id() != TypeId::of::<PathBuf>() {
                    continue;
                }
                let id = arg.get_id().as_str();
                assert_eq!(
                    given.value_source(id),
                    Some(ValueSource::CommandLine),
                    "{name}: {id}"
                );
                let path: &PathBuf = given.get_one(id).unwrap();
                let listed = files.paths().iter().any(|listed| listed.starts_with(path));
                assert!(listed, "{name} does not list the file of {id}");
            }
        }
    }

    #[test]
    fn one_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("there"), "x").unwrap();
        fs::create_dir(at("sub")).unwrap();
        let mut names = vec![
            (at("there"), at("./there")),
            (at("there"), at("sub/../there")),
            (at("new"), at("./new")),
            (at("new"), at("sub/../new")),
        ];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("there", at("link")).unwrap();
            std::os::unix::fs::symlink("new", at("dangling")).unwrap();
            std::os::unix::fs::symlink(at("dangling"), at("twice")).unwrap();
            fs::hard_link(at("there"), at("hard")).unwrap();
            names.extend([
                (at("there"), at("link")),
                (at("there"), at("hard")),
                (at("new"), at("dangling")),
                (at("new"), at("twice")),
            ]);
        }
        for (a, b) in names {
            assert!(is_one_file(&identity(&a), &identity(&b)), "{a:?} and {b:?}");
        }
        fs::write(at("other"), "x").unwrap();
        for (a, b) in [
            ("there", "other"),
            ("there", "new"),
            ("new", "newer"),
            ("new", "sub/new"),
        ] {
            assert!(!is_one_file(&identity(&at(a)), &identity(&at(b))), "{a} and {b}");
        }
        assert!(
            !is_one_file(&identity(&at("sub")), &identity(&at("sub"))),
            "a folder is no file"
        );
        #[cfg(unix)]
        assert_eq!(identity(Path::new("/dev/null")), None);
        // a link to itself leads nowhere, and ends
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("round", at("round")).unwrap();
            assert!(identity(&at("round")).is_some());
        }
    }
}
