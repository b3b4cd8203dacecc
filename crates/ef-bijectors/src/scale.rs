//! The bound on log-scales that affine transforms share.

use ef_tensor::Real;

use crate::error::BijectorError;

/// A soft clamp of a network's output to a log-scale: `a(s) = bound tanh(s / bound)`.
///
/// Near 0 it is the identity; it never exceeds `bound`, so no scale explodes or vanishes and no gradient meets a
/// corner. An unbounded `exp(s)` overflows on outliers; a sigmoid cannot express scales above 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScaleClamp {
    /// The largest absolute log-scale; positive.
    pub bound: f64,
}

impl Default for ScaleClamp {
    fn default() -> Self {
        Self { bound: 5.0 }
    }
}

impl ScaleClamp {
    /// An error unless the bound is a positive number at which `exp` does not overflow in `f32`.
    pub(crate) fn check(self) -> Result<(), BijectorError> {
        let usable = self.bound > 0.0 && self.bound <= Self::MOST;
        BijectorError::unless(
            usable,
            "the bound on log-scales",
            self.bound,
            "above 0 and at most 80",
        )
    }

    /// The largest bound.
    pub const MOST: f64 = 80.0;

    /// `a(s)` and its slope `a'(s) = 1 - tanh²(s / bound)`, in a lane of a kernel.
    #[inline(always)]
    pub(crate) fn lane<const FMA: bool, T: Real>(self, s: T) -> (T, T) {
        let bound = T::of(self.bound);
        // Finite, so that 0 stays 0 under the smallest bounds.
        let inverse = T::of(self.bound.recip().min(T::max_value().wide()));
        let t = (s * inverse).tanh_lane::<FMA>();
        (bound * t, T::one() - t * t)
    }
}
