//! The one door to matrix products.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::real::{GemmArgs, Real};

/// `C = alpha A B + beta C` in place, for views of any strides: a transposed or sliced view costs no copy.
///
/// Shapes: `a: (m, k)`, `b: (k, n)`, `c: (m, n)`. With `beta == 0` the old content of `c` is never read. Runs on
/// the calling thread (parallel outside, serial inside); `matrixmultiply` allocates one packing buffer a call.
///
/// # Panics
/// If the shapes do not match: layers check theirs when they are built, so this is a bug of the caller.
///
/// ```
/// use ef_tensor::{gemm, ndarray::array};
/// let a = array![[1.0, 2.0], [3.0, 4.0]];
/// let mut c = array![[10.0, 0.0], [0.0, 10.0]];
/// gemm(1.0, a.view(), a.t(), 1.0, c.view_mut());
/// assert_eq!(c, array![[15.0, 11.0], [11.0, 35.0]]);
/// ```
pub fn gemm<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let ((m, k), (k2, n)) = (a.dim(), b.dim());
    assert!(
        k == k2 && c.dim() == (m, n),
        "gemm: {:?} x {:?} -> {:?}",
        a.dim(),
        b.dim(),
        c.dim()
    );
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        // An empty sum: matrixmultiply would also do this, but with pointers into nothing.
        c.mapv_inplace(|v| if beta == T::zero() { T::zero() } else { v * beta });
        return;
    }
    let (sa, sb) = (a.strides(), b.strides());
    let (sc0, sc1) = (c.strides()[0], c.strides()[1]);
    T::gemm_raw(GemmArgs {
        m,
        k,
        n,
        alpha,
        a: (a.as_ptr(), sa[0], sa[1]),
        b: (b.as_ptr(), sb[0], sb[1]),
        beta,
        c: (c.as_mut_ptr(), sc0, sc1),
    });
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, s};
    use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    proptest! {
        /// Against the definition, on strided, transposed and empty views, in both precisions.
        #[test]
        fn is_the_sum_of_products(m in 0usize..9, k in 0usize..9, n in 0usize..9, seed: u64, beta in 0u8..3) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let a = Array2::<f64>::random_using((k, 2 * m), StandardNormal, &mut rng);
            let b = Array2::<f64>::random_using((k, n + 1), StandardNormal, &mut rng);
            let mut c = Array2::<f64>::random_using((m, n), StandardNormal, &mut rng);
            let (a, b) = (a.slice(s![.., ..;2]).reversed_axes(), b.slice(s![.., 1..]));
            let expected = Array2::from_shape_fn((m, n), |(i, j)| {
                f64::from(beta) * c[[i, j]] + 0.5 * (0..k).map(|l| a[[i, l]] * b[[l, j]]).sum::<f64>()
            });
            let mut c32 = c.mapv(|v| v as f32);
            gemm(0.5, a.view(), b.view(), f64::from(beta), c.view_mut());
            assert_abs_diff_eq!(c, expected, epsilon = 1e-12);
            let (a32, b32) = (a.mapv(|v| v as f32), b.mapv(|v| v as f32));
            gemm(0.5, a32.view(), b32.view(), f32::from(beta), c32.view_mut());
            assert_abs_diff_eq!(c32.mapv(f64::from), expected, epsilon = 1e-4);
        }
    }

    #[test]
    fn beta_zero_never_reads_the_old_content() {
        let a = Array2::<f32>::ones((3, 2));
        let mut c = Array2::from_elem((3, 3), f32::NAN);
        gemm(1.0, a.view(), a.t(), 0.0, c.view_mut());
        assert_abs_diff_eq!(c, Array2::from_elem((3, 3), 2.0), epsilon = 0.0);
    }
}
