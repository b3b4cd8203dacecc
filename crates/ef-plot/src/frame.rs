//! The area of a panel: where a number lands.

use super::axis::Axis;

/// Units a pixel inside a panel, so that places are whole numbers and short.
pub(super) const FINE: f64 = 10.0;

/// Numbers beyond this are left out as not drawable, so that spans and steps never overflow.
const LARGEST: f64 = 1e300;

/// The smallest box around the data of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    pub(super) x: [f64; 2],
    pub(super) y: [f64; 2],
    /// Whether free space is left around it.
    pub(super) margin: bool,
}

/// The box around points, if any can be drawn.
pub(super) fn around(points: impl Iterator<Item = [f64; 2]>) -> Option<Extent> {
    points.filter(drawable).fold(None, |extent, [x, y]| {
        let e = extent.unwrap_or(Extent {
            x: [x, x],
            y: [y, y],
            margin: true,
        });
        Some(Extent {
            x: [e.x[0].min(x), e.x[1].max(x)],
            y: [e.y[0].min(y), e.y[1].max(y)],
            ..e
        })
    })
}

pub(super) fn drawable(point: &[f64; 2]) -> bool {
    point.iter().all(|v| v.abs() <= LARGEST)
}

/// The axes of a panel and its size in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    /// Where a point lies, in fine units from the upper left corner; far points are pulled to ten panels away.
    pub(super) fn place(&self, [x, y]: [f64; 2]) -> [i64; 2] {
        let fine = |share: f64, size: f64| (share.clamp(-10.0, 11.0) * size * FINE).round() as i64;
        [
            fine(self.x.place(x), self.width),
            fine(1.0 - self.y.place(y), self.height),
        ]
    }

    /// Whether a point can be drawn: its numbers are finite, and positive on a logarithmic axis.
    pub(super) fn can_place(&self, [x, y]: [f64; 2]) -> bool {
        drawable(&[x, y]) && self.x.place(x).is_finite() && self.y.place(y).is_finite()
    }

    /// Whether a point lies inside, its edges included.
    pub(super) fn holds(&self, [x, y]: [f64; 2]) -> bool {
        let inside = |share: f64| (-1e-9..=1.0 + 1e-9).contains(&share);
        inside(self.x.place(x)) && inside(self.y.place(y))
    }
}
