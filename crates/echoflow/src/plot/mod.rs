//! Pictures as SVG text: panels in a grid, with heat maps, points, lines and bars; and animations.
//!
//! A [`Figure`] is a grid of [`Panel`]s, a panel a stack of layers over two axes. What comes out is one SVG text that
//! any browser or editor shows, on white whatever the viewer's theme; the colours can be told apart by every kind of
//! colour vision and in grey.
//!
//! | item | draws |
//! | --- | --- |
//! | [`HeatMap`] over a [`Grid`] | a function of two numbers |
//! | [`Points`] | rows, in one colour or coloured by a score |
//! | [`Line`], [`Rule`] | curves; horizontal and vertical lines of reference |
//! | [`Bars`] | a histogram |
//! | [`Animation`] | figures one after the other |
//! | [`scatter_svg`] | the first question after a fit: do the new rows look like the old ones? |
//!
//! ```
//! use echoflow::plot::{Colour, ColourScale, Figure, Grid, HeatMap, Panel, Points};
//!
//! let bump = |[x, y]: [f64; 2]| (-0.5 * (x * x + y * y)).exp() / std::f64::consts::TAU;
//! let grid = Grid::new([-3.0, 3.0], [-3.0, 3.0], 60, 60);
//! let values: Vec<f64> = grid.centres().into_iter().map(bump).collect();
//! let scale = ColourScale::around(&values);
//!
//! let svg = Figure::new(2)
//!     .panel(Panel::new("density").with(HeatMap::new(grid, values, scale)))
//!     .panel(Panel::new("rows").with(Points::new(&[[0.1, 1.2], [-0.4, 0.3]]).colour(Colour::VERMILION)))
//!     .colour_bar("density", scale)
//!     .to_svg();
//! assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
//! ```
//!
//! Texts may hold anything; they are escaped. Numbers that are not finite are left out.

mod animation;
mod axis;
mod bars;
mod colour;
mod figure;
mod frame;
mod heat;
mod legend;
mod lines;
mod panel;
mod points;
mod scatter;
mod svg;

pub use animation::Animation;
pub use bars::Bars;
pub use colour::{Colour, ColourScale, LEVELS};
pub use figure::Figure;
pub use heat::{Grid, HeatMap};
pub use lines::{Line, Rule};
pub use panel::{Layer, Panel};
pub use points::{MOST_POINTS, Points};
pub use scatter::{Cloud, scatter_svg};

#[cfg(test)]
mod tests;
