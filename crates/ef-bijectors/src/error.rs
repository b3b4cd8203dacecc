//! What a constructor of this crate can refuse.

use ef_tensor::TensorError;

/// A bijector that cannot be built as asked. Built ones never fail: `forward` and `inverse` have no error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BijectorError {
    /// Parts of a chain, or a mask and a dimension, do not fit.
    #[error("{what} has dimension {found}, but {expected} is needed here")]
    Dimension {
        /// Which part.
        what: String,
        /// What it has.
        found: usize,
        /// What is needed.
        expected: usize,
    },
    /// Parts of a chain read contexts of different widths.
    #[error(
        "parts {first} and {second} of the chain read contexts of {a} and {b} columns; give them one width, or none"
    )]
    Context {
        /// The first part with a context.
        first: usize,
        /// A later one that differs.
        second: usize,
        /// Width of the first.
        a: usize,
        /// Width of the second.
        b: usize,
    },
    /// A list that should be a permutation is not.
    #[error("not a permutation of 0..{len}: {index} is out of range or occurs twice")]
    Permutation {
        /// Its length.
        len: usize,
        /// The offending entry.
        index: usize,
    },
    /// A bijector of no columns.
    #[error("{0} needs at least one column")]
    Empty(&'static str),
    /// A number outside its range.
    #[error("{what} is {value}, but must be {expected}")]
    Setting {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A masked network that cannot be built.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl BijectorError {
    /// `Err` unless `ok`.
    pub(crate) fn unless(
        ok: bool,
        what: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Result<(), Self> {
        if ok {
            Ok(())
        } else {
            Err(Self::Setting {
                what,
                value: value.to_string(),
                expected,
            })
        }
    }
}
