//! What the colours mean: a legend for marks, a bar for scales.

use std::fmt::Write;

use super::axis::Axis;
use super::colour::{Colour, ColourScale};
use super::svg::{Anchor, number, text, text_width};

/// Height of a line of the legend.
pub(super) const LEGEND_LINE: f64 = 20.0;
/// Width of a mark and the gap to its words; the gap between entries.
const MARK: f64 = 26.0;
const GAP: f64 = 22.0;
const SIZE: f64 = 12.0;

/// How a layer shows in the legend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    Dot,
    Line { dashed: bool },
    Bar,
}

/// One line of the legend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    mark: Mark,
    colour: Colour,
    label: String,
}

impl Entry {
    pub(super) fn new(mark: Mark, colour: Colour, label: &str) -> Self {
        Self {
            mark,
            colour,
            label: label.to_owned(),
        }
    }

    fn width(&self) -> f64 {
        MARK + text_width(&self.label, SIZE)
    }
}

/// Breaks entries into lines of at most `width` pixels.
pub(super) fn wrap(entries: Vec<Entry>, width: f64) -> Vec<Vec<Entry>> {
    let mut lines: Vec<Vec<Entry>> = Vec::new();
    let mut used = f64::INFINITY;
    for entry in entries {
        let wide = entry.width() + GAP;
        if used + wide - GAP > width {
            lines.push(Vec::new());
            used = 0.0;
        }
        used += wide;
        if let Some(line) = lines.last_mut() {
            line.push(entry);
        }
    }
    lines
}

/// Draws a line of entries around `centre`.
pub(super) fn draw(svg: &mut String, line: &[Entry], centre: f64, y: f64) {
    let width: f64 = line.iter().map(|e| e.width() + GAP).sum::<f64>() - GAP;
    let mut x = centre - 0.5 * width;
    for entry in line {
        let (colour, middle) = (entry.colour, number(y - 4.0));
        let _ = match entry.mark {
            Mark::Dot => writeln!(
                svg,
                "<circle cx=\"{}\" cy=\"{middle}\" r=\"4\" fill=\"{colour}\"/>",
                number(x + 12.0)
            ),
            Mark::Line { dashed } => writeln!(
                svg,
                "<path d=\"M{} {middle}h20\" stroke=\"{colour}\" stroke-width=\"2\"{}/>",
                number(x),
                if dashed { " stroke-dasharray=\"5 4\"" } else { "" }
            ),
            Mark::Bar => writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"10\" fill=\"{colour}\" fill-opacity=\".3\" \
                 stroke=\"{colour}\" stroke-opacity=\".6\"/>",
                number(x + 4.0),
                number(y - 9.0)
            ),
        };
        text(svg, [x + MARK, y], Anchor::Start, "", &entry.label);
        x += entry.width() + GAP;
    }
}

/// A scale as an upright bar with its ticks on the right and its name along the far side.
#[derive(Debug, Clone)]
pub(super) struct ColourBar {
    pub(super) label: String,
    pub(super) scale: ColourScale,
}

impl ColourBar {
    const BAR: f64 = 14.0;

    fn axis(&self) -> Axis {
        let [low, high] = self.scale.limits();
        Axis::exactly(low, high)
    }

    fn tick_width(&self, height: f64) -> f64 {
        let ticks = self.axis().ticks(height);
        ticks.iter().map(|(_, l)| text_width(l, 11.0)).fold(0.0, f64::max)
    }

    /// With the ticks that fit a bar of that height.
    pub(super) fn width(&self, height: f64) -> f64 {
        Self::BAR + 6.0 + self.tick_width(height) + if self.label.is_empty() { 0.0 } else { 20.0 }
    }

    /// Draws a bar of `height` with the ticks, and so the width, of a bar of `nominal` height, which was known before
    /// the panels had their places.
    pub(super) fn draw(&self, svg: &mut String, [x, y]: [f64; 2], height: f64, nominal: f64) {
        let step = height / self.scale.steps() as f64;
        for level in 0..self.scale.steps() {
            let top = y + height - (level + 1) as f64 * step;
            // a little higher than its share, so that no seam shows below the next
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{top:.2}\" width=\"{}\" height=\"{:.2}\" fill=\"{}\"/>",
                number(x),
                Self::BAR,
                if level == 0 { step } else { step + 0.5 },
                self.scale.colour(level)
            );
        }
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#9ca3af\"/>",
            number(x),
            number(y),
            Self::BAR,
            number(height)
        );
        let axis = self.axis();
        for (value, label) in axis.ticks(nominal) {
            let at = y + (1.0 - axis.place(value)) * height;
            text(
                svg,
                [x + Self::BAR + 6.0, at + 4.0],
                Anchor::Start,
                "font-size=\"11\"",
                &label,
            );
        }
        let (cx, cy) = (x + self.width(nominal) - 4.0, y + 0.5 * height);
        let turn = format!("transform=\"rotate(-90 {} {})\"", number(cx), number(cy));
        text(svg, [cx, cy], Anchor::Middle, &turn, &self.label);
    }
}
