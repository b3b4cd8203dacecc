//! A layer over sparse features.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2};
use rand_core::RngCore;
use rand_distr::{Distribution, StandardNormal};

use crate::params::ParamVisitor;
use crate::real::Real;
use crate::simd::{Kernel, dispatch, mul_add};

/// A variable of a [`SparseLinear`]: its cells, and the features each cell switches on.
#[derive(Debug, Clone, PartialEq)]
struct Variable {
    /// Per cell, `(feature, value)` pairs with features counted over the whole layer.
    cells: Vec<Vec<(usize, f64)>>,
    /// Units below this one do not see the variable.
    first_unit: usize,
}

/// `y += sum_v sum_{(f, a) in features(v, code_v)} a W[f, ..]`: an affine layer over one-hot and other cell
/// features that **gathers rows of `W`** and never stores an expanded one-hot.
///
/// Shapes: `codes: (rows, variables)`, `y: (rows, outputs)`, `W: (features, outputs)`; no bias (the layer it feeds
/// has one). A code of [`SparseLinear::NONE`] contributes nothing. With units sorted by degree, a variable reaches
/// the units from its `first_unit` on.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseLinear {
    variables: Vec<Variable>,
    features: usize,
    outputs: usize,
}

impl SparseLinear {
    /// The code of a value that switches on no feature (one never seen at fit).
    pub const NONE: u32 = u32::MAX;

    /// A layer with no variables yet.
    pub fn new(outputs: usize) -> Self {
        Self {
            variables: Vec::new(),
            features: 0,
            outputs,
        }
    }

    /// Adds a variable seen by the units from `first_unit` on. Cell `c` switches on its own one-hot feature and the
    /// dense features `extra[c]` (all of one length; may be empty).
    #[must_use]
    pub fn with_variable(mut self, cells: usize, extra: &[Vec<f64>], first_unit: usize) -> Self {
        let width = extra.iter().map(Vec::len).max().unwrap_or(0);
        let base = self.features;
        let cells_list = (0..cells)
            .map(|c| {
                let dense = extra.get(c).map(Vec::as_slice).unwrap_or_default();
                let dense = dense
                    .iter()
                    .enumerate()
                    .filter(|&(_, &a)| a != 0.0)
                    .map(|(k, &a)| (base + cells + k, a));
                std::iter::once((base + c, 1.0)).chain(dense).collect()
            })
            .collect();
        self.features += cells + width;
        self.variables.push(Variable {
            cells: cells_list,
            first_unit: first_unit.min(self.outputs),
        });
        self
    }

    /// Number of variables (columns of codes).
    pub fn variables(&self) -> usize {
        self.variables.len()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// `features * outputs`.
    pub fn num_params(&self) -> usize {
        self.features * self.outputs
    }

    /// `embedding (features, outputs)`.
    pub fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("embedding", &[self.features, self.outputs]);
    }

    /// `N(0, gain^2 / variables)`, zero where a unit may not see the variable.
    pub fn init<T: Real>(&self, gain: f64, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        let scale = gain / (self.variables.len().max(1) as f64).sqrt();
        for variable in &self.variables {
            for f in feature_range(variable) {
                for w in &mut params[f * self.outputs..][variable.first_unit..self.outputs] {
                    let normal: f64 = StandardNormal.sample(rng);
                    *w = T::of(scale * normal);
                }
            }
        }
    }

    /// Sets weights of units that may not see their variable to zero.
    pub fn project<T: Real>(&self, params: &mut [T]) {
        for variable in &self.variables {
            for f in feature_range(variable) {
                params[f * self.outputs..][..variable.first_unit].fill(T::zero());
            }
        }
    }

    /// Adds the gathered rows to `y`.
    pub fn forward_add<T: Real>(
        &self,
        params: &[T],
        codes: ArrayView2<'_, u32>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        debug_assert_eq!(codes.ncols(), self.variables.len());
        for (codes, mut y) in codes.rows().into_iter().zip(y.rows_mut()) {
            let y = y.as_slice_mut().expect("rows of y are contiguous");
            let layer = self;
            dispatch(Gather {
                layer,
                params,
                codes,
                y,
            });
        }
    }

    /// The gradients of [`forward_add`](Self::forward_add): scatters `g: (rows, outputs)` into `grads`.
    pub fn backward<T: Real>(&self, codes: ArrayView2<'_, u32>, g: ArrayView2<'_, T>, grads: &mut [T]) {
        for (codes, g) in codes.rows().into_iter().zip(g.rows()) {
            let g = g.to_slice().expect("rows of g are contiguous");
            let layer = self;
            dispatch(Scatter {
                layer,
                grads,
                codes,
                g,
            });
        }
    }

    /// What row `code` of variable `v` gathers: each feature's place in the parameters, from the first unit that sees
    /// the variable on, and its value.
    #[inline(always)]
    fn weights<'a, T: Real>(
        &'a self,
        variable: &'a Variable,
        code: u32,
    ) -> impl Iterator<Item = (Range<usize>, T)> + 'a {
        active(variable, code).iter().map(|&(f, a)| {
            let row = f * self.outputs;
            (row + variable.first_unit..row + self.outputs, T::of(a))
        })
    }

    /// The contribution of variable `v` alone, feature-major: `y[units, row] += ..` for the `units` that see it.
    /// `codes: (rows)`, `y: (outputs, rows)`.
    pub fn forward_variable<T: Real>(
        &self,
        params: &[T],
        v: usize,
        codes: &[u32],
        units: Range<usize>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        let variable = &self.variables[v];
        let units = units.start.max(variable.first_unit)..units.end;
        // What each cell adds to a unit, once, and 0 behind the last cell.
        let cells = variable.cells.len();
        let mut added = vec![T::zero(); cells + 1];
        for u in units {
            for (added, features) in added.iter_mut().zip(&variable.cells) {
                *added = features
                    .iter()
                    .map(|&(f, a)| T::of(a) * params[f * self.outputs + u])
                    .sum();
            }
            for (y, &code) in y.row_mut(u).iter_mut().zip(codes) {
                *y += added[cells.min(code as usize)];
            }
        }
    }
}

/// One row of [`SparseLinear::forward_add`].
struct Gather<'a, T> {
    layer: &'a SparseLinear,
    params: &'a [T],
    codes: ArrayView1<'a, u32>,
    y: &'a mut [T],
}

impl<T: Real> Kernel for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (variable, &code) in self.layer.variables.iter().zip(self.codes) {
            let y = &mut self.y[variable.first_unit..];
            for (place, a) in self.layer.weights(variable, code) {
                axpy::<FMA, T>(a, &self.params[place], y);
            }
        }
    }
}

/// One row of [`SparseLinear::backward`].
struct Scatter<'a, T> {
    layer: &'a SparseLinear,
    grads: &'a mut [T],
    codes: ArrayView1<'a, u32>,
    g: &'a [T],
}

impl<T: Real> Kernel for Scatter<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (variable, &code) in self.layer.variables.iter().zip(self.codes) {
            let g = &self.g[variable.first_unit..];
            for (place, a) in self.layer.weights(variable, code) {
                axpy::<FMA, T>(a, g, &mut self.grads[place]);
            }
        }
    }
}

fn active(variable: &Variable, code: u32) -> &[(usize, f64)] {
    variable
        .cells
        .get(code as usize)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// All features of a variable: its one-hots, then its dense ones.
fn feature_range(variable: &Variable) -> Range<usize> {
    let features = || variable.cells.iter().flatten().map(|&(f, _)| f);
    features()
        .min()
        .map_or(0..0, |first| first..features().max().unwrap_or(first) + 1)
}

#[inline(always)]
fn axpy<const FMA: bool, T: Real>(a: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = mul_add::<FMA, T>(a, x, *y);
    }
}
