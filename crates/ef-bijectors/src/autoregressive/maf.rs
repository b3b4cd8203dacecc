//! The masked autoregressive affine transform (MAF).

use ef_tensor::{MlpConfig, ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, Zip, s};
use rand::RngCore;

use crate::FlowConfig;
use crate::bijector::Bijector;
use crate::chain::Chain;
use crate::conditioner::{Conditioner, transpose_into};
use crate::error::BijectorError;
use crate::permute::Permute;
use crate::scale::ScaleClamp;

/// Papamakarios et al. 2017 (1705.07057), eq. 4: with `(mu_i, alpha_i) = net(x_0 .. x_{i-1}, context)`,
///
/// ```text
/// forward   z_i = (x_i - mu_i) exp(-alpha_i)        log|det dz/dx| = -sum_i alpha_i
/// inverse   x_i = z_i exp(alpha_i) + mu_i           for i = 0, 1, ..
/// ```
///
/// `forward` is one pass of the network. `inverse` needs `x_{i-1}` before `x_i`; hidden units are evaluated as the
/// columns they see become known, so that all columns together cost about one pass, not `dim` passes.
/// `alpha = clamp(network output)`, see [`ScaleClamp`].
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedAffine {
    net: Conditioner,
    clamp: ScaleClamp,
}

impl MaskedAffine {
    /// A transform of `dim` columns given a context of `context_dim` columns (0: none).
    ///
    /// # Errors
    /// If `dim` is 0.
    pub fn new(
        dim: usize,
        context_dim: usize,
        config: MlpConfig,
        clamp: ScaleClamp,
    ) -> Result<Self, BijectorError> {
        if dim == 0 {
            return Err(BijectorError::Empty("a masked autoregressive transform"));
        }
        Ok(Self {
            net: Conditioner::masked(dim, context_dim, 2, config)?,
            clamp,
        })
    }

    fn columns(&self) -> usize {
        self.net.inputs()
    }
}

impl<T: Real> Bijector<T> for MaskedAffine {
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
        let (rows, dim) = x.dim();
        let mut out = ws.take(rows, 2 * dim);
        self.net
            .forward(params, x.view(), context, out.view_mut(), tape.as_deref_mut(), ws);
        let mut scale = ws.take(rows, dim);
        let mut slope = ws.take(rows, dim);
        scale.assign(&out.slice(s![.., 1..;2]));
        self.clamp
            .apply(&mut scale.view_mut(), Some(&mut slope.view_mut()));
        for (l, alpha) in log_det.iter_mut().zip(scale.rows()) {
            *l -= alpha.iter().map(|a| a.wide()).sum::<f64>();
        }
        // scale = exp(-alpha)
        scale.mapv_inplace(|a| -a);
        T::exp_slice(scale.as_slice_mut().expect("standard layout"));
        Zip::from(&mut x)
            .and(out.slice(s![.., ..;2]))
            .and(&scale)
            .for_each(|x, &mu, &e| *x = (*x - mu) * e);
        ws.give(out);
        match tape {
            Some(tape) => {
                let mut z = ws.take(rows, dim);
                z.assign(&x);
                tape.push(z);
                tape.push(scale);
                tape.push(slope);
            }
            None => {
                ws.give(scale);
                ws.give(slope);
            }
        }
    }

    fn inverse(
        &self,
        params: &[T],
        mut z: ArrayViewMut2<'_, T>,
        context: ArrayView2<'_, T>,
        log_det: &mut [f64],
        ws: &mut Workspace<T>,
    ) {
        let (rows, dim) = z.dim();
        let mut x = ws.take(dim, rows);
        let mut alpha = ws.take(1, rows);
        transpose_into(z.view(), x.view_mut());
        let mut columns = self.net.columns(params, context, rows, ws);
        for i in 0..dim {
            let out = columns.outputs(i, x.view());
            alpha.row_mut(0).assign(&out.row(1));
            self.clamp.apply(&mut alpha.view_mut(), None);
            for (l, a) in log_det.iter_mut().zip(&alpha) {
                *l += a.wide();
            }
            T::exp_slice(alpha.as_slice_mut().expect("standard layout"));
            let column = x.index_axis_mut(Axis(0), i);
            Zip::from(column)
                .and(out.row(0))
                .and(alpha.row(0))
                .for_each(|x, &mu, &e| *x = *x * e + mu);
        }
        columns.finish(ws);
        transpose_into(x.view(), z.view_mut());
        ws.give(x);
        ws.give(alpha);
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
        let (slope, scale, z) = (tape.pop(), tape.pop(), tape.pop());
        let mut g_out = ws.take(rows, 2 * dim);
        for r in 0..rows {
            for i in 0..dim {
                let gz = g[[r, i]];
                let gx = gz * scale[[r, i]];
                // dz/dmu = -exp(-alpha); dz/dalpha = -z, dlog_det/dalpha = -1; dz/dx = exp(-alpha)
                g_out[[r, 2 * i]] = -gx;
                g_out[[r, 2 * i + 1]] = -(gz * z[[r, i]] + g_log_det[r]) * slope[[r, i]];
                g[[r, i]] = gx;
            }
        }
        self.net
            .backward(params, g_out.view(), context, g, g_context, grads, tape, ws);
        for a in [slope, scale, z, g_out] {
            ws.give(a);
        }
    }
}

/// A stack of [`MaskedAffine`] layers, the column order reversed between them.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, maf};
/// let flow = maf::<f32>(3, 0, &FlowConfig::default())?;
/// assert_eq!(flow.dim(), 3);
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn maf<T: Real>(dim: usize, context_dim: usize, config: &FlowConfig) -> Result<Chain<T>, BijectorError> {
    let mut parts: Vec<Box<dyn Bijector<T>>> = Vec::new();
    for layer in 0..config.layers {
        if layer > 0 && dim > 1 {
            parts.push(Box::new(Permute::reverse(dim)?));
        }
        parts.push(Box::new(MaskedAffine::new(
            dim,
            context_dim,
            config.conditioner,
            config.clamp,
        )?));
    }
    Chain::new(parts)
}
