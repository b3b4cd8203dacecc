//! What the library's errors mean to who types commands: the flag that is the way out.

use echoflow::Error;

/// The flag that helps with an error, if one does.
pub(crate) fn hint(error: &Error) -> Option<&'static str> {
    const ORDER_AGNOSTIC: &str = "a model fitted with --order-agnostic yes draws rare rows better";
    const ALLOW_OR_ORDER_AGNOSTIC: &str =
        "--allow-low-ess; a model fitted with --order-agnostic yes draws rare rows better";
    match error {
        Error::LowEss {
            order_agnostic: true, ..
        } => Some("--allow-low-ess"),
        Error::LowEss { .. } => Some(ALLOW_OR_ORDER_AGNOSTIC),
        Error::NeverMet {
            order_agnostic: false,
            ..
        } => Some(ORDER_AGNOSTIC),
        Error::ContextNeeded { .. } => Some("--rows FILE"),
        Error::NoContext => Some("-n ROWS"),
        Error::CannotAnswer { .. } => Some("fit --model autoregressive"),
        Error::NothingToModel => Some("fit --context"),
        _ => None,
    }
}
