//! Means and standard deviations of columns.

use ndarray::{ArrayView2, Axis};

use crate::real::Real;

/// `(mean, standard deviation)` of every column of `x: (rows, columns)`, in `f64`: for layers that start from data. The
/// standard deviation of a constant column is exactly 0. `None` for a column that has no rows or a number that is not
/// finite.
///
/// ```
/// use ef_tensor::{column_moments, ndarray::array};
/// let found: Vec<_> = column_moments(array![[1.0, 0.1], [3.0, 0.1]].view()).collect();
/// assert_eq!(found, [Some((2.0, 1.0)), Some((0.1, 0.0))]);
/// ```
pub fn column_moments<T: Real>(x: ArrayView2<'_, T>) -> impl Iterator<Item = Option<(f64, f64)>> {
    let n = x.nrows() as f64;
    (0..x.ncols()).map(move |j| {
        let column = x.index_axis(Axis(1), j);
        let mean = column.iter().map(|v| v.wide()).sum::<f64>() / n;
        let variance = column.iter().map(|v| (v.wide() - mean).powi(2)).sum::<f64>() / n;
        let sd = variance.sqrt();
        // rounding of the mean alone can make a variance up to this
        let least = 1e-12 * mean.abs();
        (mean.is_finite() && sd.is_finite()).then_some((mean, if sd > least { sd } else { 0.0 }))
    })
}
