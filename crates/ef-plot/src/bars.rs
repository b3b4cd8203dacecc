//! A histogram.

use std::fmt::Write;

use super::colour::Colour;
use super::frame::{Extent, Frame};
use super::legend::{Entry, Mark};

/// Values counted in bins of one width, as a density: the bars' areas sum to the share of the values in the range.
#[derive(Debug, Clone)]
pub struct Bars {
    range: [f64; 2],
    heights: Vec<f64>,
    colour: Colour,
    label: String,
}

impl Bars {
    /// The histogram of `values` over `[low, high]` in `bins` bins (at least one). Values outside and values that are
    /// not finite are in no bar, but count in the total.
    pub fn histogram(values: &[f64], [low, high]: [f64; 2], bins: usize) -> Self {
        let bins = bins.max(1);
        let width = (high - low) / bins as f64;
        let mut counts = vec![0_usize; bins];
        for v in values {
            if (low..=high).contains(v) {
                counts[(((v - low) / width) as usize).min(bins - 1)] += 1;
            }
        }
        let whole = values.len().max(1) as f64 * width;
        Self {
            range: [low, high],
            heights: counts.into_iter().map(|c| c as f64 / whole).collect(),
            colour: Colour::BLUE,
            label: String::new(),
        }
    }

    /// Their colour.
    #[must_use]
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// Their text in the legend; an empty one leaves them out.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        Self {
            label: label.to_owned(),
            ..self
        }
    }

    /// The height of each bar.
    pub fn heights(&self) -> &[f64] {
        &self.heights
    }

    pub(super) fn extent(&self) -> Option<Extent> {
        let highest = self.heights.iter().copied().fold(0.0, f64::max);
        let valid = self.range[0] < self.range[1] && highest > 0.0 && highest.is_finite();
        valid.then_some(Extent {
            x: self.range,
            y: [0.0, 1.05 * highest],
            margin: false,
        })
    }

    pub(super) fn entry(&self) -> Option<Entry> {
        (!self.label.is_empty()).then(|| Entry::new(Mark::Bar, self.colour, &self.label))
    }

    pub(super) fn draw(&self, svg: &mut String, frame: &Frame) {
        if self.extent().is_none() {
            return;
        }
        let width = (self.range[1] - self.range[0]) / self.heights.len() as f64;
        let [start, floor] = frame.place([self.range[0], 0.0]);
        let mut path = format!("M{start} {floor}");
        for (k, height) in self.heights.iter().enumerate() {
            let [right, top] = frame.place([self.range[0] + (k + 1) as f64 * width, *height]);
            let _ = write!(path, "V{top}H{right}");
        }
        let _ = writeln!(
            svg,
            "<path fill=\"{0}\" fill-opacity=\".3\" stroke=\"{0}\" stroke-opacity=\".6\" stroke-width=\"6\" \
             d=\"{path}V{floor}z\"/>",
            self.colour
        );
    }
}
