//! One bin of the rational-quadratic spline.

use ef_tensor::Real;

/// One rational quadratic from 0 to its width and height, by its place `xi = (x - x0) / w` in the bin.
///
/// With numerators and denominators written as sums of positive terms, all but the root keep their digits in any `R`,
/// also for slopes of 1e-3 beside slopes of 1e3.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<R> {
    pub(super) w: R,
    pub(super) h: R,
    pub(super) d0: R,
    pub(super) d1: R,
}

/// Its derivatives times the incoming gradients.
pub(super) struct PieceGradient<R> {
    /// By `x`; by `x0` it is the negative.
    pub(super) x: R,
    pub(super) w: R,
    pub(super) h: R,
    pub(super) d0: R,
    pub(super) d1: R,
}

/// `v` held to `0..=1`; 0 for NaN.
#[inline(always)]
fn unit<R: Real>(v: R) -> R {
    let v = if v > R::zero() { v } else { R::zero() };
    if v < R::one() { v } else { R::one() }
}

impl<R: Real> Piece<R> {
    /// `xi` from `x - x0`.
    #[inline(always)]
    pub(super) fn place(&self, x: R) -> R {
        unit(x / self.w)
    }

    /// Height over slope `(s xi² + d0 q, s (1 - 2 q) + (d0 + d1) q, d1 xi² + 2 s q + d0 (1 - xi)²)`, with
    /// `q = xi (1 - xi)`: what the value and its derivative are quotients of.
    #[inline(always)]
    fn terms(&self, xi: R) -> (R, R, R) {
        let s = self.h / self.w;
        let rest = R::one() - xi;
        let q = xi * rest;
        let n = s * xi * xi + self.d0 * q;
        let d = s * (R::one() - q - q) + (self.d0 + self.d1) * q;
        let m = self.d1 * xi * xi + (s + s) * q + self.d0 * rest * rest;
        (n, d, m)
    }

    /// `z - y0`.
    #[inline(always)]
    pub(super) fn value(&self, xi: R) -> R {
        let (n, d, _) = self.terms(xi);
        self.h * (n / d)
    }

    /// `dz/dx`.
    #[inline(always)]
    pub(super) fn slope(&self, xi: R) -> R {
        let (_, d, m) = self.terms(xi);
        let ratio = self.h / self.w / d;
        ratio * ratio * m
    }

    /// `xi` from `y = z - y0`. Near an end with a small slope the discriminant cancels: for `f64`.
    #[inline(always)]
    pub(super) fn root(&self, y: R) -> R {
        let (zero, h, d0) = (R::zero(), self.h, self.d0);
        let s = h / self.w;
        let bend = d0 + self.d1 - s - s;
        let a = h * (s - d0) + y * bend;
        let b = h * d0 - y * bend;
        let c = -s * y;
        let square = b * b - R::of(4.0) * a * c;
        let root = if square > zero { square.sqrt() } else { zero };
        // The same root twice, each without cancellation on its side; where b < 0, a is positive.
        let (top, bottom) = if b < zero {
            (root - b, a + a)
        } else {
            (c + c, -b - root)
        };
        // NaN, where both are 0, becomes 0
        unit(top / bottom)
    }

    /// From `gz = dL/dz` and `gl = dL/dlog_det`, the gradients of `x` and of the bin; that of `y0` is `gz`.
    #[inline(always)]
    pub(super) fn backward(&self, xi: R, gz: R, gl: R) -> PieceGradient<R> {
        let s = self.h / self.w;
        let rest = R::one() - xi;
        let q = xi * rest;
        let dq = rest - xi;
        let bend = self.d0 + self.d1 - s - s;
        let (n, d, m) = self.terms(xi);
        // z = y0 + h n / d and log_det = 2 log s + log m - 2 log d
        let g_n = gz * self.h / d;
        let g_d = -(g_n * n + gl + gl) / d;
        let g_m = gl / m;
        let g_xi = g_n * ((s + s) * xi + self.d0 * dq)
            + g_d * bend * dq
            + (g_m + g_m) * (self.d1 * xi + s * dq - self.d0 * rest);
        let g_s = (gl + gl) / s + g_n * xi * xi + g_d * (R::one() - q - q) + (g_m + g_m) * q;
        // s = h / w and xi = (x - x0) / w
        PieceGradient {
            x: g_xi / self.w,
            w: -(g_s * s + g_xi * xi) / self.w,
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
                let piece = Piece { w, h, d0, d1 };
                for k in 0..=1000 {
                    let z = h * f64::from(k) / 1000.0;
                    let xi = piece.root(z);
                    // what rounding of x alone may move
                    let allowed = 4e-15 * (h + d0.max(d1).max(h / w) * xi * w);
                    assert_abs_diff_eq!(piece.value(xi), z, epsilon = allowed);
                }
            }
        }
    }
}
