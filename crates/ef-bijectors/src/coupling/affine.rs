//! The affine coupling layer (RealNVP).

use ef_tensor::{MlpConfig, ParamVisitor, Real, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use rand::RngCore;

use crate::FlowConfig;
use crate::bijector::Bijector;
use crate::chain::Chain;
use crate::conditioner::Conditioner;
use crate::error::BijectorError;
use crate::scale::ScaleClamp;

/// Dinh et al. 2017 (1605.08803), eqs. 7 and 8: columns in two groups, `a` passed on and `b` transformed; with
/// `(t, s) = net(x_a, context)`,
///
/// ```text
/// forward   z_a = x_a    z_b = x_b exp(s) + t         log|det dz/dx| = sum s
/// inverse   x_a = z_a    x_b = (z_b - t) exp(-s)
/// ```
///
/// Both directions are one pass. `s = clamp(network output)`, see [`ScaleClamp`].
#[derive(Debug, Clone, PartialEq)]
pub struct AffineCoupling {
    /// Columns passed on.
    pass: Vec<usize>,
    /// Columns transformed.
    transform: Vec<usize>,
    net: Conditioner,
    clamp: ScaleClamp,
}

impl AffineCoupling {
    /// `mask[j]` says whether column `j` is transformed. Where nothing is passed on, the context alone (or, without
    /// one, a bias) makes scale and shift.
    ///
    /// # Errors
    /// If `mask` is empty.
    pub fn new(
        mask: &[bool],
        context_dim: usize,
        config: MlpConfig,
        clamp: ScaleClamp,
    ) -> Result<Self, BijectorError> {
        if mask.is_empty() {
            return Err(BijectorError::Empty("a coupling layer"));
        }
        let (transform, pass): (Vec<usize>, Vec<usize>) = (0..mask.len()).partition(|&j| mask[j]);
        let net = Conditioner::dense(pass.len(), context_dim, 2 * transform.len(), config);
        Ok(Self {
            pass,
            transform,
            net,
            clamp,
        })
    }

    /// The network's `(t, s)` for the passed columns of `x`: the raw outputs (`t` in the first half), and `exp(s)`
    /// as `scale` (or `exp(-s)` if `negate`) with the clamp's slope. Returns the sums of `s` through `sums`.
    fn parameters<T: Real>(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) -> Parameters<T> {
        let (rows, moved) = (x.nrows(), self.transform.len());
        let mut passed = ws.take(rows, self.pass.len());
        for (to, &from) in self.pass.iter().enumerate() {
            passed.column_mut(to).assign(&x.column(from));
        }
        let mut out = ws.take(rows, 2 * moved);
        self.net
            .forward(params, passed.view(), context, out.view_mut(), tape, ws);
        ws.give(passed);
        let mut s = ws.take(rows, moved);
        let mut slope = ws.take(rows, moved);
        s.assign(&out.slice(s![.., moved..]));
        self.clamp.apply(&mut s.view_mut(), Some(&mut slope.view_mut()));
        Parameters { out, s, slope }
    }
}

struct Parameters<T> {
    /// `(t, raw s)`, `(rows, 2 transformed)`.
    out: ndarray::Array2<T>,
    /// Clamped.
    s: ndarray::Array2<T>,
    /// Of the clamp.
    slope: ndarray::Array2<T>,
}

impl<T: Real> Bijector<T> for AffineCoupling {
    fn dim(&self) -> usize {
        self.pass.len() + self.transform.len()
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
        let Parameters { out, s, slope } =
            self.parameters(params, x.view(), context, tape.as_deref_mut(), ws);
        for (l, s) in log_det.iter_mut().zip(s.rows()) {
            *l += s.iter().map(|v| v.wide()).sum::<f64>();
        }
        let mut scale = s;
        T::exp_slice(scale.as_slice_mut().expect("standard layout"));
        let mut before = ws.take(x.nrows(), self.transform.len());
        for (k, &j) in self.transform.iter().enumerate() {
            before.column_mut(k).assign(&x.column(j));
            for (r, v) in x.column_mut(j).iter_mut().enumerate() {
                *v = *v * scale[[r, k]] + out[[r, k]];
            }
        }
        ws.give(out);
        match tape {
            Some(tape) => [before, scale, slope].into_iter().for_each(|a| tape.push(a)),
            None => [before, scale, slope].into_iter().for_each(|a| ws.give(a)),
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
        let Parameters { out, mut s, slope } = self.parameters(params, z.view(), context, None, ws);
        for (l, s) in log_det.iter_mut().zip(s.rows()) {
            *l -= s.iter().map(|v| v.wide()).sum::<f64>();
        }
        s.mapv_inplace(|v| -v);
        T::exp_slice(s.as_slice_mut().expect("standard layout"));
        for (k, &j) in self.transform.iter().enumerate() {
            for (r, v) in z.column_mut(j).iter_mut().enumerate() {
                *v = (*v - out[[r, k]]) * s[[r, k]];
            }
        }
        [out, s, slope].into_iter().for_each(|a| ws.give(a));
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
        let (rows, moved) = (g.nrows(), self.transform.len());
        let (slope, scale, before) = (tape.pop(), tape.pop(), tape.pop());
        let mut g_out = ws.take(rows, 2 * moved);
        for r in 0..rows {
            for (k, &j) in self.transform.iter().enumerate() {
                let gz = g[[r, j]];
                let gx = gz * scale[[r, k]];
                // dz/dt = 1; dz/ds = x exp(s), dlog_det/ds = 1; dz/dx = exp(s)
                g_out[[r, k]] = gz;
                g_out[[r, moved + k]] = (gx * before[[r, k]] + g_log_det[r]) * slope[[r, k]];
                g[[r, j]] = gx;
            }
        }
        let mut g_pass = ws.zeros(rows, self.pass.len());
        self.net.backward(
            params,
            g_out.view(),
            context,
            g_pass.view_mut(),
            g_context,
            grads,
            tape,
            ws,
        );
        for (k, &j) in self.pass.iter().enumerate() {
            let mut column = g.column_mut(j);
            column += &g_pass.column(k);
        }
        for a in [slope, scale, before, g_out, g_pass] {
            ws.give(a);
        }
    }
}

/// A stack of [`AffineCoupling`] layers that transform the odd and the even columns in turn.
///
/// # Errors
/// If `dim` or `config.layers` is 0.
///
/// ```
/// use ef_bijectors::{Bijector, FlowConfig, real_nvp};
/// let flow = real_nvp::<f32>(3, 2, &FlowConfig { layers: 8, ..FlowConfig::default() })?;
/// assert_eq!((flow.dim(), flow.context_dim()), (3, 2));
/// # Ok::<(), ef_bijectors::BijectorError>(())
/// ```
pub fn real_nvp<T: Real>(
    dim: usize,
    context_dim: usize,
    config: &FlowConfig,
) -> Result<Chain<T>, BijectorError> {
    let mut parts: Vec<Box<dyn Bijector<T>>> = Vec::new();
    for layer in 0..config.layers {
        // One column has nothing to be conditioned on but the context: every layer transforms it.
        let mask: Vec<bool> = (0..dim).map(|j| dim == 1 || (j + layer) % 2 == 1).collect();
        parts.push(Box::new(AffineCoupling::new(
            &mask,
            context_dim,
            config.conditioner,
            config.clamp,
        )?));
    }
    Chain::new(parts)
}
