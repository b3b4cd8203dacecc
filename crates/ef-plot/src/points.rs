//! Rows as dots.

use std::fmt::Write;

use super::colour::{Colour, ColourScale};
use super::frame::{Extent, FINE, Frame, around, drawable};
use super::legend::{Entry, Mark};

/// The most points that a panel shows if no other number is asked for; of more rows, an even selection is drawn.
pub const MOST_POINTS: usize = 4_000;

/// Paths that the dots are spread over. Overlapping dots darken only if they are in different paths.
const SHEETS: usize = 12;

/// Points `[x, y]`, in one colour or coloured by a score. Points with a number that is not finite are left out.
#[derive(Debug, Clone)]
pub struct Points {
    points: Vec<[f64; 2]>,
    paint: Paint,
    most: usize,
    radius: f64,
    opacity: Option<f64>,
    label: String,
}

#[derive(Debug, Clone)]
enum Paint {
    One(Colour),
    Scored(Vec<f64>, ColourScale),
}

impl Points {
    /// Points in blue.
    pub fn new(points: &[[f64; 2]]) -> Self {
        Self {
            points: points.to_vec(),
            paint: Paint::One(Colour::BLUE),
            most: MOST_POINTS,
            radius: 1.6,
            opacity: None,
            label: String::new(),
        }
    }

    /// Points coloured by one score each; the highest are drawn last. Points without a score are left out.
    pub fn scored(points: &[[f64; 2]], scores: &[f64], scale: ColourScale) -> Self {
        let n = points.len().min(scores.len());
        Self {
            paint: Paint::Scored(scores[..n].to_vec(), scale),
            ..Self::new(&points[..n])
        }
    }

    /// All of one colour.
    #[must_use]
    pub fn colour(self, colour: Colour) -> Self {
        Self {
            paint: Paint::One(colour),
            ..self
        }
    }

    /// The most points to show.
    #[must_use]
    pub fn most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Radius of a dot, pixels.
    #[must_use]
    pub fn radius(self, radius: f64) -> Self {
        Self { radius, ..self }
    }

    /// Opacity of a dot, 0 to 1. The default falls with the number of points, so that density shows.
    #[must_use]
    pub fn opacity(self, opacity: f64) -> Self {
        Self {
            opacity: Some(opacity.clamp(0.0, 1.0)),
            ..self
        }
    }

    /// Their text in the legend; an empty one leaves them out.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        Self {
            label: label.to_owned(),
            ..self
        }
    }

    pub(super) fn extent(&self) -> Option<Extent> {
        around(self.points.iter().copied())
    }

    pub(super) fn entry(&self) -> Option<Entry> {
        match self.paint {
            Paint::One(colour) if !self.label.is_empty() => Some(Entry::new(Mark::Dot, colour, &self.label)),
            _ => None,
        }
    }

    pub(super) fn draw(&self, svg: &mut String, frame: &Frame) {
        let fits: Vec<usize> = (0..self.points.len())
            .filter(|&i| drawable(&self.points[i]) && frame.holds(self.points[i]))
            .collect();
        let count = fits.len().min(self.most);
        let shown = (0..count).map(|k| fits[k * fits.len() / count]);
        let opacity = self.opacity.unwrap_or_else(|| opacity(count));
        let _ = writeln!(
            svg,
            "<g fill=\"none\" stroke-linecap=\"round\" stroke-width=\"{}\" stroke-opacity=\"{opacity:.2}\">",
            (2.0 * self.radius * FINE).round()
        );
        match &self.paint {
            Paint::One(colour) => {
                let mut sheets = vec![Vec::new(); SHEETS.min(count)];
                for (k, i) in shown.enumerate() {
                    sheets[k % SHEETS].push(self.points[i]);
                }
                for sheet in sheets {
                    dots(svg, frame, &sheet, *colour);
                }
            }
            Paint::Scored(scores, scale) => {
                let mut levels = vec![Vec::new(); scale.steps()];
                for i in shown.filter(|&i| !scores[i].is_nan()) {
                    levels[scale.level(scores[i])].push(self.points[i]);
                }
                for (level, points) in levels.iter().enumerate() {
                    dots(svg, frame, points, scale.colour(level));
                }
            }
        }
        svg.push_str("</g>\n");
    }
}

/// Dots as lines of no length with round ends: a third of the bytes of circles.
fn dots(svg: &mut String, frame: &Frame, points: &[[f64; 2]], colour: Colour) {
    if points.is_empty() {
        return;
    }
    let _ = write!(svg, "<path stroke=\"{colour}\" d=\"");
    for point in points {
        let [x, y] = frame.place(*point);
        let _ = write!(svg, "M{x} {y}h0");
    }
    svg.push_str("\"/>\n");
}

/// The default opacity: high for few points, low for many, so that density shows.
fn opacity(points: usize) -> f64 {
    (20.0 / (points.max(1) as f64).sqrt()).clamp(0.25, 0.75)
}
