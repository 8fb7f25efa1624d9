//! Why an event becomes no update.

use super::{RejectReason, SkipReason};

/// Why there is no update.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoUpdate {
    Skip(SkipReason),
    Reject(RejectReason),
}

impl From<SkipReason> for NoUpdate {
    fn from(reason: SkipReason) -> Self {
        Self::Skip(reason)
    }
}

impl From<RejectReason> for NoUpdate {
    fn from(reason: RejectReason) -> Self {
        Self::Reject(reason)
    }
}
