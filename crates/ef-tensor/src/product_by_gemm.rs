//! Products of layers through [`gemm`](crate::gemm()), a few panels at a time: its calls cost more than those of `product`.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, s};

use crate::product::{Finish, Part, Start, WIDEST};
use crate::real::Real;

/// As [`product`](crate::product::product).
pub(crate) fn product<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    start: Start<'_, T>,
    finish: Finish<'_, T>,
    mut c: ArrayViewMut2<'_, T>,
    part: impl Fn(Range<usize>) -> Part,
) {
    let n = c.ncols();
    let dense = part(0..n) == part(0..n.min(WIDEST)) && part(0..n) == part(n - 1..n);
    let step = if dense { n } else { WIDEST };
    for left in (0..n).step_by(step) {
        let columns = left..(left + step).min(n);
        let Part { rows, depth } = part(columns.clone());
        let mut c = c.slice_mut(s![..rows, columns.clone()]);
        let beta = match start {
            Start::Zero => T::zero(),
            _ => T::one(),
        };
        for mut row in c.rows_mut() {
            match start {
                Start::Bias(bias) => row
                    .iter_mut()
                    .zip(&bias[columns.clone()])
                    .for_each(|(c, &b)| *c = b),
                Start::ResultAndBias(bias) => {
                    row.iter_mut()
                        .zip(&bias[columns.clone()])
                        .for_each(|(c, &b)| *c += b);
                }
                Start::Zero | Start::Result => {}
            }
        }
        let (a, b) = (
            a.slice(s![..rows, depth.clone()]),
            b.slice(s![depth, columns.clone()]),
        );
        crate::gemm(T::one(), a, b, beta, c.view_mut());
        match finish {
            Finish::Keep => {}
            Finish::Relu => c.mapv_inplace(|v| if v > T::zero() { v } else { T::zero() }),
            Finish::WherePositive(gate) => c.zip_mut_with(&gate.slice(s![..rows, columns]), |v, &gate| {
                if gate <= T::zero() || gate.is_nan() {
                    *v = T::zero();
                }
            }),
        }
    }
}
