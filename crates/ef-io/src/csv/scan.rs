//! RFC 4180 records out of a text, with exact line numbers.
//!
//! The `csv` crate accepts an unterminated quote at the end of a file, skips blank lines and miscounts lines after
//! them; our errors name lines, so the grammar is ours. A property test holds it against the `csv` crate.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr3};

/// Walks over the records of a text.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

/// A quote that is never closed, by the line where it opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenQuote {
    pub(crate) line: u64,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// Reads the next record into `fields` and gives the line it starts at; `None` at the end of the text. A blank line
    /// is a record of no fields. A record ends at `\n`, `\r\n` or a lone `\r`.
    pub(crate) fn record(&mut self, fields: &mut Vec<Cow<'a, str>>) -> Result<Option<u64>, OpenQuote> {
        fields.clear();
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return Ok(None);
        }
        let line = self.line;
        if matches!(bytes[self.at], b'\n' | b'\r') {
            self.end_record();
            return Ok(Some(line));
        }
        loop {
            let field = if bytes.get(self.at) == Some(&b'"') {
                self.quoted()?
            } else {
                Cow::Borrowed(self.plain())
            };
            fields.push(field);
            if bytes.get(self.at) == Some(&b',') {
                self.at += 1;
            } else {
                self.end_record();
                return Ok(Some(line));
            }
        }
    }

    /// Up to the next comma or line end.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        self.at += memchr3(b',', b'\n', b'\r', rest).unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    /// A field that opens with a quote. What follows the closing quote up to the comma is kept as it is.
    fn quoted(&mut self) -> Result<Cow<'a, str>, OpenQuote> {
        let opened = self.line;
        let bytes = self.text.as_bytes();
        self.at += 1;
        let mut start = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            let Some(quote) = memchr(b'"', &bytes[self.at..]).map(|found| self.at + found) else {
                return Err(OpenQuote { line: opened });
            };
            self.line += memchr_iter(b'\n', &bytes[self.at..quote]).count() as u64;
            self.at = quote + 1;
            if bytes.get(self.at) == Some(&b'"') {
                // a doubled quote: keep one of the two
                unescaped
                    .get_or_insert_default()
                    .push_str(&self.text[start..self.at]);
                self.at += 1;
                start = self.at;
                continue;
            }
            let last = &self.text[start..quote];
            let tail = self.plain();
            return Ok(match unescaped {
                None if tail.is_empty() => Cow::Borrowed(last),
                text => Cow::Owned(text.unwrap_or_default() + last + tail),
            });
        }
    }

    fn end_record(&mut self) {
        let bytes = self.text.as_bytes();
        match bytes.get(self.at) {
            Some(b'\r') if bytes.get(self.at + 1) == Some(&b'\n') => self.at += 2,
            Some(_) => self.at += 1,
            None => return,
        }
        self.line += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Vec<(u64, Vec<String>)>, OpenQuote> {
        let (mut scanner, mut fields, mut records) = (Scanner::new(text), Vec::new(), Vec::new());
        while let Some(line) = scanner.record(&mut fields)? {
            records.push((line, fields.iter().map(ToString::to_string).collect()));
        }
        Ok(records)
    }

    fn record(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn quotes_newlines_and_line_numbers() {
        let found = scan("a,b\r\n\"x\n\"\"y\"\"\",2\n\n,\n").unwrap();
        let wanted = [
            record(1, &["a", "b"]),
            record(2, &["x\n\"y\"", "2"]),
            record(4, &[]),
            record(5, &["", ""]),
        ];
        assert_eq!(found, wanted);
        assert_eq!(scan("a\n\"b\nc\n").unwrap_err(), OpenQuote { line: 2 });
        assert_eq!(scan("a\n\"b\nc\",\"\n").unwrap_err(), OpenQuote { line: 3 });
        assert_eq!(scan("a,").unwrap(), [record(1, &["a", ""])]);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_csv_crate(text in "[ab,\"\n\r]{0,40}") {
            if let Ok(ours) = scan(&text) {
                let mut reader =
                    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
                let theirs: Vec<Vec<String>> = reader
                    .records()
                    .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                    .collect();
                let ours: Vec<Vec<String>> =
                    ours.into_iter().map(|record| record.1).filter(|fields| !fields.is_empty()).collect();
                proptest::prop_assert_eq!(ours, theirs);
            }
        }
    }
}
