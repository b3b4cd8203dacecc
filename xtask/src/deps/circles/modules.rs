//! The modules of a crate, with the names that each defines, brings in and mentions.

use std::collections::{BTreeMap, BTreeSet};

use super::test_code::without_tests;
use super::tokens::{Token, closing, text, tokens};
use super::use_tree::{Import, imports};

/// Every module that is built outside tests; the first is the crate's root.
#[derive(Debug)]
pub(super) struct Modules {
    pub(super) list: Vec<Module>,
}

/// A file, or a `mod x { .. }` inside one.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Below `src/`.
    pub(super) file: String,
    /// From the root, without `crate`.
    pub(super) path: Vec<String>,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    /// Names of what it defines itself, modules aside.
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    pub(super) mentions: Vec<Mention>,
    /// Names that occur outside `use`s.
    pub(super) words: BTreeSet<String>,
}

/// A path of two names or more in code.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// Keywords that stand before the name of what they define.
const DEFINING: [&str; 8] = [
    "fn", "struct", "enum", "union", "trait", "type", "const", "static",
];

impl Modules {
    /// Follows the `mod` lines from the file `root` through the crate's files, given by their paths below `src/`.
    pub(super) fn of(texts: &BTreeMap<&str, &str>, root: &str) -> Self {
        let file = root.to_owned();
        let mut modules = Self {
            list: vec![Module {
                file,
                ..Module::default()
            }],
        };
        modules.read_file(texts, 0);
        modules
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|module| module.file.as_str())
    }

    fn read_file(&mut self, texts: &BTreeMap<&str, &str>, id: usize) {
        let source = texts
            .get(self.list[id].file.as_str())
            .copied()
            .unwrap_or_default();
        let code = without_tests(&tokens(source));
        self.read(texts, id, &code);
    }

    /// Reads a module's tokens and all that it declares.
    fn read(&mut self, texts: &BTreeMap<&str, &str>, id: usize, code: &[Token]) {
        let (mut at, mut depth) = (0, 0usize);
        while let Some(token) = code.get(at) {
            let next = text(code, at + 1);
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                "mod" if text(code, at + 2) == ";" => {
                    if let Some(child) = self.declare_file(texts, id, next) {
                        self.read_file(texts, child);
                    }
                    at += 2;
                }
                "mod" if text(code, at + 2) == "{" => {
                    let file = self.list[id].file.clone();
                    let child = self.declare(id, next, file);
                    let close = closing(code, at + 2);
                    self.read(texts, child, &code[at + 3..close]);
                    at = close;
                }
                // `use<'a>` in a type is no import
                "use" if next != "<" => {
                    let end = (at..code.len())
                        .find(|&k| text(code, k) == ";")
                        .unwrap_or(code.len());
                    let exported = at > 0 && matches!(text(code, at - 1), "pub" | ")");
                    self.list[id]
                        .imports
                        .extend(imports(&code[at + 1..end], exported));
                    at = end;
                }
                _ if token.is_word() => at = self.read_word(id, code, at, depth == 0),
                _ => {}
            }
            at += 1;
        }
    }

    /// Reads the word at `at`, or the path that starts there, and returns where it ends.
    fn read_word(&mut self, id: usize, code: &[Token], at: usize, outermost: bool) -> usize {
        let before = if at > 0 { text(code, at - 1) } else { "" };
        let module = &mut self.list[id];
        let word = text(code, at);
        if word == "macro_rules" && text(code, at + 1) == "!" {
            module.items.insert(text(code, at + 2).to_owned());
        }
        if outermost && DEFINING.contains(&word) && before != "*" {
            let name = if text(code, at + 1) == "mut" {
                at + 2
            } else {
                at + 1
            };
            module.items.extend(
                code.get(name)
                    .filter(|name| name.is_word())
                    .map(|name| name.text.clone()),
            );
            return at;
        }
        let mut path = vec![word.to_owned()];
        let mut end = at;
        while text(code, end + 1) == "::" && code.get(end + 2).is_some_and(Token::is_word) {
            end += 2;
            path.push(text(code, end).to_owned());
        }
        // after these the word is a method or a field, a part of a longer path, or a macro's parameter
        if matches!(before, "." | "::") || before == "$" && word != "crate" {
            return end;
        }
        module.words.insert(word.to_owned());
        if path.len() > 1 {
            let line = code[at].line;
            module.mentions.push(Mention { path, line });
        }
        end
    }

    /// Adds the child whose file stands where `mod name;` puts it, if there is such a file.
    fn declare_file(&mut self, texts: &BTreeMap<&str, &str>, parent: usize, name: &str) -> Option<usize> {
        let module = &self.list[parent];
        let stem = module.file.trim_end_matches(".rs");
        let mut folder = match stem.rsplit_once('/') {
            Some((folder, "mod")) => format!("{folder}/"),
            _ if module.file == self.list[0].file => String::new(),
            _ => format!("{stem}/"),
        };
        for name in self.names_inside_file(parent) {
            folder = format!("{folder}{name}/");
        }
        let places = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
        let file = places
            .into_iter()
            .find(|place| texts.contains_key(place.as_str()))?;
        // a file that declares itself would be read for ever
        let fresh = self.files().all(|known| known != file);
        fresh.then(|| self.declare(parent, name, file))
    }

    /// The names of the modules inside a file that lead to this one.
    fn names_inside_file(&self, id: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut module = &self.list[id];
        while let Some(parent) = module.parent.map(|parent| &self.list[parent])
            && parent.file == module.file
        {
            names.extend(module.path.last().cloned());
            module = parent;
        }
        names.reverse();
        names
    }

    fn declare(&mut self, parent: usize, name: &str, file: String) -> usize {
        let id = self.list.len();
        let mut path = self.list[parent].path.clone();
        path.push(name.to_owned());
        self.list.push(Module {
            file,
            path,
            parent: Some(parent),
            ..Module::default()
        });
        self.list[parent].children.insert(name.to_owned(), id);
        id
    }
}
