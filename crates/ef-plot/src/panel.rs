//! One panel: layers over two axes.

use super::axis::Axis;
use super::bars::Bars;
use super::frame::{Extent, Frame};
use super::heat::HeatMap;
use super::legend::Entry;
use super::lines::{Line, Rule};
use super::points::Points;

/// What a panel is made of; each kind converts into it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Layer {
    /// A heat map.
    HeatMap(HeatMap),
    /// Points.
    Points(Points),
    /// A line.
    Line(Line),
    /// A line of reference.
    Rule(Rule),
    /// A histogram.
    Bars(Bars),
}

macro_rules! into_layer {
    ($($kind:ident),*) => {
        $(impl From<$kind> for Layer {
            fn from(layer: $kind) -> Self {
                Layer::$kind(layer)
            }
        })*
    };
}
into_layer!(HeatMap, Points, Line, Rule, Bars);

impl Layer {
    fn extent(&self) -> Option<Extent> {
        match self {
            Layer::HeatMap(map) => map.extent(),
            Layer::Points(points) => points.extent(),
            Layer::Line(line) => line.extent(),
            Layer::Rule(_) => None,
            Layer::Bars(bars) => bars.extent(),
        }
    }

    fn entry(&self) -> Option<Entry> {
        match self {
            Layer::HeatMap(_) => None,
            Layer::Points(points) => points.entry(),
            Layer::Line(line) => line.entry(),
            Layer::Rule(rule) => rule.entry(),
            Layer::Bars(bars) => bars.entry(),
        }
    }

    fn draw(&self, svg: &mut String, frame: &Frame) {
        match self {
            Layer::HeatMap(map) => map.draw(svg, frame),
            Layer::Points(points) => points.draw(svg, frame),
            Layer::Line(line) => line.draw(svg, frame),
            Layer::Rule(rule) => rule.draw(svg, frame),
            Layer::Bars(bars) => bars.draw(svg, frame),
        }
    }
}

/// Layers over two axes, with a title above and a caption below. The axes hold all layers unless limits are set, and
/// are linear by default; panels that share their axes are all logarithmic if one is.
#[derive(Debug, Clone)]
pub struct Panel {
    pub(super) title: String,
    pub(super) caption: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) ticks: bool,
    log: [bool; 2],
    x_limits: Option<[f64; 2]>,
    y_limits: Option<[f64; 2]>,
    layers: Vec<Layer>,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident),*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, words: &str) -> Self {
            words.clone_into(&mut self.$name);
            self
        })*
    };
}

impl Panel {
    /// An empty panel.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            caption: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            ticks: true,
            log: [false; 2],
            x_limits: None,
            y_limits: None,
            layers: Vec::new(),
        }
    }

    words!(
        /// A line of small words below.
        caption,
        /// The label of the x axis.
        x_label,
        /// The label of the y axis.
        y_label
    );

    /// Adds a layer on top.
    #[must_use]
    pub fn with(mut self, layer: impl Into<Layer>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// Sets the range of x. A range that is empty or not finite is ignored.
    #[must_use]
    pub fn x_limits(mut self, low: f64, high: f64) -> Self {
        self.x_limits = valid([low, high]);
        self
    }

    /// Sets the range of y. A range that is empty or not finite is ignored.
    #[must_use]
    pub fn y_limits(mut self, low: f64, high: f64) -> Self {
        self.y_limits = valid([low, high]);
        self
    }

    /// Makes x logarithmic: equal ratios get equal room. Numbers that are not positive are not seen.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.log[0] = true;
        self
    }

    /// Makes y logarithmic.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.log[1] = true;
        self
    }

    /// Leaves out ticks and their labels: for galleries in which only the shape matters.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.ticks = false;
        self
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.layers.iter().filter_map(Layer::entry)
    }

    pub(super) fn draw_layers(&self, svg: &mut String, frame: &Frame) {
        for layer in &self.layers {
            layer.draw(svg, frame);
        }
    }
}

/// The axes `[x, y]` that hold all of some panels.
pub(super) fn axes_around<'a>(panels: impl Iterator<Item = &'a Panel> + Clone) -> [Axis; 2] {
    let extents = || {
        panels
            .clone()
            .flat_map(|panel| panel.layers.iter().filter_map(Layer::extent))
    };
    let log = |i: usize| panels.clone().any(|panel| panel.log[i]);
    let x = around(log(0), extents().map(|e| (e.x, e.margin)));
    let y = around(log(1), extents().map(|e| (e.y, e.margin)));
    let widest = |limits: Vec<[f64; 2]>, axis: Axis| {
        limits
            .into_iter()
            .reduce(|[a, b], [c, d]| [a.min(c), b.max(d)])
            .map_or(axis, |limits| axis.with_limits(limits))
    };
    [
        widest(panels.clone().filter_map(|p| p.x_limits).collect(), x),
        widest(panels.clone().filter_map(|p| p.y_limits).collect(), y),
    ]
}

fn around(log: bool, ranges: impl Iterator<Item = ([f64; 2], bool)> + Clone) -> Axis {
    if log {
        Axis::log_around(ranges)
    } else {
        Axis::around(ranges)
    }
}

fn valid([low, high]: [f64; 2]) -> Option<[f64; 2]> {
    (low < high && (high - low).is_finite()).then_some([low, high])
}
