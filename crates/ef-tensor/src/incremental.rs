//! A masked network, degree by degree.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Zip, s};

use crate::activation::Activation;
use crate::mlp::{Cursor, Mlp};
use crate::real::Real;
use crate::tape::Workspace;

/// A masked network evaluated unit by unit as its inputs become known: all degrees together cost one pass.
///
/// Feature-major, `(units, rows)`, so that a step of few units is a product over all rows. This is what makes the
/// slow direction of an autoregressive flow as cheap as the fast one.
#[derive(Debug)]
pub struct Incremental<'a, T> {
    net: &'a Mlp,
    params: &'a [T],
    /// Pre-activations of the first hidden layer, `(hidden, rows)`: the owner fills them, unit by unit.
    pub first: Array2<T>,
    /// The activations each layer reads, in order; the last are the output layer's.
    activations: Vec<Array2<T>>,
    outputs: Array2<T>,
}

impl<'a, T: Real> Incremental<'a, T> {
    /// Starts with every unit unknown.
    pub fn new(net: &'a Mlp, params: &'a [T], rows: usize, ws: &mut Workspace<T>) -> Self {
        Self {
            net,
            params,
            first: ws.zeros(net.config.hidden, rows),
            activations: (0..=net.hidden.len())
                .map(|_| ws.take(net.config.hidden, rows))
                .collect(),
            outputs: ws.take(net.output.outputs(), rows),
        }
    }

    /// Finishes the hidden units `units`, whose first pre-activations the owner has just completed and whose
    /// predecessors are all finished.
    pub fn advance(&mut self, units: Range<usize>) {
        if units.is_empty() {
            return;
        }
        let config = self.net.config;
        let mut at = Cursor::new(self.params);
        let rows = s![units.clone(), ..];
        if config.residual {
            for (i, pair) in self.net.hidden.chunks_exact(2).enumerate() {
                let (read, write) = self.activations.split_at_mut(2 * i + 1);
                let a = &mut read[2 * i];
                a.slice_mut(rows).assign(&self.first.slice(rows));
                activate(config.activation, a.slice_mut(rows));
                let (b, spare) = write.split_at_mut(1);
                let (b, spare) = (&mut b[0], &mut spare[0]);
                let p = at.next(pair[0].num_params());
                pair[0].forward_units(p, units.clone(), a.view(), b.view_mut());
                activate(config.activation, b.slice_mut(rows));
                // The block's result is added to the running pre-activation; the output array lends its room.
                let p = at.next(pair[1].num_params());
                pair[1].forward_units(p, units.clone(), b.view(), spare.view_mut());
                Zip::from(self.first.slice_mut(rows))
                    .and(spare.slice(rows))
                    .for_each(|h, &d| *h += d);
            }
            let last = self.activations.last_mut().expect("there is always one");
            last.slice_mut(rows).assign(&self.first.slice(rows));
            activate(config.activation, last.slice_mut(rows));
        } else {
            let a = &mut self.activations[0];
            a.slice_mut(rows).assign(&self.first.slice(rows));
            activate(config.activation, a.slice_mut(rows));
            for (i, layer) in self.net.hidden.iter().enumerate() {
                let (read, write) = self.activations.split_at_mut(i + 1);
                let p = at.next(layer.num_params());
                layer.forward_units(p, units.clone(), read[i].view(), write[0].view_mut());
                activate(config.activation, write[0].slice_mut(rows));
            }
        }
    }

    /// The outputs `range`, `(range, rows)`; the units they see must be finished.
    pub fn outputs(&mut self, range: Range<usize>) -> ArrayView2<'_, T> {
        let at = self.net.num_params() - self.net.output.num_params();
        let last = self.activations.last().expect("there is always one");
        let p = &self.params[at..];
        self.net
            .output
            .forward_units(p, range.clone(), last.view(), self.outputs.view_mut());
        self.outputs.slice(s![range, ..])
    }

    /// Hands the memory back.
    pub fn finish(self, ws: &mut Workspace<T>) {
        ws.give(self.first);
        ws.give(self.outputs);
        self.activations.into_iter().for_each(|a| ws.give(a));
    }
}

fn activate<T: Real>(f: Activation, mut x: ArrayViewMut2<'_, T>) {
    f.apply(x.as_slice_mut().expect("rows of a standard layout"), None);
}
