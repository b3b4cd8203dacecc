//! Figures one after the other.

use std::fmt::Write;

use super::figure::Figure;
use super::svg::document;

/// Figures shown in turn, for ever, as one SVG text: a flip-book in any browser, without a script.
///
/// Where animations are not supported, in print, and for readers who asked for less motion, the last figure is shown.
#[derive(Debug, Clone)]
pub struct Animation {
    frames: Vec<Figure>,
    seconds: f64,
    hold: f64,
}

impl Animation {
    /// Each figure for `seconds` (held between 0.02 and 60; 1 if not a number), the last for two seconds more.
    pub fn new(frames: Vec<Figure>, seconds: f64) -> Self {
        Self {
            frames,
            seconds: if seconds.is_nan() {
                1.0
            } else {
                seconds.clamp(0.02, 60.0)
            },
            hold: 2.0,
        }
    }

    /// The drawing. No frames give an empty one.
    pub fn to_svg(&self) -> String {
        let last = self.frames.len().saturating_sub(1);
        let whole = self.seconds * self.frames.len() as f64 + self.hold;
        let percent = |frame: usize| {
            if frame > last {
                100.0
            } else {
                100.0 * self.seconds * frame as f64 / whole
            }
        };
        // Without styles, or with motion reduced, the attribute decides: all frames but the last are transparent.
        let mut style = String::from("<style>@media (prefers-reduced-motion:no-preference){");
        let mut groups = String::new();
        let (mut width, mut height) = (1.0_f64, 1.0_f64);
        for (k, frame) in self.frames.iter().enumerate() {
            let drawn = frame.draw();
            (width, height) = (width.max(drawn.width), height.max(drawn.height));
            let (from, to) = (percent(k), percent(k + 1));
            let start = if k > 0 { "0%{opacity:0}" } else { "" };
            let end = if k < last {
                format!("{to:.3}%,100%{{opacity:0}}")
            } else {
                "100%{opacity:1}".to_owned()
            };
            let _ = write!(
                style,
                "@keyframes f{k}{{{start}{from:.3}%{{opacity:1}}{end}}}.f{k}{{animation:f{k} {whole:.2}s step-end infinite}}"
            );
            let hidden = if k < last { " opacity=\"0\"" } else { "" };
            let _ = writeln!(groups, "<g class=\"f{k}\"{hidden}>\n{}</g>", drawn.body);
        }
        style.push_str("}</style>\n");
        let name = self.frames.last().map(Figure::name).unwrap_or_default();
        document(width, height, &name, &(style + &groups))
    }
}
