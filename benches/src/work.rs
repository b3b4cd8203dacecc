//! Useful work: the arithmetic that a flow cannot do without, and the bytes that it must move at the least.
//!
//! Only products count. A row meets each weight once in the forward direction, a multiplication and an addition; the
//! backward pass has two products of that size. Weights outside a mask are not useful: of a masked layer only those
//! inside it count. What else a flow does (activations, splines, the optimizer) is real work and left out on purpose:
//! the share of the peak then says how far all of it together is from the products alone.

use ef_density::Density;
use ef_tensor::params::ParamLayout;

/// Useful work of a flow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Numbers that multiply an input of a row: weights inside their masks.
    weights: usize,
    params: usize,
    /// Outputs of all layers of all networks: one bias each.
    units: usize,
}

const BYTES: usize = size_of::<f32>();

impl Work {
    /// Counts the work of a density whose arrays are named `weight` and `bias`, or `u`, `w` and `b` (planar).
    pub fn of<D: Density<f32>>(density: &D) -> Self {
        let mut params = vec![1.0; density.num_params()];
        // zeros outside the masks
        density.project(&mut params);
        let layout = ParamLayout::of(|visitor| density.visit_params(visitor));
        let (mut weights, mut units) = (0, 0);
        for entry in layout.entries() {
            let values = &params[entry.offset..entry.offset + entry.len()];
            match entry.name.rsplit('.').next() {
                Some("weight" | "u" | "w") => weights += values.iter().filter(|&&v| v != 0.0).count(),
                Some("bias" | "b") => units += values.len(),
                _ => {}
            }
        }
        Self {
            weights,
            params: params.len(),
            units,
        }
    }

    /// FLOP of one row in one direction: log_prob, or sampling.
    pub fn pass_flop(&self) -> usize {
        2 * self.weights
    }

    /// FLOP of one row in a training step.
    pub fn step_flop(&self) -> usize {
        6 * self.weights
    }

    /// Least bytes of one direction for `rows` rows at a time: each parameter read, each unit written and read. An
    /// estimate of what passes through a cache too small for all of it.
    pub fn pass_bytes(&self, rows: usize) -> usize {
        BYTES * (self.params + 2 * rows * self.units)
    }

    /// The same for a training step: parameters are read in both passes, gradients written and read, parameters and
    /// Adam's two moments read and written; units and their gradients are written and read.
    pub fn step_bytes(&self, rows: usize) -> usize {
        BYTES * (10 * self.params + 4 * rows * self.units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FlowArgs, Model};

    fn work(model: Model, dim: usize, hidden: usize) -> Work {
        let args = FlowArgs {
            model,
            dim,
            layers: 2,
            hidden,
            blocks: 2,
            bins: 8,
        };
        Work::of(&args.start().expect("sizes in range").0)
    }

    #[test]
    fn dense_networks_count_every_weight() {
        // from 4 of 8 columns to scale and shift of the other 4, twice
        let found = work(Model::Realnvp, 8, 16);
        assert_eq!(found.weights, 2 * (4 * 16 + 16 * 16 + 16 * 8));
        assert_eq!(found.units, 2 * (16 + 16 + 8));
        assert_eq!(found.params, found.weights + found.units);
        assert_eq!(work(Model::Planar, 3, 16).weights, 2 * 2 * 3);
    }

    #[test]
    fn masked_networks_count_what_a_column_sees() {
        // one hidden unit a degree: unit d sees columns 0..d and units 0..=d, column i sees units of degree 1..=i
        let found = work(Model::Maf, 4, 3);
        let layer = (1 + 2 + 3) + (1 + 2 + 3) + 2 * (1 + 2 + 3);
        assert_eq!(found.weights, 2 * layer);
    }
}
