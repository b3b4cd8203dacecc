//! Real rows beside synthetic rows.

use std::fmt::Write;

use super::axis::grouped;
use super::colour::Colour;
use super::figure::Figure;
use super::frame::drawable;
use super::panel::Panel;
use super::points::{MOST_POINTS, Points};

/// One of two clouds of points.
#[derive(Debug, Clone, Copy)]
pub struct Cloud<'a> {
    /// What stands above the panel.
    pub title: &'a str,
    /// The rows as `[x, y]`. Rows with a number that is not finite, as a missing cell, are left out and counted in
    /// the caption.
    pub points: &'a [[f64; 2]],
}

/// Draws two clouds side by side with the same axes and returns the SVG text.
///
/// It also draws clouds of no rows, of one row and with constant columns.
///
/// ```
/// use ef_plot::{Cloud, scatter_svg};
///
/// let real = [[0.0, 1.0], [1.0, 3.0], [2.0, 2.5]];
/// let synthetic = [[0.1, 1.2], [1.3, 2.8], [f64::NAN, 2.0]];
/// let svg = scatter_svg(
///     &Cloud { title: "real", points: &real },
///     &Cloud { title: "synthetic", points: &synthetic },
///     "age",
///     "income",
/// );
/// assert!(svg.contains("1 row with a missing value left out"));
/// ```
pub fn scatter_svg(left: &Cloud<'_>, right: &Cloud<'_>, x_label: &str, y_label: &str) -> String {
    let panel = |cloud: &Cloud<'_>, colour| {
        Panel::new(cloud.title)
            .caption(&caption(cloud))
            .x_label(x_label)
            .with(Points::new(cloud.points).colour(colour))
    };
    Figure::new(2)
        .panel_size(382.0, 330.0)
        .panel(panel(left, Colour::BLUE).y_label(y_label))
        .panel(panel(right, Colour::VERMILION))
        .to_svg()
}

fn caption(cloud: &Cloud<'_>) -> String {
    let rows = |n: usize| format!("{} {}", grouped(n), if n == 1 { "row" } else { "rows" });
    let total = cloud.points.iter().filter(|p| drawable(p)).count();
    let left_out = cloud.points.len() - total;
    let mut caption = if total > MOST_POINTS {
        format!("{} of {} shown", grouped(MOST_POINTS), rows(total))
    } else if total == 0 {
        "no rows to show".to_owned()
    } else {
        rows(total)
    };
    if left_out > 0 {
        let _ = write!(caption, "; {} with a missing value left out", rows(left_out));
    }
    caption
}
