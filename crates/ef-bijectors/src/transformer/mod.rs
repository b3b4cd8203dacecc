//! The maps of single columns that coupling and autoregressive layers apply.
//!
//! A layer is a **conditioner** (a network that reads some columns and the context) and a **transformer** (a monotone
//! map of one number whose parameters the network makes), the terms of Papamakarios et al. 2021 (1912.02762,
//! sec. 3.1). Any transformer works in either kind of layer.

mod additive;
mod affine;
mod bins;
mod gated;
mod lanes;
mod lanewise;
mod layout;
mod piecewise_linear;
mod piecewise_quadratic;
mod rational_piece;
mod rational_quadratic;
mod simplex;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use ef_tensor::{Real, Tape, Workspace, bounds_within};
use ndarray::{ArrayView3, ArrayViewMut2, ArrayViewMut3};

use crate::error::BijectorError;

pub use additive::Additive;
pub use affine::{Affine, Standardize};
pub use gated::Gated;
pub use piecewise_linear::PiecewiseLinear;
pub use piecewise_quadratic::PiecewiseQuadratic;
pub use rational_quadratic::{RationalQuadratic, SplineFloors};

/// A strictly increasing map of one number, `z = tau(x; h)`, over a block of `(rows, columns)`.
///
/// Its parameters are `h: (rows, columns, width)`, any numbers at all; views may have any strides. Like a bijector it
/// works in place, adds to `log_det` and pushes on the tape what its `backward` pops.
pub trait Transformer: Debug + Send + Sync {
    /// Parameters a column.
    fn width(&self) -> usize;

    /// Refuses settings it cannot work with; asked by the layers when they are built. Default: nothing to refuse.
    ///
    /// # Errors
    /// The setting and what it may be.
    fn check(&self) -> Result<(), BijectorError> {
        Ok(())
    }

    /// The closed interval it maps onto itself; `None` for the real line. The layers hold all columns to it, and write
    /// `-inf` to `log_det` where they had to: a transformer sees numbers inside only.
    fn domain(&self) -> Option<(f64, f64)> {
        None
    }

    /// `x <- tau(x; h)`; adds `sum_j log dz_j/dx_j` to `log_det`.
    fn forward<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        x: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    );

    /// `z <- tau^-1(z; h)`; adds `sum_j log dx_j/dz_j` to `log_det`.
    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    );

    /// From `g = dL/dz` and `g_log_det = dL/dlog_det`: `g <- dL/dx`, and `g_h <- dL/dh`, every element written.
    fn backward<T: Real>(
        &self,
        g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        g_h: ArrayViewMut3<'_, T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    );
}

/// Holds every value to the domain; a row with a value outside it gets a `log_det` of `-inf`.
pub(crate) fn hold<T: Real>(domain: Option<(f64, f64)>, x: &mut ArrayViewMut2<'_, T>, log_det: &mut [f64]) {
    let Some((lo, hi)) = domain else { return };
    // rounded inward, so that held values also lie in the domain in `f64`
    let (lo, hi) = bounds_within::<T>(lo, hi);
    for (mut row, log_det) in x.rows_mut().into_iter().zip(log_det) {
        for v in &mut row {
            if !(*v >= lo && *v <= hi) {
                *log_det = f64::NEG_INFINITY;
                // NaN becomes `lo`
                *v = v.max(lo).min(hi);
            }
        }
    }
}
