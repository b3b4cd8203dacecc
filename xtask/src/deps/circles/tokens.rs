//! Words and signs of code.

use crate::deps::code::code_only;

/// A word, the sign `::`, or any other single sign.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Counted from one.
    pub(super) line: usize,
}

impl Token {
    /// Whether it is a name or a keyword.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// A source's tokens; lifetimes, comments and literals are left out.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (at, line) in code_only(source).lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = token_length(rest, first);
            let (token, after) = rest.split_at(length);
            if first != '\'' {
                let text = token.strip_prefix("r#").unwrap_or(token).to_owned();
                found.push(Token { text, line: at + 1 });
            }
            rest = after.trim_start();
        }
    }
    found
}

/// How many bytes the token takes that `rest` starts with.
fn token_length(rest: &str, first: char) -> usize {
    let word = |from: usize| {
        let length = rest[from..].find(|c: char| !c.is_alphanumeric() && c != '_');
        length.map_or(rest.len(), |length| from + length)
    };
    match first {
        '\'' => word(1),
        _ if rest.starts_with("::") => 2,
        'r' if rest.starts_with("r#") => word(2),
        c if c.is_alphanumeric() || c == '_' => word(0),
        c => c.len_utf8(),
    }
}

/// The text of the token at `at`, empty past the end.
pub(super) fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// Where the bracket that opens at `open` closes; the number of tokens when it never does.
pub(super) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth <= 1 => return at,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// What stands between the commas that no bracket encloses.
pub(super) fn between_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0i64;
    tokens
        .split(|token| {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            depth == 0 && token.text == ","
        })
        .collect()
}
