//! The network that makes the parameters of a transform from some columns and a context.

use std::ops::Range;

use ef_tensor::{
    Degrees, Incremental, Linear, Mlp, MlpConfig, ParamVisitor, Real, Scope, Tape, TensorError, Workspace,
};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

/// `y = net(x W + c V + b)`: an input layer over columns `x`, a second one over the context `c`, and an [`Mlp`].
///
/// Dense, it serves coupling layers. Masked it is MADE (Germain et al. 2015, 1502.03509): with inputs in order, the
/// **degree** of a hidden unit is how many inputs it may see, output `j` of degree `i` sees units of degree at most
/// `i`, and so `y_j` depends on `x_0 .. x_{i-1}` and the context only. Units are sorted by degree, see [`Degrees`];
/// degree 0 exists only where there is a context to see. One column without context has no units: biases alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditioner {
    input: Linear,
    context: Option<Linear>,
    net: Mlp,
    /// Degrees of the hidden units; empty when dense.
    degrees: Vec<usize>,
}

impl Conditioner {
    /// A dense network from `inputs` columns to `outputs`.
    pub fn dense(inputs: usize, context_dim: usize, outputs: usize, config: MlpConfig) -> Self {
        Self {
            input: Linear::new(inputs, config.hidden),
            context: context_layer(context_dim, config.hidden),
            net: Mlp::new(config, outputs),
            degrees: Vec::new(),
        }
    }

    /// A masked network: column `i` gets `per_column` outputs, `i * per_column ..`, that see the columns before it.
    ///
    /// # Errors
    /// Never for degrees made here; the type is that of the masked layers it builds.
    pub fn masked(
        dim: usize,
        context_dim: usize,
        per_column: usize,
        config: MlpConfig,
        degrees: &Degrees,
    ) -> Result<Self, TensorError> {
        let degrees = degrees.of_units(dim, context_dim > 0, config.hidden);
        let outputs: Vec<usize> = (0..dim * per_column).map(|j| j / per_column).collect();
        let net = Mlp::masked(config, &degrees, &outputs)?;
        Ok(Self {
            input: Linear::masked(dim, &degrees)?,
            context: context_layer(context_dim, degrees.len()),
            net,
            degrees,
        })
    }

    /// Number of input columns.
    pub fn inputs(&self) -> usize {
        self.input.inputs()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.net.outputs()
    }

    /// Width of the context it reads.
    pub fn context_dim(&self) -> usize {
        self.context.as_ref().map_or(0, Linear::inputs)
    }

    /// Number of parameters.
    pub fn num_params(&self) -> usize {
        self.input.num_params() + self.context.as_ref().map_or(0, Linear::num_params) + self.net.num_params()
    }

    /// `input`, `context` if there is one, then the hidden and output layers.
    pub fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        self.input.visit_params(&mut Scope::new("input", visitor));
        if let Some(layer) = &self.context {
            layer.visit_params(&mut Scope::new("context", visitor));
        }
        self.net.visit_params(visitor);
    }

    /// Random hidden layers; an output layer of zeros, so that the transform starts at its identity.
    pub fn init<T: Real>(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        let (input, context, net) = self.split_mut(params);
        let gain = self.net.first_gain();
        self.input.init(gain, rng, input);
        if let Some(layer) = &self.context {
            layer.init(gain, rng, context);
        }
        self.net.init(0.0, rng, net);
    }

    /// Sets weights outside the masks to zero.
    pub fn project<T: Real>(&self, params: &mut [T]) {
        let (input, _, net) = self.split_mut(params);
        self.input.project(input);
        self.net.project(net);
    }

    /// Starting values for parameters that several orders share: as [`init`](Self::init), but with random weights from
    /// every column, since every weight is used by some order.
    pub(crate) fn init_any_order<T: Real>(&self, rng: &mut dyn RngCore, params: &mut [T]) {
        self.init(rng, params);
        let (input, _, _) = self.split_mut(params);
        let dense = Linear::new(self.input.inputs(), self.input.outputs());
        dense.init(1.0, rng, input);
    }

    /// Sets weights that no order uses to zero: those between hidden units.
    pub(crate) fn project_any_order<T: Real>(&self, params: &mut [T]) {
        let (_, _, net) = self.split_mut(params);
        self.net.project_hidden(net);
    }

    /// Calls `f(at place i, at column order[i])` with the indices of every parameter that belongs to a column: the
    /// input weights of its row, the output weights and biases of its outputs.
    pub(crate) fn each_column_weight(&self, order: &[usize], mut f: impl FnMut(usize, usize)) {
        let (hidden, outputs) = (self.net.hidden(), self.net.outputs());
        let per_column = outputs / order.len();
        let end = self.num_params();
        let output = end - (hidden + 1) * outputs;
        for (i, &j) in order.iter().enumerate() {
            for u in 0..hidden {
                f(i * hidden + u, j * hidden + u);
            }
            // rows of the output weights, then the biases as one row more
            for u in 0..=hidden {
                let row = output + u * outputs;
                for w in 0..per_column {
                    f(row + i * per_column + w, row + j * per_column + w);
                }
            }
        }
    }

    /// `y = net(x, context)`; `x: (rows, inputs)`, `y: (rows, outputs)`.
    pub fn forward<T: Real>(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        y: ArrayViewMut2<'_, T>,
        mut tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let h = self.first_layer(params, x, context, ws);
        if let Some(tape) = tape.as_deref_mut() {
            let mut copy = ws.take(x.nrows(), x.ncols());
            copy.assign(&x);
            tape.push(copy);
        }
        self.after_first_layer(params, h, y, tape, ws);
    }

    /// The same; consumes `x`, an array of `ws`.
    pub(crate) fn forward_owned<T: Real>(
        &self,
        params: &[T],
        x: Array2<T>,
        context: ArrayView2<'_, T>,
        y: ArrayViewMut2<'_, T>,
        mut tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let h = self.first_layer(params, x.view(), context, ws);
        match tape.as_deref_mut() {
            Some(tape) => tape.push(x),
            None => ws.give(x),
        }
        self.after_first_layer(params, h, y, tape, ws);
    }

    /// Whether the first layer applies the first activation in passing.
    fn first_layer_activates(&self) -> bool {
        self.context.is_none() && self.net.begins_with_relu()
    }

    fn first_layer<T: Real>(
        &self,
        params: &[T],
        x: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let (p_input, p_context, _) = self.split(params);
        let mut h = ws.take(x.nrows(), self.net.hidden());
        if self.first_layer_activates() {
            self.input.forward_relu(p_input, x, h.view_mut());
        } else {
            self.input.forward(p_input, x, h.view_mut());
        }
        if let Some(layer) = &self.context {
            layer.forward_add(p_context, context, h.view_mut());
        }
        h
    }

    fn after_first_layer<T: Real>(
        &self,
        params: &[T],
        h: Array2<T>,
        y: ArrayViewMut2<'_, T>,
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let (_, _, p_net) = self.split(params);
        if self.first_layer_activates() {
            self.net.forward_activated(p_net, h, y, tape, ws);
        } else {
            self.net.forward(p_net, h, y, None, tape, ws);
        }
    }

    /// From `gy = dL/dy`: adds to `grads`, to `gx`, and to `g_context` if given.
    pub fn backward<T: Real>(
        &self,
        params: &[T],
        gy: ArrayView2<'_, T>,
        context: ArrayView2<'_, T>,
        gx: ArrayViewMut2<'_, T>,
        g_context: Option<ArrayViewMut2<'_, T>>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let (p_input, p_context, p_net) = self.split(params);
        let (g_input, g_ctx_params, g_net) = self.split_mut(grads);
        let gh = self.net.backward(p_net, gy, false, g_net, tape, ws);
        let x = tape.pop();
        self.input.backward(x.view(), gh.view(), g_input);
        self.input.backward_input_add(p_input, gh.view(), gx);
        if let Some(layer) = &self.context {
            layer.backward(context, gh.view(), g_ctx_params);
            if let Some(g_context) = g_context {
                layer.backward_input_add(p_context, gh.view(), g_context);
            }
        }
        ws.give(x);
        ws.give(gh);
    }

    /// Starts an evaluation column by column (masked networks): see [`Columns`].
    pub(crate) fn columns<'a, T: Real>(
        &'a self,
        params: &'a [T],
        context: ArrayView2<'_, T>,
        rows: usize,
        ws: &mut Workspace<T>,
    ) -> Columns<'a, T> {
        let (p_input, p_context, p_net) = self.split(params);
        let mut net = Incremental::new(&self.net, p_net, rows, ws);
        if let Some(layer) = &self.context {
            layer.forward_units_add(p_context, 0..self.net.hidden(), context.t(), net.first.view_mut());
        }
        Columns {
            conditioner: self,
            p_input,
            net,
        }
    }

    fn units_of_degree(&self, degree: usize) -> Range<usize> {
        self.degrees.partition_point(|&d| d < degree)..self.degrees.partition_point(|&d| d <= degree)
    }

    fn bounds(&self) -> (usize, usize) {
        let input = self.input.num_params();
        (input, input + self.context.as_ref().map_or(0, Linear::num_params))
    }

    fn split<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T], &'a [T]) {
        let (a, b) = self.bounds();
        (&params[..a], &params[a..b], &params[b..])
    }

    fn split_mut<'a, T>(&self, params: &'a mut [T]) -> (&'a mut [T], &'a mut [T], &'a mut [T]) {
        let (a, b) = self.bounds();
        let (input, rest) = params.split_at_mut(a);
        let (context, net) = rest.split_at_mut(b - a);
        (input, context, net)
    }
}

/// A masked conditioner evaluated as its columns become known; all of them cost about one pass.
#[derive(Debug)]
pub(crate) struct Columns<'a, T> {
    conditioner: &'a Conditioner,
    p_input: &'a [T],
    net: Incremental<'a, T>,
}

impl<T: Real> Columns<'_, T> {
    /// The outputs of column `i`, `(per_column, rows)`, from the columns before it: `x: (dim, rows)`, feature-major,
    /// filled up to row `i - 1`. Call for `i = 0, 1, ..` in order.
    pub(crate) fn outputs(&mut self, i: usize, x: ArrayView2<'_, T>) -> ArrayView2<'_, T> {
        let units = self.conditioner.units_of_degree(i);
        self.conditioner
            .input
            .forward_units_add(self.p_input, units.clone(), x, self.net.first.view_mut());
        self.net.advance(units);
        let per_column = self.conditioner.outputs() / self.conditioner.inputs();
        self.net.outputs(i * per_column..(i + 1) * per_column)
    }

    pub(crate) fn finish(self, ws: &mut Workspace<T>) {
        self.net.finish(ws);
    }
}

fn context_layer(context_dim: usize, hidden: usize) -> Option<Linear> {
    (context_dim > 0).then(|| Linear::new(context_dim, hidden).without_bias())
}

/// Copies column `j` of `from` to row `j` of `to`, and back: the layouts of the two directions.
pub(crate) fn transpose_into<T: Real>(from: ArrayView2<'_, T>, mut to: ArrayViewMut2<'_, T>) {
    to.assign(&from.t());
}
