//! Panels in a grid.

use std::fmt::Write;

use super::colour::ColourScale;
use super::frame::{FINE, Frame};
use super::legend::{self, ColourBar, Entry, LEGEND_LINE};
use super::panel::{Panel, axes_around};
use super::svg::{ASIDE_INK, Anchor, TITLE_INK, document, number, text, text_width};

/// Free space at the canvas's edges, and between panels.
const EDGE: f64 = 16.0;
const GAP: f64 = 22.0;
const ROW_GAP: f64 = 14.0;
/// Heights of the lines of words around a panel.
const FIGURE_TITLE: f64 = 30.0;
const TITLE: f64 = 24.0;
const X_TICKS: f64 = 20.0;
const LABEL: f64 = 20.0;
const CAPTION: f64 = 18.0;
const TICK_SIZE: f64 = 11.0;

/// A grid of panels of one size, filled row by row. By default all have the same axes.
#[derive(Debug, Clone)]
pub struct Figure {
    columns: usize,
    title: String,
    size: [f64; 2],
    shared: bool,
    panels: Vec<Panel>,
    bar: Option<ColourBar>,
}

impl Figure {
    /// An empty figure of `columns` columns, at least one.
    pub fn new(columns: usize) -> Self {
        Self {
            columns: columns.max(1),
            title: String::new(),
            size: [300.0, 300.0],
            shared: true,
            panels: Vec::new(),
            bar: None,
        }
    }

    /// The title above all panels.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Size of a panel's area, pixels; held between 20 and 2,000.
    #[must_use]
    pub fn panel_size(mut self, width: f64, height: f64) -> Self {
        self.size = [width, height].map(|v| if v.is_nan() { 20.0 } else { v.clamp(20.0, 2_000.0) });
        self
    }

    /// Gives each panel axes of its own.
    #[must_use]
    pub fn own_axes(mut self) -> Self {
        self.shared = false;
        self
    }

    /// Adds a panel.
    #[must_use]
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// A bar on the right that explains a scale of colours.
    #[must_use]
    pub fn colour_bar(mut self, label: &str, scale: ColourScale) -> Self {
        self.bar = Some(ColourBar {
            label: label.to_owned(),
            scale,
        });
        self
    }

    /// The drawing.
    pub fn to_svg(&self) -> String {
        let drawn = self.draw();
        document(drawn.width, drawn.height, &self.name(), &drawn.body)
    }

    /// The name of the drawing for screen readers.
    pub(super) fn name(&self) -> String {
        if !self.title.is_empty() {
            return self.title.clone();
        }
        let titles: Vec<&str> = self.panels.iter().map(|p| p.title.as_str()).collect();
        titles.join(", ")
    }

    pub(super) fn draw(&self) -> Drawn {
        let layout = Layout::new(self);
        let mut svg = String::new();
        text(
            &mut svg,
            [layout.centre(), EDGE + 16.0],
            Anchor::Middle,
            &format!("font-size=\"17\" font-weight=\"600\" fill=\"{TITLE_INK}\""),
            &self.title,
        );
        for (index, panel) in self.panels.iter().enumerate() {
            layout.draw_panel(&mut svg, index, panel);
        }
        if let Some(bar) = &self.bar {
            let (top, last) = (layout.tops[0], layout.tops[layout.tops.len() - 1]);
            bar.draw(
                &mut svg,
                [layout.panels_end + GAP, top],
                last + self.size[1] - top,
                layout.bar_height,
            );
        }
        for (k, line) in layout.legend.iter().enumerate() {
            let y = layout.height - EDGE - (layout.legend.len() - 1 - k) as f64 * LEGEND_LINE;
            legend::draw(&mut svg, line, layout.centre(), y);
        }
        Drawn {
            width: layout.width,
            height: layout.height,
            body: svg,
        }
    }
}

/// A drawing without its outermost tag.
pub(super) struct Drawn {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) body: String,
}

/// Where everything goes: sizes of words decide the space between panels.
struct Layout<'a> {
    figure: &'a Figure,
    frames: Vec<Frame>,
    /// Left edge of each column, top edge of each row; at least one each.
    lefts: Vec<f64>,
    tops: Vec<f64>,
    /// Distance from a column's left edge to the base line of its y label.
    label_out: Vec<f64>,
    panels_end: f64,
    /// Of the panels in a column, without what is between them.
    bar_height: f64,
    legend: Vec<Vec<Entry>>,
    width: f64,
    height: f64,
}

impl<'a> Layout<'a> {
    fn new(figure: &'a Figure) -> Self {
        let panels = &figure.panels;
        let [width, height] = figure.size;
        let shared = axes_around(panels.iter());
        let frames: Vec<Frame> = panels
            .iter()
            .map(|panel| {
                let [x, y] = if figure.shared {
                    shared
                } else {
                    axes_around(std::iter::once(panel))
                };
                Frame { x, y, width, height }
            })
            .collect();
        let mut layout = Self {
            figure,
            frames,
            lefts: Vec::new(),
            tops: Vec::new(),
            label_out: Vec::new(),
            panels_end: EDGE,
            bar_height: 0.0,
            legend: Vec::new(),
            width: 0.0,
            height: 0.0,
        };
        layout.place_columns();
        layout.place_rows();
        layout
    }

    fn place_columns(&mut self) {
        let [width, height] = self.figure.size;
        let columns = self.figure.columns.min(self.figure.panels.len().max(1));
        let mut x = EDGE;
        for column in 0..columns {
            let members = || {
                (0..self.figure.panels.len())
                    .skip(column)
                    .step_by(self.figure.columns)
            };
            let ticks = members()
                .filter(|&i| self.has_y_ticks(i))
                .flat_map(|i| self.frames[i].y.ticks(height))
                .map(|(_, label)| text_width(&label, TICK_SIZE) + 8.0)
                .fold(0.0, f64::max);
            let labelled = members().any(|i| !self.figure.panels[i].y_label.is_empty());
            if column > 0 {
                x += GAP;
            }
            x += ticks + if labelled { LABEL } else { 0.0 };
            self.label_out.push(ticks + 8.0);
            self.lefts.push(x);
            x += width;
        }
        self.panels_end = x;
        let rows = self.figure.panels.len().div_ceil(self.figure.columns).max(1) as f64;
        let bar = self.figure.bar.as_ref();
        self.bar_height = rows * height;
        self.width = x + bar.map_or(0.0, |bar| GAP + bar.width(self.bar_height)) + EDGE;
        // a tick label at a panel's right edge sticks out by half its width
        if bar.is_none() {
            self.width += 10.0;
        }
        let title = text_width(&self.figure.title, 17.0) + 2.0 * EDGE;
        if title > self.width {
            // centred under a wide title
            let shift = 0.5 * (title - self.width);
            self.lefts.iter_mut().for_each(|left| *left += shift);
            self.panels_end += shift;
            self.width = title;
        }
    }

    fn place_rows(&mut self) {
        let figure = self.figure;
        let mut y = EDGE
            + if figure.title.is_empty() {
                0.0
            } else {
                FIGURE_TITLE
            };
        for (row, members) in figure.panels.chunks(figure.columns).enumerate() {
            let start = row * figure.columns;
            let any = |f: fn(&Panel) -> bool| members.iter().any(f);
            if any(|p| !p.title.is_empty()) {
                y += TITLE;
            } else if row > 0 {
                y += ROW_GAP;
            }
            self.tops.push(y);
            y += figure.size[1];
            if (start..start + members.len()).any(|i| self.has_x_ticks(i)) {
                y += X_TICKS;
            }
            if any(|p| !p.x_label.is_empty()) {
                y += LABEL;
            }
            if any(|p| !p.caption.is_empty()) {
                y += CAPTION;
            }
            y += 4.0;
        }
        if figure.panels.is_empty() {
            self.tops.push(y);
            y += figure.size[1];
        }
        let mut entries: Vec<Entry> = Vec::new();
        for entry in figure.panels.iter().flat_map(Panel::entries) {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        self.legend = legend::wrap(entries, self.width - 2.0 * EDGE);
        if !self.legend.is_empty() {
            y += 8.0 + self.legend.len() as f64 * LEGEND_LINE;
        }
        self.height = y + EDGE;
    }

    fn centre(&self) -> f64 {
        let first = self.lefts.first().map_or(EDGE, |left| *left);
        let centre = 0.5 * (first + self.panels_end);
        // words in the middle of the panels must not run over an edge
        let half = 0.5 * text_width(&self.figure.title, 17.0);
        centre.min(self.width - EDGE - half).max(EDGE + half)
    }

    /// With shared axes only the first column and the lowest panels carry numbers.
    fn has_y_ticks(&self, index: usize) -> bool {
        let outer = !self.figure.shared || index.is_multiple_of(self.figure.columns);
        self.figure.panels[index].ticks && outer
    }

    fn has_x_ticks(&self, index: usize) -> bool {
        let outer = !self.figure.shared || index + self.figure.columns >= self.figure.panels.len();
        self.figure.panels[index].ticks && outer
    }

    fn draw_panel(&self, svg: &mut String, index: usize, panel: &Panel) {
        let [width, height] = self.figure.size;
        let (column, row) = (index % self.figure.columns, index / self.figure.columns);
        let (left, top) = (self.lefts[column], self.tops[row]);
        let frame = &self.frames[index];
        let (middle, bottom) = (left + 0.5 * width, top + height);
        let title = format!("font-size=\"14\" font-weight=\"600\" fill=\"{TITLE_INK}\"");
        text(svg, [middle, top - 8.0], Anchor::Middle, &title, &panel.title);

        // an inner drawing cuts off what lies outside it
        let _ = writeln!(
            svg,
            "<svg x=\"{0}\" y=\"{1}\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {2} {3}\" overflow=\"hidden\">",
            number(left),
            number(top),
            FINE * width,
            FINE * height
        );
        if panel.ticks {
            draw_grid(svg, frame);
        }
        panel.draw_layers(svg, frame);
        svg.push_str("</svg>\n");
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"#9ca3af\"/>",
            number(left),
            number(top)
        );

        let mut below = bottom + 4.0;
        if self.has_x_ticks(index) {
            for (value, label) in frame.x.ticks(width) {
                let at = left + frame.x.place(value) * width;
                let style = "font-size=\"11\" class=\"tick-x\"";
                text(svg, [at, bottom + 16.0], Anchor::Middle, style, &label);
            }
            below += X_TICKS;
        }
        if self.has_y_ticks(index) {
            for (value, label) in frame.y.ticks(height) {
                let at = top + (1.0 - frame.y.place(value)) * height;
                let style = "font-size=\"11\" class=\"tick-y\"";
                text(svg, [left - 6.0, at + 4.0], Anchor::End, style, &label);
            }
        }
        if !panel.x_label.is_empty() {
            text(svg, [middle, below + 12.0], Anchor::Middle, "", &panel.x_label);
            below += LABEL;
        }
        if !panel.caption.is_empty() {
            let style = format!("font-size=\"11\" fill=\"{ASIDE_INK}\"");
            text(
                svg,
                [middle, below + 11.0],
                Anchor::Middle,
                &style,
                &panel.caption,
            );
        }
        let (x, y) = (left - self.label_out[column], top + 0.5 * height);
        let turn = format!("transform=\"rotate(-90 {} {})\"", number(x), number(y));
        text(svg, [x, y], Anchor::Middle, &turn, &panel.y_label);
    }
}

/// Lines at the ticks, under the layers.
fn draw_grid(svg: &mut String, frame: &Frame) {
    let (width, height) = (FINE * frame.width, FINE * frame.height);
    let mut path = String::new();
    for (value, _) in frame.x.ticks(frame.width) {
        let _ = write!(path, "M{} 0v{height}", (frame.x.place(value) * width).round());
    }
    for (value, _) in frame.y.ticks(frame.height) {
        let _ = write!(
            path,
            "M0 {}h{width}",
            ((1.0 - frame.y.place(value)) * height).round()
        );
    }
    let _ = writeln!(
        svg,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#e5e7eb\" stroke-width=\"{FINE}\"/>"
    );
}
