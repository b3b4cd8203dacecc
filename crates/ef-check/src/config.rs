//! How hard a bijector is tried.

/// What [`assert_bijector`](crate::assert_bijector) draws and what it tolerates.
#[derive(Debug, Clone)]
pub struct CheckConfig {
    /// Cases: each draws parameters, data and a context anew. Failures shrink.
    pub cases: u32,
    /// Largest number of rows of a case.
    pub max_rows: usize,
    /// Parameters are `N(0, s^2)` with `s` drawn up to this.
    pub param_scale: f64,
    /// Data are `N(0, s^2)` with `s` drawn up to this.
    pub data_scale: f64,
    /// Allowed relative error of round trips and log-determinants, before scaling by the map's condition.
    pub tolerance: f64,
    /// Allowed relative error of a gradient against central differences.
    pub gradient_tolerance: f64,
    /// Most coordinates of each gradient that are compared in a case; beyond, a random choice.
    pub max_coordinates: usize,
    /// Where the Jacobian `dz_i/dx_j` may be non-zero, if that is claimed: then elsewhere it must be exactly zero.
    pub pattern: Option<fn(i: usize, j: usize) -> bool>,
    /// Parameters to start from instead of noise: noise of the drawn scale is added to what `init` writes.
    pub around_init: bool,
}

impl Default for CheckConfig {
    fn default() -> Self {
        Self {
            cases: 24,
            max_rows: 5,
            param_scale: 0.5,
            data_scale: 2.0,
            tolerance: 1e-9,
            gradient_tolerance: 1e-5,
            max_coordinates: 60,
            pattern: None,
            around_init: true,
        }
    }
}

impl CheckConfig {
    /// Claims that `z_i` depends on `x_0 ..= x_i` only.
    #[must_use]
    pub fn autoregressive(self) -> Self {
        Self {
            pattern: Some(|i, j| j <= i),
            ..self
        }
    }
}
