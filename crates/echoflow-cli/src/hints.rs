//! What the library's errors mean to who types commands: the flag that is the way out.

use echoflow::Error;

/// The flag that helps with an error, if one does.
pub(crate) fn hint(error: &Error) -> Option<&'static str> {
    const ANY_ORDER: &str = "a model fitted with --any-order yes draws rare rows better";
    const ALLOW_OR_ANY_ORDER: &str =
        "--allow-low-ess; a model fitted with --any-order yes draws rare rows better";
    match error {
        Error::LowEss {
            order_agnostic: true, ..
        } => Some("--allow-low-ess"),
        Error::LowEss { .. } => Some(ALLOW_OR_ANY_ORDER),
        Error::NeverMet {
            order_agnostic: false,
            ..
        } => Some(ANY_ORDER),
        Error::ContextNeeded { .. } => Some("--rows FILE"),
        Error::NoContext => Some("-n ROWS"),
        Error::CannotAnswer { .. } => Some("fit --model chain"),
        Error::NothingToModel => Some("fit --context"),
        _ => None,
    }
}
