//! Kernels for normalizing flows: products, masked layers and residual networks with hand-written backward passes.
