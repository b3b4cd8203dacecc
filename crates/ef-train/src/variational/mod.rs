//! Variational inference: a flow is fitted to a density that can be evaluated but not sampled.
//!
//! The reverse divergence `KL(q || p)` needs draws from `q` and their densities, and derivatives of both. So the base
//! distribution stands at the **input** of the bijector here, the direction in which a bijector is differentiable:
//!
//! ```text
//! z ~ base,  x = f(z)          log q(x) = log base(z) - log|det df/dz|
//! KL(q || p) = E[log q(x) - log p~(x)] + ln Z       p~ = Z p, the density as it can be evaluated
//! ```
//!
//! (Rezende & Mohamed 2015, [arXiv:1505.05770], sec. 4.1 and 4.2.) With the other convention of this project, where `forward`
//! runs from data to the base, only the roles change: a masked autoregressive flow whose `forward` takes in the base
//! *is* an inverse autoregressive flow (Kingma et al. 2016, [arXiv:1606.04934]): one pass draws, one pass back learns.
//!
//! [arXiv:1505.05770]: https://arxiv.org/abs/1505.05770
//! [arXiv:1606.04934]: https://arxiv.org/abs/1606.04934

mod config;
mod divergence;
mod fit;

use std::fmt::Debug;
use std::ops::Range;

use ef_bijectors::Bijector;
use ef_density::flow::base::{Base, StandardNormal};
use ef_random::{Key, StepKey};
use ef_tensor::ndarray::{Array2, ArrayView2};
use ef_tensor::{ParamVisitor, Real, Tape, Workspace};
use rand_core::RngCore;

use crate::TrainError;

pub use config::VariationalConfig;
pub use divergence::{KlEstimate, kl_divergence};
pub use fit::{VariationalBlock, VariationalHistory, fit_variational};

/// A density to be approximated, known up to a factor: `p~(x) = Z p(x)`.
///
/// ```
/// use ef_train::Target;
///
/// #[derive(Debug)]
/// struct Normal;
///
/// impl Target for Normal {
///     fn dim(&self) -> usize { 2 }
///
///     fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
///         gradient.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
///         -0.5 * x.iter().map(|x| x * x).sum::<f64>()
///     }
/// }
/// ```
pub trait Target: Debug + Send + Sync {
    /// Number of columns.
    fn dim(&self) -> usize;

    /// `ln p~(x)`, nats; writes `d ln p~(x) / dx` to `gradient`. Both slices have [`dim`](Self::dim) entries.
    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64;
}

/// The approximation `q`: draws from a base distribution, pushed through a bijector's `forward`.
///
/// ```
/// use ef_bijectors::{Tanh, planar_chain};
/// use ef_random::Key;
/// use ef_train::{Variational, VariationalScratch};
///
/// let q = Variational::<f64>::new(planar_chain(2, 0, 4, Tanh)?)?;
/// let mut params = vec![0.0; q.num_params()];
/// q.init(&mut Key::new(1).row(0), &mut params);
/// let (x, log_q) = q.sample_with_log_prob(&params, 0..100, Key::new(2), &mut VariationalScratch::default());
/// assert_eq!((x.dim(), log_q.len()), ((100, 2), 100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Variational<T: Real> {
    bijector: Box<dyn Bijector<T>>,
    base: Box<dyn Base<T>>,
}

/// Scratch memory of a [`Variational`].
#[derive(Debug, Default)]
pub struct VariationalScratch<T> {
    tape: Tape<T>,
    ws: Workspace<T>,
    log_q: Vec<f64>,
    point: Vec<f64>,
    gradient: Vec<f64>,
}

impl<T: Real> Variational<T> {
    /// `q` over the standard normal.
    ///
    /// # Errors
    /// If the bijector reads a context.
    pub fn new(bijector: impl Bijector<T> + 'static) -> Result<Self, TrainError> {
        Self::with_base(Box::new(bijector), Box::new(StandardNormal))
    }

    /// `q` over a base of your choice, which must have no parameters: a learned mean and scale belong into the
    /// bijector ([`ElementwiseAffine`](ef_bijectors::ElementwiseAffine)), through which draws can be differentiated.
    ///
    /// # Errors
    /// If the bijector reads a context, or the base has parameters or is for another number of columns.
    pub fn with_base(bijector: Box<dyn Bijector<T>>, base: Box<dyn Base<T>>) -> Result<Self, TrainError> {
        if base.num_params() > 0 {
            let expected = "a base without parameters; give the bijector an ElementwiseAffine part instead";
            return Err(TrainError::setting("base", format!("{base:?}"), expected));
        }
        if base.dim().is_some_and(|dim| dim != bijector.dim()) {
            return Err(TrainError::setting(
                "base",
                format!("{base:?}"),
                "of the bijector's dimension",
            ));
        }
        match bijector.context_dim() {
            0 => Ok(Self { bijector, base }),
            columns => Err(TrainError::Context { columns }),
        }
    }

    /// The bijector.
    pub fn bijector(&self) -> &dyn Bijector<T> {
        &*self.bijector
    }

    /// Number of columns.
    pub fn dim(&self) -> usize {
        self.bijector.dim()
    }

    /// Number of parameters.
    pub fn num_params(&self) -> usize {
        self.bijector.num_params()
    }

    /// Ordered names and shapes of the parameters.
    pub fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.bijector.visit_params(visitor);
    }

    /// Writes starting values.
    pub fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        self.bijector.init(rng, params);
    }

    /// Draws rows number `rows` of the sample `key` names, with their log-densities (nats).
    pub fn sample_with_log_prob(
        &self,
        params: &[T],
        rows: Range<u64>,
        key: Key,
        scratch: &mut VariationalScratch<T>,
    ) -> (Array2<T>, Vec<f64>) {
        let mut x = Array2::zeros(((rows.end - rows.start) as usize, self.dim()));
        let mut log_q = Vec::new();
        self.draw(params, rows.start, key, &mut x, &mut log_q, None, &mut scratch.ws);
        (x, log_q)
    }

    /// Adds to `grads` the gradient of the sum over `rows` draws of `log q(x) - beta ln p~(x)`, and returns the sum
    /// (nats). Row `i` draws from the stream `key.row + i`, so the sum is a function of the parameters alone.
    pub fn loss_backward(
        &self,
        params: &[T],
        target: &(impl Target + ?Sized),
        beta: f64,
        rows: usize,
        key: StepKey,
        scratch: &mut VariationalScratch<T>,
        grads: &mut [T],
    ) -> f64 {
        let VariationalScratch {
            tape,
            ws,
            log_q,
            point,
            gradient,
        } = scratch;
        point.resize(self.dim(), 0.0);
        gradient.resize(self.dim(), 0.0);
        let mut x = ws.take(rows, self.dim());
        self.draw(
            params,
            key.row,
            key.purpose("base"),
            &mut x,
            log_q,
            Some(tape),
            ws,
        );
        let mut loss = 0.0;
        for (mut x, log_q) in x.rows_mut().into_iter().zip(log_q) {
            point.iter_mut().zip(&x).for_each(|(p, x)| *p = x.wide());
            loss += *log_q - beta * target.log_density(point, gradient);
            // The points are no longer needed: their gradient takes their place.
            x.iter_mut()
                .zip(&*gradient)
                .for_each(|(g, d)| *g = T::of(-beta * d));
        }
        // log q holds -log_det
        let mut g_log_det = ws.take(1, rows);
        g_log_det.fill(-T::one());
        let minus_ones = g_log_det.as_slice().expect("standard layout");
        let none = no_context(rows);
        self.bijector
            .backward(params, x.view_mut(), minus_ones, none, None, grads, tape, ws);
        ws.give(x);
        ws.give(g_log_det);
        loss
    }

    /// Fills `x` with draws from the streams `first`, `first + 1`, .. and `log_q` with their log-densities.
    fn draw(
        &self,
        params: &[T],
        first: u64,
        key: Key,
        x: &mut Array2<T>,
        log_q: &mut Vec<f64>,
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        self.base.sample_rows(&[], key, &mut (first..), x.view_mut());
        log_q.clear();
        log_q.resize(x.nrows(), 0.0);
        self.base.log_prob_rows(&[], x.view(), log_q);
        log_q.iter_mut().for_each(|l| *l = -*l);
        // forward adds its log-determinants: -log base(z) + log|det| = -log q(x)
        let none = no_context(x.nrows());
        self.bijector.forward(params, x.view_mut(), none, log_q, tape, ws);
        log_q.iter_mut().for_each(|l| *l = -*l);
    }
}

/// `rows` rows of no columns.
fn no_context<'a, T>(rows: usize) -> ArrayView2<'a, T> {
    ArrayView2::from_shape((rows, 0), &[]).expect("no values")
}
