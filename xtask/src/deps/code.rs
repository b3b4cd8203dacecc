//! The code of a Rust source, without its comments and literals.

/// The words of some code: names, keywords and numbers.
pub(super) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// The source with comments and the insides of literals blanked out; lines keep their numbers.
pub(super) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end > at {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    code
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |k: usize| chars.get(at + k).copied().unwrap_or(' ');
    let until = |from: usize, stop: &[char]| {
        let found = chars
            .get(from..)
            .and_then(|rest| rest.windows(stop.len()).position(|w| w == stop));
        found.map_or(chars.len(), |k| from + k + stop.len())
    };
    let inside_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match (chars[at], next(1)) {
        ('/', '/') => until(at, &['\n']) - usize::from(until(at, &['\n']) < chars.len()),
        ('/', '*') => {
            let (mut depth, mut k) = (1, at + 2);
            while depth > 0 && k < chars.len() {
                match (chars[k], chars.get(k + 1)) {
                    ('/', Some('*')) => (depth, k) = (depth + 1, k + 2),
                    ('*', Some('/')) => (depth, k) = (depth - 1, k + 2),
                    _ => k += 1,
                }
            }
            k.min(chars.len())
        }
        ('r', '"' | '#') if !inside_word || chars[at - 1] == 'b' => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if next(1 + hashes) != '"' {
                return at; // a raw identifier
            }
            let stop: Vec<char> = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            until(at + 2 + hashes, &stop)
        }
        ('"', _) => quoted_end(chars, at, '"'),
        // a character, not a lifetime: 'x' or '\..'
        ('\'', '\\') => quoted_end(chars, at, '\''),
        ('\'', _) if next(2) == '\'' => at + 3,
        _ => at,
    }
}

/// Where a literal that starts at `at` ends, escapes skipped.
fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut k = at + 1;
    while k < chars.len() && chars[k] != quote {
        k += if chars[k] == '\\' { 2 } else { 1 };
    }
    (k + 1).min(chars.len())
}
