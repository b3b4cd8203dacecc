//! The gated update of inverse autoregressive flow.

use ef_tensor::Real;

use super::Transformer;
use super::lanewise::{Lanewise, lanewise_passes, rows};
use super::layout::{LANES, Lanes, select};

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

/// `sigma`, `1 - sigma` and `log sigma` of a block, each without cancellation.
struct Gate<T> {
    on: Lanes<T>,
    off: Lanes<T>,
    log: Lanes<T>,
}

/// Beyond this a gate is shut: `exp(-50)`, so that no inverse divides by 0.
const SHUT: f64 = -50.0;

impl Gated {
    #[inline(always)]
    fn gate<const FMA: bool, T: Real>(self, s: &Lanes<T>) -> Gate<T> {
        let (zero, one) = (T::zero(), T::one());
        let (bias, shut) = (T::of(self.bias), T::of(SHUT));
        let mut gate = Gate {
            on: *s,
            off: *s,
            log: *s,
        };
        for l in 0..LANES {
            let s = (s[l] + bias).max(shut);
            let e = (-s.abs()).exp_lane::<FMA>();
            let (small, large) = (e / (one + e), one / (one + e));
            let open = s >= zero;
            gate.on[l] = select(open, large, small);
            gate.off[l] = select(open, small, large);
            gate.log[l] = s.min(zero) - e.ln_1p_lane::<FMA>();
        }
        gate
    }
}

impl Transformer for Gated {
    fn width(&self) -> usize {
        2
    }

    lanewise_passes!();
}

impl Lanewise for Gated {
    fn saved(&self) -> usize {
        4
    }

    #[inline(always)]
    fn forward_lanes<const FMA: bool, T: Real>(
        &self,
        h: &mut [Lanes<T>],
        x: &mut Lanes<T>,
        saved: &mut [Lanes<T>],
    ) -> Lanes<T> {
        let [m, s] = rows(h);
        let Gate { on, off, log } = self.gate::<FMA, T>(s);
        // dz/ds = sigma (1 - sigma) (x - m), dlog sigma/ds = 1 - sigma; a shut gate's sigma is a constant
        let (mut dz_ds, mut dlog_ds) = (on, off);
        let shut = T::of(SHUT - self.bias);
        for l in 0..LANES {
            let moves = s[l] > shut;
            dz_ds[l] = select(moves, on[l] * off[l] * (x[l] - m[l]), T::zero());
            dlog_ds[l] = select(moves, off[l], T::zero());
            x[l] = on[l] * x[l] + off[l] * m[l];
        }
        saved.copy_from_slice(&[on, off, dz_ds, dlog_ds]);
        log
    }

    #[inline(always)]
    fn inverse_lanes<const FMA: bool, T: Real>(&self, h: &mut [Lanes<T>], z: &mut Lanes<T>) -> Lanes<T> {
        let [m, s] = rows(h);
        let Gate { on, off, mut log } = self.gate::<FMA, T>(s);
        for l in 0..LANES {
            z[l] = (z[l] - off[l] * m[l]) / on[l];
            log[l] = -log[l];
        }
        log
    }

    #[inline(always)]
    fn backward_lanes<const FMA: bool, T: Real>(
        &self,
        saved: &[Lanes<T>],
        g: &mut Lanes<T>,
        gl: &Lanes<T>,
        g_h: &mut [Lanes<T>],
    ) {
        let [on, off, dz_ds, dlog_ds] = rows(saved);
        let (mut gm, mut gs) = (*g, *g);
        for l in 0..LANES {
            // dz/dm = 1 - sigma
            gm[l] = g[l] * off[l];
            gs[l] = g[l] * dz_ds[l] + gl[l] * dlog_ds[l];
            g[l] *= on[l];
        }
        g_h.copy_from_slice(&[gm, gs]);
    }
}
