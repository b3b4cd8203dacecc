//! The softplus, which keeps numbers positive.

/// `softplus(r) = log(1 + exp(r))` and its slope, the sigmoid, without overflow.
pub(crate) fn softplus(r: f64) -> (f64, f64) {
    let e = (-r.abs()).exp();
    let slope = if r >= 0.0 { 1.0 } else { e } / (1.0 + e);
    (r.max(0.0) + e.ln_1p(), slope)
}
