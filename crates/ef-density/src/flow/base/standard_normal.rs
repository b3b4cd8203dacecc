//! The standard normal.

use ef_tensor::normal::{LN_SQRT_2PI, ndtri};
use ef_tensor::simd::{Kernel, dispatch, mul_add};
use ef_tensor::{Real, Workspace};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use rand_core::RngCore;

use super::Base;
use super::normals::FillNormals;
use crate::key::{Key, uniform};

/// Independent standard normals: `log p(z) = -sum_j (z_j² + log 2 pi) / 2`.
///
/// Draws are quantiles of uniform numbers, `|z| <= 8.21`; they are computed in `f64` without fused operations, so they
/// have the same bits at every [`Level`](ef_tensor::simd::Level).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandardNormal;

impl<T: Real> Base<T> for StandardNormal {
    fn log_prob(&self, params: &[T], z: ArrayView1<'_, T>) -> f64 {
        let mut out = [0.0];
        self.log_prob_rows(params, z.insert_axis(ndarray::Axis(0)), &mut out);
        out[0]
    }

    fn nll_backward(&self, _: &[T], z: ArrayView1<'_, T>, mut g: ArrayViewMut1<'_, T>, _: &mut [T]) {
        g.assign(&z);
    }

    fn sample(&self, _: &[T], rng: &mut dyn RngCore, z: ArrayViewMut1<'_, T>) {
        for v in z {
            *v = T::of(ndtri(uniform(rng)));
        }
    }

    fn log_prob_rows(&self, _: &[T], z: ArrayView2<'_, T>, out: &mut [f64]) {
        match (z.as_slice(), z.ncols()) {
            (_, 0) => {}
            (Some(z), 1) => dispatch(LogProb::<_, 1> { z, dim: 1, out }),
            (Some(z), 2) => dispatch(LogProb::<_, 2> { z, dim: 2, out }),
            (Some(z), 3) => dispatch(LogProb::<_, 3> { z, dim: 3, out }),
            (Some(z), 4) => dispatch(LogProb::<_, 4> { z, dim: 4, out }),
            (Some(z), dim) => dispatch(LogProb::<_, 0> { z, dim, out }),
            (None, _) => {
                let copy = z.as_standard_layout();
                self.log_prob_rows(&[], copy.view(), out);
            }
        }
    }

    /// The gradient of `z² / 2` is `z`, which stays where it is.
    fn nll_backward_rows(
        &self,
        params: &[T],
        z: ArrayViewMut2<'_, T>,
        out: &mut [f64],
        _: &mut [T],
        _: &mut Workspace<T>,
    ) {
        self.log_prob_rows(params, z.view(), out);
    }

    fn sample_rows(
        &self,
        _: &[T],
        key: Key,
        rows: &mut dyn Iterator<Item = u64>,
        mut z: ArrayViewMut2<'_, T>,
    ) {
        let dim = z.ncols();
        let (key, tag) = key.streams();
        let mut fill = |out: &mut [T]| {
            dispatch(FillNormals {
                key,
                tag,
                rows: &mut *rows,
                out,
                dim,
            });
        };
        if dim == 0 {
            return;
        }
        if let Some(z) = z.as_slice_mut() {
            fill(z);
        } else {
            let mut copy = Array2::zeros(z.dim());
            fill(copy.as_slice_mut().expect("standard layout"));
            z.assign(&copy);
        }
    }
}

/// `D` is the number of columns if it is small, else 0.
struct LogProb<'a, T, const D: usize> {
    z: &'a [T],
    dim: usize,
    out: &'a mut [f64],
}

impl<T: Real, const D: usize> Kernel for LogProb<'_, T, D> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let dim = if D > 0 { D } else { self.dim };
        let constant = dim as f64 * LN_SQRT_2PI;
        for (out, z) in self.out.iter_mut().zip(self.z.chunks_exact(dim)) {
            let square = if D > 0 {
                let mut sum = 0.0;
                for j in 0..D {
                    sum = mul_add::<FMA, f64>(z[j].wide(), z[j].wide(), sum);
                }
                sum
            } else {
                square::<FMA, T>(z)
            };
            *out += mul_add::<FMA, f64>(-0.5, square, -constant);
        }
    }
}

/// `|z|²`, in eight running sums.
#[inline(always)]
fn square<const FMA: bool, T: Real>(z: &[T]) -> f64 {
    let mut sums = [0.0; 8];
    let blocks = z.chunks_exact(8);
    for (sum, z) in sums.iter_mut().zip(blocks.remainder()) {
        *sum = z.wide() * z.wide();
    }
    for z in blocks {
        for l in 0..8 {
            sums[l] = mul_add::<FMA, f64>(z[l].wide(), z[l].wide(), sums[l]);
        }
    }
    sums.iter().sum()
}
