//! Hidden layers: plain or residual, dense or masked.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Zip};
use rand_core::RngCore;

use crate::activation::Activation;
use crate::error::TensorError;
use crate::linear::Linear;
use crate::params::{ParamVisitor, Scope};
use crate::real::Real;
use crate::tape::{Tape, Workspace, keep};

/// Shape of the hidden layers of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MlpConfig {
    /// Units of a hidden layer.
    pub hidden: usize,
    /// Plain: the number of hidden layers, at least 1. Residual: the number of residual blocks.
    pub blocks: usize,
    /// Whether blocks are residual: `h += f(f(h) A + a) B + b`, with `f` the activation.
    pub residual: bool,
    /// The activation.
    pub activation: Activation,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            hidden: 128,
            blocks: 2,
            residual: true,
            activation: Activation::Silu,
        }
    }
}

/// Multipliers for a dropout layer: 0 where a unit is dropped, `1 / (1 - rate)` where it stays, so that the mean is
/// kept. The owner keys them, so that a row's mask does not depend on how rows are cut into shards.
pub trait DropoutMask<T> {
    /// Fills the mask of residual block `block`; `mask: (rows, hidden)`.
    fn fill(&mut self, block: usize, mask: ArrayViewMut2<'_, T>);
}

/// The part of a network from its first hidden pre-activation on.
///
/// The first layer is the owner's, because what feeds it differs: dense columns ([`Linear`]), gathered features
/// ([`SparseLinear`](crate::SparseLinear)), a context, or several of them added up. From `h: (rows, hidden)`:
///
/// * plain: `f(h)`, then `blocks - 1` times `f(. A + a)`, then the output layer;
/// * residual (He et al. 2016, 1603.05027, pre-activation; for masked networks Durkan et al. 2019, 1906.04032):
///   `blocks` times `h += drop(f(f(h) A + a)) B + b`, then the output layer on `f(h)`.
///
/// Masked networks give every hidden unit a degree, sorted, and every output a limit: see [`Mlp::masked`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mlp {
    pub(crate) config: MlpConfig,
    /// Plain: `blocks - 1` layers. Residual: two a block.
    pub(crate) hidden: Vec<Linear>,
    pub(crate) output: Linear,
}

impl Mlp {
    /// A dense network with `outputs` outputs.
    pub fn new(config: MlpConfig, outputs: usize) -> Self {
        let layers = Self::num_hidden_layers(config);
        Self {
            config,
            hidden: vec![Linear::new(config.hidden, config.hidden); layers],
            output: Linear::new(config.hidden, outputs),
        }
    }

    /// A masked network. `degrees` (sorted, one a hidden unit) says what a unit has seen; a unit sees units of its
    /// own degree or less, and output `j` sees the units of degree at most `output_degrees[j]` (sorted).
    ///
    /// # Errors
    /// If degrees are not sorted.
    pub fn masked(
        config: MlpConfig,
        degrees: &[usize],
        output_degrees: &[usize],
    ) -> Result<Self, TensorError> {
        let config = MlpConfig {
            hidden: degrees.len(),
            ..config
        };
        let seen = |d: usize| degrees.partition_point(|&e| e <= d);
        let limits: Vec<usize> = degrees.iter().map(|&d| seen(d)).collect();
        let out_limits: Vec<usize> = output_degrees.iter().map(|&d| seen(d)).collect();
        let square = Linear::masked(config.hidden, &limits)?;
        Ok(Self {
            config,
            hidden: vec![square; Self::num_hidden_layers(config)],
            output: Linear::masked(config.hidden, &out_limits)?,
        })
    }

    fn num_hidden_layers(config: MlpConfig) -> usize {
        if config.residual {
            2 * config.blocks
        } else {
            config.blocks.saturating_sub(1)
        }
    }

    /// The configuration it was built with (`hidden` as it came out).
    pub fn config(&self) -> MlpConfig {
        self.config
    }

    /// Units of a hidden layer.
    pub fn hidden(&self) -> usize {
        self.config.hidden
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.output.outputs()
    }

    /// Number of parameters.
    pub fn num_params(&self) -> usize {
        self.hidden.iter().map(Linear::num_params).sum::<usize>() + self.output.num_params()
    }

    /// `hidden.0 ..`, then `output`.
    pub fn visit_params(&self, visitor: &mut dyn ParamVisitor) {
        for (i, layer) in self.hidden.iter().enumerate() {
            layer.visit_params(&mut Scope::new(format!("hidden.{i}"), visitor));
        }
        self.output.visit_params(&mut Scope::new("output", visitor));
    }

    /// What owners multiply the first layer's starting weights by: 1, but for ReLU networks wider than 64 units less, down
    /// to 1/2. Adam moves every weight by about the same, so an output that starts at 0 moves with the number and the size
    /// of the units it reads: wide networks learn faster from smaller ones.
    pub fn first_gain(&self) -> f64 {
        if self.begins_with_relu() {
            (64.0 / self.config.hidden as f64).clamp(0.5, 1.0)
        } else {
            1.0
        }
    }

    /// Hidden weights `N(0, gain^2 / fan_in)` with gain 1, .1 for the closing layer of a residual block, and `sqrt 2` times
    /// [`first_gain`](Self::first_gain) for ReLU; output weights with `output_gain` (0 starts the network as a constant).
    pub fn init<T: Real>(&self, output_gain: f64, rng: &mut dyn RngCore, params: &mut [T]) {
        let gain = if self.config.activation == Activation::Relu {
            std::f64::consts::SQRT_2 * self.first_gain()
        } else {
            1.0
        };
        let mut rest = params;
        for (i, layer) in self.hidden.iter().enumerate() {
            let (own, next) = rest.split_at_mut(layer.num_params());
            layer.init(
                if self.config.residual && i % 2 == 1 {
                    0.1
                } else {
                    gain
                },
                rng,
                own,
            );
            rest = next;
        }
        self.output.init(output_gain, rng, rest);
    }

    /// Sets weights outside the masks to zero; see [`Linear::project`].
    pub fn project<T: Real>(&self, params: &mut [T]) {
        let at = params.len() - self.output.num_params();
        let (hidden, output) = params.split_at_mut(at);
        self.project_hidden(hidden);
        self.output.project(output);
    }

    /// The same for the hidden layers alone: for owners that mask the output layer themselves.
    pub fn project_hidden<T: Real>(&self, params: &mut [T]) {
        let mut rest = params;
        for layer in &self.hidden {
            let (own, next) = rest.split_at_mut(layer.num_params());
            layer.project(own);
            rest = next;
        }
    }

    /// `y = net(h)`; consumes `h`, an array of `ws`. Records on `tape` if given.
    pub fn forward<T: Real>(
        &self,
        params: &[T],
        h: Array2<T>,
        y: ArrayViewMut2<'_, T>,
        mut dropout: Option<&mut dyn DropoutMask<T>>,
        mut tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let (mut h, mut at) = (h, Cursor::new(params));
        if self.config.residual {
            for block in 0..self.config.blocks {
                self.residual_block(block, &mut at, &mut h, &mut dropout, &mut tape, ws);
            }
        }
        self.activate(&mut h, &mut tape, ws);
        self.after_activation(at, h, y, tape, ws);
    }

    /// Whether the first thing [`forward`](Self::forward) does is ReLU: then the layer that makes `h` may do it in passing
    /// ([`Linear::forward_relu`]), and [`forward_activated`](Self::forward_activated) goes on.
    pub fn begins_with_relu(&self) -> bool {
        !self.config.residual && self.config.activation == Activation::Relu
    }

    /// [`forward`](Self::forward) from `f(h)`, for networks that [begin with ReLU](Self::begins_with_relu).
    pub fn forward_activated<T: Real>(
        &self,
        params: &[T],
        activated: Array2<T>,
        y: ArrayViewMut2<'_, T>,
        tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        debug_assert!(self.begins_with_relu());
        self.after_activation(Cursor::new(params), activated, y, tape, ws);
    }

    /// `h += drop(f(f(h) A + a)) B + b`.
    fn residual_block<T: Real>(
        &self,
        block: usize,
        at: &mut Cursor<'_, T>,
        h: &mut Array2<T>,
        dropout: &mut Option<&mut dyn DropoutMask<T>>,
        tape: &mut Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let pair = &self.hidden[2 * block..2 * block + 2];
        let (rows, hidden) = h.dim();
        let mut a = ws.take(rows, hidden);
        a.assign(h);
        self.activate(&mut a, tape, ws);
        let mut b = ws.take(rows, hidden);
        pair[0].forward(at.next(pair[0].num_params()), a.view(), b.view_mut());
        keep(tape, ws, a);
        // The slope is computed from the activation's output, so the mask is applied after it.
        self.activate(&mut b, tape, ws);
        if let Some(dropout) = dropout {
            let mut mask = ws.take(rows, hidden);
            dropout.fill(block, mask.view_mut());
            let mut dropped = ws.take(rows, hidden);
            Zip::from(&mut dropped)
                .and(&b)
                .and(&mask)
                .for_each(|d, &b, &m| *d = b * m);
            keep(tape, ws, std::mem::replace(&mut b, dropped));
            keep(tape, ws, mask);
        }
        pair[1].forward_add(at.next(pair[1].num_params()), b.view(), h.view_mut());
        keep(tape, ws, b);
    }

    /// The plain layers from `h = f(.)` on, and the output layer.
    fn after_activation<T: Real>(
        &self,
        mut at: Cursor<'_, T>,
        mut h: Array2<T>,
        y: ArrayViewMut2<'_, T>,
        mut tape: Option<&mut Tape<T>>,
        ws: &mut Workspace<T>,
    ) {
        let relu = self.config.activation == Activation::Relu;
        let plain = if self.config.residual {
            &[][..]
        } else {
            &self.hidden
        };
        for layer in plain {
            let mut next = ws.take(h.nrows(), self.config.hidden);
            let params = at.next(layer.num_params());
            if relu {
                layer.forward_relu(params, h.view(), next.view_mut());
            } else {
                layer.forward(params, h.view(), next.view_mut());
            }
            keep(&mut tape, ws, std::mem::replace(&mut h, next));
            if !relu {
                self.activate(&mut h, &mut tape, ws);
            }
        }
        self.output
            .forward(at.next(self.output.num_params()), h.view(), y);
        keep(&mut tape, ws, h);
    }

    /// From `dL/dy`, adds the parameter gradients to `grads` and returns `dL/dh` as an array of `ws`. `dropout` says
    /// whether the forward pass had masks.
    pub fn backward<T: Real>(
        &self,
        params: &[T],
        gy: ArrayView2<'_, T>,
        dropout: bool,
        grads: &mut [T],
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) -> Array2<T> {
        let rows = gy.nrows();
        let mut end = params.len();
        let mut own = |n: usize| {
            end -= n;
            end..end + n
        };
        // A layer's input is recorded after the slopes that belong to it, if there are any.
        let (span, a) = (own(self.output.num_params()), tape.pop());
        self.output.backward(a.view(), gy, &mut grads[span.clone()]);
        let mut g = ws.take(rows, self.config.hidden);
        self.backward_input(&self.output, &params[span], gy, a, g.view_mut(), tape, ws);
        if self.config.residual {
            for pair in self.hidden.chunks_exact(2).rev() {
                let (span, mut b) = (own(pair[1].num_params()), tape.pop());
                pair[1].backward(b.view(), g.view(), &mut grads[span.clone()]);
                let mut gb = ws.take(rows, self.config.hidden);
                pair[1].backward_input(&params[span], g.view(), gb.view_mut());
                if dropout {
                    let mask = tape.pop();
                    gb *= &mask;
                    ws.give(mask);
                    ws.give(std::mem::replace(&mut b, tape.pop()));
                }
                self.chain(gb.view_mut(), b, tape, ws);
                let (span, a) = (own(pair[0].num_params()), tape.pop());
                pair[0].backward(a.view(), gb.view(), &mut grads[span.clone()]);
                let mut ga = ws.take(rows, self.config.hidden);
                self.backward_input(&pair[0], &params[span], gb.view(), a, ga.view_mut(), tape, ws);
                ws.give(gb);
                g += &ga;
                ws.give(ga);
            }
        } else {
            for layer in self.hidden.iter().rev() {
                let (span, a) = (own(layer.num_params()), tape.pop());
                layer.backward(a.view(), g.view(), &mut grads[span.clone()]);
                let mut ga = ws.take(rows, self.config.hidden);
                self.backward_input(layer, &params[span], g.view(), a, ga.view_mut(), tape, ws);
                ws.give(std::mem::replace(&mut g, ga));
            }
        }
        g
    }

    /// `h <- f(h)`; its slope goes on the tape, if the activation keeps one.
    fn activate<T: Real>(&self, h: &mut Array2<T>, tape: &mut Option<&mut Tape<T>>, ws: &mut Workspace<T>) {
        let f = self.config.activation;
        let (rows, columns) = h.dim();
        let h = h.as_slice_mut().expect("standard layout");
        match tape {
            Some(tape) if f.keeps_slope() => {
                let mut slope = ws.take(rows, columns);
                f.apply(h, slope.as_slice_mut());
                tape.push(slope);
            }
            _ => f.apply(h, None),
        }
    }

    /// `gh = (g Wᵀ) f'(h)` for a layer that reads `a = f(h)`, which goes back to the workspace.
    fn backward_input<T: Real>(
        &self,
        layer: &Linear,
        params: &[T],
        g: ArrayView2<'_, T>,
        a: Array2<T>,
        mut gh: ArrayViewMut2<'_, T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        if self.config.activation == Activation::Relu {
            layer.backward_input_relu(params, g, a.view(), gh);
            ws.give(a);
        } else {
            layer.backward_input(params, g, gh.view_mut());
            self.chain(gh, a, tape, ws);
        }
    }

    /// `g <- g f'(h)`, given `a = f(h)`, which goes back to the workspace.
    fn chain<T: Real>(
        &self,
        mut g: ArrayViewMut2<'_, T>,
        a: Array2<T>,
        tape: &mut Tape<T>,
        ws: &mut Workspace<T>,
    ) {
        let f = self.config.activation;
        let kept = if f.keeps_slope() {
            tape.pop()
        } else {
            ws.take(0, 0)
        };
        let from = if f.keeps_slope() { &kept } else { &a };
        let g = g.as_slice_mut().expect("standard layout");
        f.chain(g, from.as_slice().expect("standard layout"));
        ws.give(kept);
        ws.give(a);
    }
}

/// Walks a parameter slice layer by layer.
pub(crate) struct Cursor<'a, T> {
    rest: &'a [T],
}

impl<'a, T> Cursor<'a, T> {
    pub(crate) fn new(rest: &'a [T]) -> Self {
        Self { rest }
    }

    pub(crate) fn next(&mut self, len: usize) -> &'a [T] {
        let (own, rest) = self.rest.split_at(len);
        self.rest = rest;
        own
    }
}
