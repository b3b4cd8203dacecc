//! Scale and shift, as RealNVP and as MAF write it.

use ef_tensor::Real;

use super::Transformer;
use super::lanewise::{Lanewise, lanewise_passes, rows};
use super::layout::{LANES, Lanes};
use crate::error::BijectorError;
use crate::scale::ScaleClamp;

/// Dinh et al. 2017 (1605.08803), eqs. 7 and 8, with parameters `(t, s)`:
///
/// ```text
/// forward   z = x exp(a) + t        a = clamp(s)      log|dz/dx| = a
/// inverse   x = (z - t) exp(-a)
/// ```
///
/// It starts as the identity. The clamp keeps scales finite, see [`ScaleClamp`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Affine {
    /// The bound on the log-scale.
    pub clamp: ScaleClamp,
}

impl Affine {
    /// With this bound on the log-scale.
    pub fn new(clamp: ScaleClamp) -> Self {
        Self { clamp }
    }
}

/// Papamakarios et al. 2017 (1705.07057), eq. 4, with parameters `(mu, alpha)`: the same family as [`Affine`], written
/// so that the data are standardised by a mean and a log standard deviation,
///
/// ```text
/// forward   z = (x - mu) exp(-a)        a = clamp(alpha)      log|dz/dx| = -a
/// inverse   x = z exp(a) + mu
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Standardize {
    /// The bound on the log-scale.
    pub clamp: ScaleClamp,
}

impl Standardize {
    /// With this bound on the log-scale.
    pub fn new(clamp: ScaleClamp) -> Self {
        Self { clamp }
    }
}

/// The log-scales `sign clamp(raw)` of a block, their exponentials and the clamp's slopes.
struct Scales<T> {
    log: Lanes<T>,
    scale: Lanes<T>,
    slope: Lanes<T>,
}

impl<T: Real> Scales<T> {
    #[inline(always)]
    fn of<const FMA: bool>(clamp: ScaleClamp, raw: &Lanes<T>, sign: T) -> Self {
        let mut scales = Self {
            log: *raw,
            scale: *raw,
            slope: *raw,
        };
        for l in 0..LANES {
            let (a, slope) = clamp.lane::<FMA, T>(raw[l]);
            scales.log[l] = sign * a;
            scales.scale[l] = (sign * a).exp_lane::<FMA>();
            scales.slope[l] = slope;
        }
        scales
    }
}

/// `v <- v exp(a) + b`, for parameters `(b, raw a)`.
#[inline(always)]
fn stretch<const FMA: bool, T: Real>(clamp: ScaleClamp, h: &[Lanes<T>], v: &mut Lanes<T>) -> Scales<T> {
    let [b, raw] = rows(h);
    let scales = Scales::of::<FMA>(clamp, raw, T::one());
    for l in 0..LANES {
        v[l] = v[l] * scales.scale[l] + b[l];
    }
    scales
}

/// Its inverse, `v <- (v - b) exp(-a)`.
#[inline(always)]
fn squeeze<const FMA: bool, T: Real>(clamp: ScaleClamp, h: &[Lanes<T>], v: &mut Lanes<T>) -> Scales<T> {
    let [b, raw] = rows(h);
    let scales = Scales::of::<FMA>(clamp, raw, -T::one());
    for l in 0..LANES {
        v[l] = (v[l] - b[l]) * scales.scale[l];
    }
    scales
}

impl Transformer for Affine {
    fn width(&self) -> usize {
        2
    }

    fn check(&self) -> Result<(), BijectorError> {
        self.clamp.check()
    }

    lanewise_passes!();
}

impl Lanewise for Affine {
    fn saved(&self) -> usize {
        3
    }

    #[inline(always)]
    fn forward_lanes<const FMA: bool, T: Real>(
        &self,
        h: &mut [Lanes<T>],
        x: &mut Lanes<T>,
        saved: &mut [Lanes<T>],
    ) -> Lanes<T> {
        let before = *x;
        let Scales { log, scale, slope } = stretch::<FMA, T>(self.clamp, h, x);
        saved.copy_from_slice(&[before, scale, slope]);
        log
    }

    #[inline(always)]
    fn inverse_lanes<const FMA: bool, T: Real>(&self, h: &mut [Lanes<T>], z: &mut Lanes<T>) -> Lanes<T> {
        squeeze::<FMA, T>(self.clamp, h, z).log
    }

    #[inline(always)]
    fn backward_lanes<const FMA: bool, T: Real>(
        &self,
        saved: &[Lanes<T>],
        g: &mut Lanes<T>,
        gl: &Lanes<T>,
        g_h: &mut [Lanes<T>],
    ) {
        let [x, scale, slope] = rows(saved);
        let mut gs = *g;
        let gt = *g;
        // dz/dt = 1; dz/ds = x exp(a), dlog_det/ds = 1, times the clamp's slope; dz/dx = exp(a)
        for l in 0..LANES {
            g[l] *= scale[l];
            gs[l] = (g[l] * x[l] + gl[l]) * slope[l];
        }
        g_h.copy_from_slice(&[gt, gs]);
    }
}

impl Transformer for Standardize {
    fn width(&self) -> usize {
        2
    }

    fn check(&self) -> Result<(), BijectorError> {
        self.clamp.check()
    }

    lanewise_passes!();
}

impl Lanewise for Standardize {
    fn saved(&self) -> usize {
        3
    }

    #[inline(always)]
    fn forward_lanes<const FMA: bool, T: Real>(
        &self,
        h: &mut [Lanes<T>],
        x: &mut Lanes<T>,
        saved: &mut [Lanes<T>],
    ) -> Lanes<T> {
        let Scales { log, scale, slope } = squeeze::<FMA, T>(self.clamp, h, x);
        saved.copy_from_slice(&[*x, scale, slope]);
        log
    }

    #[inline(always)]
    fn inverse_lanes<const FMA: bool, T: Real>(&self, h: &mut [Lanes<T>], z: &mut Lanes<T>) -> Lanes<T> {
        stretch::<FMA, T>(self.clamp, h, z).log
    }

    #[inline(always)]
    fn backward_lanes<const FMA: bool, T: Real>(
        &self,
        saved: &[Lanes<T>],
        g: &mut Lanes<T>,
        gl: &Lanes<T>,
        g_h: &mut [Lanes<T>],
    ) {
        let [z, scale, slope] = rows(saved);
        let (mut gm, mut ga) = (*g, *g);
        // dz/dalpha = -z, dlog_det/dalpha = -1, times the clamp's slope; dz/dx = exp(-a) = -dz/dmu
        for l in 0..LANES {
            ga[l] = -(g[l] * z[l] + gl[l]) * slope[l];
            g[l] *= scale[l];
            gm[l] = -g[l];
        }
        g_h.copy_from_slice(&[gm, ga]);
    }
}
