//! Levels, and where a value stands among them.

/// The number of a level of a column, from 0.
pub type Level = u32;

/// Where one value stands under its column's marginal.
///
/// The value's log-probability under a density is
///
/// ```text
/// log_measure + log P(level | ..) + log mean_{v in (low, high)} ratio(v | ..)
/// ```
///
/// The second term is there only where the column has several levels and the value has one, the third only where the
/// column has a continuous level; `ratio` is the density's conditional density of the rank with respect to the uniform.
/// With levels at their shares and a ratio of 1 this is the column's marginal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The level. `None` is a value that no level holds: a category never seen at fit, a number off the listed ones, a
    /// missing cell where none was missing.
    pub level: Option<Level>,
    /// Lower end of the value's ranks within the continuous level, in [0, 1]; 0 at other levels.
    pub low: f64,
    /// Upper end; equal to `low` where the value has a density, 1 at other levels.
    pub high: f64,
    /// The context-free part of the log-probability, nats.
    pub log_measure: f64,
}

impl Place {
    /// A place outside the continuous level.
    pub fn discrete(level: Option<Level>, log_measure: f64) -> Self {
        Self {
            level,
            low: 0.0,
            high: 1.0,
            log_measure,
        }
    }
}
