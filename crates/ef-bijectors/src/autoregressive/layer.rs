//! The masked autoregressive layer.

use ef_tensor::{Degrees, MlpConfig, ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rand_core::RngCore;

use crate::bijector::Bijector;
use crate::conditioner::{Conditioner, transpose_into};
use crate::error::BijectorError;
use crate::transformer::{Transformer, hold};

/// Every column moved by a [`Transformer`] `tau` whose parameters a masked network (MADE, Germain et al. 2015,
/// 1502.03509) makes from the columns before it and the context,
///
/// ```text
/// forward   z_i = tau(x_i; net_i(x_0 .. x_{i-1}, context))        log|det dz/dx| = sum_i log tau'
/// inverse   x_i = tau^-1(z_i; net_i(x_0 .. x_{i-1}, context))     for i = 0, 1, ..
/// ```
///
/// `forward` is one pass of the network. `inverse` needs `x_{i-1}` before `x_i`; hidden units are evaluated as the
/// columns they see become known, so that all columns together cost about one pass, not `dim` passes.
///
/// With [`Standardize`](crate::Standardize) it is MAF, with [`Gated`](crate::Gated) the layer of IAF (whose base then
/// stands at the input of `forward`), with [`RationalQuadratic`](crate::RationalQuadratic) a neural spline.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoregressive<Tr> {
    pub(super) net: Conditioner,
    transformer: Tr,
}

impl<Tr> Autoregressive<Tr> {
    /// A layer of `dim` columns given a context of `context_dim` columns (0: none).
    ///
    /// # Errors
    /// If `dim` is 0, or the transformer cannot work as it is set.
    pub fn new(
        dim: usize,
        context_dim: usize,
        config: MlpConfig,
        transformer: Tr,
    ) -> Result<Self, BijectorError>
    where
        Tr: Transformer,
    {
        Self::with_degrees(dim, context_dim, config, &Degrees::Equal, transformer)
    }

    /// A layer whose hidden units see the columns that `degrees` says.
    ///
    /// # Errors
    /// If `dim` is 0, or the transformer cannot work as it is set.
    pub fn with_degrees(
        dim: usize,
        context_dim: usize,
        config: MlpConfig,
        degrees: &Degrees,
        transformer: Tr,
    ) -> Result<Self, BijectorError>
    where
        Tr: Transformer,
    {
        if dim == 0 {
            return Err(BijectorError::Empty("a masked autoregressive layer"));
        }
        transformer.check()?;
        Ok(Self {
            net: Conditioner::masked(dim, context_dim, transformer.width(), config, degrees)?,
            transformer,
        })
    }

    /// The network.
    pub fn conditioner(&self) -> &Conditioner {
        &self.net
    }
}

impl<T: Real, Tr: Transformer> Bijector<T> for Autoregressive<Tr> {
    fn dim(&self) -> usize {
        self.net.inputs()
    }

    fn context_dim(&self) -> usize {
        self.net.context_dim()
    }

    fn num_params(&self) -> usize {
        self.net.num_params()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.net.visit_params(visitor);
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        self.net.init(rng, params);
    }

    fn project(&self, params: &mut [T]) {
        self.net.project(params);
    }

    fn forward(
        &self,
        params: &[T],
        mut x: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        mut tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        hold(self.transformer.domain(), &mut x, log_det);
        let (rows, dim) = x.dim();
        let width = self.transformer.width();
        let mut out = ws.take(rows, dim * width);
        self.net
            .forward(params, x.view(), context, out.view_mut(), tape.as_deref_mut(), ws);
        let h = out
            .view()
            .into_shape_with_order((rows, dim, width))
            .expect("standard layout");
        self.transformer.forward(h, x, log_det, tape, ws);
        ws.give(out);
    }

    fn inverse(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        hold(self.transformer.domain(), &mut z, log_det);
        let (rows, dim) = z.dim();
        let mut x = ws.take(dim, rows);
        transpose_into(z.view(), x.view_mut());
        let mut columns = self.net.columns(params, context, rows, ws);
        for i in 0..dim {
            let out = columns.outputs(i, x.view());
            // (width, rows) as (rows, one column, width)
            let h = out.reversed_axes().insert_axis(Axis(1));
            let column = x.slice_mut(s![i..=i, ..]).reversed_axes();
            self.transformer.inverse(h, column, log_det, ws);
        }
        columns.finish(ws);
        transpose_into(x.view(), z.view_mut());
        ws.give(x);
    }

    fn backward(
        &self,
        params: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (rows, dim) = g.dim();
        let width = self.transformer.width();
        let mut g_out = ws.take(rows, dim * width);
        let g_h = g_out
            .view_mut()
            .into_shape_with_order((rows, dim, width))
            .expect("standard layout");
        self.transformer.backward(g.view_mut(), g_log_det, g_h, tape, ws);
        self.net
            .backward(params, g_out.view(), context, g, g_context, grads, tape, ws);
        ws.give(g_out);
    }
}
