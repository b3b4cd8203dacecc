//! Composition.

use ef_tensor::{ParamVisitor, Real, Scope, Tape, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

use crate::bijector::Bijector;
use crate::error::BijectorError;

/// `forward = f_n ∘ .. ∘ f_1`: the first part meets the data. Parameters lie one part after the other.
#[derive(Debug)]
pub struct Chain<T: Real> {
    parts: Vec<Box<dyn Bijector<T>>>,
    dim: usize,
    context_dim: usize,
}

impl<T: Real> Chain<T> {
    /// A chain of at least one part, all of one dimension; parts that read a context read one of the same width.
    ///
    /// # Errors
    /// If there are no parts, or dimensions or context widths differ.
    pub fn new(parts: Vec<Box<dyn Bijector<T>>>) -> Result<Self, BijectorError> {
        BijectorError::unless(
            !parts.is_empty(),
            "the number of layers or parts",
            0,
            "at least 1",
        )?;
        let dim = parts[0].dim();
        let mut context: Option<(usize, usize)> = None;
        for (i, part) in parts.iter().enumerate() {
            if part.dim() != dim {
                let what = format!("part {i} of the chain");
                return Err(BijectorError::Dimension {
                    what,
                    found: part.dim(),
                    expected: dim,
                });
            }
            match (context, part.context_dim()) {
                (_, 0) => {}
                (None, width) => context = Some((i, width)),
                (Some((first, a)), b) if a != b => {
                    return Err(BijectorError::Context {
                        first,
                        second: i,
                        a,
                        b,
                    });
                }
                _ => {}
            }
        }
        Ok(Self {
            parts,
            dim,
            context_dim: context.map_or(0, |(_, width)| width),
        })
    }

    /// The parts, the one that meets the data first.
    pub fn parts(&self) -> &[Box<dyn Bijector<T>>] {
        &self.parts
    }

    /// The parts, to build another chain of.
    pub fn into_parts(self) -> Vec<Box<dyn Bijector<T>>> {
        self.parts
    }
}

impl<T: Real> Bijector<T> for Chain<T> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn context_dim(&self) -> usize {
        self.context_dim
    }

    fn num_params(&self) -> usize {
        self.parts.iter().map(|p| p.num_params()).sum()
    }

    fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        for (i, part) in self.parts.iter().enumerate() {
            part.visit_params(&mut Scope::new(i.to_string(), visitor));
        }
    }

    fn init(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let mut rest = params;
        for part in &self.parts {
            let (own, next) = rest.split_at_mut(part.num_params());
            part.init(rng, own);
            rest = next;
        }
    }

    fn project(&self, params: &mut [T]) {
        let mut rest = params;
        for part in &self.parts {
            let (own, next) = rest.split_at_mut(part.num_params());
            part.project(own);
            rest = next;
        }
    }

    fn init_from_data(
        &self,
        params: &mut [T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        ws: &mut Workspace<T>,
    ) {
        let mut x = x.to_owned();
        let mut log_det = vec![0.0; x.nrows()];
        let mut rest = params;
        for part in &self.parts {
            let (own, next) = rest.split_at_mut(part.num_params());
            part.init_from_data(own, x.view(), context, ws);
            part.forward(own, x.view_mut(), context, &mut log_det, None, ws);
            rest = next;
        }
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
        let mut rest = params;
        for part in &self.parts {
            let (own, next) = rest.split_at(part.num_params());
            part.forward(own, x.view_mut(), context, log_det, tape.as_deref_mut(), ws);
            rest = next;
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
        let mut rest = params;
        for part in self.parts.iter().rev() {
            let (next, own) = rest.split_at(rest.len() - part.num_params());
            part.inverse(own, z.view_mut(), context, log_det, ws);
            rest = next;
        }
    }

    fn backward(
        &self,
        params: &[T],
        mut g: ArrayViewMut2<'_, T>,
        g_log_det: &[T],
        context: ArrayView2<'_, T>,
        mut g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let mut end = params.len();
        for part in self.parts.iter().rev() {
            let span = end - part.num_params()..end;
            end = span.start;
            let g_context = g_context.as_mut().map(|g| g.view_mut());
            let (own, own_grads) = (&params[span.clone()], &mut grads[span]);
            part.backward(
                own,
                g.view_mut(),
                g_log_det,
                context,
                g_context,
                own_grads,
                tape,
                ws,
            );
        }
    }
}
