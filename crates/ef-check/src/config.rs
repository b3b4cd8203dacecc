//! The settings of a check: cases, tolerances, and what is claimed of the bijector.

/// Where a direction of a bijector is defined, the same for every column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Domain {
    /// All numbers.
    #[default]
    Real,
    /// The closed interval from the first number to the second. At its two ends `log_det` may be finite or `-inf`.
    Interval(f64, f64),
}

impl Domain {
    /// Whether `v` lies inside, the ends included. NaN does not.
    pub fn contains(self, v: f64) -> bool {
        match self {
            Self::Real => !v.is_nan(),
            Self::Interval(low, high) => low <= v && v <= high,
        }
    }

    /// The number inside that is nearest to `v`; NaN for NaN.
    pub(crate) fn nearest(self, v: f64) -> f64 {
        match self {
            Self::Real => v,
            Self::Interval(low, high) => {
                if v.is_nan() {
                    v
                } else {
                    v.clamp(low, high)
                }
            }
        }
    }
}

/// What [`assert_bijector`](crate::assert_bijector) draws, what it tolerates, and what is claimed of the bijector.
#[derive(Debug, Clone)]
pub struct CheckConfig {
    /// Cases: each draws parameters, data and a context anew. Failures shrink.
    pub cases: u32,
    /// Largest number of rows of a case.
    pub max_rows: usize,
    /// Noise of standard deviation up to this is added to starting parameters.
    pub param_scale: f64,
    /// Whether the starting parameters are those of `init`; else zeros.
    pub around_init: bool,
    /// Data on the real line are normal, of standard deviation up to this (and at least a tenth of it).
    pub data_scale: f64,
    /// Allowed relative error of round trips and log-determinants, before scaling by the map's condition.
    pub tolerance: f64,
    /// Allowed relative error of a gradient against central differences.
    pub gradient_tolerance: f64,
    /// Most coordinates of each gradient that are compared in a case; beyond, a random choice.
    pub max_coordinates: usize,
    /// Claim: where the Jacobian `dz_i/dx_j` may be non-zero. Elsewhere it must be exactly zero.
    pub pattern: Option<fn(i: usize, j: usize) -> bool>,
    /// Claim: `z_i` depends on every `x_j` that `pattern` lets it see, at some parameters and data. Checked once, apart
    /// from the cases.
    pub sees_all: bool,
    /// Claim: where `forward` is defined.
    pub forward_domain: Domain,
    /// Claim: where `inverse` is defined, and what `forward` maps onto.
    pub inverse_domain: Domain,
    /// Claim: with ordinary parameters, values and log-determinants are finite up to this absolute value.
    pub reach: f64,
    /// Claim: values are finite, and log-determinants finite or `-inf`, up to this absolute value (in `f32`: up to
    /// `reach`), also with extreme parameters.
    pub far: f64,
    /// Largest absolute value of an extreme parameter.
    pub extreme_scale: f64,
    /// Every so many cases, beginning with the first, the density's integral is estimated, where there are at most
    /// two columns; 0: never.
    pub mass_every: u32,
    /// Most points in such an estimate.
    pub mass_points: usize,
}

impl Default for CheckConfig {
    fn default() -> Self {
        Self {
            cases: 24,
            max_rows: 5,
            param_scale: 0.5,
            around_init: true,
            data_scale: 2.0,
            tolerance: 1e-9,
            gradient_tolerance: 1e-5,
            max_coordinates: 60,
            pattern: None,
            sees_all: false,
            forward_domain: Domain::Real,
            inverse_domain: Domain::Real,
            reach: 1e3,
            far: 1e30,
            extreme_scale: 30.0,
            mass_every: 8,
            mass_points: 16_384,
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

    /// Claims that `z_i` does depend on every column that `pattern` lets it see (without a pattern: on every column): the
    /// law of zeros the other way round, which finds a network too narrow for its masks.
    #[must_use]
    pub fn seeing_all(self) -> Self {
        Self {
            sees_all: true,
            ..self
        }
    }

    /// Claims where `forward` and `inverse` are defined.
    #[must_use]
    pub fn domains(self, forward: Domain, inverse: Domain) -> Self {
        Self {
            forward_domain: forward,
            inverse_domain: inverse,
            ..self
        }
    }

    /// Raises `cases` so that `bijectors` of them together draw what the environment variable `EF_LAWS_CASES` asks
    /// for, if it is set: what `cargo xtask laws --cases N` sets.
    ///
    /// # Panics
    /// If the variable is set to something that is not a whole number.
    #[must_use]
    pub fn share_of_asked_cases(self, bijectors: usize) -> Self {
        let Ok(asked) = std::env::var("EF_LAWS_CASES") else {
            return self;
        };
        let asked: usize = asked
            .parse()
            .unwrap_or_else(|_| panic!("EF_LAWS_CASES is '{asked}': set it to a whole number"));
        let share = u32::try_from(asked.div_ceil(bijectors.max(1))).unwrap_or(u32::MAX);
        Self {
            cases: self.cases.max(share),
            ..self
        }
    }
}
