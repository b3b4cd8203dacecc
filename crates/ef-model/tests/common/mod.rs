//! Small models, for tests that are about something else than their quality.

use ef_model::{Architecture, ModelKind};

/// A kind of model with so many hidden units in the network that has a head for each column's levels, and a small flow.
pub(crate) fn small(kind: ModelKind, hidden: usize) -> Architecture {
    let mut architecture = Architecture::new(kind);
    match &mut architecture {
        Architecture::Autoregressive(sizes) => (sizes.hidden, sizes.blocks) = (hidden, 1),
        Architecture::Flow(sizes) => {
            (sizes.levels_hidden, sizes.levels_blocks) = (hidden, 1);
            (sizes.layers, sizes.hidden, sizes.summary) = (2, 8, 4);
        }
        _ => unreachable!("there is no other architecture"),
    }
    architecture
}
