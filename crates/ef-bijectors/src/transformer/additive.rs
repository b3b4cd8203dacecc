//! Translation (NICE).

use ef_tensor::{Real, Tape, Workspace};
use ndarray::{ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis};

use super::Transformer;

/// Dinh et al. 2015 (1410.8516), eqs. 9 and 10: `z = x + t`, `log_det = 0`. Volume preserving; it starts as the
/// identity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Additive;

impl Transformer for Additive {
    fn width(&self) -> usize {
        1
    }

    fn forward<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
        _: &mut [f64],
        _: Option<&mut Tape<T>>,
        _: &mut Workspace<T>,
    ) {
        x += &h.index_axis(Axis(2), 0);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        _: &mut [f64],
        _: &mut Workspace<T>,
    ) {
        z -= &h.index_axis(Axis(2), 0);
    }

    fn backward<T: Real>(
        &self,
        g: ArrayViewMut2<'_, T>,
        _: &[T],
        mut g_h: ArrayViewMut3<'_, T>,
        _: &mut Tape<T>,
        _: &mut Workspace<T>,
    ) {
        // dz/dt = dz/dx = 1
        g_h.index_axis_mut(Axis(2), 0).assign(&g);
    }
}
