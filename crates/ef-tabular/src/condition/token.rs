//! The words and signs of a condition's text.

use super::error::ConditionError;
use super::expression::Comparison;

/// Longest text that is read, in bytes.
pub(super) const MOST_BYTES: usize = 1 << 16;

/// A word or sign, and the character where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A word without quotes, of [`is_bare`] characters, which is no keyword.
    Word(String),
    /// A text in single or double quotes.
    Quoted(String),
    /// A text in back quotes.
    BackQuoted(String),
    Keyword(Keyword),
    Comparison(Comparison),
    Open,
    Close,
    Comma,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
    In,
    Between,
    Is,
    Missing,
    Null,
    Known,
    Column,
}

impl Keyword {
    const ALL: [(&'static str, Self); 10] = [
        ("and", Self::And),
        ("or", Self::Or),
        ("not", Self::Not),
        ("in", Self::In),
        ("between", Self::Between),
        ("is", Self::Is),
        ("missing", Self::Missing),
        ("null", Self::Null),
        ("known", Self::Known),
        ("column", Self::Column),
    ];

    pub(super) fn of(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(text, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, keyword)| *keyword)
    }

    pub(super) fn text(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, keyword)| *keyword == self);
        found.map_or("", |(text, _)| text)
    }
}

/// Whether a name or value of this character needs no quotes. Signs of other languages' operators and quotation marks
/// that are no quotes here do, so that they are not taken for a part of a word.
pub(super) fn is_bare(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '_' | '-' | '.' | ':' | '/' | '%' | '+' | '#' | '$' | '@' | '*' | '?' => true,
        '\u{ab}' | '\u{bb}' | '\u{2018}'..='\u{201f}' | '\u{2260}' | '\u{2264}' | '\u{2265}' => false,
        other => !other.is_ascii() && !other.is_whitespace() && !other.is_control(),
    }
}

/// Splits a text; the last token is [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ConditionError> {
    if text.len() > MOST_BYTES {
        return Err(ConditionError::TooLong {
            length: text.len(),
            most: MOST_BYTES,
        });
    }
    let chars: Vec<char> = text.chars().collect();
    let mut scanner = Scanner {
        text,
        chars: &chars,
        at: 0,
    };
    let mut tokens = Vec::new();
    loop {
        let token = scanner.next()?;
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    chars: &'a [char],
    at: usize,
}

impl Scanner<'_> {
    fn refuse(&self, at: usize, message: &str) -> ConditionError {
        ConditionError::Syntax {
            text: self.text.to_owned(),
            at,
            message: message.to_owned(),
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// Steps over a character if it comes next.
    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<Token, ConditionError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let at = self.at;
        let Some(first) = self.peek() else {
            return Ok(Token {
                kind: TokenKind::End,
                at,
            });
        };
        if is_bare(first) {
            return self.word();
        }
        self.at += 1;
        let kind = match first {
            '(' => TokenKind::Open,
            ')' => TokenKind::Close,
            ',' => TokenKind::Comma,
            '"' | '\'' => TokenKind::Quoted(self.quoted(first)?),
            '`' => TokenKind::BackQuoted(self.quoted(first)?),
            '=' | '!' | '<' | '>' => TokenKind::Comparison(self.comparison(first)?),
            '\u{2260}' => TokenKind::Comparison(Comparison::NotEqual),
            '\u{2264}' => TokenKind::Comparison(Comparison::AtMost),
            '\u{2265}' => TokenKind::Comparison(Comparison::AtLeast),
            '&' => {
                return Err(self.refuse(
                    at,
                    "\"&\" is no word of conditions; write and, as in age > 30 and sex = Female",
                ));
            }
            '|' => {
                return Err(self.refuse(
                    at,
                    "\"|\" is no word of conditions; write or, as in age < 20 or age > 60",
                ));
            }
            '\u{ab}' | '\u{bb}' | '\u{2018}'..='\u{201f}' => {
                return Err(self.refuse(
                    at,
                    "this quotation mark is not one of conditions; use \" or ', as in \"Some-college\"",
                ));
            }
            _ => {
                return Err(self.refuse(
                    at,
                    "this sign needs quotes around the name or value it belongs to, as in \"a;b\" = 3",
                ));
            }
        };
        Ok(Token { kind, at })
    }

    fn word(&mut self) -> Result<Token, ConditionError> {
        let at = self.at;
        while self.peek().is_some_and(is_bare) {
            self.at += 1;
        }
        if matches!(self.peek(), Some('"' | '\'' | '`')) {
            return Err(self.refuse(
                self.at,
                "a quote in the middle of a word; put quotes around all of it, as in \"O'Brien\"",
            ));
        }
        let word: String = self.chars[at..self.at].iter().collect();
        let kind = match Keyword::of(&word) {
            Some(keyword) => TokenKind::Keyword(keyword),
            None => TokenKind::Word(word),
        };
        Ok(Token { kind, at })
    }

    /// The text up to the closing quote, doubled quotes being one.
    fn quoted(&mut self, quote: char) -> Result<String, ConditionError> {
        let opened = self.at - 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == quote && !self.take(quote) {
                return Ok(text);
            }
            text.push(c);
        }
        Err(self.refuse(
            opened,
            "the quote opened here is never closed; a quote inside is doubled, as in 'O''Brien'",
        ))
    }

    fn comparison(&mut self, first: char) -> Result<Comparison, ConditionError> {
        let at = self.at - 1;
        let comparison = match first {
            '=' => {
                if matches!(self.peek(), Some('<' | '>')) {
                    return Err(self.refuse(at, "the sign = comes last, as in <= and >="));
                }
                self.take('=');
                Comparison::Equal
            }
            '!' if self.take('=') => Comparison::NotEqual,
            '!' => {
                return Err(self.refuse(
                    at,
                    "\"!\" alone says nothing here; write != or not, as in not (age > 30)",
                ));
            }
            '<' if self.take('=') => Comparison::AtMost,
            '<' if self.take('>') => Comparison::NotEqual,
            '<' => Comparison::Less,
            _ if self.take('=') => Comparison::AtLeast,
            _ => Comparison::More,
        };
        Ok(comparison)
    }
}
