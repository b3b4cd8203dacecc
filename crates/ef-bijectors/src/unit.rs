//! Maps between the real line and the unit interval.

use ef_tensor::normal::{log_phi, ndtr, ndtri};
use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

use crate::bijector::Bijector;
use crate::error::BijectorError;

/// The distribution whose CDF `F` maps the line onto `(0, 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ends {
    /// `F(x) = 1 / (1 + exp(-x))`, the sigmoid; its inverse is the logit.
    #[default]
    Logistic,
    /// `F = Phi`, the standard normal CDF.
    Normal,
}

/// `F` for every column, or its inverse: how a transform of the unit interval is used on the real line.
///
/// ```text
/// to_unit     z = F(x)           log|det dz/dx| = sum_j ln F'(x_j)
/// from_unit   z = F^-1(x)        log|det dz/dx| = -sum_j ln F'(z_j)
/// ```
///
/// Each is the other's inverse. Log-determinants are exact in both tails, as far as the numbers tell where they are:
/// near 0 the scalar type has far more numbers than near 1, where two neighbours are `1e-16` (`f32`: `6e-8`) apart.
///
/// From the line, the result is strictly between 0 and 1: what would round to an end is the number next to it. From the
/// interval, an input outside `(0, 1)` gives the value of the nearest number inside, and `-inf` as log-determinant.
///
/// No parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitMap {
    dim: usize,
    ends: Ends,
    to_unit: bool,
}

impl UnitMap {
    /// The line onto `(0, 1)`, for `dim` columns.
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn to_unit(dim: usize, ends: Ends) -> Result<Self, BijectorError> {
        Self::new(dim, ends, true)
    }

    /// `(0, 1)` onto the line, for `dim` columns.
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn from_unit(dim: usize, ends: Ends) -> Result<Self, BijectorError> {
        Self::new(dim, ends, false)
    }

    fn new(dim: usize, ends: Ends, to_unit: bool) -> Result<Self, BijectorError> {
        if dim == 0 {
            return Err(BijectorError::Empty("a map to or from the unit interval"));
        }
        Ok(Self { dim, ends, to_unit })
    }

    /// Maps every entry, and calls `record` with its row and its [`Point`].
    fn map<T: Real>(
        &self,
        to_unit: bool,
        mut x: ArrayViewMut2<'_, T>,
        log_det: &mut [f64],
        mut record: impl FnMut(Point),
    ) {
        for (mut row, log_det) in x.rows_mut().into_iter().zip(log_det) {
            for v in &mut row {
                let point = if to_unit {
                    self.ends.point_to_unit(*v)
                } else {
                    self.ends.point_from_unit(*v)
                };
                *v = T::of(point.value);
                *log_det += point.log_slope;
                record(point);
            }
        }
    }
}

/// One entry mapped.
struct Point {
    value: f64,
    log_slope: f64,
    /// `d log_slope / d input`; 0 outside the domain.
    curve: f64,
}

impl Point {
    /// `d value / d input`.
    fn slope(&self) -> f64 {
        self.log_slope.exp()
    }
}

/// The numbers of `T` next to 0 and to 1, inside.
fn inside<T: Real>() -> (f64, f64) {
    (T::min_positive_value().wide(), 1.0 - 0.5 * T::epsilon().wide())
}

impl Ends {
    fn point_to_unit<T: Real>(self, x: T) -> Point {
        let x = x.wide();
        let (low, high) = inside::<T>();
        let value = match self {
            Self::Logistic => 1.0 / (1.0 + (-x).exp()),
            Self::Normal => ndtr(x),
        };
        Point {
            value: value.clamp(low, high),
            log_slope: self.log_density(x),
            curve: self.score(x),
        }
    }

    fn point_from_unit<T: Real>(self, u: T) -> Point {
        let u = u.wide();
        let (low, high) = inside::<T>();
        let within = 0.0 < u && u < 1.0;
        // NaN becomes the lower end
        let u = u.max(low).min(high);
        let value = match self {
            Self::Logistic => u.ln() - (-u).ln_1p(),
            Self::Normal => ndtri(u),
        };
        if !within {
            return Point {
                value,
                log_slope: f64::NEG_INFINITY,
                curve: 0.0,
            };
        }
        let log_slope = match self {
            // Without the detour over `value`, which rounds.
            Self::Logistic => -u.ln() - (-u).ln_1p(),
            Self::Normal => -self.log_density(value),
        };
        Point {
            value,
            log_slope,
            curve: -self.score(value) * log_slope.exp(),
        }
    }

    /// `ln F'(x)`.
    fn log_density(self, x: f64) -> f64 {
        match self {
            Self::Logistic => -x.abs() - 2.0 * (-x.abs()).exp().ln_1p(),
            Self::Normal => log_phi(x),
        }
    }

    /// `d ln F'(x) / dx`.
    fn score(self, x: f64) -> f64 {
        match self {
            Self::Logistic => -(0.5 * x).tanh(),
            Self::Normal => -x,
        }
    }
}

impl<T: Real> Bijector<T> for UnitMap {
    fn dim(&self) -> usize {
        self.dim
    }

    fn num_params(&self) -> usize {
        0
    }

    fn visit_params(&self, _: &mut dyn ParamVisitor) {}

    fn init(&self, _: &mut dyn RngCore, _: &mut [T]) {}

    fn forward(
        &self,
        _: &[T],
        x: ArrayViewMut2<'_, T>,
        _: ArrayView2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let Some(tape) = tape else {
            self.map(self.to_unit, x, log_det, |_| {});
            return;
        };
        let (mut slopes, mut curves) = (ws.take(x.nrows(), self.dim), ws.take(x.nrows(), self.dim));
        let mut at = slopes.iter_mut().zip(&mut curves);
        self.map(self.to_unit, x, log_det, |point| {
            if let Some((slope, curve)) = at.next() {
                *slope = T::of(point.slope());
                *curve = T::of(point.curve);
            }
        });
        tape.push(slopes);
        tape.push(curves);
    }

    fn inverse(
        &self,
        _: &[T],
        z: ArrayViewMut2<'_, T>,
        _: ArrayView2<'_, T>,
        log_det: &mut [f64],
        _: &mut Workspace<T>,
    ) {
        self.map(!self.to_unit, z, log_det, |_| {});
    }

    fn backward(
        &self,
        _: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        _: ArrayView2<'_, T>,
        _: Option<ArrayViewMut2<'_, T>>,
        _: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (curves, slopes) = (tape.pop(), tape.pop());
        let rows = slopes.rows().into_iter().zip(curves.rows());
        for ((mut g, (slopes, curves)), &gl) in g.rows_mut().into_iter().zip(rows).zip(g_log_det) {
            for ((g, &slope), &curve) in g.iter_mut().zip(slopes).zip(curves) {
                *g = *g * slope + gl * curve;
            }
        }
        ws.give(slopes);
        ws.give(curves);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    use super::*;

    fn forward<T: Real>(map: UnitMap, x: T) -> (f64, f64) {
        let (mut z, mut log_det) = (Array2::from_elem((1, 1), x), [0.0]);
        let none = Array2::zeros((1, 0));
        map.forward(
            &[],
            z.view_mut(),
            none.view(),
            &mut log_det,
            None,
            &mut Workspace::default(),
        );
        (z[[0, 0]].wide(), log_det[0])
    }

    #[test]
    fn tails_are_accurate() {
        for (ends, x) in [(Ends::Logistic, 500.0), (Ends::Normal, 30.0)] {
            let to = UnitMap::to_unit(1, ends).unwrap();
            let from = UnitMap::from_unit(1, ends).unwrap();
            let (below, log_det) = forward(to, -x);
            assert_relative_eq!(log_det, forward(to, x).1);
            assert!(below > 0.0 && forward(to, x).0 < 1.0);
            let (back, back_det) = forward(from, below);
            assert_relative_eq!(back, -x, max_relative = 1e-12);
            assert_relative_eq!(back_det, -log_det, max_relative = 1e-12);
        }
    }

    #[test]
    fn the_line_maps_inside_and_outside_has_no_density() {
        for ends in [Ends::Logistic, Ends::Normal] {
            let (to, from) = (
                UnitMap::to_unit(1, ends).unwrap(),
                UnitMap::from_unit(1, ends).unwrap(),
            );
            for x in [-1e30_f32, -90.0, 90.0, 1e30] {
                let (u, _) = forward(to, x);
                assert!(u > 0.0 && u < 1.0);
                let (back, log_det) = forward(from, u as f32);
                assert!(back.is_finite() && log_det.is_finite());
            }
            for u in [-1.0, 0.0, 1.0, 2.0, 1e300] {
                let (z, log_det) = forward(from, u);
                assert!(z.is_finite() && log_det == f64::NEG_INFINITY);
            }
        }
    }

    #[test]
    fn outside_the_interval_the_gradient_is_zero() {
        let from = UnitMap::from_unit(2, Ends::Normal).unwrap();
        let (mut tape, mut ws, mut x) = (Tape::default(), Workspace::default(), array![[-0.5, 1.0]]);
        let none = Array2::zeros((1, 0));
        from.forward(
            &[],
            x.view_mut(),
            none.view(),
            &mut [0.0],
            Some(&mut tape),
            &mut ws,
        );
        let mut g = array![[1.0, 1.0]];
        from.backward(
            &[],
            g.view_mut(),
            &[1.0],
            none.view(),
            None,
            &mut [],
            &mut tape,
            &mut ws,
        );
        assert_eq!(g, array![[0.0, 0.0]]);
    }
}
