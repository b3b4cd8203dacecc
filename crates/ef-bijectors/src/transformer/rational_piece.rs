//! One bin of the rational-quadratic spline.

/// One rational quadratic, in `f64` throughout: slopes of 1e-3 beside slopes of 1e3 leave few digits in `f32`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) x0: f64,
    pub(super) w: f64,
    pub(super) y0: f64,
    pub(super) h: f64,
    pub(super) d0: f64,
    pub(super) d1: f64,
}

/// Its derivatives times the incoming gradients.
pub(super) struct PieceGradient {
    pub(super) x: f64,
    pub(super) x0: f64,
    pub(super) w: f64,
    pub(super) y0: f64,
    pub(super) h: f64,
    pub(super) d0: f64,
    pub(super) d1: f64,
}

impl Piece {
    /// `(xi, s, d0 + d1 - 2 s)`.
    fn terms(&self, x: f64) -> (f64, f64, f64) {
        let xi = ((x - self.x0) / self.w).clamp(0.0, 1.0);
        let s = self.h / self.w;
        (xi, s, self.d0 + self.d1 - s - s)
    }

    /// `z` and `log dz/dx`.
    pub(super) fn forward(&self, x: f64) -> (f64, f64) {
        let (xi, s, bend) = self.terms(x);
        let rest = 1.0 - xi;
        let q = xi * rest;
        let d = s + bend * q;
        let z = self.y0 + self.h * (s * xi * xi + self.d0 * q) / d;
        (z, self.log_slope(xi))
    }

    /// `log dz/dx`.
    fn log_slope(&self, xi: f64) -> f64 {
        let s = self.h / self.w;
        let rest = 1.0 - xi;
        let q = xi * rest;
        let d = s + (self.d0 + self.d1 - s - s) * q;
        let m = self.d1 * xi * xi + (s + s) * q + self.d0 * rest * rest;
        (s / d * (s / d) * m).ln()
    }

    /// `x` and `log dx/dz`.
    pub(super) fn inverse(&self, z: f64) -> (f64, f64) {
        let s = self.h / self.w;
        let y = z - self.y0;
        let bend = self.d0 + self.d1 - s - s;
        let a = self.h * (s - self.d0) + y * bend;
        let b = self.h * self.d0 - y * bend;
        let c = -s * y;
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        // The same root twice, each without cancellation on its side; where b < 0, a is positive.
        let xi = if b < 0.0 {
            (root - b) / (a + a)
        } else if b + root > 0.0 {
            (c + c) / (-b - root)
        } else {
            0.0
        };
        let xi = xi.clamp(0.0, 1.0);
        (self.x0 + xi * self.w, -self.log_slope(xi))
    }

    /// From `gz = dL/dz` and `gl = dL/dlog_det`, the gradients of `x` and of the six numbers.
    pub(super) fn backward(&self, x: f64, gz: f64, gl: f64) -> PieceGradient {
        let (xi, s, bend) = self.terms(x);
        let rest = 1.0 - xi;
        let q = xi * rest;
        let dq = rest - xi;
        let d = s + bend * q;
        let n = s * xi * xi + self.d0 * q;
        let m = self.d1 * xi * xi + 2.0 * s * q + self.d0 * rest * rest;
        // z = y0 + h n / d and log_det = 2 log s + log m - 2 log d
        let g_n = gz * self.h / d;
        let g_d = -(g_n * n + 2.0 * gl) / d;
        let g_m = gl / m;
        let g_xi = g_n * (2.0 * s * xi + self.d0 * dq)
            + g_d * bend * dq
            + g_m * 2.0 * (self.d1 * xi + s * dq - self.d0 * rest);
        let g_s = 2.0 * gl / s + g_n * xi * xi + g_d * (1.0 - 2.0 * q) + g_m * 2.0 * q;
        // s = h / w and xi = (x - x0) / w
        PieceGradient {
            x: g_xi / self.w,
            x0: -g_xi / self.w,
            w: -(g_s * s + g_xi * xi) / self.w,
            y0: gz,
            h: gz * n / d + g_s / self.w,
            d0: (g_n + g_d) * q + g_m * rest * rest,
            d1: g_d * q + g_m * xi * xi,
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// Bins as crooked as floors allow, and far beyond: the root keeps its digits at both ends.
    #[test]
    fn the_inverse_does_not_cancel() {
        for (h, w) in [(0.006, 5.98), (5.98, 0.006), (1.0, 1.0)] {
            for (d0, d1) in [
                (1.0, 1e3),
                (1e3, 1.0),
                (1e-3, 1e5),
                (1e5, 1e-3),
                (1e4, 1e4),
                (1e-3, 1e-3),
            ] {
                let piece = Piece {
                    x0: 0.0,
                    w,
                    y0: 0.0,
                    h,
                    d0,
                    d1,
                };
                for k in 0..=1000 {
                    let z = h * f64::from(k) / 1000.0;
                    let x = piece.inverse(z).0;
                    // what rounding of x alone may move
                    let allowed = 4e-15 * (h + d0.max(d1).max(h / w) * x);
                    assert_abs_diff_eq!(piece.forward(x).0, z, epsilon = allowed);
                }
            }
        }
    }
}
