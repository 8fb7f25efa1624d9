//! Faults of a server, or of the way to it: classes, Redis's error replies, hints.

mod broken;
mod class;
pub(super) mod hint;
mod look_up;
mod names;
pub(super) mod refusal;
mod table;
#[cfg(test)]
mod tests;
pub(super) mod tls_hint;
mod trouble;
mod unexplained;

pub use broken::Broken;
pub use class::Class;
pub(super) use look_up::cause;
pub use look_up::{classify, explain, hint, redact, safe_code};
pub(super) use names::{NamedServer, ServerNames};
pub(super) use table::Cause;
pub(super) use trouble::code_and_detail;
pub use trouble::{QueryError, Trouble};
