//! Every row is mapped by itself.

use ndarray::{Array2, Axis, s};

use crate::case::{Case, Start, pass};
use crate::report::Violation;

const LAW: &str = "a row's result does not depend on the other rows";

/// A row has the same result in reversed order and alone, within the rounding of products, whose tiles depend on the
/// number of rows. An empty batch has an empty result. The gradient of a batch is the sum of its rows'.
pub(crate) fn independent(case: &Case<'_>, z: &Array2<f64>, log_det: &[f64]) -> Result<(), Violation> {
    let rows = case.x.nrows();
    let reversed = s![..;-1, ..];
    let (zr, lr) = case.forward(case.x.slice(reversed), case.context.slice(reversed));
    for r in 0..rows {
        let one = s![r..=r, ..];
        let (alone, la) = case.forward(case.x.slice(one), case.context.slice(one));
        for j in 0..case.b.dim() {
            let allowed = 1e-12 * (1.0 + z[[r, j]].abs());
            let place = || format!("row {r}, column {j}");
            Violation::unless_close(LAW, zr[[rows - 1 - r, j]], z[[r, j]], allowed, place)?;
            Violation::unless_close(LAW, alone[[0, j]], z[[r, j]], allowed, place)?;
        }
        let allowed = 1e-12 * (1.0 + log_det[r].abs());
        let place = || format!("log_det, row {r}");
        Violation::unless_close(LAW, lr[rows - 1 - r], log_det[r], allowed, place)?;
        Violation::unless_close(LAW, la[0], log_det[r], allowed, place)?;
    }
    let none = s![..0, ..];
    case.forward(case.x.slice(none), case.context.slice(none));
    case.inverse(z.slice(none), case.context.slice(none));
    gradients_add_up(case)
}

fn gradients_add_up(case: &Case<'_>) -> Result<(), Violation> {
    let rows = case.x.nrows();
    let grads = |range: std::ops::Range<usize>| {
        let ones = vec![1.0; range.len()];
        let part = s![range, ..];
        let (x, context) = (case.x.slice(part), case.context.slice(part));
        pass(case.b, &case.params, x, context, Array2::clone, Start::of(&ones)).grads
    };
    let whole = grads(0..rows);
    let mut parts = Array2::zeros((rows + 1, whole.len()));
    for r in 0..rows {
        parts.row_mut(r).assign(&ndarray::aview1(&grads(r..r + 1)));
    }
    // An empty batch adds 0.
    parts.row_mut(rows).assign(&ndarray::aview1(&grads(0..0)));
    let (sum, size) = (parts.sum_axis(Axis(0)), parts.mapv(f64::abs).sum_axis(Axis(0)));
    let layout = ef_tensor::params::ParamLayout::of(|v| case.b.visit_params(v));
    let law = "the gradient of a batch is the sum of its rows' gradients";
    let scale = size.iter().fold(1.0_f64, |m, &v| m.max(v));
    for (i, &found) in whole.iter().enumerate() {
        Violation::unless_close(law, found, sum[i], 1e-11 * scale, || layout.describe(i))?;
    }
    Ok(())
}
