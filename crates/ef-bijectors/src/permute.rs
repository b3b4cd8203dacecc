//! Column orders.

use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand::seq::SliceRandom;
use rand_core::RngCore;

use crate::bijector::Bijector;
use crate::columns::copy_columns;
use crate::error::BijectorError;

/// `z_j = x_{order[j]}`; `log_det = 0`.
///
/// ```
/// use ef_bijectors::Permute;
/// assert_eq!(Permute::reverse(3)?.order(), [2, 1, 0]);
/// assert!(Permute::new(vec![0, 0, 1]).is_err());
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permute {
    order: Vec<usize>,
}

impl Permute {
    /// The given order: column `j` of the latent is column `order[j]` of the data.
    ///
    /// # Errors
    /// If `order` is empty or no permutation.
    pub fn new(order: Vec<usize>) -> Result<Self, BijectorError> {
        check_order(&order)?;
        Ok(Self { order })
    }

    /// Last column first.
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn reverse(dim: usize) -> Result<Self, BijectorError> {
        Self::new((0..dim).rev().collect())
    }

    /// A uniformly random order.
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn random<R: RngCore + ?Sized>(dim: usize, rng: &mut R) -> Result<Self, BijectorError> {
        let mut order: Vec<usize> = (0..dim).collect();
        order.shuffle(rng);
        Self::new(order)
    }

    /// The order.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// `row[to] <- row[from]` for the `(to, from)` of `pairs`, in every row.
    fn carry<T: Real>(
        x: ArrayViewMut2<'_, T>,
        ws: &mut Workspace<T>,
        pairs: impl Iterator<Item = (usize, usize)> + Clone,
    ) {
        let mut old = ws.take(x.nrows(), x.ncols());
        old.assign(&x);
        copy_columns(old.view(), x, pairs);
        ws.give(old);
    }

    fn forth(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        self.order.iter().copied().enumerate()
    }

    fn back(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        self.forth().map(|(j, from)| (from, j))
    }
}

/// An error unless `order` is a permutation.
pub(crate) fn check_order(order: &[usize]) -> Result<(), BijectorError> {
    let len = order.len();
    if len == 0 {
        return Err(BijectorError::Empty("a permutation"));
    }
    let mut seen = vec![false; len];
    for &index in order {
        if index >= len || std::mem::replace(&mut seen[index], true) {
            return Err(BijectorError::Permutation { len, index });
        }
    }
    Ok(())
}

impl<T: Real> Bijector<T> for Permute {
    fn dim(&self) -> usize {
        self.order.len()
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
        _: &mut [f64],
        _: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        Self::carry(x, ws, self.forth());
    }

    fn inverse(
        &self,
        _: &[T],
        z: ArrayViewMut2<'_, T>,
        _: ArrayView2<'_, T>,
        _: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        Self::carry(z, ws, self.back());
    }

    fn backward(
        &self,
        _: &[T],
        g: ArrayViewMut2<'_, T>,
        _: &[T],
        _: ArrayView2<'_, T>,
        _: Option<ArrayViewMut2<'_, T>>,
        _: &mut [T],
        _: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        // dL/dx_{order[j]} = dL/dz_j
        Self::carry(g, ws, self.back());
    }
}
