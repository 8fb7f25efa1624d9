//! What the runner is given to do.

use super::mark::UserDigest;

/// One thing to do.
pub(super) enum RunnerWork {
    /// See the regulation with this id to its end.
    Regulation(String),
    /// Have Redis know the marks of these users.
    Publish(Vec<UserDigest>),
}
