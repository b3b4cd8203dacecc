//! A picture for the first question after a fit: do the new rows look like the old ones?
//!
//! [`scatter_svg`] draws real rows beside synthetic rows over two columns, on the same axes, as one SVG text that
//! any browser or editor shows.
//!
//! ```
//! use echoflow::plot::{Panel, scatter_svg};
//!
//! let real = [[0.0, 1.0], [1.0, 3.0], [2.0, 2.5]];
//! let synthetic = [[0.1, 1.2], [1.3, 2.8], [f64::NAN, 2.0]];
//! let svg = scatter_svg(
//!     &Panel { title: "real", points: &real },
//!     &Panel { title: "synthetic", points: &synthetic },
//!     "age",
//!     "income",
//! );
//! assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
//! ```

use std::fmt::Write;

use axis::Axis;

mod axis;

/// One of the two clouds of points.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// What stands above the panel.
    pub title: &'a str,
    /// The rows as `[x, y]`. Rows with a number that is not finite, as a missing cell, are left out and counted in
    /// the caption.
    pub points: &'a [[f64; 2]],
}

/// The most points that a panel shows; of more rows, an even selection is drawn.
pub const MOST_POINTS: usize = 4_000;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 470.0;
const PANEL_WIDTH: f64 = 382.0;
const PANEL_HEIGHT: f64 = 330.0;
const PANEL_TOP: f64 = 48.0;
/// Left edges: the first leaves room for the tick labels and the label of y, the second for a gap only.
const PANEL_LEFTS: [f64; 2] = [92.0, 498.0];
/// Blue and vermilion of Okabe and Ito: told apart by every kind of colour vision, and in grey.
const COLOURS: [&str; 2] = ["#0072b2", "#d55e00"];
const RADIUS: f64 = 2.0;

/// Numbers beyond this are left out as not drawable, so that spans and steps never overflow.
const LARGEST: f64 = 1e300;

/// Draws two scatter panels side by side with the same axes and returns the SVG text.
///
/// The background is white whatever the viewer's theme. Titles, labels and captions may hold any text; it is
/// escaped. No rows, one row and constant columns give a picture too.
pub fn scatter_svg(left: &Panel<'_>, right: &Panel<'_>, x_label: &str, y_label: &str) -> String {
    let clouds = [Cloud::new(left), Cloud::new(right)];
    let all = || clouds.iter().flat_map(|cloud| cloud.drawable.iter());
    let x = Axis::around(all().map(|point| point[0]));
    let y = Axis::around(all().map(|point| point[1]));
    let most = clouds
        .iter()
        .map(|cloud| cloud.drawable.len().min(MOST_POINTS))
        .max()
        .unwrap_or(0);

    let mut svg = String::with_capacity(4096 + 40 * most);
    // `write!` into a String cannot fail: its results are dropped below
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"#374151\">\n\
         <title>{} against {}: {} beside {}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>",
        escaped(y_label),
        escaped(x_label),
        escaped(left.title),
        escaped(right.title),
    );
    for (side, cloud) in clouds.iter().enumerate() {
        draw_frame(&mut svg, side, &x, &y);
        draw_points(&mut svg, side, cloud, &x, &y, opacity(most));
        let centre = PANEL_LEFTS[side] + 0.5 * PANEL_WIDTH;
        text(
            &mut svg,
            centre,
            PANEL_TOP - 16.0,
            "font-size=\"16\" font-weight=\"600\" fill=\"#111827\"",
            cloud.title,
        );
        text(
            &mut svg,
            centre,
            PANEL_TOP + PANEL_HEIGHT + 42.0,
            "font-size=\"13\"",
            x_label,
        );
        text(
            &mut svg,
            centre,
            HEIGHT - 18.0,
            "font-size=\"11\" fill=\"#6b7280\"",
            &cloud.caption(),
        );
    }
    let middle = PANEL_TOP + 0.5 * PANEL_HEIGHT;
    text(
        &mut svg,
        22.0,
        middle,
        &format!("font-size=\"13\" transform=\"rotate(-90 22 {middle})\""),
        y_label,
    );
    svg.push_str("</svg>\n");
    svg
}

/// A panel's points after those that cannot be drawn are taken out.
struct Cloud<'a> {
    title: &'a str,
    drawable: Vec<[f64; 2]>,
    left_out: usize,
}

impl<'a> Cloud<'a> {
    fn new(panel: &Panel<'a>) -> Self {
        let fits = |point: &[f64; 2]| point.iter().all(|v| v.abs() <= LARGEST);
        let drawable: Vec<_> = panel.points.iter().copied().filter(fits).collect();
        let left_out = panel.points.len() - drawable.len();
        Self {
            title: panel.title,
            drawable,
            left_out,
        }
    }

    /// The points to draw: all of them, or [`MOST_POINTS`] at even distances in the order of the rows.
    fn shown(&self) -> impl Iterator<Item = [f64; 2]> {
        let total = self.drawable.len();
        let count = total.min(MOST_POINTS);
        (0..count).map(move |k| self.drawable[k * total / count])
    }

    fn caption(&self) -> String {
        let rows = |n: usize| format!("{} {}", axis::grouped(n), if n == 1 { "row" } else { "rows" });
        let total = self.drawable.len();
        let mut caption = if total > MOST_POINTS {
            format!("{} of {} shown", axis::grouped(MOST_POINTS), rows(total))
        } else if total == 0 {
            "no rows to show".to_owned()
        } else {
            rows(total)
        };
        if self.left_out > 0 {
            let _ = write!(caption, "; {} with a missing value left out", rows(self.left_out));
        }
        caption
    }
}

/// Few points stand out, many let their density show.
fn opacity(points: usize) -> f64 {
    (20.0 / (points.max(1) as f64).sqrt()).clamp(0.25, 0.75)
}

fn x_pixel(side: usize, axis: &Axis, value: f64) -> f64 {
    PANEL_LEFTS[side] + axis.place(value) * PANEL_WIDTH
}

fn y_pixel(axis: &Axis, value: f64) -> f64 {
    PANEL_TOP + (1.0 - axis.place(value)) * PANEL_HEIGHT
}

/// Grid lines with tick labels, then the frame over them. The second panel shares the labels of y with the first.
fn draw_frame(svg: &mut String, side: usize, x: &Axis, y: &Axis) {
    let (left, right, bottom) = (
        PANEL_LEFTS[side],
        PANEL_LEFTS[side] + PANEL_WIDTH,
        PANEL_TOP + PANEL_HEIGHT,
    );
    for (value, label) in x.ticks() {
        let at = x_pixel(side, x, value);
        line(svg, [at, PANEL_TOP], [at, bottom]);
        text(svg, at, bottom + 19.0, "class=\"tick-x\"", &label);
    }
    for (value, label) in y.ticks() {
        let at = y_pixel(y, value);
        line(svg, [left, at], [right, at]);
        if side == 0 {
            text(
                svg,
                left - 8.0,
                at + 4.0,
                "class=\"tick-y\" style=\"text-anchor:end\"",
                &label,
            );
        }
    }
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{PANEL_TOP}\" width=\"{PANEL_WIDTH}\" height=\"{PANEL_HEIGHT}\" fill=\"none\" stroke=\"#9ca3af\"/>"
    );
}

fn draw_points(svg: &mut String, side: usize, cloud: &Cloud<'_>, x: &Axis, y: &Axis, opacity: f64) {
    let _ = writeln!(
        svg,
        "<g fill=\"{}\" fill-opacity=\"{opacity:.2}\">",
        COLOURS[side]
    );
    for [px, py] in cloud.shown() {
        let (px, py) = (x_pixel(side, x, px), y_pixel(y, py));
        let _ = writeln!(svg, "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"{RADIUS}\"/>");
    }
    svg.push_str("</g>\n");
}

fn line(svg: &mut String, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#e5e7eb\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, attributes: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" {attributes}>{}</text>",
        escaped(words)
    );
}

/// Text that is safe between tags; characters that XML does not allow are dropped.
fn escaped(words: &str) -> String {
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

#[cfg(test)]
mod tests;
