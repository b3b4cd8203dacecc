//! What the library's errors mean to who types commands: the flag that is the way out.

use echoflow::ModelError;

/// The flag that helps with an error, if one does.
pub(crate) fn hint(error: &ModelError) -> Option<&'static str> {
    const ORDER_AGNOSTIC: &str = "a model fitted with --order-agnostic yes draws rare rows better";
    const ALLOW_OR_ORDER_AGNOSTIC: &str =
        "--allow-low-ess; a model fitted with --order-agnostic yes draws rare rows better";
    match error {
        ModelError::LowEss {
            order_agnostic: true, ..
        } => Some("--allow-low-ess"),
        ModelError::LowEss { .. } => Some(ALLOW_OR_ORDER_AGNOSTIC),
        ModelError::NeverMet {
            order_agnostic: false,
            ..
        } => Some(ORDER_AGNOSTIC),
        ModelError::ContextNeeded { .. } => Some("--rows FILE"),
        ModelError::NoContext => Some("-n ROWS"),
        ModelError::CannotAnswer { .. } => Some("fit --model autoregressive"),
        ModelError::NothingToModel => Some("fit --context"),
        _ => None,
    }
}
