//! Numerical Jacobians and what is read off them.

use ndarray::Array2;

/// A numerical Jacobian with what is known of its error.
pub(crate) struct Jacobian {
    /// `J[i, j] = df_i/dx_j`, extrapolated from steps `h` and `h/2`.
    pub(crate) matrix: Array2<f64>,
    /// The same from `h/2` alone.
    half: Array2<f64>,
    /// What the second differences at `h` and `h/2` disagree by: near 0 where `f` is smooth, of the size of the jump
    /// where a slope jumps.
    kink: Array2<f64>,
}

impl Jacobian {
    /// Of `f`, which maps a row to a row of the same length.
    pub(crate) fn of(mut f: impl FnMut(&[f64]) -> Vec<f64>, x: &[f64]) -> Self {
        let dim = x.len();
        let [mut matrix, mut half, mut kink] = [(); 3].map(|()| Array2::zeros((dim, dim)));
        let mut at = x.to_vec();
        let middle = f(&at);
        for c in 0..dim {
            let h = 3e-5 * (1.0 + x[c].abs());
            let [up, up_half, down_half, down] = [h, h / 2.0, -h / 2.0, -h].map(|step| {
                at[c] = x[c] + step;
                f(&at)
            });
            at[c] = x[c];
            for r in 0..dim {
                let (one, two) = ((up[r] - down[r]) / (2.0 * h), (up_half[r] - down_half[r]) / h);
                let bend = |up: f64, down: f64, h: f64| (up - 2.0 * middle[r] + down) / h;
                matrix[[r, c]] = (4.0 * two - one) / 3.0;
                half[[r, c]] = two;
                kink[[r, c]] = 2.0 * bend(up_half[r], down_half[r], h / 2.0) - bend(up[r], down[r], h);
            }
        }
        Self { matrix, half, kink }
    }

    /// `log|det J|`, and how far off it may be.
    pub(crate) fn log_det(&self) -> (f64, f64) {
        let value = log_abs_det(self.matrix.clone());
        let moved = |m: Array2<f64>| (log_abs_det(m) - value).abs();
        let error = 3.0 * moved(self.half.clone())
            + 2.0 * moved(&self.matrix + &self.kink).max(moved(&self.matrix - &self.kink));
        (value, error)
    }

    /// The largest absolute row sum, at least 1: how much an error in the input can grow.
    pub(crate) fn gain(&self) -> f64 {
        let sum = |r: ndarray::ArrayView1<'_, f64>| r.iter().map(|v| v.abs()).sum::<f64>();
        self.matrix.rows().into_iter().map(sum).fold(1.0, f64::max)
    }
}

/// `log|det a|` by elimination with partial pivoting.
fn log_abs_det(mut a: Array2<f64>) -> f64 {
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

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn determinant_of_a_known_map() {
        let j = Jacobian::of(|x| vec![x[0] * x[1], x[1].sin()], &[2.0, 0.5]);
        assert_abs_diff_eq!(
            j.matrix,
            array![[0.5, 2.0], [0.0, 0.5_f64.cos()]],
            epsilon = 1e-10
        );
        let (value, error) = j.log_det();
        assert_abs_diff_eq!(value, (0.5 * 0.5_f64.cos()).ln(), epsilon = 1e-9);
        assert!(error < 1e-7, "{error}");
        assert_abs_diff_eq!(
            log_abs_det(array![[0.0, 2.0], [3.0, 1.0]]),
            6.0_f64.ln(),
            epsilon = 1e-14
        );
    }

    /// Wherever a slope jumps within the step, the error that is claimed covers the error that is made.
    #[test]
    fn a_kink_shows_in_the_error() {
        for k in -60..60 {
            let at = f64::from(k) * 1e-6;
            let j = Jacobian::of(|x| vec![x[0] + 3.0 * x[0].max(0.0)], &[at]);
            let (value, error) = j.log_det();
            let truth = if at >= 0.0 { 4.0_f64.ln() } else { 0.0 };
            assert!(
                (value - truth).abs() <= error + 1e-9,
                "at {at}: {value} for {truth}, error {error}"
            );
        }
    }
}
