//! A masked layer under another order of the columns, with the same parameters.

use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

use super::layer::Autoregressive;
use crate::bijector::Bijector;
use crate::error::BijectorError;
use crate::permute::check_order;
use crate::transformer::Transformer;

/// An [`Autoregressive`] layer in which column `order[i]` takes place `i`: it is moved given `order[0] .. order[i-1]`.
///
/// Weights belong to **columns**, not to places (Germain et al. 2015, 1502.03509, order-agnostic training):
/// layers of one size and different orders may share one parameter slice, in which every weight from or to a column is
/// used by some orders and masked by others. Degrees of hidden units are the same under all orders.
#[derive(Debug, Clone, PartialEq)]
pub struct Reordered<Tr> {
    layer: Autoregressive<Tr>,
    order: Vec<usize>,
}

impl<Tr> Reordered<Tr> {
    /// `layer` in this order.
    ///
    /// # Errors
    /// If `order` is no permutation of the layer's columns.
    pub fn new(layer: Autoregressive<Tr>, order: Vec<usize>) -> Result<Self, BijectorError>
    where
        Tr: Transformer,
    {
        let dim = layer.net.inputs();
        if order.len() != dim {
            return Err(BijectorError::Dimension {
                what: "the order of columns".into(),
                found: order.len(),
                expected: dim,
            });
        }
        check_order(&order)?;
        Ok(Self { layer, order })
    }

    /// The order.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The parameters as the inner layer wants them: by place, and zero outside its masks.
    fn by_place<T: Real>(&self, params: &[T], ws: &mut Workspace<T>) -> Array2<T> {
        let mut own = ws.take(1, params.len());
        let slice = own.as_slice_mut().expect("standard layout");
        slice.copy_from_slice(params);
        self.layer
            .net
            .each_column_weight(&self.order, |place, column| slice[place] = params[column]);
        self.layer.net.project(slice);
        own
    }

    /// Columns to places.
    fn arrange<T: Real>(&self, x: ArrayView2<'_, T>, ws: &mut Workspace<T>) -> Array2<T> {
        let mut placed = ws.take(x.nrows(), x.ncols());
        for (i, &j) in self.order.iter().enumerate() {
            placed.column_mut(i).assign(&x.column(j));
        }
        placed
    }

    /// Places back to columns.
    fn restore<T: Real>(&self, placed: Array2<T>, mut x: ArrayViewMut2<'_, T>, ws: &mut Workspace<T>) {
        for (i, &j) in self.order.iter().enumerate() {
            x.column_mut(j).assign(&placed.column(i));
        }
        ws.give(placed);
    }
}

impl<T: Real, Tr: Transformer> Bijector<T> for Reordered<Tr> {
    fn dim(&self) -> usize {
        self.order.len()
    }

    fn context_dim(&self) -> usize {
        self.layer.net.context_dim()
    }

    fn num_params(&self) -> usize {
        self.layer.net.num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.layer.net.visit_params(visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        self.layer.net.init_any_order(rng, params);
    }

    fn project(&self, params: &mut [T]) {
        self.layer.net.project_any_order(params);
    }

    fn forward(
        &self,
        params: &[T],
        x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let own = self.by_place(params, ws);
        let mut placed = self.arrange(x.view(), ws);
        let slice = own.as_slice().expect("standard layout");
        self.layer
            .forward(slice, placed.view_mut(), context, log_det, tape, ws);
        self.restore(placed, x, ws);
        ws.give(own);
    }

    fn inverse(
        &self,
        params: &[T],
        z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let own = self.by_place(params, ws);
        let mut placed = self.arrange(z.view(), ws);
        let slice = own.as_slice().expect("standard layout");
        self.layer.inverse(slice, placed.view_mut(), context, log_det, ws);
        self.restore(placed, z, ws);
        ws.give(own);
    }

    fn backward(
        &self,
        params: &[T],
        g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let own = self.by_place(params, ws);
        let mut g_own = ws.zeros(1, params.len());
        let mut placed = self.arrange(g.view(), ws);
        let g_slice = g_own.as_slice_mut().expect("standard layout");
        self.layer.backward(
            own.as_slice().expect("standard layout"),
            placed.view_mut(),
            g_log_det,
            context,
            g_context,
            g_slice,
            tape,
            ws,
        );
        self.restore(placed, g, ws);
        // weights tied to columns go to their columns; what is left belongs to hidden units
        self.layer.net.each_column_weight(&self.order, |place, column| {
            grads[column] += g_slice[place];
            g_slice[place] = T::zero();
        });
        grads.iter_mut().zip(&*g_slice).for_each(|(to, &g)| *to += g);
        ws.give(g_own);
        ws.give(own);
    }
}
