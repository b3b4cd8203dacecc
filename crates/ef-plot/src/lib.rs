#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | item | draws |
//! | --- | --- |
//! | [`HeatMap`] over a [`Grid`] | a function of two numbers |
//! | [`Points`] | rows, in one colour or coloured by a score |
//! | [`Line`], [`Rule`] | curves; horizontal and vertical lines of reference |
//! | [`Bars`] | a histogram |
//! | [`Animation`] | figures one after the other |
//! | [`scatter_svg`] | the first question after a fit: do the new rows look like the old ones? |

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
