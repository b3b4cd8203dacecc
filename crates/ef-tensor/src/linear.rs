//! Affine layers, dense and masked.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use rand::Rng;
use rand_core::RngCore;
use rand_distr::StandardNormal;

use crate::error::TensorError;
use crate::params::ParamVisitor;
#[cfg(not(feature = "gemm"))]
use crate::product::product;
use crate::product::{Finish, Part, Start, WIDEST};
#[cfg(feature = "gemm")]
use crate::product_by_gemm::product;
use crate::real::Real;
use crate::simd::{Kernel, dispatch};

/// `y = x W + b`, where output `j` may see only the first `limit(j)` inputs.
///
/// Shapes: `x: (rows, inputs)`, `y: (rows, outputs)`, `W: (inputs, outputs)` row-major, then `b: (outputs)`, both
/// in one slice. [`Linear::new`] is dense. [`Linear::masked`] is the layer of a masked autoregressive network
/// (Germain et al. 2015, 1502.03509, eq. 8) whose units are **sorted by degree**: the mask is then a staircase, and
/// products skip most of its zeros, a panel of outputs or inputs at a time.
///
/// Weights outside the mask are kept at exactly zero: [`init`](Self::init) writes zeros there and
/// [`backward`](Self::backward) leaves their gradients at zero, which no optimizer step moves.
///
/// ```
/// use ef_tensor::{Linear, ndarray::{array, Array2}};
/// let layer = Linear::masked(2, &[1, 2])?;                // output 0 sees input 0, output 1 sees both
/// let params = [1.0, 10.0, 0.0, 100.0, 0.5, 0.25];        // W row by row, then b
/// let mut y = Array2::zeros((1, 2));
/// layer.forward(&params, array![[2.0, 3.0]].view(), y.view_mut());
/// assert_eq!(y, array![[2.5, 320.25]]);
/// # Ok::<(), ef_tensor::TensorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    bias: bool,
    /// Per output, how many inputs it may see; empty when dense.
    limits: Vec<usize>,
    /// Per input, the first output that may see it; empty when dense.
    firsts: Vec<usize>,
}

impl Linear {
    /// A dense layer.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            bias: true,
            limits: Vec::new(),
            firsts: Vec::new(),
        }
    }

    /// A masked layer with one output per entry of `limits`, the number of leading inputs that output may see.
    ///
    /// # Errors
    /// If `limits` falls anywhere or exceeds `inputs`.
    pub fn masked(inputs: usize, limits: &[usize]) -> Result<Self, TensorError> {
        for (output, pair) in limits.windows(2).enumerate() {
            if pair[1] < pair[0] {
                return Err(TensorError::LimitsNotSorted { output: output + 1 });
            }
        }
        if let Some((output, &limit)) = limits.iter().enumerate().find(|&(_, &l)| l > inputs) {
            return Err(TensorError::LimitTooLarge {
                output,
                limit,
                inputs,
            });
        }
        Ok(Self {
            inputs,
            outputs: limits.len(),
            bias: true,
            limits: limits.to_vec(),
            firsts: (0..inputs).map(|i| limits.partition_point(|&l| l <= i)).collect(),
        })
    }

    /// The same layer without a bias: for a second source that joins a layer which has one.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many leading inputs output `j` may see.
    pub fn limit(&self, j: usize) -> usize {
        self.limits.get(j).copied().unwrap_or(self.inputs)
    }

    /// The first output that may see input `i`.
    fn first(&self, i: usize) -> usize {
        self.firsts.get(i).copied().unwrap_or(0)
    }

    /// `inputs * outputs + outputs`: masked weights are stored (as zeros) and counted.
    pub fn num_params(&self) -> usize {
        (self.inputs + usize::from(self.bias)) * self.outputs
    }

    /// `weight (inputs, outputs)`, then `bias (outputs)` if there is one.
    pub fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("weight", &[self.inputs, self.outputs]);
        if self.bias {
            visitor.offset("bias", &[self.outputs]);
        }
    }

    /// Weights from `N(0, gain^2 / limit(j))`, zero outside the mask; biases uniform within `1 / sqrt limit(j)`, so that
    /// units bend at different places; all zero where `gain` is 0.
    pub fn init<T: Real>(&self, gain: f64, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        if gain == 0.0 {
            return;
        }
        let normal =
            Array2::<f64>::from_shape_simple_fn((self.inputs, self.outputs), || rng.sample(StandardNormal));
        for j in 0..self.outputs {
            let limit = self.limit(j);
            let scale = gain / (limit.max(1) as f64).sqrt();
            for i in 0..limit {
                params[i * self.outputs + j] = T::of(scale * normal[[i, j]]);
            }
        }
        for (j, b) in params[self.inputs * self.outputs..].iter_mut().enumerate() {
            let width = 1.0 / (self.limit(j).max(1) as f64).sqrt();
            *b = T::of(rng.random_range(-width..=width));
        }
    }

    /// Sets weights outside the mask to zero: for numbers that did not come from [`init`](Self::init) and training,
    /// such as a file's.
    pub fn project<T: Real>(&self, params: &mut [T]) {
        for j in 0..self.limits.len() {
            for i in self.limits[j]..self.inputs {
                params[i * self.outputs + j] = T::zero();
            }
        }
    }

    /// `y = x W + b`. Rows of `y` are contiguous.
    pub fn forward<T: Real>(&self, params: &[T], x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
        let (w, b) = self.split(params);
        self.products_with_w(x, w, self.start(b), Finish::Keep, y);
    }

    /// `y = max(x W + b, 0)`, in one pass.
    pub fn forward_relu<T: Real>(&self, params: &[T], x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
        let (w, b) = self.split(params);
        self.products_with_w(x, w, self.start(b), Finish::Relu, y);
    }

    fn start<'a, T>(&self, b: &'a [T]) -> Start<'a, T> {
        if self.bias { Start::Bias(b) } else { Start::Zero }
    }

    /// `y += x W + b`: how a second source (a context, a residual branch) joins.
    pub fn forward_add<T: Real>(&self, params: &[T], x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
        let (w, b) = self.split(params);
        let start = if self.bias {
            Start::ResultAndBias(b)
        } else {
            Start::Result
        };
        self.products_with_w(x, w, start, Finish::Keep, y);
    }

    fn products_with_w<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        w: ArrayView2<'_, T>,
        start: Start<'_, T>,
        finish: Finish<'_, T>,
        y: ArrayViewMut2<'_, T>,
    ) {
        let rows = x.nrows();
        product(x, w, start, finish, y, |outputs| Part {
            rows,
            depth: 0..self.limit(outputs.end - 1),
        });
    }

    /// Adds `xᵀ g` and the column sums of `g` to `grads`: the parameters' gradients of [`forward`](Self::forward) (and of
    /// [`forward_add`](Self::forward_add)) from `g = dL/dy`.
    pub fn backward<T: Real>(&self, x: ArrayView2<'_, T>, g: ArrayView2<'_, T>, grads: &mut [T]) {
        let rows = x.nrows();
        let (gw, gb) = grads.split_at_mut(self.inputs * self.outputs);
        let matrix = ArrayViewMut2::from_shape((self.inputs, self.outputs), &mut *gw)
            .expect("the slice was split at this length");
        product(x.t(), g, Start::Result, Finish::Keep, matrix, |outputs| Part {
            rows: self.limit(outputs.end - 1),
            depth: 0..rows,
        });
        // A panel also computes entries outside the mask: those left of the first output that sees the input.
        for (row, &first) in gw.chunks_exact_mut(self.outputs.max(1)).zip(&self.firsts) {
            row[first.saturating_sub(WIDEST - 1)..first].fill(T::zero());
        }
        if self.bias {
            dispatch(AddRows(g, &mut gb[..self.outputs]));
        }
    }

    /// `gx = g Wᵀ`: the gradient of the inputs.
    pub fn backward_input<T: Real>(&self, params: &[T], g: ArrayView2<'_, T>, gx: ArrayViewMut2<'_, T>) {
        self.products_with_wt(params, g, Start::Zero, Finish::Keep, gx);
    }

    /// The same for inputs that ReLU made: 0 where `x` is not above 0, in one pass. Rows of `x` are contiguous.
    pub fn backward_input_relu<T: Real>(
        &self,
        params: &[T],
        g: ArrayView2<'_, T>,
        x: ArrayView2<'_, T>,
        gx: ArrayViewMut2<'_, T>,
    ) {
        self.products_with_wt(params, g, Start::Zero, Finish::WherePositive(x), gx);
    }

    /// `gx += g Wᵀ`.
    pub fn backward_input_add<T: Real>(&self, params: &[T], g: ArrayView2<'_, T>, gx: ArrayViewMut2<'_, T>) {
        self.products_with_wt(params, g, Start::Result, Finish::Keep, gx);
    }

    fn products_with_wt<T: Real>(
        &self,
        params: &[T],
        g: ArrayView2<'_, T>,
        start: Start<'_, T>,
        finish: Finish<'_, T>,
        gx: ArrayViewMut2<'_, T>,
    ) {
        let rows = g.nrows();
        let (w, _) = self.split(params);
        product(g, w.reversed_axes(), start, finish, gx, |inputs| Part {
            rows,
            depth: self.first(inputs.start)..self.outputs,
        });
    }

    /// The outputs `units` alone, feature-major: `y[units, ..] = W[.., units]ᵀ x + b[units]`, reading only the
    /// inputs those units may see. `x: (inputs, rows)`, `y: (outputs, rows)`.
    pub fn forward_units<T: Real>(
        &self,
        params: &[T],
        units: Range<usize>,
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        let (_, b) = self.split(params);
        for (mut row, &b) in y
            .slice_mut(s![units.clone(), ..])
            .rows_mut()
            .into_iter()
            .zip(&b[units.clone()])
        {
            row.fill(b);
        }
        self.add_units(params, units, x, y);
    }

    /// The same, added to what `y[units, ..]` holds.
    pub fn forward_units_add<T: Real>(
        &self,
        params: &[T],
        units: Range<usize>,
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        if self.bias {
            let (_, b) = self.split(params);
            for (mut row, &b) in y
                .slice_mut(s![units.clone(), ..])
                .rows_mut()
                .into_iter()
                .zip(&b[units.clone()])
            {
                row += b;
            }
        }
        self.add_units(params, units, x, y);
    }

    /// What the inputs `inputs` alone add, feature-major: `y += W[inputs, ..]ᵀ x`. `x: (inputs.len(), rows)`,
    /// `y: (outputs, rows)`.
    pub fn forward_inputs_add<T: Real>(
        &self,
        params: &[T],
        inputs: Range<usize>,
        x: ArrayView2<'_, T>,
        y: ArrayViewMut2<'_, T>,
    ) {
        if inputs.is_empty() {
            return;
        }
        let (w, _) = self.split(params);
        let (rows, depth) = (self.outputs, inputs.len());
        product(
            w.slice(s![inputs, ..]).reversed_axes(),
            x,
            Start::Result,
            Finish::Keep,
            y,
            |_| Part {
                rows,
                depth: 0..depth,
            },
        );
    }

    fn add_units<T: Real>(
        &self,
        params: &[T],
        units: Range<usize>,
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        if units.is_empty() {
            return;
        }
        let (w, _) = self.split(params);
        let limit = self.limit(units.end - 1);
        let rows = units.len();
        product(
            w.slice(s![..limit, units.clone()]).reversed_axes(),
            x.slice(s![..limit, ..]),
            Start::Result,
            Finish::Keep,
            y.slice_mut(s![units, ..]),
            |_| Part {
                rows,
                depth: 0..limit,
            },
        );
    }

    fn split<'a, T: Real>(&self, params: &'a [T]) -> (ArrayView2<'a, T>, &'a [T]) {
        let (w, b) = params.split_at(self.inputs * self.outputs);
        let w = ArrayView2::from_shape((self.inputs, self.outputs), w)
            .expect("the slice was split at this length");
        (w, b)
    }
}

/// Adds every row of a matrix to one row of the same length.
struct AddRows<'a, T>(ArrayView2<'a, T>, &'a mut [T]);

impl<T: Real> Kernel for AddRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        const WIDE: usize = 64;
        let Self(g, sums) = self;
        let columns = g.ncols();
        match g.as_slice() {
            Some(g) if columns > 0 => {
                let (wide, rest) = sums.as_chunks_mut::<WIDE>();
                let middle = wide.len() * WIDE;
                // A few registers' columns at a time: their sums stay there.
                for (i, sums) in wide.iter_mut().enumerate() {
                    let mut own = *sums;
                    for row in g.chunks_exact(columns) {
                        let row = row[i * WIDE..]
                            .first_chunk::<WIDE>()
                            .expect("as many columns as sums");
                        own.iter_mut().zip(row).for_each(|(sum, &v)| *sum += v);
                    }
                    *sums = own;
                }
                if rest.is_empty() {
                    return;
                }
                // Four rows at a time, so that a sum in memory is read and written once for four.
                let mut fours = g.chunks_exact(4 * columns);
                for four in &mut fours {
                    let (a, b) = four.split_at(2 * columns);
                    let (a, b) = (a.split_at(columns), b.split_at(columns));
                    let pairs = (a.0[middle..].iter().zip(&a.1[middle..]))
                        .zip(b.0[middle..].iter().zip(&b.1[middle..]));
                    for (sum, ((&a, &b), (&c, &d))) in rest.iter_mut().zip(pairs) {
                        *sum += (a + b) + (c + d);
                    }
                }
                for row in fours.remainder().chunks_exact(columns) {
                    rest.iter_mut()
                        .zip(&row[middle..])
                        .for_each(|(sum, &v)| *sum += v);
                }
            }
            _ => {
                for row in g.rows() {
                    sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum += v);
                }
            }
        }
    }
}
