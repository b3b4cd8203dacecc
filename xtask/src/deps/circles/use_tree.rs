//! What a `use` brings into a module.

use super::tokens::{Token, between_commas, closing, text};

/// One name of a `use`, or one `*`.
#[derive(Debug, PartialEq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) bound: Bound,
    pub(super) line: usize,
    /// Whether other modules can name it here, as in `pub use`.
    pub(super) exported: bool,
}

/// What an import is called where it is brought in.
#[derive(Debug, PartialEq)]
pub(super) enum Bound {
    Name(String),
    /// Everything of a module.
    All,
    /// `as _`.
    Nothing,
}

/// The imports of the `use` whose tokens between `use` and `;` these are.
pub(super) fn imports(tokens: &[Token], exported: bool) -> Vec<Import> {
    let mut found = Vec::new();
    branch(tokens, &[], exported, &mut found);
    found
}

/// One branch of a tree, below the path `above`.
fn branch(tokens: &[Token], above: &[String], exported: bool, found: &mut Vec<Import>) {
    let mut path = above.to_vec();
    let mut at = 0;
    // `$crate` in a macro is `crate`; a path from the names of other crates leads out of this one
    match text(tokens, 0) {
        "$" => at = 1,
        "::" if above.is_empty() => return,
        "::" => at = 1,
        _ => {}
    }
    while let Some(token) = tokens.get(at) {
        let mut import = |path: &[String], bound| {
            let path = path.to_vec();
            found.push(Import {
                path,
                bound,
                line: token.line,
                exported,
            });
        };
        if token.text == "{" {
            let inside = &tokens[at + 1..closing(tokens, at)];
            for part in between_commas(inside) {
                branch(part, &path, exported, found);
            }
            return;
        }
        if token.text == "*" {
            return import(&path, Bound::All);
        }
        if !token.is_word() {
            return;
        }
        // in braces, `self` is the module before them
        if token.text != "self" || path.is_empty() {
            path.push(token.text.clone());
        }
        if text(tokens, at + 1) != "::" {
            let renamed = (text(tokens, at + 1) == "as").then(|| text(tokens, at + 2));
            let name = renamed.or(path.last().map(String::as_str)).unwrap_or_default();
            let bound = if name == "_" {
                Bound::Nothing
            } else {
                Bound::Name(name.to_owned())
            };
            return import(&path, bound);
        }
        at += 2;
    }
}
