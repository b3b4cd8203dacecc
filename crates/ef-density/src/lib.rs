//! Densities that can be scored, sampled and trained: flows, discrete autoregressive networks, and both on one row.
