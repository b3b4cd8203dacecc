//! The text of a drawing: numbers, words, and the outermost tag.

use std::fmt::Write;

/// Width of one character in units of the font size: an upper estimate for the fonts that browsers choose.
const CHARACTER: f64 = 0.58;

/// Colours of the words of titles, of labels, and of remarks.
pub(super) const TITLE_INK: &str = "#111827";
pub(super) const LABEL_INK: &str = "#374151";
pub(super) const ASIDE_INK: &str = "#5b6472";

/// How wide words come out, estimated.
pub(super) fn text_width(words: &str, size: f64) -> f64 {
    words.chars().count() as f64 * CHARACTER * size
}

/// A whole drawing on white.
pub(super) fn document(width: f64, height: f64, title: &str, body: &str) -> String {
    let (width, height) = (width.ceil(), height.ceil());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\" \
         font-size=\"12\" fill=\"{LABEL_INK}\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n",
        escaped(title)
    )
}

/// Where a text stands at its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Words with their base line at `[x, y]`.
pub(super) fn text(svg: &mut String, [x, y]: [f64; 2], anchor: Anchor, attributes: &str, words: &str) {
    if words.is_empty() {
        return;
    }
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    // `write!` into a String cannot fail: its results are dropped, here and in the other files
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\" {attributes}>{}</text>",
        number(x),
        number(y),
        escaped(words)
    );
}

/// A pixel with one decimal at most.
pub(super) fn number(pixel: f64) -> String {
    let text = format!("{pixel:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Text that is safe between tags; characters that XML does not allow are dropped.
pub(super) fn escaped(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}
