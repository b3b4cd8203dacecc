//! Code that is built for tests only.

use super::tokens::{Token, between_commas, closing, text};

/// The tokens without what stands under `#[cfg(test)]`, `#[test]` or `#![cfg(test)]`.
pub(super) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let inner = text(tokens, at + 1) == "!";
        let open = at + 1 + usize::from(inner);
        if text(tokens, at) != "#" || text(tokens, open) != "[" {
            kept.extend(tokens.get(at).cloned());
            at += 1;
            continue;
        }
        let close = closing(tokens, open);
        let after = (close + 1).min(tokens.len());
        if !for_tests_only(&tokens[open + 1..close]) {
            kept.extend_from_slice(&tokens[at..after]);
            at = after;
        } else if inner {
            // the rest of what surrounds it is for tests
            at = closing_around(tokens, after);
        } else {
            at = item_end(tokens, after);
        }
    }
    kept
}

/// Whether an attribute, without its brackets, keeps what it stands on out of every build but that of tests.
fn for_tests_only(attribute: &[Token]) -> bool {
    match text(attribute, 0) {
        "test" => attribute.len() == 1,
        "cfg" => needs_test(attribute.get(2..closing(attribute, 1)).unwrap_or_default()),
        _ => false,
    }
}

/// Whether a condition of `cfg` is false whenever `test` is.
fn needs_test(condition: &[Token]) -> bool {
    let parts = || {
        let inside = condition.get(2..closing(condition, 1)).unwrap_or_default();
        between_commas(inside).into_iter().filter(|part| !part.is_empty())
    };
    match text(condition, 0) {
        "test" => condition.len() == 1,
        "all" => parts().any(needs_test),
        "any" => parts().count() > 0 && parts().all(needs_test),
        _ => false,
    }
}

/// Where the bracket closes that surrounds what stands at `from`.
fn closing_around(tokens: &[Token], from: usize) -> usize {
    let mut at = from;
    while at < tokens.len() {
        match text(tokens, at) {
            "(" | "[" | "{" => at = closing(tokens, at),
            ")" | "]" | "}" => return at,
            _ => {}
        }
        at += 1;
    }
    tokens.len()
}

/// Where the item, statement, field or arm ends that follows an attribute.
fn item_end(tokens: &[Token], from: usize) -> usize {
    let mut at = from;
    while text(tokens, at) == "#" && text(tokens, at + 1) == "[" {
        at = closing(tokens, at + 1) + 1;
    }
    if text(tokens, at) == "pub" {
        at += 1;
        if text(tokens, at) == "(" {
            at = closing(tokens, at) + 1;
        }
    }
    let function = matches!(text(tokens, at + 1), "fn" | "unsafe" | "async" | "extern");
    let (ends_at_brace, ends_at_comma) = match text(tokens, at) {
        "const" => (function, false),
        "use" | "static" | "type" | "let" => (false, false),
        "fn" | "mod" | "struct" | "enum" | "union" | "trait" | "impl" | "unsafe" | "async" | "extern"
        | "macro_rules" => (true, false),
        _ => (true, true),
    };
    while at < tokens.len() {
        match text(tokens, at) {
            "{" if ends_at_brace => return (closing(tokens, at) + 1).min(tokens.len()),
            "(" | "[" | "{" => at = closing(tokens, at),
            ")" | "]" | "}" => return at,
            ";" => return at + 1,
            "," if ends_at_comma => return at + 1,
            _ => {}
        }
        at += 1;
    }
    tokens.len()
}
