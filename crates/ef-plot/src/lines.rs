//! Curves, and straight lines of reference.

use std::fmt::Write;

use super::colour::Colour;
use super::frame::{Extent, FINE, Frame, around, drawable};
use super::legend::{Entry, Mark};

/// Pixels of a dash and of the gap after it.
const DASH: f64 = 5.0;

#[derive(Debug, Clone)]
struct Stroke {
    colour: Colour,
    width: f64,
    dashed: bool,
    label: String,
}

impl Stroke {
    fn new(colour: Colour, width: f64, dashed: bool) -> Self {
        Self {
            colour,
            width,
            dashed,
            label: String::new(),
        }
    }

    fn entry(&self) -> Option<Entry> {
        let mark = Mark::Line { dashed: self.dashed };
        (!self.label.is_empty()).then(|| Entry::new(mark, self.colour, &self.label))
    }

    fn draw(&self, svg: &mut String, path: &str) {
        let dash = (FINE * DASH).round();
        let dashes = if self.dashed {
            format!(" stroke-dasharray=\"{dash} {}\"", (0.8 * dash).round())
        } else {
            String::new()
        };
        let _ = writeln!(
            svg,
            "<path fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dashes} d=\"{path}\"/>",
            self.colour,
            (self.width * FINE).round()
        );
    }
}

macro_rules! stroke_setters {
    () => {
        /// Its colour.
        #[must_use]
        pub fn colour(mut self, colour: Colour) -> Self {
            self.stroke.colour = colour;
            self
        }

        /// Its width, pixels.
        #[must_use]
        pub fn width(mut self, width: f64) -> Self {
            self.stroke.width = width;
            self
        }

        /// Its text in the legend; an empty one leaves it out.
        #[must_use]
        pub fn label(mut self, label: &str) -> Self {
            label.clone_into(&mut self.stroke.label);
            self
        }
    };
}

/// Points joined in order. A number that is not finite, or has no place on a logarithmic axis, leaves a gap.
#[derive(Debug, Clone)]
pub struct Line {
    points: Vec<[f64; 2]>,
    stroke: Stroke,
}

impl Line {
    /// A line through points, vermilion.
    pub fn new(points: &[[f64; 2]]) -> Self {
        Self {
            points: points.to_vec(),
            stroke: Stroke::new(Colour::VERMILION, 1.8, false),
        }
    }

    /// The curve of a function between two numbers.
    pub fn of([low, high]: [f64; 2], f: impl Fn(f64) -> f64) -> Self {
        let pieces = 400;
        let points: Vec<_> = (0..=pieces)
            .map(|k| low + (high - low) * f64::from(k) / f64::from(pieces))
            .map(|x| [x, f(x)])
            .collect();
        Self::new(&points)
    }

    /// Drawn in dashes.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        self.stroke.dashed = true;
        self
    }

    stroke_setters!();

    pub(super) fn extent(&self) -> Option<Extent> {
        around(self.points.iter().copied())
    }

    pub(super) fn entry(&self) -> Option<Entry> {
        self.stroke.entry()
    }

    pub(super) fn draw(&self, svg: &mut String, frame: &Frame) {
        let mut path = String::new();
        let mut pen_down = false;
        for point in &self.points {
            if frame.can_place(*point) {
                let [x, y] = frame.place(*point);
                let _ = write!(path, "{}{x} {y}", if pen_down { 'L' } else { 'M' });
                pen_down = true;
            } else {
                pen_down = false;
            }
        }
        self.stroke.draw(svg, &path);
    }
}

/// A straight line across the panel. It does not widen the axes; outside them it is not seen.
#[derive(Debug, Clone)]
pub struct Rule {
    at: f64,
    vertical: bool,
    stroke: Stroke,
}

impl Rule {
    /// A dashed line at `y`.
    pub fn horizontal(y: f64) -> Self {
        Self {
            at: y,
            vertical: false,
            stroke: Stroke::new(Colour::GREY, 1.2, true),
        }
    }

    /// A dashed line at `x`.
    pub fn vertical(x: f64) -> Self {
        Self {
            vertical: true,
            ..Self::horizontal(x)
        }
    }

    stroke_setters!();

    pub(super) fn entry(&self) -> Option<Entry> {
        self.stroke.entry()
    }

    pub(super) fn draw(&self, svg: &mut String, frame: &Frame) {
        let axis = if self.vertical { frame.x } else { frame.y };
        if !drawable(&[self.at, 0.0]) || !axis.place(self.at).is_finite() {
            return;
        }
        let [x, y] = if self.vertical {
            frame.place([self.at, 0.0])
        } else {
            frame.place([0.0, self.at])
        };
        let path = if self.vertical {
            format!("M{x} 0V{}", (FINE * frame.height).round())
        } else {
            format!("M0 {y}H{}", (FINE * frame.width).round())
        };
        self.stroke.draw(svg, &path);
    }
}
