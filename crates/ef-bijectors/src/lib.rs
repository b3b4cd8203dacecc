//! Invertible, differentiable maps with exact log-determinants and hand-written backward passes.
