//! Numerical Jacobians and what is read off them.

use ndarray::Array2;

/// `J[i, j] = df_i/dx_j` by central differences; `f` maps a row to a row of the same length.
pub(crate) fn jacobian(mut f: impl FnMut(&[f64]) -> Vec<f64>, x: &[f64]) -> Array2<f64> {
    let dim = x.len();
    let mut j = Array2::zeros((dim, dim));
    let mut at = x.to_vec();
    for c in 0..dim {
        let h = 1e-6 * (1.0 + x[c].abs());
        at[c] = x[c] + h;
        let up = f(&at);
        at[c] = x[c] - h;
        let down = f(&at);
        at[c] = x[c];
        for r in 0..dim {
            j[[r, c]] = (up[r] - down[r]) / (2.0 * h);
        }
    }
    j
}

/// `log|det a|` by elimination with partial pivoting.
pub(crate) fn log_abs_det(mut a: Array2<f64>) -> f64 {
    let n = a.nrows();
    let mut sum = 0.0;
    for k in 0..n {
        let pivot = (k..n)
            .max_by(|&p, &q| a[[p, k]].abs().total_cmp(&a[[q, k]].abs()))
            .unwrap_or(k);
        for c in 0..n {
            a.swap([k, c], [pivot, c]);
        }
        sum += a[[k, k]].abs().ln();
        for r in k + 1..n {
            let factor = a[[r, k]] / a[[k, k]];
            for c in k..n {
                a[[r, c]] -= factor * a[[k, c]];
            }
        }
    }
    sum
}

/// The largest absolute row sum: how much an error in the input can grow.
pub(crate) fn norm(a: &Array2<f64>) -> f64 {
    a.rows()
        .into_iter()
        .map(|r| r.iter().map(|v| v.abs()).sum())
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn determinant_of_a_known_map() {
        let j = jacobian(|x| vec![x[0] * x[1], x[1].sin()], &[2.0, 0.5]);
        assert_abs_diff_eq!(j, array![[0.5, 2.0], [0.0, 0.5_f64.cos()]], epsilon = 1e-8);
        assert_abs_diff_eq!(log_abs_det(j), (0.5 * 0.5_f64.cos()).ln(), epsilon = 1e-8);
        assert_abs_diff_eq!(
            log_abs_det(array![[0.0, 2.0], [3.0, 1.0]]),
            6.0_f64.ln(),
            epsilon = 1e-14
        );
    }
}
