//! The gated update of inverse autoregressive flow.

use ef_tensor::{Real, Tape, Workspace};
use ndarray::{ArrayView3, ArrayViewMut2, ArrayViewMut3};

use super::{Transformer, keep};

/// Kingma et al. 2016 (1606.04934), eqs. 13 and 14, with parameters `(m, s)`:
///
/// ```text
/// forward   z = sigma x + (1 - sigma) m        sigma = sigmoid(s + bias)      log|dz/dx| = log sigma
/// inverse   x = (z - (1 - sigma) m) / sigma
/// ```
///
/// The paper's numerically stable update, like the gate of an LSTM. With a positive bias it starts near the identity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gated {
    /// Added to `s`: the paper advises 1 or 2.
    pub bias: f64,
}

impl Default for Gated {
    fn default() -> Self {
        Self { bias: 2.0 }
    }
}

/// `(sigma, 1 - sigma, log sigma)`, each without cancellation.
fn gate<T: Real>(s: T) -> (T, T, f64) {
    let e = (-s.abs()).exp();
    let (small, large) = (e / (T::one() + e), T::one() / (T::one() + e));
    let log = -(e.wide().ln_1p()) + s.wide().min(0.0);
    if s >= T::zero() {
        (large, small, log)
    } else {
        (small, large, log)
    }
}

impl Gated {
    /// Beyond this the gate is shut: `exp(-50)`, so that no inverse divides by 0.
    const SHUT: f64 = -50.0;

    fn gate<T: Real>(self, s: T) -> (T, T, f64) {
        gate((s + T::of(self.bias)).max(T::of(Self::SHUT)))
    }
}

impl Transformer for Gated {
    fn width(&self) -> usize {
        2
    }

    fn forward<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut x: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let (rows, columns) = x.dim();
        // What backward needs: sigma, 1 - sigma without cancellation, and dz/ds = sigma (1 - sigma) (x - m).
        let mut sigma = ws.take(rows, columns);
        let mut dz_ds = ws.take(rows, columns);
        let mut rest = ws.take(rows, columns);
        for r in 0..rows {
            for j in 0..columns {
                let (m, s) = (h[[r, j, 0]], h[[r, j, 1]]);
                let (on, off, log) = self.gate(s);
                let away = x[[r, j]] - m;
                x[[r, j]] = on * x[[r, j]] + off * m;
                log_det[r] += log;
                sigma[[r, j]] = on;
                dz_ds[[r, j]] = on * off * away;
                rest[[r, j]] = off;
            }
        }
        keep(tape, ws, [sigma, dz_ds, rest]);
    }

    fn inverse<T: Real>(
        &self,
        h: ArrayView3<'_, T>,
        mut z: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        _: &mut Workspace<T>,
    ) {
        let (rows, columns) = z.dim();
        for r in 0..rows {
            for j in 0..columns {
                let (m, s) = (h[[r, j, 0]], h[[r, j, 1]]);
                let (on, off, log) = self.gate(s);
                z[[r, j]] = (z[[r, j]] - off * m) / on;
                log_det[r] -= log;
            }
        }
    }

    fn backward<T: Real>(
        &self,
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        mut g_h: ArrayViewMut3<'_, T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (rest, dz_ds, sigma) = (tape.pop(), tape.pop(), tape.pop());
        let shut = gate(T::of(Self::SHUT)).0;
        for (r, &gl) in g_log_det.iter().enumerate() {
            for j in 0..g.ncols() {
                let gz = g[[r, j]];
                // dz/dm = dlog sigma/ds = 1 - sigma; a shut gate's sigma is a constant
                let shut = sigma[[r, j]] <= shut;
                g_h[[r, j, 0]] = gz * rest[[r, j]];
                g_h[[r, j, 1]] = if shut {
                    T::zero()
                } else {
                    gz * dz_ds[[r, j]] + gl * rest[[r, j]]
                };
                g[[r, j]] = gz * sigma[[r, j]];
            }
        }
        keep(None, ws, [rest, dz_ds, sigma]);
    }
}
