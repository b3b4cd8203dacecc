//! Where each column's inputs and outputs lie.

use std::ops::Range;

use super::ordered::Ordered;
use crate::rows::Layout;
use crate::rows::RankInputs;
use crate::softmax::log_shares;

/// One column of a [`TableMade`](super::TableMade).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Its discrete variable, if it has several levels.
    pub(crate) variable: Option<usize>,
    /// Its column among the ranks, if it has a continuous level.
    pub(crate) rank: Option<usize>,
    pub(crate) levels: usize,
    /// Logistics of its head.
    pub(crate) components: usize,
    /// Its outputs; none for a column of a single level, and for one that depends on nothing.
    pub(crate) outputs: Range<usize>,
    /// The logits of a column that depends on nothing: those of its marginal, which no training moves.
    pub(crate) marginal: Option<Vec<f64>>,
    /// The order of its levels, if they have one and there is no continuous level.
    pub(crate) ordered: Option<Ordered>,
    /// Its column among the normal scores that regressions read: those of ranks and of ordered levels.
    pub(crate) score: Option<usize>,
    /// Its dense features.
    pub(crate) features: Range<usize>,
}

impl Column {
    /// The columns of a layout, in order, with mixtures of `components`. `from_nothing`: the first column that is not
    /// certain depends on nothing.
    pub(crate) fn all(layout: &Layout, components: usize, mut from_nothing: bool) -> Vec<Self> {
        let (mut output, mut feature, mut scores) = (0, 0, 0);
        let columns = layout.columns().iter().map(|&(variable, rank)| {
            let levels = variable.map_or(1, |v| layout.variables()[v].levels());
            let is_certain = variable.is_none() && rank.is_none();
            let marginal = (from_nothing && !is_certain).then(|| {
                from_nothing = false;
                let shares = variable.map_or(&[1.0][..], |v| &layout.variables()[v].shares);
                log_shares(shares)
            });
            let components = if rank.is_some() && marginal.is_none() {
                components
            } else {
                0
            };
            let ordered = variable.and_then(|v| {
                let variable = &layout.variables()[v];
                Ordered::new(&variable.shares, &variable.order)
            });
            let map = if components > 0 || ordered.is_some() { 2 } else { 0 };
            let outputs = if is_certain || marginal.is_some() {
                0
            } else {
                3 * components + levels + map
            };
            let score = (rank.is_some() || ordered.is_some()).then(|| {
                scores += 1;
                scores - 1
            });
            let features = if rank.is_some() { RankInputs::WIDTH } else { 0 };
            let column = Self {
                variable,
                rank,
                levels,
                components,
                outputs: output..output + outputs,
                marginal,
                ordered,
                score,
                features: feature..feature + features,
            };
            output += outputs;
            feature += features;
            column
        });
        columns.collect()
    }

    /// How many of the outputs, the first ones, are logits: of levels, or of components, background and other levels.
    pub(crate) fn logits(&self) -> usize {
        self.components + self.levels
    }

    /// Its outputs of location and log-scale, if it has them.
    pub(crate) fn map(&self) -> Option<Range<usize>> {
        let has_map = self.components > 0 || (self.ordered.is_some() && !self.outputs.is_empty());
        has_map.then(|| self.outputs.end - 2..self.outputs.end)
    }

    /// Whether its value is certain: a single level without ranks.
    pub(crate) fn is_certain(&self) -> bool {
        self.outputs.is_empty() && self.marginal.is_none()
    }

    /// The level of a row, given all its levels; level 0 where the column has no other.
    pub(crate) fn level(&self, levels: &[u32]) -> u32 {
        self.variable.map_or(0, |v| levels[v])
    }
}
