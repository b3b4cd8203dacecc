//! The coupling layer.

use ef_tensor::{MlpConfig, ParamVisitor, Real, Tape, Workspace};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

use crate::bijector::Bijector;
use crate::columns::{Selection, copy_columns};
use crate::conditioner::Conditioner;
use crate::error::BijectorError;
use crate::transformer::{Transformer, hold};

/// Dinh et al. 2015 (1410.8516), sec. 3.2: columns in two groups, `a` passed on and `b` moved by a [`Transformer`]
/// `tau` whose parameters a network makes from `a` and the context,
///
/// ```text
/// forward   z_a = x_a    z_b = tau(x_b; net(x_a, context))        log|det dz/dx| = sum_b log tau'
/// inverse   x_a = z_a    x_b = tau^-1(z_b; net(z_a, context))
/// ```
///
/// Both directions are one pass of the network. With [`Additive`](crate::Additive) it is NICE, with
/// [`Affine`](crate::Affine) RealNVP, with [`RationalQuadratic`](crate::RationalQuadratic) a neural spline.
#[derive(Debug, Clone, PartialEq)]
pub struct Coupling<Tr> {
    /// Columns passed on.
    pass: Selection,
    /// Columns moved.
    moved: Selection,
    form: Form,
    net: Conditioner,
    transformer: Tr,
}

/// What the network reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The passed columns; parameters of the moved ones.
    Split,
    /// All columns with zeros for the moved ones, then the mask itself; parameters of every column.
    Shared,
}

impl<Tr> Coupling<Tr> {
    /// `mask[j]` says whether column `j` is moved. Where nothing is passed on, the context alone (or, without one, a
    /// bias) makes the parameters.
    ///
    /// # Errors
    /// If `mask` is empty, or the transformer cannot work as it is set.
    pub fn new(
        mask: &[bool],
        context_dim: usize,
        config: MlpConfig,
        transformer: Tr,
    ) -> Result<Self, BijectorError>
    where
        Tr: Transformer,
    {
        Self::build(mask, Form::Split, context_dim, config, transformer)
    }

    /// A layer whose parameters serve any mask: layers of one size and different masks may share one slice, and a flow
    /// may be trained with a new mask every mini-batch. The network reads `(m x, m)`, with `m_j = 1` where column `j`
    /// is passed on (1605.08803, eq. 9, and the mask itself, which distinguishes a zero from a missing column).
    ///
    /// # Errors
    /// If `mask` is empty, or the transformer cannot work as it is set.
    pub fn shared(
        mask: &[bool],
        context_dim: usize,
        config: MlpConfig,
        transformer: Tr,
    ) -> Result<Self, BijectorError>
    where
        Tr: Transformer,
    {
        Self::build(mask, Form::Shared, context_dim, config, transformer)
    }

    fn build(
        mask: &[bool],
        form: Form,
        context_dim: usize,
        config: MlpConfig,
        transformer: Tr,
    ) -> Result<Self, BijectorError>
    where
        Tr: Transformer,
    {
        if mask.is_empty() {
            return Err(BijectorError::Empty("a coupling layer"));
        }
        transformer.check()?;
        let (moved, pass): (Vec<usize>, Vec<usize>) = (0..mask.len()).partition(|&j| mask[j]);
        let (inputs, outputs) = match form {
            Form::Split => (pass.len(), moved.len()),
            Form::Shared => (2 * mask.len(), mask.len()),
        };
        let net = Conditioner::dense(inputs, context_dim, transformer.width() * outputs, config);
        Ok(Self {
            pass: Selection::new(pass, mask.len()),
            moved: Selection::new(moved, mask.len()),
            form,
            net,
            transformer,
        })
    }

    fn columns(&self) -> usize {
        self.pass.len() + self.moved.len()
    }

    /// What the network reads.
    fn read<T: Real>(&self, x: ArrayView2<'_, T>, ws: &mut Workspace<T>) -> Array2<T> {
        match self.form {
            Form::Split => {
                let mut read = ws.take(x.nrows(), self.pass.len());
                self.pass.take(x, read.view_mut());
                read
            }
            Form::Shared => {
                let mut read = ws.zeros(x.nrows(), self.net.inputs());
                copy_columns(x, read.view_mut(), self.pass.iter().map(|j| (j, j)));
                for j in self.pass.iter() {
                    read.column_mut(self.columns() + j).fill(T::one());
                }
                read
            }
        }
    }

    /// The transformer's parameters of the moved columns, `(rows, width * moved)`: first parameter of all, second ..
    fn parameters<T: Real>(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let read = self.read(x, ws);
        let mut out = ws.take(x.nrows(), self.net.outputs());
        self.net
            .forward_owned(params, read, context, out.view_mut(), tape, ws);
        match self.form {
            Form::Split => out,
            Form::Shared => {
                let (columns, moved) = (self.columns(), self.moved.len());
                let width = self.net.outputs() / columns;
                let mut own = ws.take(x.nrows(), width * moved);
                for w in 0..width {
                    for (k, j) in self.moved.iter().enumerate() {
                        own.column_mut(w * moved + k).assign(&out.column(w * columns + j));
                    }
                }
                ws.give(out);
                own
            }
        }
    }

    /// The moved columns of `x`.
    fn take_moved<T: Real>(&self, x: &ArrayViewMut2<'_, T>, ws: &mut Workspace<T>) -> Array2<T> {
        let mut moved = ws.take(x.nrows(), self.moved.len());
        self.moved.take(x.view(), moved.view_mut());
        moved
    }

    fn put_moved<T: Real>(&self, x: ArrayViewMut2<'_, T>, moved: Array2<T>, ws: &mut Workspace<T>) {
        self.moved.put(moved.view(), x);
        ws.give(moved);
    }
}

/// `(rows, width * columns)` as `(rows, columns, width)`.
macro_rules! by_column {
    ($h:expr, $width:expr, $columns:expr) => {{
        let rows = $h.nrows();
        $h.into_shape_with_order((rows, $width, $columns))
            .expect("standard layout")
            .permuted_axes([0, 2, 1])
    }};
}

impl<T: Real, Tr: Transformer> Bijector<T> for Coupling<Tr> {
    fn dim(&self) -> usize {
        self.columns()
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
        let h = self.parameters(params, x.view(), context, tape.as_deref_mut(), ws);
        let mut moved = self.take_moved(&x, ws);
        let view = by_column!(h.view(), self.transformer.width(), self.moved.len());
        self.transformer
            .forward(view, moved.view_mut(), log_det, tape, ws);
        ws.give(h);
        self.put_moved(x, moved, ws);
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
        let h = self.parameters(params, z.view(), context, None, ws);
        let mut moved = self.take_moved(&z, ws);
        let view = by_column!(h.view(), self.transformer.width(), self.moved.len());
        self.transformer.inverse(view, moved.view_mut(), log_det, ws);
        ws.give(h);
        self.put_moved(z, moved, ws);
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
        let (rows, columns, moved) = (g.nrows(), self.columns(), self.moved.len());
        let width = self.transformer.width();
        let mut g_moved = self.take_moved(&g, ws);
        let mut g_h = ws.take(rows, width * moved);
        let view = by_column!(g_h.view_mut(), width, moved);
        self.transformer
            .backward(g_moved.view_mut(), g_log_det, view, tape, ws);
        self.put_moved(g.view_mut(), g_moved, ws);
        let g_out = match self.form {
            Form::Split => g_h,
            Form::Shared => {
                let mut g_out = ws.zeros(rows, width * columns);
                for w in 0..width {
                    for (k, j) in self.moved.iter().enumerate() {
                        g_out
                            .column_mut(w * columns + j)
                            .assign(&g_h.column(w * moved + k));
                    }
                }
                ws.give(g_h);
                g_out
            }
        };
        let mut g_read = ws.zeros(rows, self.net.inputs());
        self.net.backward(
            params,
            g_out.view(),
            context,
            g_read.view_mut(),
            g_context,
            grads,
            tape,
            ws,
        );
        match self.form {
            Form::Split => self.pass.add(g_read.view(), g),
            Form::Shared => {
                for j in self.pass.iter() {
                    g.column_mut(j).zip_mut_with(&g_read.column(j), |g, &r| *g += r);
                }
            }
        }
        ws.give(g_out);
        ws.give(g_read);
    }
}
