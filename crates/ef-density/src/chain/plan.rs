//! Where each column's inputs and outputs lie.

use std::ops::Range;

use super::inputs::RankInputs;
use crate::mixed::Layout;

/// One column of a [`ColumnChain`](super::ColumnChain).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Its discrete variable, if it has several cells.
    pub(crate) variable: Option<usize>,
    /// Its column among the ranks, if it has a continuous cell.
    pub(crate) rank: Option<usize>,
    pub(crate) cells: usize,
    /// Its outputs; none for a column of a single cell.
    pub(crate) outputs: Range<usize>,
    /// Its dense features.
    pub(crate) features: Range<usize>,
}

impl Column {
    /// The columns of a layout, in order, with mixtures of `components`.
    pub(crate) fn all(layout: &Layout, components: usize) -> Vec<Self> {
        let (mut output, mut feature) = (0, 0);
        let columns = layout.columns().iter().map(|&(variable, rank)| {
            let cells = variable.map_or(1, |v| layout.variables()[v].cells());
            let (outputs, features) = match (variable, rank) {
                (_, Some(_)) => (3 * components + cells, RankInputs::WIDTH),
                (Some(_), None) => (cells, 0),
                (None, None) => (0, 0),
            };
            let column = Self {
                variable,
                rank,
                cells,
                outputs: output..output + outputs,
                features: feature..feature + features,
            };
            output += outputs;
            feature += features;
            column
        });
        columns.collect()
    }

    /// How many of the outputs, the first ones, are logits: of cells, or of components, background and other cells.
    pub(crate) fn logits(&self, components: usize) -> usize {
        let ranked = usize::from(self.rank.is_some());
        self.outputs.len() - 2 * components * ranked
    }

    /// The cell of a row, given all its codes; cell 0 where the column has no other.
    pub(crate) fn cell(&self, codes: &[u32]) -> u32 {
        self.variable.map_or(0, |v| codes[v])
    }
}
