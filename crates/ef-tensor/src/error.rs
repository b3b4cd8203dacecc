//! What a constructor of this crate can refuse.

use std::fmt;

/// A layer that cannot be built as asked. Kernels themselves never fail: shapes are checked when a layer is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorError {
    /// The number of inputs each output may see must not fall from one output to the next.
    LimitsNotSorted {
        /// The first output whose limit is below its predecessor's.
        output: usize,
    },
    /// An output may see more inputs than there are.
    LimitTooLarge {
        /// The output in question.
        output: usize,
        /// How many inputs it asked for.
        limit: usize,
        /// How many there are.
        inputs: usize,
    },
}

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LimitsNotSorted { output } => write!(
                f,
                "output {output} may see fewer inputs than output {} before it: sort the units by degree",
                output - 1
            ),
            Self::LimitTooLarge {
                output,
                limit,
                inputs,
            } => {
                write!(
                    f,
                    "output {output} may see {limit} inputs, but there are only {inputs}"
                )
            }
        }
    }
}

impl std::error::Error for TensorError {}
