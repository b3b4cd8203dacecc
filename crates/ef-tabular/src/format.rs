//! How numbers, missing cells and booleans are spelled, so that a table comes out as it went in.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Cells that mean "missing", compared after trimming surrounding spaces.
pub const MISSING_MARKERS: [&str; 8] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"];

/// Whether a cell's text is one of [`MISSING_MARKERS`]; gives the marker's position.
pub(crate) fn missing_marker(text: &str) -> Option<usize> {
    // most cells start with a letter or digit that no marker starts with
    match text.as_bytes().first() {
        Some(byte) if byte.is_ascii_graphic() && !matches!(byte, b'N' | b'n' | b'?') => return None,
        _ => {}
    }
    let text = text.trim();
    if text.len() > 4 {
        return None;
    }
    MISSING_MARKERS.iter().position(|marker| *marker == text)
}

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NumberFormat {
    /// Whole numbers: `12`, `-3`.
    Integer,
    /// Exactly so many decimals: `Fixed(2)` writes `3.10`.
    Fixed(u8),
    /// The shortest digits that read back as the same number, as Python and pandas write them (an exponent below 1e-4
    /// and from 1e16), with at least `min_decimals` (0 or 1) decimals: `4.1518`, and `22` or `22.0`.
    Shortest {
        /// 1 writes whole numbers as `22.0`, 0 as `22`.
        min_decimals: u8,
    },
}

impl NumberFormat {
    /// Appends `value` as text.
    ///
    /// ```
    /// use ef_tabular::NumberFormat;
    /// let mut text = String::new();
    /// NumberFormat::Shortest { min_decimals: 1 }.write(22.0, &mut text);
    /// assert_eq!(text, "22.0");
    /// ```
    pub fn write(self, value: f64, out: &mut String) {
        // writing into a String cannot fail
        let _ = match self {
            Self::Integer => write!(out, "{value:.0}"),
            Self::Fixed(decimals) => write!(out, "{value:.*}", usize::from(decimals)),
            Self::Shortest { min_decimals } => {
                write_shortest(value, min_decimals, out);
                Ok(())
            }
        };
    }

    /// `integer`, `fixed:2`, `shortest:1`: the form kept in Arrow field metadata.
    pub(crate) fn to_metadata(self) -> String {
        match self {
            Self::Integer => "integer".into(),
            Self::Fixed(decimals) => format!("fixed:{decimals}"),
            Self::Shortest { min_decimals } => format!("shortest:{min_decimals}"),
        }
    }

    pub(crate) fn from_metadata(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "integer" => Some(Self::Integer),
            Some(("fixed", decimals)) => decimals.parse().ok().map(Self::Fixed),
            Some(("shortest", decimals)) => decimals
                .parse()
                .ok()
                .map(|min_decimals| Self::Shortest { min_decimals }),
            _ => None,
        }
    }
}

/// Python's `repr` of a float, with the trailing `.0` at choice.
fn write_shortest(value: f64, min_decimals: u8, out: &mut String) {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) && value.is_finite() {
        let text = format!("{value:e}");
        if let Some((mantissa, exponent)) = text.split_once('e') {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            let _ = write!(out, "{mantissa}e{sign}{digits:0>2}");
            return;
        }
    }
    let start = out.len();
    let _ = write!(out, "{value}");
    if min_decimals > 0 && !out[start..].contains('.') {
        out.push_str(".0");
    }
}

/// How a column spells its booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BooleanSpelling {
    /// `true`, `false`
    #[default]
    Lower,
    /// `True`, `False`
    Title,
    /// `TRUE`, `FALSE`
    Upper,
}

impl BooleanSpelling {
    const ALL: [Self; 3] = [Self::Lower, Self::Title, Self::Upper];

    /// The text of `value`.
    pub fn text(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::Lower, true) => "true",
            (Self::Lower, false) => "false",
            (Self::Title, true) => "True",
            (Self::Title, false) => "False",
            (Self::Upper, true) => "TRUE",
            (Self::Upper, false) => "FALSE",
        }
    }

    /// The spelling and value of a text, if it is one of the six.
    pub fn parse(text: &str) -> Option<(Self, bool)> {
        let mut all = Self::ALL
            .into_iter()
            .flat_map(|spelling| [(spelling, true), (spelling, false)]);
        all.find(|(spelling, value)| spelling.text(*value) == text)
    }
}

/// What the text of a cell says about numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NumberText {
    /// A finite number, with the form of its digits.
    Finite {
        value: f64,
        whole: Option<i64>,
        decimals: usize,
        point: bool,
        exponent: bool,
    },
    /// `inf`, `-Infinity`, or an overflow such as `1e999`.
    Infinite,
    /// Not a number; also `007` and `+5`, whose spelling a number would lose.
    Text,
}

/// Reads a trimmed text as a number: `-? digits [. digits] [e +-? digits]`, no leading zeros, no leading plus.
pub(crate) fn parse_number(text: &str) -> NumberText {
    let bytes = text.as_bytes();
    let digits_from = |start: usize| {
        bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole_digits = digits_from(at);
    if whole_digits > 1 && bytes[at] == b'0' {
        return NumberText::Text;
    }
    at += whole_digits;
    let point = bytes.get(at) == Some(&b'.');
    let mut decimals = 0;
    if point {
        decimals = digits_from(at + 1);
        at += 1 + decimals;
    }
    if whole_digits + decimals == 0 {
        return if is_infinite_word(text) {
            NumberText::Infinite
        } else {
            NumberText::Text
        };
    }
    let exponent = matches!(bytes.get(at), Some(b'e' | b'E'));
    if exponent {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent_digits = digits_from(at.min(bytes.len()));
        if exponent_digits == 0 {
            return NumberText::Text;
        }
        at += exponent_digits;
    }
    if at != bytes.len() {
        return NumberText::Text;
    }
    let whole = if point || exponent {
        None
    } else {
        text.parse::<i64>().ok()
    };
    // whole numbers that a float holds exactly need no second parse; 0 may be -0
    if let Some(exact) = whole.filter(|whole| *whole != 0 && whole.unsigned_abs() < 1 << 53) {
        return NumberText::Finite {
            value: exact as f64,
            whole,
            decimals,
            point,
            exponent,
        };
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => NumberText::Finite {
            value,
            whole,
            decimals,
            point,
            exponent,
        },
        Ok(_) => NumberText::Infinite,
        Err(_) => NumberText::Text,
    }
}

fn is_infinite_word(text: &str) -> bool {
    let word = text.strip_prefix(['+', '-']).unwrap_or(text);
    word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("infinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: NumberFormat, value: f64) -> String {
        let mut text = String::new();
        format.write(value, &mut text);
        text
    }

    #[test]
    fn shortest_is_python_repr() {
        let repr = NumberFormat::Shortest { min_decimals: 1 };
        let cases = [
            (22.0, "22.0"),
            (4.1518, "4.1518"),
            (-117.1, "-117.1"),
            (1e-5, "1e-05"),
            (1.5e16, "1.5e+16"),
        ];
        for (value, text) in cases {
            assert_eq!(written(repr, value), text);
        }
        assert_eq!(written(NumberFormat::Shortest { min_decimals: 0 }, 22.0), "22");
        assert_eq!(written(repr, 1e-300), "1e-300");
        assert_eq!(written(NumberFormat::Fixed(2), 3.1), "3.10");
        assert_eq!(written(NumberFormat::Integer, -3.0), "-3");
    }

    #[test]
    fn number_texts() {
        for text in [
            "007", "+5", "1,5", "", "-", ".", "e5", "1e", "1e+", "0x1", "1_000", "nan", "00", "1 2",
        ] {
            assert_eq!(parse_number(text), NumberText::Text, "{text}");
        }
        for text in ["inf", "-Infinity", "+INF", "1e999", "-1e400"] {
            assert_eq!(parse_number(text), NumberText::Infinite, "{text}");
        }
        for text in ["0", "-0", "12", "-3.50", ".5", "5.", "1e5", "1E-05", "0.1e+3"] {
            assert!(matches!(parse_number(text), NumberText::Finite { .. }), "{text}");
        }
    }

    #[test]
    fn metadata_round_trip() {
        for format in [
            NumberFormat::Integer,
            NumberFormat::Fixed(3),
            NumberFormat::Shortest { min_decimals: 0 },
        ] {
            assert_eq!(NumberFormat::from_metadata(&format.to_metadata()), Some(format));
        }
    }
}
