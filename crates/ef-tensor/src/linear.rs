//! Affine layers, dense and masked.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, s};
use ndarray_rand::{RandomExt, rand_distr::StandardNormal};
use rand::RngCore;

use crate::error::TensorError;
use crate::gemm;
use crate::params::ParamVisitor;
use crate::real::Real;

/// A run of outputs whose products share one prefix of the inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    outputs: Range<usize>,
    /// The largest prefix any of them may see.
    inputs: usize,
}

/// `y = x W + b`, where output `j` may see only the first `limit(j)` inputs.
///
/// Shapes: `x: (rows, inputs)`, `y: (rows, outputs)`, `W: (inputs, outputs)` row-major, then `b: (outputs)`, both
/// in one slice. [`Linear::new`] is dense. [`Linear::masked`] is the layer of a masked autoregressive network
/// (Germain et al. 2015, 1502.03509, eq. 8) whose units are **sorted by degree**: the mask is then a staircase, and
/// products over a few column blocks skip most of its zeros instead of multiplying by them.
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
    blocks: Vec<Block>,
}

/// Outputs a block holds at the least: thinner blocks cost more in calls than the zeros they skip.
const BLOCK: usize = 48;
/// And the most blocks a layer is cut into.
const MOST_BLOCKS: usize = 8;

impl Linear {
    /// A dense layer.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            bias: true,
            limits: Vec::new(),
            blocks: vec![Block {
                outputs: 0..outputs,
                inputs,
            }],
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
        let outputs = limits.len();
        let pieces = (outputs / BLOCK).clamp(1, MOST_BLOCKS);
        let blocks = (0..pieces)
            .map(|i| crate::shards::piece(outputs, pieces, i))
            .filter(|r| !r.is_empty())
            .map(|r| Block {
                inputs: limits[r.end - 1],
                outputs: r,
            })
            .collect();
        Ok(Self {
            inputs,
            outputs,
            bias: true,
            limits: limits.to_vec(),
            blocks,
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

    /// `inputs * outputs + outputs`: masked weights are stored (as zeros) and counted.
    pub fn num_params(&self) -> usize {
        (self.inputs + usize::from(self.bias)) * self.outputs
    }

    /// `weight (inputs, outputs)`, then `bias (outputs)` if there is one.
    pub fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        visitor.param("weight", &[self.inputs, self.outputs]);
        if self.bias {
            visitor.param("bias", &[self.outputs]);
        }
    }

    /// Weights from `N(0, gain^2 / limit(j))`, zero outside the mask and where `gain` is 0; biases zero.
    pub fn init<T: Real>(&self, gain: f64, rng: &mut dyn RngCore, params: &mut [T]) {
        params.fill(T::zero());
        if gain == 0.0 {
            return;
        }
        let normal = Array2::<f64>::random_using((self.inputs, self.outputs), StandardNormal, rng);
        let (mut w, _) = self.split_mut(params);
        for j in 0..self.outputs {
            let limit = self.limit(j);
            let scale = gain / (limit.max(1) as f64).sqrt();
            for i in 0..limit {
                w[[i, j]] = T::of(scale * normal[[i, j]]);
            }
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

    /// `y = x W + b`.
    pub fn forward<T: Real>(&self, params: &[T], x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
        self.affine(params, x, T::zero(), y);
    }

    /// `y += x W + b`: how a second source (a context, a residual branch) joins.
    pub fn forward_add<T: Real>(&self, params: &[T], x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
        self.affine(params, x, T::one(), y);
    }

    /// `y = beta y + x W + b`.
    fn affine<T: Real>(&self, params: &[T], x: ArrayView2<'_, T>, beta: T, mut y: ArrayViewMut2<'_, T>) {
        let (w, b) = self.split(params);
        for block in &self.blocks {
            let (rows, cols) = (
                s![..block.inputs, block.outputs.clone()],
                s![.., block.outputs.clone()],
            );
            gemm(
                T::one(),
                x.slice(s![.., ..block.inputs]),
                w.slice(rows),
                beta,
                y.slice_mut(cols),
            );
        }
        if self.bias {
            for mut row in y.rows_mut() {
                row += &b;
            }
        }
    }

    /// The gradients of [`forward`](Self::forward) (and of [`forward_add`](Self::forward_add)):
    /// adds `xᵀ g` and the column sums of `g` to `grads`, and `g Wᵀ` to `gx` if given.
    pub fn backward<T: Real>(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        g: ArrayView2<'_, T>,
        gx: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
    ) {
        let (mut gw, mut gb) = self.split_mut(grads);
        for block in &self.blocks {
            let (rows, cols) = (
                s![..block.inputs, block.outputs.clone()],
                s![.., block.outputs.clone()],
            );
            gemm(
                T::one(),
                x.slice(s![.., ..block.inputs]).t(),
                g.slice(cols),
                T::one(),
                gw.slice_mut(rows),
            );
        }
        self.clear_masked(gw);
        if self.bias {
            for row in g.rows() {
                gb += &row;
            }
        }
        if let Some(mut gx) = gx {
            let (w, _) = self.split(params);
            for block in &self.blocks {
                let (rows, cols) = (
                    s![..block.inputs, block.outputs.clone()],
                    s![.., block.outputs.clone()],
                );
                gemm(
                    T::one(),
                    g.slice(cols),
                    w.slice(rows).t(),
                    T::one(),
                    gx.slice_mut(s![.., ..block.inputs]),
                );
            }
        }
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
        y.slice_mut(s![units.clone(), ..]).fill(T::zero());
        self.forward_units_add(params, units, x, y);
    }

    /// The same, added to what `y[units, ..]` holds.
    pub fn forward_units_add<T: Real>(
        &self,
        params: &[T],
        units: Range<usize>,
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        if units.is_empty() {
            return;
        }
        let (w, b) = self.split(params);
        let limit = self.limit(units.end - 1);
        let mut y = y.slice_mut(s![units.clone(), ..]);
        if self.bias {
            for (mut row, &b) in y.axis_iter_mut(Axis(0)).zip(b.slice(s![units.clone()])) {
                row.mapv_inplace(|v| v + b);
            }
        }
        gemm(
            T::one(),
            w.slice(s![..limit, units]).reversed_axes(),
            x.slice(s![..limit, ..]),
            T::one(),
            y,
        );
    }

    /// Sets the gradients of masked weights that the block products touched back to zero.
    fn clear_masked<T: Real>(&self, mut gw: ArrayViewMut2<'_, T>) {
        if self.limits.is_empty() {
            return;
        }
        for block in &self.blocks {
            for i in 0..block.inputs {
                let masked = self.limits[block.outputs.clone()].partition_point(|&l| l <= i);
                gw.slice_mut(s![i, block.outputs.start..block.outputs.start + masked])
                    .fill(T::zero());
            }
        }
    }

    fn split<'a, T: Real>(&self, params: &'a [T]) -> (ArrayView2<'a, T>, ArrayView1<'a, T>) {
        let (w, b) = params.split_at(self.inputs * self.outputs);
        (
            ArrayView2::from_shape((self.inputs, self.outputs), w)
                .expect("the slice was split at this length"),
            ArrayView1::from(b),
        )
    }

    fn split_mut<'a, T: Real>(&self, params: &'a mut [T]) -> (ArrayViewMut2<'a, T>, ArrayViewMut1<'a, T>) {
        let (w, b) = params.split_at_mut(self.inputs * self.outputs);
        (
            ArrayViewMut2::from_shape((self.inputs, self.outputs), w)
                .expect("the slice was split at this length"),
            ArrayViewMut1::from(b),
        )
    }
}
